"""The p-value of a signed sum is never too small, exact where sign patterns are counted, close elsewhere.

Reference values come from every sign pattern, from the binomial in fractions, from a table of the
whole distribution and from scipy, never from the code under test.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import integrate, special

from edgewm import signed_sum, smoothed_tail
from edgewm.errors import BadInput
from edgewm.signed_sum import (
    BENTKUS_DZINDZALIETA,
    bound_log10_p,
    fixed_log10_p,
    normal_log10_tail,
)
from edgewm.stats import log10_fraction, tail

FEW = {
    "random": [912, -407, 555, 38, -721, 264, 90, 333, -610, 847],
    "with zeros": [0, 5, -3, 0, 8, 13, 0, 2],
    "equal": [-6] * 11,
    "powers of two": [2**k for k in range(12)],
    "one giant": [10**9, 3, 5, 7, 11, 13, 17, 19],
    "two scales": [10**6] * 5 + [1] * 6,
    "nearly equal": [10**6 + k % 3 for k in range(11)],
    "two cells": [3, -8],
    "one cell": [4],
}


@pytest.fixture(params=["halves", "subsets", "smooth"])
def way(request, monkeypatch):
    """Each of the three ways to the tail, forced on small cases."""
    if request.param != "halves":
        monkeypatch.setattr(signed_sum, "_HALVED", 0)
    if request.param == "smooth":
        monkeypatch.setattr(signed_sum, "_COUNTING_BITS", 0.0)
    return request.param


@pytest.fixture
def smooth(monkeypatch):
    """The smoothed bound, also where counting would be feasible."""
    monkeypatch.setattr(signed_sum, "_HALVED", 0)
    monkeypatch.setattr(signed_sum, "_COUNTING_BITS", 0.0)


# ---- the fixed tail


@pytest.mark.parametrize("scores", FEW.values(), ids=FEW)
def test_tail_is_never_below_enumeration(scores, way):
    """Against all 2^n patterns, at thresholds in, between and beyond the sums: counted p is equal."""
    sums = _sums(scores)
    low, high = int(sums[0]), int(sums[-1])
    picked = {int(v) for v in sums[:: max(1, len(sums) // 8)]} | {0, 1, high, high - 1, low}
    for total in sorted(t for v in picked for t in (v - 1, v, v + 1) if low <= t <= high):
        exact = log10_fraction(_enumerated(sums, total))
        found = fixed_log10_p(scores, total)
        assert found <= 0.0
        if way == "halves" or (way == "subsets" and high < 10**7):
            assert found == exact
        else:  # smoothed: subset sums are not counted over a wide range
            assert found >= exact - 1e-15


@pytest.mark.parametrize("scores", FEW.values(), ids=FEW)
def test_attained_level_is_at_most_alpha(scores, way):
    """Over all sign patterns, which are the innocent suspect, P[p <= a] <= a for every p attained."""
    sums = _sums(scores)
    found = {int(v): fixed_log10_p(scores, int(v)) for v in set(sums[:: max(1, len(sums) // 25)])}
    for total, log10_p in found.items():
        assert log10_fraction(_enumerated(sums, total)) <= log10_p + 1e-15


@pytest.mark.parametrize("cells", [35, 400, 4000])
def test_equal_cells_are_the_binomial(cells, smooth):
    """Equal scores give the binomial tail in fractions: never below, within 1 % to p = 1e-30."""
    for z in (-1.0, 0.0, 0.4, 2.0, 5.0, 8.0, 11.4):
        hits = math.ceil((cells + z * math.sqrt(cells)) / 2)
        exact = log10_fraction(tail([2] * cells, min(hits, cells)))
        gap = fixed_log10_p([7] * cells, 7 * (2 * min(hits, cells) - cells)) - exact
        assert gap >= 0.0
        if cells >= 400:
            assert gap < math.log10(1.01)


@pytest.mark.parametrize(("cells", "largest"), [(60, 50_000), (200, 3000), (1000, 300)])
def test_smoothed_bound_is_within_a_percent(cells, largest, smooth):
    """Against the whole distribution of random sizes: above it by at most 1 % for p down to 1e-30.

    Found here: 0.07 to 0.56 %.
    """
    sizes = np.random.default_rng(cells).integers(1, largest, cells)
    norm = math.sqrt(float((sizes.astype(float) ** 2).sum()))
    for z in (0.0, 1.0, 2.9, 3.1, 5.0, 5.9 if cells < 100 else 8.0 if cells < 500 else 11.2):
        gap = fixed_log10_p(sizes, int(z * norm)) - _tabled(sizes, int(z * norm))
        assert -1e-10 <= gap < math.log10(1.01)


def test_counting_takes_over_without_a_jump(monkeypatch):
    """The same scores and totals by counting, both ends of it, and smoothed: above by at most 1 %."""
    scores = np.random.default_rng(8).integers(-400, 400, 60).tolist()
    norm = math.sqrt(sum(v * v for v in scores))
    totals = [int(z * norm) for z in (-4, -1, 0, 1, 3, 5)]
    counted = [fixed_log10_p(scores, total) for total in totals]
    monkeypatch.setattr(signed_sum, "_COUNTING_BITS", 0.0)
    for exact, total in zip(counted, totals, strict=True):
        assert 0.0 <= fixed_log10_p(scores, total) - exact < math.log10(1.01)
        assert exact == pytest.approx(_tabled(np.abs(scores), total), abs=1e-10)


def test_giant_cell_among_small_ones(smooth):
    """One cell above all others together: p is half the tail of the others, and a half between."""
    small = np.random.default_rng(4).integers(1, 3000, 100)
    spread = int(math.sqrt(float((small**2).sum())))
    giant = 10**9
    for z in (-2, 1, 4, 7):
        exact = math.log10(0.5) + _tabled(small, z * spread)
        assert 0.0 <= fixed_log10_p([giant, *small], giant + z * spread) - exact < 0.02
    assert fixed_log10_p([giant, *small], giant // 2) == pytest.approx(math.log10(0.5), abs=0.01)


@pytest.mark.parametrize("kind", ["fine", "lattice", "giant"])
def test_tail_never_grows_with_the_total(kind, smooth):
    """Along a sweep, and one step either side of each change of rate, p does not rise."""
    random = np.random.default_rng(6)
    sizes = {
        "fine": random.integers(1, 10**8, 200),
        "lattice": random.integers(1, 4, 200),
        "giant": np.append(random.integers(1, 100, 60), 10**5),
    }[kind]
    values = np.sort(sizes)[::-1].astype(np.float64)
    levels = itertools.islice(smoothed_tail._levels(values), 4)
    most = int(sizes.sum())
    totals = {t for level in levels for t in (level.start - 2, level.start, level.start + 2)}
    totals |= {int(share * most) for share in np.linspace(-0.2, 0.9, 9) ** 3}
    found = [fixed_log10_p(sizes, t) for t in sorted(totals) if -most <= t <= most]
    assert all(later <= sooner + 1e-9 for sooner, later in itertools.pairwise(found))
    assert found[-1] < found[0]


@pytest.mark.parametrize("cells", [20, 50, 500])
def test_only_sizes_relative_to_the_total_count(cells):
    """Signs of scores, their order, zeros and a common unit change nothing, to the last bit."""
    random = np.random.default_rng(cells)
    scores = random.integers(-(10**6), 10**6, cells)
    total = int(2.5 * math.sqrt(float((scores.astype(float) ** 2).sum())))
    found = fixed_log10_p(scores, total)
    assert -3.0 < found < -1.5
    assert fixed_log10_p(-scores[::-1], total) == found
    assert fixed_log10_p(np.append(scores * 12, [0, 0]), total * 12) == found
    assert fixed_log10_p(scores * 12, total * 12 - 11) == found  # the next sum in reach is the same
    assert fixed_log10_p(scores, total + 10_000) < found  # the control


def test_no_score_proves_nothing():
    """Without a nonzero cell, or at the lowest sum, p is 1; all signs right give 2^-n exactly."""
    assert fixed_log10_p([], 0) == fixed_log10_p([0, 0], 0) == fixed_log10_p([3, 4], -7) == 0.0
    assert bound_log10_p([], 0) == bound_log10_p([5], -5) == 0.0
    for cells in (5, 60, 3000):
        scores = np.arange(1, cells + 1) * 1000 + 7
        assert fixed_log10_p(scores, int(scores.sum())) == log10_fraction(Fraction(1, 2**cells))


def test_kernel_is_what_the_proof_needs():
    """The window is the Hann window convolved with itself; mass and second moment within w hold."""
    share = np.linspace(0, 1, 21)
    lagged = [
        integrate.quad(lambda y, x=x: _hann(y) * _hann(y - x), x - 0.5, 0.5)[0] for x in share
    ]
    assert smoothed_tail._window(share) == pytest.approx(np.array(lagged) / lagged[0], abs=1e-12)

    def transform(at):
        return integrate.quad(lambda y: _hann(y) * math.cos(at * y), -0.5, 0.5)[0]

    area, _ = integrate.quad(lambda at: transform(at) ** 2, 0, smoothed_tail._BAND)
    mass = area / (math.pi * 0.375)  # Parseval: the integral of cos^4 over the window is 3/8
    assert smoothed_tail._INSIDE <= mass <= smoothed_tail._INSIDE + 1e-5
    moment, _ = integrate.quad(lambda at: (at * transform(at)) ** 2, 0, smoothed_tail._BAND)
    square = moment / (math.pi * 0.375 * smoothed_tail._BAND**2)
    assert smoothed_tail._SQUARE <= square <= smoothed_tail._SQUARE + 1e-4


@pytest.mark.parametrize(
    ("scores", "total", "named"),
    [
        ([1.5, 2.0], 1, "scores"),
        ([[1, 2]], 1, "scores"),
        ([2**52, 1], 1, "scores"),
        ([1, 2], 4, "total"),
        ([1, 2], -4, "total"),
        ([1, 2], 1.5, "total"),
        ([1, 2], math.nan, "total"),
    ],
)
def test_what_is_no_signed_sum_is_refused(scores, total, named):
    """Fractions, tables, sums beyond floats and totals out of reach are named, not computed."""
    for tail_of in (fixed_log10_p, bound_log10_p):
        with pytest.raises(BadInput, match=named):
            tail_of(scores, total)


def test_signed_sum_is_exact():
    """S is the whole number, at any size, and a sign that is none is refused."""
    assert signed_sum.signed_sum([10**15, -3, 0], [1, -1, 1]) == 10**15 + 3
    for signs in ([1, 0, 1], [1, 1]):
        with pytest.raises(BadInput, match="signs"):
            signed_sum.signed_sum([1, 2, 3], signs)


# ---- the closed bound


@pytest.mark.parametrize("scores", FEW.values(), ids=FEW)
def test_closed_bound_is_never_below_enumeration(scores):
    """At every sum of all 2^n patterns the closed bound is at least the exact tail."""
    sums = _sums(scores)
    for total in {int(v) for v in sums[:: max(1, len(sums) // 200)]}:
        assert bound_log10_p(scores, total) >= log10_fraction(_enumerated(sums, total))


def test_closed_bound_is_above_the_fixed_tail_and_attained():
    """It lies above p for many cells too; with two equal cells it is p but for its last digit."""
    random = np.random.default_rng(9)
    for cells in (40, 300):
        sizes = random.integers(1, 2000, cells)
        norm = math.sqrt(float((sizes.astype(float) ** 2).sum()))
        for z in (0.2, 1.4, 3.0, 5.0):
            assert _tabled(sizes, int(z * norm)) < bound_log10_p(sizes, int(z * norm))
    assert math.log10(0.25) < bound_log10_p([1, 1], 2) < math.log10(0.25) + 1e-5
    assert BENTKUS_DZINDZALIETA < 3.179


def test_normal_tail_is_rounded_up_at_any_size():
    """1 - Phi against scipy from z = -8 to 1e5: never below by more than its rounding, within 1e-9."""
    for z in (-8.0, -1.0, 0.0, 1.5, 8.0, 19.99, 20.0, 25.0, 37.9, 40.0, 1e3, 1e5):
        exact = float(special.log_ndtr(-z)) / math.log(10)
        gap = normal_log10_tail(z) - exact
        assert -1e-15 * abs(exact) <= gap <= 1e-10 + 1e-13 * z * z


# ---- recalibration


def _sums(scores):
    """The sums of all sign patterns, sorted."""
    sums = np.zeros(1, np.int64)
    for score in scores:
        sums = np.concatenate([sums - abs(score), sums + abs(score)])
    return np.sort(sums)


def _enumerated(sums, total):
    return Fraction(int((sums >= total).sum()), len(sums))


def _tabled(sizes, total):
    """log10 of the exact tail, from the table of all sums, each pattern weighed by exp(rate S).

    All terms are positive, so floats lose at most a few units a cell: 1e-12 here.
    """
    sizes = np.asarray([int(v) for v in sizes if v])
    low, rate = 0.0, 50.0 / math.sqrt(float((sizes.astype(float) ** 2).sum()))
    for _ in range(60):
        middle = (low + rate) / 2
        low, rate = (
            (low, middle) if (sizes * np.tanh(middle * sizes)).sum() > total else (middle, rate)
        )
    most = int(sizes.sum())
    table, reach = np.zeros(most + 1), 0  # chance of each sum of the sizes with a plus
    table[0] = 1.0
    for size in sorted(sizes.tolist()):
        plus = 1.0 / (1.0 + math.exp(-2.0 * rate * size))
        before = table[: reach + 1].copy()
        table[: reach + 1] *= 1.0 - plus
        table[size : reach + size + 1] += before * plus
        reach += size
    first = (total + most + 1) // 2
    sums = 2.0 * np.arange(first, most + 1) - most - total
    above = float((table[first:] * np.exp(-rate * sums)).sum())
    logs = float(np.log(np.cosh(rate * sizes)).sum()) - rate * total + math.log(above)
    return logs / math.log(10)


def _hann(y):
    return math.cos(math.pi * y) ** 2
