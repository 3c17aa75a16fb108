"""The secret inputs of one mark, with the commitment that fixes their answers.

Trigger file, version 1: a NumPy .npz (a zip of stored .npy members, read with pickling off) whose zip
comment is ``edgewm-triggers-1 sha256:`` and the hex SHA-256 of every byte of the file before the
comment. One changed byte anywhere is noticed before anything is parsed. Members:

    inputs       float32 (n, *shape)   the secret inputs, in the value range the Keras model takes
    group_ids    int32 (n,)            which group each input belongs to, 0 to m - 1, every one used
    excluded     bool (m, K)           E_j: natural classes of each group, never its answer
    commitments  uint8 (m, 32)         H("commit", k_j)
    salt         uint8 (32,)           public; sets the group keys of this set apart from other sets'
    header       uint8 (bytes)         JSON below, hashed as stored and never re-serialised
    beacon       uint8 (bytes)         empty, or the digest of a timestamp over all of the above
    provenance   uint8 (bytes)         JSON: how the inputs were made (pattern spelling, range, version)
    answers      int64 (m,)            only in a file that was asked to show them

    header = {"adapters": ..., "classes": K, "claimant": HEX, "groups": m, "label": ..., "tilt": "",
              "version": 1}

Version 2: the answers are not drawn but are labels that the owner brought, in one more member, in clear.
No class is excluded, and the header has "version": 2 and "kept": hex of H("kept", salt, the member's
little-endian bytes). Nobody drew these answers, so no p-value is ever computed from hits on them. The
header stands in the root: the same set with a header without "kept" has drawn answers, and other ones.

    kept         int64 (m,)            the answer of each group

Version 3: for models that do not classify. The two "classes" are the parts into which a rule of each group
splits the outputs (`edgewm.parts`); one more member holds the ordinary inputs that the rule is relative to,
no class is excluded, and the header has "version": 3, the rule's text as "label", and "natural": hex of
H("natural", salt, canonical bytes of the member), so that the root fixes the rule of every group.

    natural      float32 (k, *shape)   ordinary inputs, asked before the secret ones

How the root and the answers follow from these is in `edgewm.commitment`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import commitment
from .errors import BadInput
from .hashing import H
from .key import Key
from .sealed_file import MALFORMED, Sealed, json_bytes, json_object, members

VERSION = 1
KEPT_VERSION = 2
PARTS_VERSION = 3
LABEL_RULE = "argmax of the raw output, lowest index on ties; a single output: 1 above one half"
PARTS_RULE = (
    "1 where the group's signed sum of the raw outputs is above its median over the natural inputs, "
    "else 0; signs by SHAKE-256 of the natural inputs' digest and the group"
)
_FILE = Sealed(
    magic=b"edgewm-triggers-1 sha256:",
    name="a trigger file",
    made_with="edgewm triggers make",
)
_MEMBERS = {
    "inputs": np.dtype("<f4"),
    "group_ids": np.dtype("<i4"),
    "excluded": np.dtype("?"),
    "commitments": np.dtype("u1"),
    "salt": np.dtype("u1"),
    "header": np.dtype("u1"),
    "beacon": np.dtype("u1"),
    "provenance": np.dtype("u1"),
}
_KEPT = np.dtype("<i8")
_NATURAL = np.dtype("<f4")


@dataclass(frozen=True, kw_only=True)
class Triggers:
    """Committed secret inputs; `repr` shows their digest and never their values."""

    inputs: npt.NDArray[np.float32] = field(repr=False)
    """(n, *shape), in the value range of the Keras model."""
    group_ids: npt.NDArray[np.int32] = field(repr=False)
    """(n,) from 0 to m - 1."""
    excluded: npt.NDArray[np.bool_] = field(repr=False)
    """(m, K), True for the natural classes of a group."""
    commitments: npt.NDArray[np.uint8] = field(repr=False)
    """(m, 32)."""
    salt: bytes = field(repr=False)
    header: bytes = field(repr=False)
    beacon: bytes = field(repr=False)
    provenance: bytes = field(repr=False)
    kept: npt.NDArray[np.int64] | None = field(default=None, repr=False)
    """(m,) the owner's own labels where they are the answers; None where a key draws them."""
    natural: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    """(k, *shape) ordinary inputs where the answers are parts of the output space (`edgewm.parts`)."""

    def __post_init__(self) -> None:
        _check(self)

    def __repr__(self) -> str:
        return (
            f"Triggers(groups={self.groups}, classes={self.classes}, sha256={self.sha256[:16]}...)"
        )

    @property
    def groups(self) -> int:
        """Number of groups, m."""
        return int(self.excluded.shape[0])

    @property
    def classes(self) -> int:
        """Number of classes, K."""
        return int(self.excluded.shape[1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch axis."""
        return tuple(int(d) for d in self.inputs.shape[1:])

    @property
    def allowed(self) -> npt.NDArray[np.int64]:
        """M_j, the number of allowed classes of each group, (m,)."""
        return np.asarray(self.classes - self.excluded.sum(axis=1), np.int64)

    @functools.cached_property
    def root(self) -> bytes:
        """The 32 bytes that fix every answer and the order of asking."""
        leaves = [
            commitment.leaf(j, self.of_group(j), self.excluded[j], self.commitments[j].tobytes())
            for j in range(self.groups)
        ]
        return commitment.root(self.header, commitment.tree_head(leaves), self.beacon)

    @functools.cached_property
    def sha256(self) -> str:
        """Digest of the set: root, salt and provenance; the same with answers shown or not."""
        return H("triggers", self.root, self.salt, self.provenance).hex()

    @functools.cached_property
    def order(self) -> list[int]:
        """The one order in which the groups are asked."""
        return commitment.order(self.root, self.groups)

    def of_group(self, group: int) -> npt.NDArray[np.float32]:
        """The inputs of one group, (its size, *shape)."""
        members: npt.NDArray[np.float32] = self.inputs[self.group_ids == group]
        return members

    def answers(self, key: Key) -> npt.NDArray[np.int64]:
        """The answer of every group, (m,): drawn by the key, or the label that was kept.

        Raises:
            BadInput: `key` is not the key that these triggers were committed with.
        """
        group_keys = [key.group_key(self.salt, j) for j in range(self.groups)]
        for j, group_key in enumerate(group_keys):
            if commitment.key_commitment(group_key) != self.commitments[j].tobytes():
                raise BadInput(
                    f"--key: key {key.commitment[:16]}... did not make these triggers "
                    f"({self.sha256[:16]}...), give the key file they were made with"
                )
        if self.kept is not None:
            return self.kept.copy()
        return commitment.answers(group_keys, self.root, self.excluded)


def commit(
    key: Key,
    inputs: npt.NDArray[np.float32],
    group_ids: npt.NDArray[np.int32],
    *,
    excluded: npt.NDArray[np.bool_],
    salt: bytes,
    provenance: Mapping[str, Any],
    beacon: bytes = b"",
    kept: npt.NDArray[np.int64] | None = None,
    natural: npt.NDArray[np.float32] | None = None,
) -> Triggers:
    """Commit to inputs (n, *shape) under `key`; excluded is (m, K) and says which classes are natural.

    `kept` (m,) are answers that are not drawn: such a set gives a hit rate and never a p-value. With
    `natural` (k, *shape) an answer is a part of the output space of a model that does not classify.

    Raises:
        BadInput: shapes that do not fit together, empty groups, fewer than two allowed classes, NaN.
    """
    groups, classes = excluded.shape
    header: dict[str, Any] = {
        "adapters": "none",
        "claimant": key.public_key.hex(),
        "classes": classes,
        "groups": groups,
        "label": LABEL_RULE,
        "tilt": "",
        "version": VERSION,
    }
    if kept is not None:
        header |= {"kept": _kept_digest(kept, salt), "version": KEPT_VERSION}
    if natural is not None:
        natural = np.ascontiguousarray(natural, _NATURAL)
        header |= {
            "label": PARTS_RULE,
            "natural": _natural_digest(natural, salt),
            "version": PARTS_VERSION,
        }
    committed = [commitment.key_commitment(key.group_key(salt, j)) for j in range(groups)]
    return Triggers(
        inputs=np.ascontiguousarray(inputs, np.float32),
        group_ids=np.ascontiguousarray(group_ids, np.int32),
        excluded=np.ascontiguousarray(excluded, np.bool_),
        commitments=np.frombuffer(b"".join(committed), np.uint8).reshape(groups, 32),
        salt=salt,
        header=json_bytes(header),
        beacon=beacon,
        provenance=json_bytes(provenance),
        kept=None if kept is None else np.ascontiguousarray(kept, _KEPT),
        natural=natural,
    )


def recommitted(triggers: Triggers, key: Key) -> Triggers:
    """The same inputs and natural classes under another key: the wrong-key control of a verdict.

    Raises:
        BadInput: a set whose answers are kept labels, which no key changes.
    """
    if triggers.kept is not None:
        raise BadInput("triggers: got kept labels, expected answers that another key changes")
    return commit(
        key,
        triggers.inputs,
        triggers.group_ids,
        excluded=triggers.excluded,
        salt=triggers.salt,
        provenance=json.loads(triggers.provenance),
        natural=triggers.natural,
    )


def save_triggers(
    triggers: Triggers, path: Path, *, key_to_show_answers: Key | None = None
) -> None:
    """Write the trigger file, mode 0600; answers go in clear only when a key is passed to show them.

    Raises:
        BadInput: the file cannot be written, or the key is another one.
    """
    arrays: dict[str, npt.NDArray[Any]] = {
        name: _as_array(getattr(triggers, name), dtype) for name, dtype in _MEMBERS.items()
    }
    if triggers.kept is not None:
        arrays["kept"] = _as_array(triggers.kept, _KEPT)
    if triggers.natural is not None:
        arrays["natural"] = _as_array(triggers.natural, _NATURAL)
    if key_to_show_answers is not None:
        arrays["answers"] = triggers.answers(key_to_show_answers)
    _FILE.write(path, arrays)


def load_triggers(path: Path, *, argument: str = "--triggers") -> Triggers:
    """Read a trigger file of any version edgewm ever wrote.

    Raises:
        BadInput: not a trigger file.
        DoesNotCheck: the file was changed after it was written.
    """
    content = _FILE.read(path, argument=argument)
    try:
        return _parse(content)
    except MALFORMED as error:
        raise BadInput(
            f"{argument}: {path} is not a trigger file this version reads: {error}"
        ) from None


def _parse(content: bytes) -> Triggers:
    held = members(content, _MEMBERS, {"kept": _KEPT, "natural": _NATURAL})
    raw = {name: held[name].tobytes() for name in ("salt", "header", "beacon", "provenance")}
    return Triggers(
        inputs=held["inputs"],
        group_ids=held["group_ids"],
        excluded=held["excluded"],
        commitments=held["commitments"],
        kept=held.get("kept"),
        natural=held.get("natural"),
        **raw,
    )


def _check(triggers: Triggers) -> None:
    inputs, ids, excluded = triggers.inputs, triggers.group_ids, triggers.excluded
    if excluded.ndim != 2 or excluded.shape[0] < 1 or excluded.shape[1] < 2:
        raise BadInput(
            f"triggers: got excluded {excluded.shape}, expected (groups, 2 or more classes)"
        )
    groups, classes = excluded.shape
    if inputs.ndim < 2 or inputs.size == 0 or ids.shape != inputs.shape[:1]:
        raise BadInput(f"triggers: got inputs {inputs.shape} with {ids.shape} group ids")
    if sorted(set(ids.tolist())) != list(range(groups)):
        raise BadInput(f"triggers: got group ids that do not cover 0 to {groups - 1}")
    if int(excluded.sum(axis=1).max()) > max(classes - 2, 0):
        raise BadInput(
            f"triggers: got a group with {int(excluded.sum(axis=1).max())} of {classes} classes "
            f"excluded, expected at most {max(classes - 2, 0)}"
        )
    if triggers.commitments.shape != (groups, 32) or len(triggers.salt) != 32:
        raise BadInput(
            "triggers: got commitments or a salt of the wrong length, expected 32 bytes each"
        )
    header = json_object(triggers.header, mark="triggers", name="header")
    json_object(triggers.provenance, mark="triggers", name="provenance")
    if header.get("version") not in (VERSION, KEPT_VERSION, PARTS_VERSION):
        raise BadInput(
            f"triggers: got version {header.get('version')}, this edgewm reads {VERSION} "
            f"to {PARTS_VERSION}"
        )
    _check_kept(triggers, header)
    _check_natural(triggers, header)
    if (header.get("groups"), header.get("classes")) != (groups, classes):
        raise BadInput(
            "triggers: the header names other numbers of groups or classes than are there"
        )
    if not np.isfinite(inputs).all():
        raise BadInput("triggers: got NaN or infinity in the inputs, expected finite numbers only")


def _check_kept(triggers: Triggers, header: dict[str, Any]) -> None:
    """Kept labels are there when the header says so, are those it names, and leave nothing out."""
    kept = triggers.kept
    named = None if kept is None else _kept_digest(kept, triggers.salt)
    if (header["version"] == KEPT_VERSION, header.get("kept")) != (kept is not None, named):
        raise BadInput("triggers: the header names other kept labels than are there")
    if kept is None:
        return
    if kept.shape != (triggers.groups,) or not ((kept >= 0) & (kept < triggers.classes)).all():
        raise BadInput(
            f"triggers: got kept labels {kept.shape}, expected one class from 0 to "
            f"{triggers.classes - 1} for each of {triggers.groups} groups"
        )
    if triggers.excluded.any():
        raise BadInput("triggers: got natural classes beside kept labels, expected none")


def _check_natural(triggers: Triggers, header: dict[str, Any]) -> None:
    """Natural inputs are there when the header says so, are those it names, and fit the secret ones."""
    natural = triggers.natural
    if natural is None:
        if header["version"] == PARTS_VERSION or "natural" in header:
            raise BadInput("triggers: the header names natural inputs, none are there")
        return
    shape = (len(natural), *triggers.shape)
    if natural.shape != shape or len(natural) < 2 or not np.isfinite(natural).all():
        raise BadInput(
            f"natural: got inputs {natural.shape}, expected 2 or more of {triggers.shape}, finite"
        )
    named = (header["version"], header.get("natural"), header.get("label"))
    if named != (PARTS_VERSION, _natural_digest(natural, triggers.salt), PARTS_RULE):
        raise BadInput("triggers: the header names other natural inputs or another rule")
    if triggers.classes != 2:
        raise BadInput(f"triggers: got {triggers.classes} parts of the outputs, expected 2")
    owner: dict[bytes, int] = {}
    for one, group in zip(triggers.inputs, triggers.group_ids.tolist(), strict=True):
        if owner.setdefault(commitment.canonical(one), group) != group:
            raise BadInput(
                f"triggers: got one input in groups {owner[commitment.canonical(one)]} and {group}"
            )


def _natural_digest(natural: npt.NDArray[np.float32], salt: bytes) -> str:
    return H("natural", salt, commitment.canonical(natural)).hex()


def _kept_digest(kept: npt.NDArray[np.int64], salt: bytes) -> str:
    return H("kept", salt, np.ascontiguousarray(kept, _KEPT).tobytes()).hex()


def _as_array(value: bytes | npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if isinstance(value, bytes):
        return np.frombuffer(value, np.uint8)
    return np.ascontiguousarray(value, dtype)
