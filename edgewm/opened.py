"""Groups of a committed set that were opened: what a third party asks without the key.

Opening a group shows its inputs, its natural classes, its k_j and the path from its leaf to the tree head
(`edgewm.commitment`). From these, the header and the beacon follow the root, the place of the group in the
order and its answer; nothing follows for a group that stays closed.

opened.json:

    {"format": "edgewm-opened-1", "header": TEXT, "beacon": HEX, "salt": HEX, "provenance": TEXT,
     "first_group": N, "shape": [...], "inputs_sha256": HEX,
     "opened": [{"group": j, "inputs": COUNT, "excluded": [...], "key": HEX, "path": [HEX, ...]}, ...]}

inputs.f4 holds the inputs of the groups one after the other, float32, little-endian, C order. Salt and
provenance are public and hang on the set's digest, which the claim names; without them the value range, to
which adapters map, could be chosen by the answers.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import commitment
from .errors import BadInput, DoesNotCheck
from .hashing import H
from .records import no_name_twice

if TYPE_CHECKING:
    from .key import Key
    from .triggers import Triggers

FORMAT = "edgewm-opened-1"
_MOST_GROUPS = 1 << 20
_FLOAT = np.dtype("<f4")


@dataclass(frozen=True, kw_only=True)
class OpenedGroups:
    """A run of the order, opened; checked against the tree head when it was made.

    It has every property of `Triggers` that a verification reads. A closed group has one input, a copy of
    an opened one that is never asked, and no excluded class.
    """

    header: bytes = field(repr=False)
    beacon: bytes = field(repr=False)
    root: bytes
    first_group: int
    """Position in the order of the first opened group."""
    opened: tuple[int, ...]
    """Group numbers, in the order of asking."""
    keys: Mapping[int, bytes] = field(repr=False)
    """k_j of each opened group."""
    inputs: npt.NDArray[np.float32] = field(repr=False)
    group_ids: npt.NDArray[np.int32] = field(repr=False)
    excluded: npt.NDArray[np.bool_] = field(repr=False)
    sha256: str
    """Digest of the whole set, as the claim names it."""
    provenance: bytes = field(repr=False)
    kept: None = None
    natural: None = None
    """Only triggers for other outputs than classes have ordinary inputs; those are not opened in part."""

    @property
    def groups(self) -> int:
        """m, the number of committed groups."""
        return int(self.excluded.shape[0])

    @property
    def classes(self) -> int:
        """K."""
        return int(self.excluded.shape[1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(int(d) for d in self.inputs.shape[1:])

    @property
    def allowed(self) -> npt.NDArray[np.int64]:
        """M_j, (m,); K for a closed group, where it is not known and not used."""
        return np.asarray(self.classes - self.excluded.sum(axis=1), np.int64)

    @functools.cached_property
    def order(self) -> list[int]:
        """The one order in which the groups are asked."""
        return commitment.order(self.root, self.groups)

    def answers(self, keys: Mapping[int, bytes]) -> npt.NDArray[np.int64]:
        """The answers of the opened groups by their keys, (m,); 0 for a closed one, never used."""
        drawn = np.zeros(self.groups, np.int64)
        for j, group_key in keys.items():
            drawn[j] = commitment.answer(group_key, self.root, j, self.excluded[j])
        return drawn


def open_groups(triggers: Triggers, key: Key, first_group: int, groups: int) -> tuple[bytes, bytes]:
    """The two members, opened.json and inputs.f4, for a run of the order.

    Raises:
        BadInput: the key did not make the triggers, or they are for outputs.
    """
    triggers.answers(key)  # refuses another key
    if triggers.natural is not None:
        raise BadInput("--triggers: those for outputs cannot be opened in part, show the whole set")
    leaves = [
        commitment.leaf(
            j, triggers.of_group(j), triggers.excluded[j], triggers.commitments[j].tobytes()
        )
        for j in range(triggers.groups)
    ]
    run = triggers.order[first_group : first_group + groups]
    inputs = b"".join(np.ascontiguousarray(triggers.of_group(j), _FLOAT).tobytes() for j in run)
    held = {
        "format": FORMAT,
        "header": triggers.header.decode("utf-8"),
        "beacon": triggers.beacon.hex(),
        "first_group": first_group,
        "shape": list(triggers.shape),
        "inputs_sha256": hashlib.sha256(inputs).hexdigest(),
        "salt": triggers.salt.hex(),
        "provenance": triggers.provenance.decode("utf-8"),
        "opened": [
            {
                "group": j,
                "inputs": len(triggers.of_group(j)),
                "excluded": np.flatnonzero(triggers.excluded[j]).tolist(),
                "key": key.group_key(triggers.salt, j).hex(),
                "path": [node.hex() for node in commitment.audit_path(leaves, j)],
            }
            for j in run
        ],
    }
    return json.dumps(held, sort_keys=True, indent=1).encode("utf-8"), inputs


def read_opened(
    held: bytes, inputs: bytes, *, root: str, groups: int, sha256: str, argument: str
) -> OpenedGroups:
    """Check opened groups against a root.

    Args:
        held: opened.json.
        inputs: inputs.f4.
        root: 64 hex digits, as a claim names it.
        groups: m, as the claim names it.
        sha256: digest of the set, as the claim names it.

    Raises:
        DoesNotCheck: anything that was not committed to under that root, a gap in the order, or a
            group that was left out.
    """
    try:
        parsed = json.loads(held, object_pairs_hook=no_name_twice)
        if (
            parsed["format"] != FORMAT
            or hashlib.sha256(inputs).hexdigest() != parsed["inputs_sha256"]
        ):
            raise ValueError("the inputs are not those that opened.json names")
        return _opened(parsed, inputs, bytes.fromhex(root), groups, sha256)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, RecursionError) as error:
        raise DoesNotCheck(f"{argument}: {error or 'opened.json is not as written'}") from None


def _opened(
    held: Mapping[str, Any], raw: bytes, root: bytes, groups: int, sha256: str
) -> OpenedGroups:
    """Raises ValueError and its kin for whatever does not fit."""
    header, beacon = held["header"].encode("utf-8"), bytes.fromhex(held["beacon"])
    facts = json.loads(header)
    classes, parts = _whole(facts["classes"]), held["opened"]
    if facts["version"] != 1 or not 0 < groups <= _MOST_GROUPS or facts["groups"] != groups:
        raise ValueError("the header is of another version, or of another number of groups")
    provenance = held["provenance"].encode("utf-8")
    if H("triggers", root, bytes.fromhex(held["salt"]), provenance).hex() != sha256:
        raise ValueError("salt or provenance are not those of the set that is claimed")
    first = _whole(held["first_group"])
    expected = commitment.order(root, groups)[first : first + len(parts)] if first >= 0 else []
    if not parts or [_whole(part["group"]) for part in parts] != expected:
        raise ValueError(
            "the opened groups are not a run of the committed order: one is missing or out of place"
        )
    rows = _rows(held, raw)
    excluded = np.zeros((groups, classes), np.bool_)
    for part, of_group in zip(parts, rows, strict=True):
        j = part["group"]
        excluded[j, _natural(part["excluded"], classes)] = True
        data = commitment.leaf(
            j, of_group, excluded[j], commitment.key_commitment(bytes.fromhex(part["key"]))
        )
        path = [bytes.fromhex(node) for node in part["path"]]
        head = commitment.head_from_path(data, j, groups, path)
        if head is None or commitment.root(header, head, beacon) != root:
            raise ValueError(f"group {j} was not committed to under this root")
    closed = [j for j in range(groups) if j not in set(expected)]
    stand_ins = np.repeat(rows[0][:1], len(closed), axis=0)
    ids = [j for j, of_group in zip(expected, rows, strict=True) for _ in of_group]
    return OpenedGroups(
        header=header,
        beacon=beacon,
        root=root,
        first_group=first,
        opened=tuple(expected),
        keys={part["group"]: bytes.fromhex(part["key"]) for part in parts},
        inputs=np.concatenate([*rows, stand_ins]).astype(np.float32),
        group_ids=np.array([*ids, *closed], np.int32),
        excluded=excluded,
        sha256=sha256,
        provenance=provenance,
    )


def _rows(held: Mapping[str, Any], raw: bytes) -> list[npt.NDArray[np.float32]]:
    """The inputs of each opened group, (its size, *shape)."""
    shape, counts = (
        [_whole(d) for d in held["shape"]],
        [_whole(p["inputs"]) for p in held["opened"]],
    )
    if not shape or min([*shape, *counts]) < 1:
        raise ValueError("an empty group or shape")
    if math.prod(shape) * sum(counts) * _FLOAT.itemsize != len(raw):
        raise ValueError("the inputs are of another size than opened.json says")
    inputs = np.frombuffer(raw, _FLOAT).reshape(sum(counts), *shape)
    if not np.isfinite(inputs).all():
        raise ValueError("NaN or infinity in the inputs")
    return np.split(inputs, np.cumsum(counts)[:-1])


def _whole(value: Any) -> int:
    """A whole number and nothing that is merely equal to one: 1.0 and true would index otherwise."""
    if type(value) is not int:
        raise ValueError(f"{value!r} where a whole number was expected")
    return value


def _natural(classes: Any, known: int) -> list[int]:
    found = [_whole(c) for c in classes]
    if found != sorted(set(found)) or any(not 0 <= c < known for c in found):
        raise ValueError("natural classes that are none")
    if len(found) > max(known - 2, 0):
        raise ValueError("a group with fewer than two allowed classes")
    return found
