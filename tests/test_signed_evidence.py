"""The bet on signs cannot be expected to grow, may be looked at any time, and loses little power.

Expectations are taken over every sign pattern, never simulated.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from edgewm.errors import BadInput
from edgewm.signed_evidence import (
    SignedProcess,
    signed_e_process,
    signed_sequential_log10_p,
    two_marks_log10_e,
    two_marks_log10_p,
)
from edgewm.signed_sum import fixed_log10_p, signed_sum

SCORES = {
    "random": [912, -407, 555, 38, -721, 264, 90, 333],
    "with zeros": [0, 5, -3, 0, 8, 13, 0, 2, 1],
    "equal": [-6] * 9,
    "growing": [4**k for k in range(10)],
    "falling": [4**k for k in reversed(range(10))],
    "two cells": [3, -8],
    "one cell": [4],
}


@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
def test_mean_over_all_signs_is_one_at_every_cell(scores):
    """E has mean 1 over all 2^n patterns after each cell, whatever the scores; rounding only lowers."""
    values = _every(scores)
    means = (10.0**values).mean(axis=0)
    assert (means <= 1.0 + 1e-14).all()
    assert means == pytest.approx(1.0, abs=1e-11)


@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
def test_value_is_the_mean_of_its_two_futures(scores):
    """From every past the next sign leaves E as it was on the mean: a martingale, not only at the end."""
    process = SignedProcess(cells=len(scores))
    random = np.random.default_rng(1)
    for score in scores:
        futures = [10.0 ** process.after(score, sign).log10_e for sign in (-1, 1)]
        assert sum(futures) / 2 == pytest.approx(10.0**process.log10_e, rel=1e-11)
        process = process.after(score, int(random.choice([-1, 1])))


@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
def test_level_holds_with_a_look_after_every_cell(scores):
    """Over all patterns the highest E reaches 1/a with chance at most a, for every a."""
    highest = np.maximum(_every(scores).max(axis=1), 0.0)
    for bar in set(highest.tolist()) - {0.0}:
        assert np.mean(highest >= bar) <= 10.0**-bar


def test_a_scale_that_knew_the_sign_would_break_the_level():
    """The control: a rate chosen by the sign of the current cell has a mean far above 1."""
    rate = {1: 2.0, -1: 0.1}
    patterns = list(itertools.product((-1, 1), repeat=8))
    products = [math.prod(1 + s * math.tanh(rate[s]) for s in signs) for signs in patterns]
    assert np.mean(products) > 2


def test_only_relative_sizes_and_agreement_count():
    """A common unit, and turning score and sign together, change nothing; zeros only count."""
    random = np.random.default_rng(2)
    scores, signs = random.integers(-999, 999, 50), random.choice([-1, 1], 50)
    values = signed_e_process(scores, signs, cells=50)
    assert signed_e_process(-scores * 1024, -signs, cells=50) == pytest.approx(values, abs=1e-12)
    process = SignedProcess(cells=3).after(5, 1)
    silent = process.after(0, -1)
    assert (silent.log10_e, silent.complete, silent.nonzero) == (process.log10_e, 2, 1)
    assert not np.allclose(signed_e_process(scores, -signs, cells=50), values)  # the control


@pytest.mark.parametrize("z", [5.0, 6.0, 7.0, 8.0])
@pytest.mark.parametrize("cells", [128, 1000])
def test_a_planted_lean_costs_few_decades(z, cells):
    """Against the fixed tail, which may not be looked at, the sequential p loses about two decades.

    Found over 30 runs each with normal scores: median loss in log10 p of 1.4 (z = 5), 1.6 (6), 1.7
    (7) and 1.7 (8) at 128 cells, of 1.3, 1.7, 2.1 and 2.0 at 1,000 and of 1.6, 1.5, 1.9 and 2.2
    at 4,000; the worst run lost 2.8. Of these, 0.9 to 1.1 are the mean over the rates.
    """
    random = np.random.default_rng(int(z) * cells)
    losses = []
    for _ in range(5):
        scores = np.round(random.normal(0, 1e5, cells)).astype(np.int64)
        rate = z / math.sqrt(float((scores.astype(float) ** 2).sum()))
        signs = np.where(random.random(cells) < 1 / (1 + np.exp(-2 * rate * scores)), 1, -1)
        fixed = fixed_log10_p(scores, signed_sum(scores, signs))
        losses.append(signed_sequential_log10_p(scores, signs, cells=cells) - fixed)
    assert np.median(losses) < 2.8
    assert max(losses) < 4.0


def test_a_strong_lean_is_shown_long_before_the_last_cell():
    """Signs that always agree show at once, in 40 of 1,000 cells to 1e-6; random ones never."""
    random = np.random.default_rng(5)
    scores = random.integers(500, 1500, 1000)
    values = signed_e_process(scores, np.ones(1000, int), cells=1000)
    assert int((values >= 6).argmax()) < 40
    assert signed_e_process(scores, random.choice([-1, 1], 1000), cells=1000).max() < 2


def test_process_in_steps_equals_the_whole_and_p_only_falls():
    """`after` cell by cell gives the same values; p is 1 over the highest, also after a fall."""
    scores, signs = [5, 8, 2, 9, 4, 7], [1, 1, 1, 1, -1, -1]
    process, seen = SignedProcess(cells=6), []
    for score, sign in zip(scores, signs, strict=True):
        process = process.after(score, sign)
        seen.append(process.log10_e)
    assert seen == signed_e_process(scores, signs, cells=6).tolist()
    assert process.log10_e < max(seen) == process.highest == -process.log10_p
    assert signed_sequential_log10_p(scores, signs, cells=6) == process.log10_p
    assert signed_sequential_log10_p([5], [-1], cells=6) == 0.0


def test_what_was_not_committed_is_refused():
    """One cell too many, a sign that is none, rows of different length."""
    with pytest.raises(BadInput, match="cells"):
        signed_e_process([1, 2], [1, 1], cells=1)
    with pytest.raises(BadInput, match="sign"):
        SignedProcess(cells=2).after(3, 0)
    with pytest.raises(BadInput, match="signs"):
        signed_e_process([1, 2], [1], cells=2)


# ---- both marks in one model


def test_fixed_p_of_two_marks_is_twice_the_smaller():
    """2 min(p, q), at most 1, rounded up by no more than a last bit."""
    assert two_marks_log10_p(-9.0, -2.0) == pytest.approx(-9.0 + math.log10(2), abs=1e-14)
    assert two_marks_log10_p(-2.0, -9.0) == two_marks_log10_p(-9.0, -2.0)
    assert 10 ** two_marks_log10_p(math.log10(0.25), 0.0) >= 0.5
    assert two_marks_log10_p(-0.2, -0.1) == 0.0
    for bad in (0.1, math.nan):
        with pytest.raises(BadInput, match="tilt_log10_p"):
            two_marks_log10_p(-1.0, bad)


@pytest.mark.parametrize(
    ("first", "second"), [(0.0, 0.0), (6.0, -8.0), (-3.0, -3.0), (2.5, 4.5), (0.0, 1.0)]
)
def test_two_bets_multiply_with_half_of_each_kept(first, second):
    """(1/2 + E/2)(1/2 + E'/2), rounded down by next to nothing."""
    exact = math.log10((0.5 + 10**first / 2) * (0.5 + 10**second / 2))
    assert two_marks_log10_e(first, second) == pytest.approx(exact, abs=1e-13)


def test_a_dead_mark_costs_a_factor_of_two_at_most():
    """A bet that lost everything takes log10 2 from the product, at any size of the other."""
    for value in (0.0, 20.0, 5000.0):
        both = two_marks_log10_e(value, -math.inf)
        own = two_marks_log10_e(value, 0.0)
        assert own - both == pytest.approx(math.log10(2), abs=1e-10)
        assert own >= value - math.log10(2) - 1e-10
    with pytest.raises(BadInput, match="trigger_log10_e"):
        two_marks_log10_e(math.nan, 0.0)
    with pytest.raises(BadInput, match="tilt_log10_e"):
        two_marks_log10_e(0.0, math.inf)


def test_two_bets_together_keep_the_level():
    """Two independent bets, looked at in any interleaving: P[sup product >= 1/a] <= a, enumerated."""
    first, second = _every([3, 1, 4, 1]), _every([2, 7, 1, 8])
    path = [(1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (4, 2), (4, 3), (4, 4)]
    highest = []
    for one, other in itertools.product(np.insert(first, 0, 0, 1), np.insert(second, 0, 0, 1)):
        values = [two_marks_log10_e(float(one[i]), float(other[j])) for i, j in path]
        highest.append(max(0.0, *values))
    assert np.mean(
        [10.0 ** two_marks_log10_e(float(a), float(b)) for a in first[:, -1] for b in second[:, -1]]
    ) == pytest.approx(1.0, abs=1e-11)
    for bar in {round(v, 12) for v in highest} - {0.0}:
        assert np.mean(np.array(highest) >= bar - 1e-12) <= 10.0 ** -(bar - 1e-12) + 1e-11


# ---- references


def _every(scores):
    """log10 E after each cell, for all sign patterns: (2^n, n)."""
    patterns = itertools.product((-1, 1), repeat=len(scores))
    return np.array([signed_e_process(scores, signs, cells=len(scores)) for signs in patterns])
