"""Activations share memory only when no step needs both."""

from __future__ import annotations

import numpy as np

from edgewm.engine import make_engine
from edgewm.engine.arena import Block, plan
from tests.engine.models import cases


def _overlaps(blocks: list[Block], offsets: list[int]) -> int:
    pairs = 0
    for a, (one, at) in enumerate(zip(blocks, offsets, strict=True)):
        for other, place in zip(blocks[:a], offsets[:a], strict=True):
            together = one.first <= other.last and other.first <= one.last
            pairs += together and at < place + other.size and place < at + one.size
    return pairs


def test_blocks_needed_together_lie_apart():
    """Random lifetimes: no overlap, all aligned, within the total, and less than without sharing."""
    rng = np.random.default_rng(2)
    for _ in range(50):
        firsts = rng.integers(0, 20, 30)
        lengths, sizes = rng.integers(0, 4, 30), rng.integers(1, 500, 30)
        blocks = [
            Block(size=int(size), first=int(first), last=int(first + length))
            for first, length, size in zip(firsts, lengths, sizes, strict=True)
        ]
        offsets, total = plan(blocks)
        assert _overlaps(blocks, offsets) == 0
        assert all(offset % 4 == 0 for offset in offsets)
        ends = [offset + block.size for offset, block in zip(offsets, blocks, strict=True)]
        assert max(ends) <= total < sum(block.size for block in blocks)
    assert _overlaps(blocks, [0] * len(blocks)) > 0  # the control: all at one place do overlap


def test_nothing_needs_nothing():
    """No blocks, no arena; a chain of two takes its larger neighbours."""
    assert plan([]) == ([], 0)
    chain = [Block(size=100, first=at, last=at + 1) for at in range(6)]
    assert plan(chain)[1] == 200


def test_a_model_of_one_operator_has_no_arena():
    """Input and output are the caller's; the branching model needs both of its branches at once."""
    assert make_engine(cases()["add stored"]).arena_bytes == 0
    assert make_engine(cases()["branching"]).arena_bytes >= 2 * 120
