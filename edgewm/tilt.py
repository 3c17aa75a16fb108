"""A mark without triggers: which way a network leans on ordinary inputs that were nearly undecided.

Natural inputs fall into public cells (`edgewm.regions`), each about one pair of classes (a, b). A secret
fair sign belongs to each cell; training tips the undecided inputs of the cell towards a or towards b
(`edgewm.schemes.lean`). All else is key-free and committed to before the signs exist:

    k_c    = SHAKE("group", master, salt, c)                                32 bytes, secret
    leaf_c = encode(c, canonical inputs, a, b, canonical weights, canonical expected, H("commit", k_c))
    root   = H("root", header, RFC 6962 tree head over the leaves, beacon)
    s_c    = +1 or -1 by draw_below(2, "tilt", k_c, root, c)
    order  = cells sorted by H("order", root, c), inputs of a cell in the order of the file

The score of a cell is a whole number, from labels and committed numbers alone:

    A_c = sum over its inputs of weight * (16384 d - expected),  d = +1 for a, -1 for b;
          an input that is given another class, or none, adds nothing

Given the labels of an innocent suspect the |A_c| are constants and the signs fair, so p is the exact tail
of the signed sum (`edgewm.signed_sum`), whatever the suspect is and whatever the reference was: bad
expected values cost power, never correctness. DESIGN's blocks of cells are single cells here, so that a
disclosure may open any number of them. Its recalibration on the suspect's labels is not used: measured,
it takes more from the mark than from the noise, since a pair's mean carries signs too.

Tilt file, version 1: a `sealed_file` with the magic word ``edgewm-tilt-1`` and the members

    inputs       float32 (n, *shape)  ordinary inputs, in the value range the Keras model takes
    cell_ids     int32 (n,)           0 to C - 1, every one used
    pairs        int32 (C, 2)         classes a < b of each cell
    weights      int16 (n,)           0 or more
    expected     int16 (n,)           -16384 to 16384: what a network without the mark says on average
    commitments  uint8 (C, 32)        H("commit", k_c)
    salt, header, beacon, provenance  as in a trigger file
    roots, directions, thresholds, children   the regions, which only training needs
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
from .hashing import H, draw_below, encode
from .key import Key
from .regions import Regions
from .sealed_file import MALFORMED, Sealed, json_bytes, json_object, members
from .triggers import LABEL_RULE

VERSION = 1
ONE = 1 << 14
"""What `expected` counts as 1."""
LARGEST_CELLS = 4000
"""Above, the exact tail takes long, and no small network holds so many."""

_FILE = Sealed(magic=b"edgewm-tilt-1 sha256:", name="a tilt file", made_with="edgewm tilt make")
_COMMITTED: dict[str, np.dtype[Any]] = {
    "inputs": np.dtype("<f4"),
    "cell_ids": np.dtype("<i4"),
    "pairs": np.dtype("<i4"),
    "weights": np.dtype("<i2"),
    "expected": np.dtype("<i2"),
    "commitments": np.dtype("u1"),
}
_RAW = ("salt", "header", "beacon", "provenance")
_BYTES: dict[str, np.dtype[Any]] = {name: np.dtype("u1") for name in _RAW}
_REGIONS: dict[str, np.dtype[Any]] = {
    "roots": np.dtype("<i4"),
    "directions": np.dtype("<f4"),
    "thresholds": np.dtype("<f4"),
    "children": np.dtype("<i4"),
}


@dataclass(frozen=True, kw_only=True)
class Tilt:
    """Committed cells of natural inputs; `repr` shows their digest. Signs need the key."""

    inputs: npt.NDArray[np.float32] = field(repr=False)
    """(n, *shape), in the value range of the Keras model."""
    cell_ids: npt.NDArray[np.int32] = field(repr=False)
    """(n,) from 0 to C - 1."""
    pairs: npt.NDArray[np.int32] = field(repr=False)
    """(C, 2), ascending."""
    weights: npt.NDArray[np.int16] = field(repr=False)
    """(n,)."""
    expected: npt.NDArray[np.int16] = field(repr=False)
    """(n,) in units of 1 / 16384."""
    commitments: npt.NDArray[np.uint8] = field(repr=False)
    """(C, 32)."""
    salt: bytes = field(repr=False)
    header: bytes = field(repr=False)
    beacon: bytes = field(repr=False)
    provenance: bytes = field(repr=False)
    regions: Regions = field(repr=False)

    def __post_init__(self) -> None:
        _check(self)

    def __repr__(self) -> str:
        return f"Tilt(cells={self.cells}, inputs={len(self.inputs)}, sha256={self.sha256[:16]}...)"

    @property
    def cells(self) -> int:
        """Number of cells, C."""
        return len(self.pairs)

    @property
    def classes(self) -> int:
        """Number of classes, K."""
        return int(json.loads(self.header)["classes"])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch axis."""
        return tuple(int(length) for length in self.inputs.shape[1:])

    @functools.cached_property
    def root(self) -> bytes:
        """The 32 bytes that fix every sign and the order of asking."""
        leaves = []
        for cell in range(self.cells):
            of_cell = self.cell_ids == cell
            leaves.append(
                encode(
                    cell,
                    commitment.canonical(self.inputs[of_cell]),
                    int(self.pairs[cell, 0]),
                    int(self.pairs[cell, 1]),
                    commitment.canonical(self.weights[of_cell]),
                    commitment.canonical(self.expected[of_cell]),
                    self.commitments[cell].tobytes(),
                )
            )
        return commitment.root(self.header, commitment.tree_head(leaves), self.beacon)

    @functools.cached_property
    def sha256(self) -> str:
        """Digest of the mark: root, salt and provenance."""
        return H("tilt file", self.root, self.salt, self.provenance).hex()

    @functools.cached_property
    def order(self) -> list[int]:
        """The one order in which the cells are asked."""
        return commitment.order(self.root, self.cells)

    def questions(self, queries: int | None = None) -> list[npt.NDArray[np.intp]]:
        """Indices into `inputs` that are asked: one array a cell, in the order of asking.

        With `queries` below n, the first inputs of each cell, the same share of every cell and at least
        one: how many must be named before any is asked, since the signs would tell which number is best.

        Raises:
            BadInput: fewer queries than cells.
        """
        if queries is not None and queries < self.cells:
            raise BadInput(
                f"queries: got {queries}, expected {self.cells} or more, one for each cell"
            )
        share = 1.0 if queries is None else min(1.0, queries / len(self.inputs))
        members = [np.flatnonzero(self.cell_ids == cell) for cell in self.order]
        return [found[: max(1, int(share * len(found)))] for found in members]

    def signs(self, key: Key) -> npt.NDArray[np.int64]:
        """The sign of every cell, -1 or +1, (C,).

        Raises:
            BadInput: `key` is not the key that these cells were committed with.
        """
        drawn = np.empty(self.cells, np.int64)
        for cell in range(self.cells):
            cell_key = key.group_key(self.salt, cell)
            if commitment.key_commitment(cell_key) != self.commitments[cell].tobytes():
                raise BadInput(
                    f"--key: key {key.commitment[:16]}... did not make this tilt "
                    f"({self.sha256[:16]}...), give the key file it was made with"
                )
            drawn[cell] = 2 * draw_below(2, "tilt", cell_key, self.root, cell) - 1
        return drawn

    def scores(self, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """A_c of every cell, (C,), from labels (n,) in the order of `inputs`; any other value than a
        cell's two classes, such as a failed query's -1, adds nothing.

        Raises:
            BadInput: another number of labels than inputs.
        """
        if labels.shape != self.cell_ids.shape:
            raise BadInput(
                f"labels: got {labels.shape}, expected one for each of {len(self.inputs)}"
            )
        first, second = self.pairs[self.cell_ids].T
        says = np.where(labels == first, 1, np.where(labels == second, -1, 0)).astype(np.int64)
        parts = self.weights * (ONE * says - self.expected) * (says != 0)
        scores = np.zeros(self.cells, np.int64)
        np.add.at(scores, self.cell_ids, parts)
        return scores


def commit_tilt(
    key: Key,
    inputs: npt.NDArray[np.float32],
    cell_ids: npt.NDArray[np.int32],
    *,
    pairs: npt.NDArray[np.int32],
    weights: npt.NDArray[np.int16],
    expected: npt.NDArray[np.int16],
    classes: int,
    regions: Regions,
    salt: bytes,
    provenance: Mapping[str, Any],
    beacon: bytes = b"",
) -> Tilt:
    """Commit to cells of natural inputs (n, *shape) under `key`; arrays as in `Tilt`.

    Raises:
        BadInput: arrays that do not fit together, empty cells, NaN.
    """
    header = {
        "adapters": "none",
        "cells": len(pairs),
        "claimant": key.public_key.hex(),
        "classes": classes,
        "label": LABEL_RULE,
        "version": VERSION,
    }
    committed = [commitment.key_commitment(key.group_key(salt, c)) for c in range(len(pairs))]
    return Tilt(
        inputs=np.ascontiguousarray(inputs, np.float32),
        cell_ids=np.ascontiguousarray(cell_ids, np.int32),
        pairs=np.ascontiguousarray(pairs, np.int32),
        weights=np.ascontiguousarray(weights, np.int16),
        expected=np.ascontiguousarray(expected, np.int16),
        commitments=np.frombuffer(b"".join(committed), np.uint8).reshape(len(pairs), 32),
        salt=salt,
        header=json_bytes(header),
        beacon=beacon,
        provenance=json_bytes(provenance),
        regions=regions,
    )


def recommitted_tilt(tilt: Tilt, key: Key) -> Tilt:
    """The same cells under another key: the wrong-key control of a verdict."""
    return commit_tilt(
        key,
        tilt.inputs,
        tilt.cell_ids,
        pairs=tilt.pairs,
        weights=tilt.weights,
        expected=tilt.expected,
        classes=tilt.classes,
        regions=tilt.regions,
        salt=tilt.salt,
        provenance=json.loads(tilt.provenance),
    )


def save_tilt(tilt: Tilt, path: Path) -> None:
    """Write the tilt file, mode 0600.

    Raises:
        BadInput: the file cannot be written.
    """
    arrays: dict[str, npt.NDArray[Any]] = {
        name: np.ascontiguousarray(getattr(tilt, name), dtype) for name, dtype in _COMMITTED.items()
    }
    arrays |= {name: np.frombuffer(getattr(tilt, name), np.uint8) for name in _RAW}
    for name, dtype in _REGIONS.items():
        arrays[name] = np.ascontiguousarray(getattr(tilt.regions, name), dtype)
    _FILE.write(path, arrays)


def load_tilt(path: Path, *, argument: str = "--tilt") -> Tilt:
    """Read a tilt file.

    Raises:
        BadInput: not a tilt file.
        DoesNotCheck: the file was changed after it was written.
    """
    content = _FILE.read(path, argument=argument)
    try:
        held = members(content, {**_COMMITTED, **_BYTES, **_REGIONS}, {})
        raw: dict[str, Any] = {name: held[name].tobytes() for name in _RAW}
        committed: dict[str, Any] = {name: held[name] for name in _COMMITTED}
        regions = Regions(**{name: held[name] for name in _REGIONS})
        return Tilt(**committed, **raw, regions=regions)
    except MALFORMED as error:
        raise BadInput(
            f"{argument}: {path} is not a tilt file this version reads: {error}"
        ) from None


def _check(tilt: Tilt) -> None:
    inputs, ids, pairs, cells = tilt.inputs, tilt.cell_ids, tilt.pairs, len(tilt.pairs)
    if pairs.ndim != 2 or pairs.shape[1:] != (2,) or not 1 <= cells <= LARGEST_CELLS:
        raise BadInput(f"tilt: got pairs {pairs.shape}, expected (1 to {LARGEST_CELLS}, 2)")
    rows = inputs.shape[:1]
    if inputs.ndim < 2 or inputs.size == 0 or {ids.shape, tilt.weights.shape} != {rows}:
        raise BadInput(f"tilt: got inputs {inputs.shape} with {ids.shape} cell ids")
    if tilt.expected.shape != rows or not np.isfinite(inputs).all():
        raise BadInput("tilt: got inputs that are not finite, or not one expected value for each")
    if int(tilt.weights.min()) < 0 or int(abs(tilt.expected.astype(np.int32)).max()) > ONE:
        raise BadInput("tilt: got a weight below 0 or an expected value beyond -1 to 1")
    if sorted(set(ids.tolist())) != list(range(cells)):
        raise BadInput(f"tilt: got cell ids that do not cover 0 to {cells - 1}")
    if tilt.commitments.shape != (cells, 32) or len(tilt.salt) != 32:
        raise BadInput(
            "tilt: got commitments or a salt of the wrong length, expected 32 bytes each"
        )
    header, _ = (
        json_object(tilt.header, mark="tilt", name="header"),
        json_object(tilt.provenance, mark="tilt", name="provenance"),
    )
    classes = header.get("classes")
    if (header.get("version"), header.get("cells")) != (VERSION, cells):
        raise BadInput(
            f"tilt: got version {header.get('version')} and {header.get('cells')} cells in the "
            f"header, this edgewm reads {VERSION}, and {cells} are there"
        )
    if not isinstance(classes, int) or classes < 2:
        raise BadInput(f"tilt: got {classes} classes in the header, expected 2 or more")
    if not (pairs[:, 0] >= 0).all() or not (pairs[:, 0] < pairs[:, 1]).all():
        raise BadInput("tilt: got a pair that is not two classes in ascending order")
    if int(pairs.max()) >= classes:
        raise BadInput(f"tilt: got the class {int(pairs.max())}, the header has {classes} classes")
    _check_regions(tilt.regions, classes=classes, cells=cells, numbers=inputs[0].size)


def _check_regions(regions: Regions, *, classes: int, cells: int, numbers: int) -> None:
    """Trees that end, in cells that are there: a forged one must not run for ever or beyond an array."""
    nodes = len(regions.thresholds)
    if (
        regions.roots.shape != (classes, classes)
        or regions.directions.shape != (nodes, numbers)
        or regions.children.shape != (nodes, 2)
    ):
        raise BadInput("tilt: got regions of other inputs or classes than its own")
    own = np.arange(nodes)[:, None]
    forward = (regions.children > own) & (regions.children < nodes)
    leaves = (regions.children < 0) & (regions.children >= -cells)
    roots = regions.roots[regions.roots != np.iinfo(np.int32).min]
    if not (forward | leaves).all() or not ((roots >= -cells) & (roots < nodes)).all():
        raise BadInput("tilt: got regions that lead nowhere")
