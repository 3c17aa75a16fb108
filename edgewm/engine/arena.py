"""Where activations lie in one block of memory: the largest first, each at the lowest place that is free.

The same greedy order as TensorFlow Lite Micro's own planner. Two blocks may share bytes when no step needs
both. Nothing is moved while the model runs.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

_ALIGNMENT = 4


@dataclass(frozen=True, kw_only=True)
class Block:
    """Bytes needed from step `first` to step `last`, both included."""

    size: int
    first: int
    last: int


def plan(blocks: Sequence[Block], alignment: int = _ALIGNMENT) -> tuple[list[int], int]:
    """Offset of each block, a multiple of `alignment`, and the bytes that hold them all."""
    offsets = [0] * len(blocks)
    placed: list[int] = []
    """In the order of their offsets."""
    for at in sorted(range(len(blocks)), key=lambda at: (-blocks[at].size, at)):
        block = blocks[at]
        offset = 0
        for other in placed:
            apart = blocks[other].last < block.first or block.last < blocks[other].first
            if not apart and offset + block.size > offsets[other]:
                offset = max(offset, _aligned(offsets[other] + blocks[other].size, alignment))
        offsets[at] = offset
        bisect.insort(placed, at, key=lambda other: offsets[other])
    total = max((offsets[at] + blocks[at].size for at in placed), default=0)
    return offsets, _aligned(total, alignment)


def _aligned(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment
