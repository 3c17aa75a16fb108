"""UF2 images: blocks of 512 bytes with an address each, put back in the order of addresses.

Format: https://github.com/microsoft/uf2
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ..content import Content
from . import Budget, Piece
from .addressed import segments

_HEADER = struct.Struct("<8I")
_FIRST, _SECOND, _LAST = 0x0A324655, 0x9E5D5157, 0x0AB16F30
_NOT_MAIN_FLASH, _HAS_FAMILY = 0x1, 0x2000
_LONGEST = 476


@dataclass(frozen=True, kw_only=True)
class Uf2:
    """One image for each family of chips that the file is for."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """Every stretch of flash without a gap, named by its address."""
        if content.head[:8] != struct.pack("<2I", _FIRST, _SECOND):
            return
        families: dict[int, None] = {}
        for family, _, _ in _blocks(content):
            families[family] = None
        for family in list(families)[:16]:
            mine = ((at, data) for other, at, data in _blocks(content) if other == family)
            for address, image in segments(mine, budget):
                budget.charge_piece()
                name = f"0x{address:08x}" + (f"-{family:08x}" if len(families) > 1 else "")
                yield Piece(name=name, content=image)


def _blocks(content: Content) -> Iterator[tuple[int, int, bytes]]:
    """Family, address and data of every whole block; what is none is skipped."""
    for block in content.blocks():
        for at in range(0, len(block) - 511, 512):
            first, second, flags, address, size, _, _, family = _HEADER.unpack_from(block, at)
            (last,) = struct.unpack_from("<I", block, at + 508)
            if (first, second, last) != (_FIRST, _SECOND, _LAST) or flags & _NOT_MAIN_FLASH:
                continue
            data = block[at + 32 : at + 32 + min(size, _LONGEST)]
            yield family if flags & _HAS_FAMILY else 0, address, data
