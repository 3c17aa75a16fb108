"""Intel HEX files (.hex, .ihex): lines of bytes with addresses and checksums.

Format: Intel, Hexadecimal Object File Format Specification, revision A, 1988.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..content import Content
from . import Budget, Piece
from .addressed import stretches
from .text import lines_of

_LINE = re.compile(rb"^[ \t]*:[0-9A-Fa-f]{10,}[ \t\r]*$", re.MULTILINE)
_DATA, _SEGMENT, _LINEAR = 0, 2, 4


@dataclass(frozen=True, kw_only=True)
class IntelHex:
    """The image that the lines make; lines whose checksum is wrong are left out."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """Every stretch without a gap, named by its address."""
        if content.is_text and _LINE.search(content.head):
            yield from stretches(_blocks(content), budget)


def _blocks(content: Content) -> Iterator[tuple[int, bytes]]:
    base = 0
    for line in lines_of(content):
        if not line.startswith(b":"):
            continue
        try:
            record = bytes.fromhex(line[1:].decode("ascii"))
        except ValueError:
            continue
        if len(record) < 5 or record[0] != len(record) - 5 or sum(record) & 0xFF:
            continue
        data = record[4:-1]
        if record[3] == _DATA:
            yield base + int.from_bytes(record[1:3], "big"), data
        elif record[3] in (_SEGMENT, _LINEAR):
            base = int.from_bytes(data, "big") << (4 if record[3] == _SEGMENT else 16)
