"""Whether an owner's weights stand in somebody's files, where no model can be run or even found.

Code generators strip the flatbuffer and keep the weights, re-laid. A match counts the windows of each of
the owner's tensors that stand in the bytes, in the layout in which most of them do. It is no verdict: it
says "these weights are in here", and nothing about who copied whom, or about a common public base model.

*By chance.* With N bytes searched and W windows over all layouts, the chance that any window is met is at
most N times the sum of the windows' own chances: 256^-32 each in uniformly random bytes, and in the
weights of another model, taken as independent values with the owner's own frequencies, the product of
the frequencies of its 32 bytes. Real weights are not independent; `benchmarks/match_speed.py` counts what
other models show.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .errors import BadInput
from .finding import Found, Note, Opened, contents, find
from .tflite import Weights, read_tflite, weights_of
from .weight_windows import WINDOW_BYTES, Ids, Index, Stretch, index_of, windows_in

_FEWEST_WINDOWS = 3
_MOST_CHANCE_LOG10 = -6.0


@dataclass(frozen=True, kw_only=True)
class Owned:
    """One model of the owner's."""

    path: str
    sha256: str
    tensors: tuple[Weights, ...] = field(repr=False)
    """Its constant 8-bit tensors."""


@dataclass(frozen=True, kw_only=True)
class TensorMatch:
    """How much of one tensor is there."""

    name: str
    operator: str
    shape: tuple[int, ...]
    layout: str
    """The one in which most windows were found; `stored` where none was."""
    windows: int
    windows_found: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """How much is in one file, or in one thing inside a file."""

    path: str
    windows: int
    windows_found: int

    @property
    def coverage(self) -> float:
        """Share of the windows, 0 to 1."""
        return self.windows_found / self.windows if self.windows else 0.0


@dataclass(frozen=True, kw_only=True)
class Match:
    """How much of one model is in all the paths together."""

    own: str
    own_sha256: str
    tensors: tuple[TensorMatch, ...]
    places: tuple[Place, ...]
    """Where something was found, most first."""
    bytes_searched: int
    log10_chance_random: float
    """Bound on the chance of one window or more in that many uniformly random bytes."""
    log10_chance_weights: float
    """The same in independent values with the owner's frequencies."""

    @property
    def windows(self) -> int:
        """Of all tensors."""
        return sum(tensor.windows for tensor in self.tensors)

    @property
    def windows_found(self) -> int:
        """Of all tensors, each in its best layout."""
        return sum(tensor.windows_found for tensor in self.tensors)

    @property
    def coverage(self) -> float:
        """Share of the windows, 0 to 1."""
        return self.windows_found / self.windows if self.windows else 0.0

    @property
    def found(self) -> bool:
        """Three windows or more, where chance would give one with probability 1e-6 at most."""
        return (
            self.windows_found >= _FEWEST_WINDOWS
            and self.log10_chance_weights <= _MOST_CHANCE_LOG10
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "own": self.own,
            "own_sha256": self.own_sha256,
            "found": self.found,
            "coverage": self.coverage,
            "windows": self.windows,
            "windows_found": self.windows_found,
            "bytes_searched": self.bytes_searched,
            "log10_chance_random": self.log10_chance_random,
            "log10_chance_weights": self.log10_chance_weights,
            "tensors": [{**vars(tensor), "shape": list(tensor.shape)} for tensor in self.tensors],
            "places": [{**vars(place), "coverage": place.coverage} for place in self.places],
        }


def read_owned(path: str | Path) -> list[Owned]:
    """The models of a file or folder that have weights to look for.

    Raises:
        BadInput: nothing there that can be used.
    """
    found: dict[str, Owned] = {}
    for item in find([path]):
        if isinstance(item, Found) and item.format == "tflite" and item.sha256 not in found:
            tensors = tuple(weights_of(read_tflite(item.content)))
            if any(weights.values.size >= WINDOW_BYTES for weights in tensors):
                found[item.sha256] = Owned(path=item.path, sha256=item.sha256, tensors=tensors)
    if not found:
        raise BadInput(
            f"OWN: {path} holds no .tflite with int8 weights, name the file that you ship"
        )
    return list(found.values())


def match_weights(
    owned: Sequence[Owned],
    paths: Iterable[str | Path],
    *,
    unpacked_bytes: int = 4 << 30,
    watch: Callable[[str], None] = lambda path: None,
    note: Callable[[str], None] = lambda text: None,
) -> list[Match]:
    """Look for the weights of each model in everything that `paths` hold, one match for each model.

    `watch` is told of each file before it is read, `note` what was not searched.

    Raises:
        BadInput: a path that cannot be read.
    """
    index = index_of([own.tensors for own in owned])
    by_owner: list[list[Stretch]] = [[] for _ in owned]
    for stretch in index.stretches:
        by_owner[stretch.owner].append(stretch)
    everywhere = np.zeros(len(index.starts), np.bool_)
    places: list[list[Place]] = [[] for _ in owned]
    searched = 0
    for item in contents(paths, unpacked_bytes=unpacked_bytes, watch=watch):
        if isinstance(item, Note):
            note(item.text)
            continue
        searched += item.content.size
        ids = windows_in(item.content, index)
        everywhere[ids] = True
        for owner in np.unique(_owners_of(ids, index)).tolist():
            places[owner].append(_place(item, ids, by_owner[owner]))
    return [
        _match(own, by_owner[i], index, everywhere, places=places[i], searched=searched)
        for i, own in enumerate(owned)
    ]


def _owners_of(ids: Ids, index: Index) -> Ids:
    ends = np.array([stretch.last for stretch in index.stretches], np.int64)
    owners = np.array([stretch.owner for stretch in index.stretches], np.int64)
    return owners[np.searchsorted(ends, ids, "right")] if len(ids) else np.zeros(0, np.int64)


def _place(item: Opened, ids: Ids, stretches: list[Stretch]) -> Place:
    counts = {
        s: int(np.searchsorted(ids, s.last) - np.searchsorted(ids, s.first)) for s in stretches
    }
    best = _best(counts)
    return Place(
        path=item.path,
        windows=sum(stretch.windows for stretch in best),
        windows_found=sum(counts[stretch] for stretch in best),
    )


def _match(
    own: Owned,
    stretches: list[Stretch],
    index: Index,
    everywhere: Any,
    *,
    places: list[Place],
    searched: int,
) -> Match:
    counts = {s: int(everywhere[s.first : s.last].sum()) for s in stretches}
    tensors = []
    for best in _best(counts):
        weights = own.tensors[best.tensor]
        tensors.append(
            TensorMatch(
                name=weights.name,
                operator=weights.operator,
                shape=tuple(int(length) for length in weights.values.shape),
                layout=best.layout if counts[best] else "stored",
                windows=best.windows,
                windows_found=counts[best],
            )
        )
    random, like_weights = _chances(own, stretches, index, searched)
    return Match(
        own=own.path,
        own_sha256=own.sha256,
        tensors=tuple(tensors),
        places=tuple(sorted(places, key=lambda place: -place.windows_found)),
        bytes_searched=searched,
        log10_chance_random=random,
        log10_chance_weights=like_weights,
    )


def _best(counts: dict[Stretch, int]) -> list[Stretch]:
    """For each tensor the layout with the largest share of its windows found; the stored one on a tie."""
    best: dict[int, Stretch] = {}
    for stretch, count in counts.items():
        held = best.setdefault(stretch.tensor, stretch)
        if count * held.windows > counts[held] * stretch.windows:
            best[stretch.tensor] = stretch
    return list(best.values())


def _chances(
    own: Owned, stretches: list[Stretch], index: Index, searched: int
) -> tuple[float, float]:
    """log10 of the two bounds of the module's docstring, at most 0."""
    values = np.concatenate([weights.values.reshape(-1).view(np.uint8) for weights in own.tensors])
    counts = np.bincount(values, minlength=256) + 1.0
    log10 = np.log10(counts / counts.sum())
    windows = 0
    total = 0.0
    for stretch in stretches:
        starts = index.starts[stretch.first : stretch.last]
        windows += len(starts)
        sums = np.concatenate([[0.0], np.cumsum(log10[_line(index, starts)])])
        if len(starts):
            at = starts - starts[0]
            total += float((10.0 ** (sums[at + WINDOW_BYTES] - sums[at])).sum())
    if not windows or not searched:
        return 0.0, 0.0
    random = math.log10(searched) + math.log10(windows) - WINDOW_BYTES * math.log10(256)
    like_weights = math.log10(searched) + (math.log10(total) if total else -300.0)
    return min(0.0, random), min(0.0, like_weights)


def _line(index: Index, starts: Ids) -> Any:
    """The laid bytes from the first window of a stretch to the end of its last."""
    return index.laid[starts[0] : starts[-1] + WINDOW_BYTES] if len(starts) else index.laid[:0]
