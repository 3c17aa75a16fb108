"""Gzip, xz and bzip2 streams in the middle of other bytes, as images of flash and file systems hold them.

Looked for in contents of 64 MiB or less: each place that looks like a stream is unpacked to see.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ..content import Content
from . import Budget, Piece
from .gzip import gzip_machine
from .unpacking import decompressed, unpacked
from .xz import xz_machine

_STREAMS = (
    ("gzip", gzip_machine, zlib.error),
    ("xz", xz_machine, lzma.LZMAError),
    ("bzip2", bz2.BZ2Decompressor, OSError),
)
_BZIP2_HEAD = 4
"""`BZh9` stands before the six digits of pi that are looked for."""


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """Every stream that unpacks to anything."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """What is unpacked, named by where the stream begins."""
        if content.is_text:
            return
        for name, machine, error in _STREAMS:
            for at in content.sightings.places.get(name, ()):
                start = at - (_BZIP2_HEAD if name == "bzip2" else 0)
                if start <= 0:  # a file of its own, and read by its own plug-in
                    continue
                budget.charge_piece()
                stream = content.part(start, content.size - start)
                blocks = decompressed(stream, machine, error)
                where = stream.part(0, 0)
                yield from unpacked(blocks, f"{name}-at-{start}", budget, quiet=True, packed=where)
