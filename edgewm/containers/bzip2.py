"""Bzip2 files."""

from __future__ import annotations

import bz2
from collections.abc import Iterator
from dataclasses import dataclass

from ..content import Content
from . import Budget, Piece
from .unpacking import decompressed, unpacked


@dataclass(frozen=True, kw_only=True)
class Bzip2:
    """One file, of one or more streams."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """The unpacked file."""
        if content.head[:3] == b"BZh" and content.head[4:10] == b"1AY&SY":
            blocks = decompressed(content, bz2.BZ2Decompressor, OSError)
            yield from unpacked(blocks, "bzip2", budget, packed=content.part(0, 0))
