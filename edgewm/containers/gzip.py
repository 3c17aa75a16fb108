"""Gzip files (.gz, .tgz) and bare zlib streams."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..content import Content
from . import Budget, Piece
from .unpacking import decompressed, unpacked

_EITHER = 15 + 32
"""zlib's word for: the largest window, a gzip or zlib header, whichever is there."""


@dataclass(frozen=True, kw_only=True)
class Gzip:
    """One file, of one or more streams; what is unpacked before an error is searched too."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """The unpacked file."""
        head = content.head[:3]
        zlib_header = len(head) > 1 and head[0] == 0x78 and (head[0] * 256 + head[1]) % 31 == 0
        if head != b"\x1f\x8b\x08" and not zlib_header:
            return
        yield from unpacked(
            decompressed(content, gzip_machine, zlib.error), "gzip", budget, quiet=zlib_header
        )


class _Machine:
    """zlib's decompressor with the face of bz2's and lzma's."""

    def __init__(self) -> None:
        self._held = zlib.decompressobj(_EITHER)

    def decompress(self, data: bytes, longest: int) -> bytes:
        return self._held.decompress(self._held.unconsumed_tail + data, longest)

    @property
    def eof(self) -> bool:
        return self._held.eof

    @property
    def unused_data(self) -> bytes:
        return self._held.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._held.unconsumed_tail


def gzip_machine() -> Any:
    """A decompressor of either kind of header."""
    return _Machine()
