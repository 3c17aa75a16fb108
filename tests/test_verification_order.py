"""Stopping early and asking a part: what may be gained by looking, and what it costs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgewm import stats
from edgewm.errors import BadInput
from edgewm.evidence import EProcess
from edgewm.questioning import Run
from tests.recordings import (
    IN_ORDER,
    TRIGGERS,
    UNSTAMPED,
    Says,
    saying,
    verdict_on,
)


def test_sequential_stops_at_the_information_floor_when_stamped():
    """A perfect mark of 10 classes takes 7 of 64 groups; the runtime never sees the others."""
    floor, process = 0, EProcess(groups=64)
    while not stats.owned(process.log10_p, alpha=1e-6, tests=1, stamped=True):
        process, floor = process.after(stats.Outcome.HIT, 10), floor + 1
    assert 6 <= floor <= 8
    runtime = saying(64)
    verdict = verdict_on(runtime, sequential=True, stamped=True)
    assert verdict.owned
    assert verdict.worst.groups_asked == verdict.worst.queries == floor
    assert len(np.concatenate(runtime.asked)) == floor
    assert verdict.flags == ()


def test_sequential_without_a_stamp_asks_everything():
    """A forger would choose when to stop: without a stamp every group is asked, and 2^64 more needed."""
    runtime = saying(64)
    verdict = verdict_on(runtime, sequential=True)
    assert verdict.worst.groups_asked == 64
    assert verdict.owned
    assert verdict.sequential
    assert UNSTAMPED in verdict.flags
    weaker = verdict_on(saying(20), sequential=True)
    assert not weaker.owned
    assert stats.owned(weaker.log10_p, alpha=1e-6, tests=1, stamped=True)  # the control


def test_sequential_p_is_never_the_fixed_tail_at_the_stopping_time():
    """The anytime p-value is larger than the tail over the groups asked so far."""
    verdict = verdict_on(saying(64), sequential=True, stamped=True)
    asked = verdict.worst.groups_asked
    assert verdict.log10_p > -asked
    assert verdict.log10_p <= -6


def test_sequential_on_a_suspect_without_the_mark_asks_everything():
    """An innocent suspect is asked to the end and not accused."""
    verdict = verdict_on(saying(6), sequential=True, stamped=True, run=None)
    assert verdict.owned is stats.owned(verdict.log10_p, alpha=1e-6, tests=1, stamped=True)
    shuffled = np.random.default_rng(5).permutation(np.array(saying(6).labels))
    innocent = verdict_on(Says(labels=tuple(shuffled.tolist())), sequential=True, stamped=True)
    assert not innocent.owned
    assert innocent.worst.groups_asked == 64


# ---- parts of the order


def test_a_part_of_the_order_is_worth_its_e_process():
    """The first 16 groups are judged by the anytime p-value alone, without a factor."""
    verdict = verdict_on(saying(16, of=16), run=Run(groups=16))
    assert verdict.sequential
    assert (verdict.worst.groups_asked, verdict.tests) == (16, 1)
    process = EProcess(groups=64)
    for _ in range(16):
        process = process.after(stats.Outcome.HIT, 10)
    assert math.isclose(verdict.log10_p, process.log10_p)


def test_a_start_that_nothing_fixes_costs_a_factor():
    """From position 16 on the tests are multiplied by the 64 groups, and a flag says so."""
    labels = tuple(IN_ORDER[16:48].tolist())
    verdict = verdict_on(Says(labels=labels), run=Run(first_group=16, groups=32), tests=3)
    assert verdict.tests == 3 * 64
    assert verdict.worst.groups_hit == 32
    assert any("asked from position 16" in flag for flag in verdict.flags)
    at_the_start = verdict_on(saying(32, of=32), run=Run(groups=32), tests=3)
    assert at_the_start.tests == 3
    assert at_the_start.log10_p == verdict.log10_p


@pytest.mark.parametrize(
    ("first", "groups"), [(-1, 2), (0, 0), (0, 65), (64, None), (60, 5), (3, -1)]
)
def test_runs_outside_the_order_are_refused(first: int, groups: int | None):
    """A run that leaves the committed groups is one line; the whole order is none."""
    with pytest.raises(BadInput, match="expected a run within 0 to 64"):
        Run(first_group=first, groups=groups).of(TRIGGERS)
    assert Run().whole(TRIGGERS)
    assert Run(groups=64).whole(TRIGGERS)
    assert not Run(groups=63).whole(TRIGGERS)
