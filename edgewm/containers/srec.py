"""Motorola S-records (.srec, .s19, .s28, .s37, .mot): lines of bytes with addresses and checksums.

Format: Motorola M68000 Family Programmer's Reference Manual, appendix C.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..content import Content
from . import Budget, Piece
from .addressed import stretches
from .text import lines_of

_LINE = re.compile(rb"^[ \t]*S[0-9][0-9A-Fa-f]{8,}[ \t\r]*$", re.MULTILINE)
_ADDRESS_BYTES = {b"S1": 2, b"S2": 3, b"S3": 4}


@dataclass(frozen=True, kw_only=True)
class Srec:
    """The image that the lines make; lines whose checksum is wrong are left out."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """Every stretch without a gap, named by its address."""
        if content.is_text and _LINE.search(content.head):
            yield from stretches(_blocks(content), budget)


def _blocks(content: Content) -> Iterator[tuple[int, bytes]]:
    for line in lines_of(content):
        width = _ADDRESS_BYTES.get(line[:2])
        if width is None:
            continue
        try:
            record = bytes.fromhex(line[2:].decode("ascii"))
        except ValueError:
            continue
        if len(record) < 2 + width or record[0] != len(record) - 1 or sum(record) & 0xFF != 0xFF:
            continue
        yield int.from_bytes(record[1 : 1 + width], "big"), record[1 + width : -1]
