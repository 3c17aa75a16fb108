"""Finds windows of an owner's weights in any bytes, under every layout, at any place.

A window is 32 bytes in a row with at least 8 different values, one every 16 bytes of each tensor (fewer
in models above 1 MiB of weights). Its rarest 8 bytes are its key. All keys go into one sorted list and a
bit table of their hashes; every 8 bytes of a suspect are looked up in the table, the few that are in it
in the list, and what is in the list is compared over its 32 bytes. So memory does not grow with the
suspect, and a window that is told is there, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .content import Content
from .tflite import Weights
from .weight_layouts import layouts_of

WINDOW_BYTES = 32
DIFFERENT_VALUES = 8
STRIDE_BYTES = 16
_MOST_WINDOWS = 65_536
"""Of one model in one layout; with more, they stand further apart."""
_WORD = 8
_TABLE_BITS = 27
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_BLOCK = 1 << 20
_BIT = np.array([1 << bit for bit in range(8)], np.uint8)

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """The windows of one tensor in one layout: those with numbers from `first` to `last`, not included."""

    owner: int
    tensor: int
    layout: str
    first: int
    last: int

    @property
    def windows(self) -> int:
        """How many there are."""
        return self.last - self.first


@dataclass(frozen=True, kw_only=True, eq=False)
class Index:
    """All windows of all owners."""

    laid: npt.NDArray[np.uint8]
    """Every tensor in every layout, one behind the other."""
    starts: Ids
    """Where each window begins in `laid`."""
    stretches: tuple[Stretch, ...]
    key_offsets: Ids
    """Where in a window its key stands: 0, 8, 16 or 24."""
    keys: npt.NDArray[np.uint64]
    """Sorted; the window of key i is `by_key[i]`."""
    by_key: Ids
    table: npt.NDArray[np.uint8]


def index_of(owners: Sequence[Sequence[Weights]]) -> Index:
    """Index the tensors of each owner."""
    lines: list[npt.NDArray[np.uint8]] = []
    starts: list[Ids] = []
    stretches: list[Stretch] = []
    at = windows = 0
    for owner, tensors in enumerate(owners):
        total = sum(weights.values.size for weights in tensors)
        stride = STRIDE_BYTES * max(1, -(-total // (STRIDE_BYTES * _MOST_WINDOWS)))
        for tensor, weights in enumerate(tensors):
            for layout, line in layouts_of(weights).items():
                own = _windows(line, stride)
                last = windows + len(own)
                stretches.append(
                    Stretch(owner=owner, tensor=tensor, layout=layout, first=windows, last=last)
                )
                lines.append(line)
                starts.append(own + at)
                at += len(line)
                windows = last
    laid = np.concatenate([*lines, np.zeros(WINDOW_BYTES, np.uint8)])
    every = np.concatenate([*starts, np.zeros(0, np.int64)])
    keys, offsets = _keys(laid, every)
    order = np.argsort(keys, kind="stable")
    table = np.zeros(1 << (_TABLE_BITS - 3), np.uint8)
    hashes = _hash(keys)
    np.bitwise_or.at(table, hashes >> 3, _BIT[hashes & 7])
    return Index(
        laid=laid,
        starts=every,
        stretches=tuple(stretches),
        key_offsets=offsets,
        keys=keys[order],
        by_key=order,
        table=table,
    )


def windows_in(content: Content, index: Index) -> Ids:
    """Numbers of the windows that stand in `content`, ascending, each once."""
    found: list[Ids] = []
    told = np.zeros(len(index.starts), np.bool_)
    for base in range(0, content.size, _BLOCK):
        margin = WINDOW_BYTES if base else 0
        block = content.read(base - margin, _BLOCK + margin + WINDOW_BYTES)
        for phase in range(_WORD):
            ids = _in_phase(block, phase, index, told)
            if len(ids):
                told[ids] = True
                found.append(ids)
    return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)


def _in_phase(block: bytes, phase: int, index: Index, told: npt.NDArray[np.bool_]) -> Ids:
    """Windows not told yet whose key stands at `phase` modulo 8 of the block."""
    count = (len(block) - phase) // _WORD
    words = np.frombuffer(block[phase : phase + count * _WORD], "<u8")  # a copy: aligned
    hashes = _hash(words)
    bits = index.table[hashes >> 3] & _BIT[hashes & 7]
    likely = np.flatnonzero(bits)
    if not len(likely):
        return np.zeros(0, np.int64)
    first = np.searchsorted(index.keys, words[likely], "left")
    last = np.searchsorted(index.keys, words[likely], "right")
    counts = last - first
    places = np.repeat(likely * _WORD + phase, counts)
    steps = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    ids = index.by_key[np.repeat(first, counts) + steps]
    fresh = ~told[ids]
    ids, places = ids[fresh], places[fresh] - index.key_offsets[ids[fresh]]
    inside = (places >= 0) & (places + WINDOW_BYTES <= len(block))
    return _equal(np.frombuffer(block, np.uint8), index, ids[inside], places[inside])


def _equal(held: npt.NDArray[np.uint8], index: Index, ids: Ids, places: Ids) -> Ids:
    """Those windows that stand at their places over all 32 bytes."""
    equal: list[Ids] = []
    reach = np.arange(WINDOW_BYTES)
    for at in range(0, len(ids), 1 << 16):  # a part at a time: a repeated word has many places
        some, where = ids[at : at + (1 << 16)], places[at : at + (1 << 16)]
        same = held[where[:, None] + reach] == index.laid[index.starts[some][:, None] + reach]
        equal.append(some[same.all(axis=1)])
    return np.unique(np.concatenate(equal)) if equal else np.zeros(0, np.int64)


def _windows(line: npt.NDArray[np.uint8], stride: int) -> Ids:
    """Where the windows of a line begin."""
    if len(line) < WINDOW_BYTES:
        return np.zeros(0, np.int64)
    starts = np.arange(0, len(line) - WINDOW_BYTES + 1, stride, dtype=np.int64)
    views = np.lib.stride_tricks.sliding_window_view(line, WINDOW_BYTES)[starts]
    return starts[_different(views) >= DIFFERENT_VALUES]


def _keys(laid: npt.NDArray[np.uint8], starts: Ids) -> tuple[npt.NDArray[np.uint64], Ids]:
    """Of each window the 8 bytes with most different values, as a number, and where they stand."""
    keys = np.zeros(len(starts), np.uint64)
    offsets = np.zeros(len(starts), np.int64)
    reach = np.arange(WINDOW_BYTES)
    for at in range(0, len(starts), 1 << 16):
        windows = laid[starts[at : at + (1 << 16), None] + reach]
        words = windows.reshape(len(windows), -1, _WORD)
        best = _different(words).argmax(axis=1)
        chosen = np.ascontiguousarray(words[np.arange(len(words)), best])
        keys[at : at + len(best)] = chosen.view("<u8")[:, 0]
        offsets[at : at + len(best)] = best * _WORD
    return keys, offsets


def _different(groups: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """How many different values stand along the last axis."""
    ordered = np.sort(groups, axis=-1)
    changes = (ordered[..., 1:] != ordered[..., :-1]).sum(axis=-1)
    return np.asarray(changes + 1, np.int64)


def _hash(words: npt.NDArray[np.uint64]) -> Ids:
    return ((words * _FACTOR) >> np.uint64(64 - _TABLE_BITS)).astype(np.int64)
