"""Bytes to be searched: a file, a part of one, or what a container unpacked; never all in memory.

Files are read and not mapped: a file that shrinks while it is read then gives short reads, where a
mapping would end the process (SIGBUS). A part of a content shares its source, so that the same bytes
reached by two ways (a stored member of a zip, and the zip's own bytes) have the same `place`.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import IO

from .signatures import Sightings, scan

LARGEST_TABLE_BYTES = 8 << 20
"""What a parser may ask for in one read: a length that a hostile file declares is never trusted."""
_BLOCK = 1 << 20
_TABLES = [bytes(value ^ key for value in range(256)) for key in range(256)]
_TEXT = bytes([*range(9, 14), *range(32, 127)])


@dataclass(frozen=True, kw_only=True, eq=False)
class Content:
    """`size` bytes of `source` from `start` on, each XOR-ed with `key`."""

    source: bytes | IO[bytes]
    start: int
    size: int
    key: int = 0
    """0 to 255; 0 leaves the bytes as they are."""
    serial: int = field(default_factory=itertools.count().__next__)
    """Number of the source; a part has its whole's."""

    def read(self, at: int, length: int) -> bytes:
        """Bytes from `at` on: fewer than `length`, or none, where the content ends."""
        length = max(0, min(length, self.size - at))
        if length == 0:
            return b""
        first = self.start + at
        if isinstance(self.source, bytes):
            got = self.source[first : first + length]
        else:
            got = _read_file(self.source.fileno(), first, length)
        return got.translate(_TABLES[self.key]) if self.key else got

    def fill(self, at: int, buffer: memoryview) -> int:
        """Read into a buffer without making new objects; returns how many bytes there were."""
        if isinstance(self.source, bytes) or self.key:
            got = self.read(at, len(buffer))
            buffer[: len(got)] = got
            return len(got)
        room = buffer[: max(0, min(len(buffer), self.size - at))]
        done = 0
        while done < len(room):
            count = os.preadv(self.source.fileno(), [room[done:]], self.start + at + done)
            if count == 0:
                break
            done += count
        return done

    def part(self, at: int, length: int) -> Content:
        """The bytes from `at` on, at most `length`, of the same source."""
        at = min(max(at, 0), self.size)
        length = max(0, min(length, self.size - at))
        return replace(self, start=self.start + at, size=length)

    def under_key(self, key: int) -> Content:
        """The same bytes, each XOR-ed with one more byte."""
        return replace(self, key=self.key ^ key)

    def blocks(self, length: int = _BLOCK) -> Iterator[bytes]:
        """All bytes, in order."""
        at = 0
        while got := self.read(at, length):
            yield got
            at += len(got)

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Where these bytes lie; equal for two contents that are the same bytes of the same source."""
        return self.serial, self.start, self.size, self.key

    @cached_property
    def sha256(self) -> str:
        """Hex digest of all bytes."""
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block)
        return digest.hexdigest()

    @cached_property
    def head(self) -> bytes:
        """The first 4,096 bytes."""
        return self.read(0, 4096)

    @cached_property
    def is_text(self) -> bool:
        """Whether the first 4,096 bytes read as text, but for the zeros that may fill up a block: at most
        one in fifty is not printable ASCII."""
        head = self.head.rstrip(b"\0\xff")
        odd = len(head.translate(None, _TEXT))
        return bool(head) and odd * 50 <= len(head) and 0 not in head

    @cached_property
    def sightings(self) -> Sightings:
        """Where the signatures of models and containers stand; one pass over all bytes."""
        return scan(self.fill, self.size)


class Stream(io.RawIOBase):
    """A content as a file object, for the parsers of the standard library."""

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._content = content
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; a place before the start is an OSError."""
        base = (0, self._at, self._content.size)[whence]
        if base + offset < 0:
            raise OSError("it points before its start")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Bytes from the place on; more than 8 MiB at once is an OSError."""
        size = self._content.size if size is None or size < 0 else size
        if min(size, self._content.size - self._at) > LARGEST_TABLE_BYTES:
            raise OSError("a table in it is larger than 8 MiB")
        got = self._content.read(self._at, size)
        self._at += len(got)
        return got


def of_bytes(held: bytes) -> Content:
    """A content in memory."""
    return Content(source=held, start=0, size=len(held))


def of_file(opened: IO[bytes]) -> Content:
    """A whole file, by its size of this moment; the file stays open as long as the content is held."""
    return Content(source=opened, start=0, size=os.fstat(opened.fileno()).st_size)


def _read_file(descriptor: int, at: int, length: int) -> bytes:
    got = os.pread(descriptor, length, at)
    parts = [got]
    done = len(got)
    while got and done < length:  # the kernel gives at most 2 GiB, a pipe-like file less
        got = os.pread(descriptor, length - done, at + done)
        parts.append(got)
        done += len(got)
    return parts[0] if len(parts) == 1 else b"".join(parts)
