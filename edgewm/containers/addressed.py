"""Pieces of a memory image that come with addresses, put back in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..content import Content
from . import Budget, Piece
from .unpacking import gathered

_MOST_BYTES = 128 << 20
_MOST_RUNS = 500_000


def segments(blocks: Iterable[tuple[int, bytes]], budget: Budget) -> Iterator[tuple[int, Content]]:
    """Address and bytes of every stretch without a gap, in the order of addresses.

    A later stretch that begins at the same address replaces an earlier one. Only the first 128 MiB are
    taken, and the first 500,000 stretches.

    Raises:
        BudgetSpent: more bytes than the budget has left.
    """
    runs: dict[int, bytearray] = {}
    total, end = 0, -1
    run = bytearray()
    for address, data in blocks:
        if not data:
            continue
        if address != end:
            run = runs[address] = bytearray()
        run += data
        end = address + len(data)
        total += len(data)
        if total > _MOST_BYTES or len(runs) > _MOST_RUNS:
            budget.notes.append("its image is larger than 128 MiB, the rest is not searched")
            break
    joined: list[bytearray] = []
    start = end = -1
    for address in sorted(runs):
        if address != end and joined:
            yield start, gathered(joined, budget)
            joined = []
        if not joined:
            start = address
        joined.append(runs[address])
        end = address + len(runs[address])
    if joined:
        yield start, gathered(joined, budget)


def stretches(blocks: Iterable[tuple[int, bytes]], budget: Budget) -> Iterator[Piece]:
    """Every stretch without a gap as a piece, named by its address.

    Raises:
        BudgetSpent: more bytes or pieces than the budget has left.
    """
    for address, image in segments(blocks, budget):
        budget.charge_piece()
        yield Piece(name=f"0x{address:08x}", content=image)
