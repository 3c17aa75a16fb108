"""One pass over any number of bytes that finds where models and containers may begin.

A byte-wise XOR with one key leaves the XOR of neighbouring bytes as it is, so one search for the three
differences of "TFL3" finds the identifier under all 256 keys, the key 0 included. Comparing whole blocks
with numpy, two bytes of each signature, is three to four times faster than `bytes.find`; the whole
signature is looked up in the few places where both stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_MODEL = b"TFL3"
_DIFFERENCES = bytes(_MODEL[i] ^ _MODEL[i + 1] for i in range(3))
_EVERYWHERE = (
    ("zip_end", b"PK\x05\x06", 1),
    ("base64_model", b"AFRGTD", 3),
)
"""Name, bytes, and where in them the rarest two stand. Base64 of a model from its first byte has 0, "TF"
and then "L3": the top byte of a root offset is 0."""
_IN_SMALL = (
    ("gzip", b"\x1f\x8b\x08", 0),
    ("xz", b"\xfd7zXZ\x00", 0),
    ("bzip2", b"1AY&SY", 2),
)
"""The same, for contents of at most 64 MiB: in larger ones the pass would take too long."""
LARGEST_SMALL_BYTES = 64 << 20
_BLOCK = 1 << 18
_OVERLAP = 8
_MOST = 100_000
_MANY = 64
"""More places than this in one block are looked up with `find` over the whole block."""

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Sightings:
    """Positions in ascending order; hints, each to be checked by whoever uses it."""

    models: tuple[tuple[int, int], ...]
    """Position of a "TFL3" under a one-byte XOR, and the key (0: plain)."""
    places: dict[str, tuple[int, ...]]
    """Positions of `zip_end`, `base64_model`, and in contents of at most 64 MiB `gzip`, `xz`, `bzip2`."""
    complete: bool
    """False when one of them was met more than 100,000 times: the rest was not kept."""


def scan(fill: Callable[[int, memoryview], int], size: int) -> Sightings:
    """Read `size` bytes through `fill(at, buffer) -> bytes read`, once, in blocks of 256 KiB."""
    search = _Search(min(size, _BLOCK), small=size <= LARGEST_SMALL_BYTES)
    at = kept = 0
    while at < size:
        got = fill(at, search.room(kept))
        if got == 0:
            break
        search.look(kept + got, at - kept)
        at += got
        kept = search.keep_end(kept + got)
    return search.sightings()


class _Search:
    """The buffers of a pass, made once, and what it has found."""

    def __init__(self, block: int, *, small: bool) -> None:
        self._needles = _EVERYWHERE + (_IN_SMALL if small else ())
        self._block = block
        room = block + 2 * _OVERLAP
        self._held, self._apart, self._hits = bytearray(room), bytearray(room), bytearray(room)
        self._values = np.frombuffer(self._held, np.uint8)
        self._differences = np.frombuffer(self._apart, np.uint8)
        self._both = np.frombuffer(self._hits, np.bool_)
        self._equal = np.zeros(room, np.bool_)
        self._models: dict[int, int] = {}
        self._found: dict[str, set[int]] = {name: set() for name, _, _ in self._needles}

    def room(self, kept: int) -> memoryview:
        """Where the next bytes go, behind those that were kept."""
        return memoryview(self._held)[kept : kept + self._block]

    def keep_end(self, length: int) -> int:
        """Move the last bytes to the front, where the next block completes them; how many there are."""
        kept = min(_OVERLAP, length)
        self._held[:kept] = self._held[length - kept : length]
        return kept

    def look(self, length: int, base: int) -> None:
        """Search the first `length` bytes, which stand at `base` in the content."""
        self._held[length : length + _OVERLAP] = bytes(_OVERLAP)
        np.bitwise_xor(self._values[1:], self._values[:-1], out=self._differences[:-1])
        for found in self._places(self._differences, self._apart, _DIFFERENCES, 1, length):
            if len(self._models) < _MOST:
                self._models[base + found] = self._held[found] ^ _MODEL[0]
        for name, needle, index in self._needles:
            into = self._found[name]
            for found in self._places(self._values, self._held, needle, index, length):
                if len(into) < _MOST:
                    into.add(base + found)

    def _places(
        self, values: Bytes, held: bytearray, needle: bytes, index: int, length: int
    ) -> Iterator[int]:
        """Where `needle` begins: first where two of its bytes, from `index` on, stand together."""
        both, equal = self._both[:length], self._equal[:length]
        np.equal(values[index : index + length], needle[index], out=both)
        np.equal(values[index + 1 : index + 1 + length], needle[index + 1], out=equal)
        np.logical_and(both, equal, out=both)
        at = self._hits.find(1, 0, length)  # memchr: many bytes a cycle
        looked = 0
        while at >= 0:
            if held.startswith(needle, at):
                yield at
            looked += 1
            if looked == _MANY:
                yield from _positions(held, needle, at + 1, length)
                return
            at = self._hits.find(1, at + 1, length)

    def sightings(self) -> Sightings:
        """What was found; a position in the overlap of two blocks stands once."""
        most = max(map(len, (self._models, *self._found.values())))
        return Sightings(
            models=tuple(sorted(self._models.items())),
            places={name: tuple(sorted(found)) for name, found in self._found.items()},
            complete=most < _MOST,
        )


def _positions(held: bytearray, needle: bytes, start: int, end: int) -> Iterator[int]:
    at = held.find(needle, start, end + len(needle) - 1)
    while at >= 0:
        yield at
        at = held.find(needle, at + 1, end + len(needle) - 1)
