"""Xz files, and the older .lzma ones."""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from dataclasses import dataclass

from ..content import Content
from . import Budget, Piece
from .unpacking import decompressed, unpacked

_MOST_MEMORY_BYTES = 128 << 20
"""The largest preset (`xz -9e`) needs 65 MiB."""


@dataclass(frozen=True, kw_only=True)
class Xz:
    """One file, of one or more streams, that unpacks in 128 MiB of memory."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """The unpacked file."""
        if content.head[:6] == b"\xfd7zXZ\x00":
            blocks = decompressed(content, xz_machine, lzma.LZMAError)
            yield from unpacked(blocks, "xz", budget, packed=content.part(0, 0))
        elif content.head[:3] == b"\x5d\x00\x00" and content.head[12:13] in (b"\x00", b"\xff"):
            blocks = decompressed(content, xz_machine, lzma.LZMAError)
            yield from unpacked(blocks, "lzma", budget, quiet=True)


def xz_machine() -> lzma.LZMADecompressor:
    """A decompressor of either format that takes at most 128 MiB."""
    return lzma.LZMADecompressor(memlimit=_MOST_MEMORY_BYTES)
