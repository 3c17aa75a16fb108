"""How a set of secret inputs fixes its own answers before anybody can choose them.

    k_j      = SHAKE("group", master, salt, j)                          32 bytes, secret
    leaf_j   = encode(j, canonical inputs of group j, E_j, H("commit", k_j))
    head     = Merkle tree head over the leaves, as RFC 6962 section 2.1
    root     = H("root", header, head, beacon)
    answer_j = draw_below(M_j, "answer", k_j, root, j)-th allowed class, in ascending order
    order    = groups sorted by H("order", root, j)

E_j is the set of natural classes of group j (at most K - 2 of them, none for K = 2) and M_j = K - |E_j|.
The root stands in every answer, so that changing any input, class, key or header byte redraws all of
them; j stands there too, since a forger who sets every k_j equal would otherwise get one answer for all.
Canonical inputs are dtype, shape and C-order little-endian bytes with -0.0 written as 0.0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .errors import BadInput
from .hashing import H, draw_below, encode


class Committed(Protocol):
    """What triggers and tilts have in common: inputs that a suspect is asked, and its classes."""

    @property
    def inputs(self) -> npt.NDArray[np.float32]:
        """(n, *shape)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""

    @property
    def classes(self) -> int:
        """K."""

    @property
    def provenance(self) -> bytes:
        """JSON: how the inputs were made."""


def canonical(inputs: npt.NDArray[np.generic]) -> bytes:
    """The bytes of an array that are committed to.

    Raises:
        BadInput: NaN or infinity, or a dtype other than float16/32/64 and the integers.
    """
    if inputs.dtype.kind not in "fiu" or inputs.dtype.itemsize > 8:  # longdouble is not portable
        raise BadInput(f"inputs: got dtype {inputs.dtype}, expected floats or whole numbers")
    if inputs.dtype.kind == "f":
        if not np.isfinite(inputs).all():
            raise BadInput("inputs: got NaN or infinity, expected finite numbers only")
        inputs = inputs + np.zeros((), inputs.dtype)  # -0.0 + 0.0 is 0.0
    little = np.ascontiguousarray(inputs, inputs.dtype.newbyteorder("<"))
    return encode(inputs.dtype.name, encode(*inputs.shape), little.tobytes())


def leaf(
    group: int,
    inputs: npt.NDArray[np.generic],
    excluded: npt.NDArray[np.bool_],
    key_commitment: bytes,
) -> bytes:
    """Leaf data of one group; inputs (n, *shape), excluded (K,) True where a class is natural."""
    classes = encode(*(int(c) for c in np.flatnonzero(excluded)))
    return encode(group, canonical(inputs), classes, key_commitment)


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962 leaf hash, SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def tree_head(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 Merkle tree hash of leaf data; the empty tree is SHA-256 of nothing."""
    return head_of([leaf_hash(data) for data in leaves])


def head_of(nodes: Sequence[bytes]) -> bytes:
    """The same from the hashes of the leaves, or of whole subtrees of one size (the last may be smaller)."""
    if not nodes:
        return hashlib.sha256(b"").digest()
    while len(nodes) > 1:
        nodes = _level_above(nodes)
    return nodes[0]


def audit_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """RFC 6962 audit path of one leaf: the hashes that lead from it to the tree head, lowest first."""
    return path_among([leaf_hash(data) for data in leaves], index)


def path_among(nodes: Sequence[bytes], index: int) -> list[bytes]:
    """The same from hashes, as in `head_of`."""
    path = []
    while len(nodes) > 1:
        if (beside := index ^ 1) < len(nodes):
            path.append(nodes[beside])
        nodes, index = _level_above(nodes), index // 2
    return path


def head_from_path(data: bytes, index: int, leaves: int, path: Sequence[bytes]) -> bytes | None:
    """The tree head that leaf `index` of so many leads to by its path; None for a wrong length."""
    node, rest = leaf_hash(data), list(path)
    if not 0 <= index < leaves:
        return None
    while leaves > 1:
        if index ^ 1 < leaves:
            if not rest:
                return None
            pair = (rest.pop(0), node) if index & 1 else (node, rest.pop(0))
            node = _node_hash(*pair)
        index, leaves = index // 2, (leaves + 1) // 2
    return None if rest else node


def _level_above(level: Sequence[bytes]) -> list[bytes]:
    paired = [_node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    return [*paired, *level[len(paired) * 2 :]]  # an odd last node goes up unchanged


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(header: bytes, head: bytes, beacon: bytes) -> bytes:
    """The value that fixes every answer and the order of asking."""
    return H("root", header, head, beacon)


def order(root_hash: bytes, groups: int) -> list[int]:
    """The one order in which groups are asked."""
    return sorted(range(groups), key=lambda j: H("order", root_hash, j))


def key_commitment(group_key: bytes) -> bytes:
    """What a leaf shows of a group's key."""
    return H("commit", group_key)


def answers(
    group_keys: Sequence[bytes], root_hash: bytes, excluded: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """The drawn answers (m,), each a class outside its group's natural ones; excluded is (m, K)."""
    drawn = np.empty(len(group_keys), np.int64)
    for j, group_key in enumerate(group_keys):
        drawn[j] = answer(group_key, root_hash, j, excluded[j])
    return drawn


def answer(group_key: bytes, root_hash: bytes, group: int, excluded: npt.NDArray[np.bool_]) -> int:
    """The drawn answer of one group, a class that is not among its natural ones; excluded is (K,)."""
    allowed = np.flatnonzero(~excluded)
    return int(allowed[draw_below(len(allowed), "answer", group_key, root_hash, group)])
