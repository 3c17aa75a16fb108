"""The fixed p-value is exact, a group says what it should, and the decision is the one promised.

Reference values come from scipy and from plain enumeration of every outcome in fractions, never from
the code under test. Simulated suspects and the sequential form are in `test_evidence`.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats as reference

from edgewm.errors import BadInput
from edgewm.evidence import sequential_log10_p
from edgewm.stats import (
    UNSTAMPED_BITS,
    Outcome,
    choose,
    fixed_p,
    forgery_bits,
    groups_needed,
    hits_needed,
    log10_fraction,
    owned,
    power,
    rounded_up,
    tail,
)

HIT, MISS, SILENT, UNASKED = Outcome.HIT, Outcome.MISS, Outcome.SILENT, Outcome.UNASKED
MIXED = [2, 3, 3, 5, 7, 7, 7, 9, 9, 99]


# ---- the fixed tail


@pytest.mark.parametrize("allowed", [2, 3, 9, 99])
@pytest.mark.parametrize("groups", [1, 7, 64, 200])
def test_tail_of_equal_groups_is_the_binomial_survival_function(allowed, groups):
    """With one M_j the tail is binomial; scipy agrees to 1e-11 wherever it does not underflow."""
    for hits in range(0, groups + 1, max(1, groups // 16)):
        expected = float(reference.binom.sf(hits - 1, groups, 1 / allowed))
        if expected > 1e-290:
            assert float(tail([allowed] * groups, hits)) == pytest.approx(expected, rel=1e-11)


def test_tail_of_mixed_groups_equals_enumeration():
    """For any mix of M_j the tail equals the sum over all 2^n outcomes, as fractions, exactly."""
    chances = _enumerated(MIXED)
    for hits in range(len(MIXED) + 1):
        assert tail(MIXED, hits) == sum(p for pattern, p in chances if sum(pattern) >= hits)
    # The control: taking the mean chance for all groups, a binomial, is another number.
    mean = float(np.mean([1 / m for m in MIXED]))
    assert float(tail(MIXED, 6)) != pytest.approx(float(reference.binom.sf(5, 10, mean)), rel=0.05)


def test_tail_does_not_depend_on_the_order_of_groups():
    """Only the multiset of M_j counts."""
    shuffled = list(np.random.default_rng(0).permutation(MIXED * 4))
    assert tail(shuffled, 17) == tail(MIXED * 4, 17)


@pytest.mark.parametrize("groups", [1, 64, 400, 5000])
def test_tail_never_underflows(groups):
    """A perfect mark of m groups at M = 9 has p = 9^-m exactly, far below the smallest float."""
    p = tail([9] * groups, groups)
    assert p == Fraction(1, 9**groups)
    assert log10_fraction(p) == pytest.approx(-groups * math.log10(9), rel=1e-13)


def test_no_hits_prove_nothing():
    """Zero hits give p = 1 exactly, for no group at all as for many."""
    assert tail([], 0) == tail(MIXED, 0) == 1
    assert log10_fraction(tail(MIXED, 0)) == 0.0
    assert rounded_up(tail(MIXED, 0)) == 1.0
    assert tail(MIXED, 1) < 1


def test_log10_is_right_to_twelve_digits_at_any_size():
    """log10_fraction agrees with series of whole numbers and is exact at powers of ten."""
    for exponent in (0, 1, 6, 300, 5000, 100_000):
        assert log10_fraction(Fraction(1, 10**exponent)) == -exponent
    third = Fraction(1, 3)
    assert log10_fraction(third**10_000) == pytest.approx(-10_000 * math.log10(3), rel=1e-14)
    # Near 1: log10(1 - x) = -(x + x^2/2 + ...) / ln 10, where a plain difference loses all digits.
    for x in (1e-3, 1e-12, 1e-25):
        expected = math.log1p(-x) / math.log(10)
        assert log10_fraction(1 - Fraction(x)) == pytest.approx(expected, rel=1e-12)
    assert log10_fraction(Fraction(10**5000)) == 5000.0
    with pytest.raises(BadInput, match="positive"):
        log10_fraction(Fraction(0))


def test_float_p_is_never_below_the_exact_one():
    """Rounding goes up, also past the smallest float; the next float down would be too small."""
    for hits in range(65):
        exact = tail([9] * 64, hits)
        shown = rounded_up(exact)
        assert Fraction(shown) >= exact
        assert Fraction(math.nextafter(shown, 0.0)) < exact
    assert rounded_up(Fraction(1, 9**400)) == math.nextafter(0.0, 1.0)


def test_attained_level_is_at_most_alpha_over_all_outcomes():
    """Summed over every outcome, P[p <= a] is at most a, and equals a at every attainable p."""
    allowed = [2, 3, 4, 4, 9, 9]
    outcomes = [(tail(allowed, sum(pattern)), p) for pattern, p in _enumerated(allowed)]
    for alpha in sorted({p for p, _ in outcomes}):
        assert sum(chance for p, chance in outcomes if p <= alpha) == alpha
    for alpha in (Fraction(1, 3), Fraction(1, 20), Fraction(1, 1000)):
        assert sum(chance for p, chance in outcomes if p <= alpha) <= alpha


@pytest.mark.parametrize(("allowed", "hits"), [([1, 5], 1), ([0], 0), ([5, 5], 3), ([5], -1)])
def test_tail_refuses_what_is_no_test(allowed, hits):
    """A group with one allowed class hits for free; more hits than groups cannot be."""
    with pytest.raises(BadInput, match=r"allowed|hits"):
        tail(allowed, hits)


# ---- what a group says


def _choose(labels, groups, excluded=None, answers=None, classes=4):
    ids = np.asarray(groups)
    m = int(ids.max()) + 1
    mask = np.zeros((m, classes), bool) if excluded is None else np.asarray(excluded, bool)
    drawn = np.zeros(m, np.int64) if answers is None else np.asarray(answers)
    return list(choose(np.asarray(labels, np.int64), ids, excluded=mask, answers=drawn))


def test_group_names_the_class_with_most_votes():
    """Most votes win without being more than half; another class's majority is a miss."""
    assert _choose([0, 0, 1, 2], [0] * 4) == [HIT]
    assert _choose([1, 1, 1, 0], [0] * 4) == [MISS]


def test_tie_or_no_vote_is_silence():
    """A tie for first place says nothing, even with the answer in it; a tie below is no matter."""
    assert _choose([0, 0, 1, 1], [0] * 4) == [SILENT]
    assert _choose([0, 1, 2, 3], [0] * 4) == [SILENT]
    assert _choose([0, 0, 1, 2], [0] * 4) == [HIT]


def test_natural_votes_do_not_count():
    """Votes for E_j are dropped: one allowed vote decides against any number of natural ones."""
    natural = [[False, True, True, False]]
    assert _choose([1, 1, 2, 0], [0] * 4, natural) == [HIT]
    assert _choose([1, 1, 2, 2], [0] * 4, natural) == [SILENT]
    assert _choose([1, 1, 2, 0], [0] * 4) == [MISS]  # the control: no natural classes


def test_failed_query_makes_its_group_a_miss():
    """A group with a failed query misses, though its other votes name the answer."""
    assert _choose([0, 0, 0, -1, 0, 0], [0, 0, 0, 0, 1, 1]) == [MISS, HIT]
    assert _choose([-1, -1], [0, 0]) == [MISS]


def test_unasked_groups_are_told_apart_and_count_as_missed():
    """Labels may stop early: a half asked group is a miss, later ones unasked; p counts both."""
    outcomes = _choose([0, 0, 0], [0, 0, 1, 1, 2, 2])
    assert outcomes == [HIT, MISS, UNASKED]
    assert fixed_p(outcomes, [4, 4, 4]) == tail([4, 4, 4], 1) > tail([4], 1)
    assert fixed_p([HIT, SILENT, HIT], [4, 9, 4]) == tail([4, 4], 2)  # silence drops out
    assert _choose([], [0, 1]) == [UNASKED, UNASKED]


def test_groups_may_be_asked_in_any_order():
    """Outcomes are in group number whatever the order of the inputs."""
    assert _choose([3, 0, 3, 0], [2, 0, 2, 1], answers=[0, 1, 3]) == [HIT, MISS, HIT]


@pytest.mark.parametrize("label", [-2, 4])
def test_label_that_is_no_class_is_refused(label):
    """A label outside 0 to K - 1 and not -1 means another model or a broken reader."""
    with pytest.raises(BadInput, match="labels"):
        _choose([0, label], [0, 0])


def test_answer_that_is_natural_is_refused():
    """An answer in E_j could never hit: answers and triggers do not belong together."""
    with pytest.raises(BadInput, match="answers"):
        _choose([0, 1], [0, 0], [[True, False, False, False]])


# ---- the decision


def test_owned_multiplies_p_by_the_number_of_tests():
    """p * tests <= alpha, exactly at the tie, in decimals as they are typed."""
    p = log10_fraction(tail([10] * 6, 6))
    assert owned(p, alpha=1e-6, tests=1, stamped=True)
    assert not owned(p, alpha=1e-6, tests=2, stamped=True)
    assert owned(p, alpha=2e-6, tests=2, stamped=True)
    assert not owned(p, alpha=9.999999e-7, tests=1, stamped=True)
    assert not owned(0.0, alpha=0.999, tests=1, stamped=True)
    # The float 0.7 lies below 7/10; alpha is the decimal.
    assert owned(log10_fraction(Fraction(7, 10)), alpha=0.7, tests=1, stamped=True)


def test_unstamped_claim_needs_64_bits_more():
    """Without a stamp the bar is alpha 2^-64, exactly."""
    needed = Fraction("1e-6") / 2**UNSTAMPED_BITS
    assert owned(log10_fraction(needed), alpha=1e-6, tests=1, stamped=False)
    assert not owned(
        log10_fraction(needed * Fraction(1001, 1000)), alpha=1e-6, tests=1, stamped=False
    )
    assert owned(log10_fraction(needed * 2**60), alpha=1e-6, tests=1, stamped=True)
    assert forgery_bits(log10_fraction(needed)) == pytest.approx(64 + math.log2(1e6), abs=1e-9)


@pytest.mark.parametrize(("allowed", "sequential", "fixed"), [(9, 28, 27), (2, 88, 84)])
def test_smallest_perfect_unstamped_mark(allowed, sequential, fixed):
    """At alpha 1e-6 an unstamped perfect mark takes 28 groups at M = 9, 88 at M = 2 (sequential)."""
    for groups, shown in ((sequential - 1, False), (sequential, True)):
        log10_p = sequential_log10_p([HIT] * groups, [allowed] * groups, groups=groups)
        assert owned(log10_p, alpha=1e-6, tests=1, stamped=False) is shown
    assert groups_needed(allowed, alpha=1e-6, stamped=False) == fixed
    assert allowed ** (fixed - 1) < 1_000_000 * 2**64 <= allowed**fixed


def test_hits_needed_is_the_smallest_number_that_is_owned():
    """One hit less is not owned; with too few groups no number is."""
    allowed = MIXED * 3
    needed = hits_needed(allowed, alpha=1e-6, tests=10, stamped=True)
    assert tail(allowed, needed) * 10 <= Fraction("1e-6") < tail(allowed, needed - 1) * 10
    assert hits_needed([2] * 19, alpha=1e-6, stamped=True) is None
    assert hits_needed([2] * 20, alpha=1e-6, stamped=True) == 20


def test_power_is_the_binomial_chance_of_enough_hits():
    """Power is scipy's binomial at the hit rate, 0 where nothing suffices, 1 for a perfect mark."""
    needed = hits_needed([9] * 64, alpha=1e-6, stamped=True)
    for rate in (0.05, 0.14, 0.5, 0.999):
        expected = float(reference.binom.sf(needed - 1, 64, rate))
        assert power([9] * 64, rate, alpha=1e-6, stamped=True) == pytest.approx(expected, rel=1e-10)
    assert power([9] * 64, 1.0, alpha=1e-6, stamped=True) == 1.0
    assert power([9] * 64, 0.0, alpha=1e-6, stamped=True) == 0.0
    assert power([9] * 6, 1.0, alpha=1e-6, stamped=True) == 0.0


def test_innocent_power_is_at_most_alpha():
    """At the rate of chance the power is the level: at most alpha."""
    assert 0 < power([10] * 64, 0.1, alpha=1e-3, stamped=True) <= 1e-3


def test_groups_needed_reaches_the_power_and_one_fewer_does_not():
    """The answer is the smallest, compared with trying every number; too much is None."""
    by_trial = next(
        n for n in range(1, 200) if power([9] * n, 0.5, alpha=1e-4, stamped=True) >= 0.9
    )
    assert groups_needed(9, alpha=1e-4, hit_rate=0.5, chance=0.9, stamped=True) == by_trial
    assert groups_needed(9, alpha=1e-6, stamped=True) == 7
    assert groups_needed(9, alpha=1e-6, hit_rate=0.1, stamped=True, at_most=100) is None


@pytest.mark.parametrize(
    ("log10_p", "alpha", "tests", "named"),
    [
        (-9.0, 0.0, 1, "alpha"),
        (-9.0, 1.0, 1, "alpha"),
        (-9.0, math.nan, 1, "alpha"),
        (-9.0, 1e-6, 0, "tests"),
        (0.1, 1e-6, 1, "log10_p"),
        (math.nan, 1e-6, 1, "log10_p"),
    ],
)
def test_owned_refuses_what_is_no_probability(log10_p, alpha, tests, named):
    """Bad numbers are an error that names the argument, never a verdict."""
    with pytest.raises(BadInput, match=named):
        owned(log10_p, alpha=alpha, tests=tests, stamped=True)


# ---- references


def _enumerated(allowed):
    """Every pattern of hits with its exact chance."""
    out = []
    for pattern in itertools.product((0, 1), repeat=len(allowed)):
        chances = [
            Fraction(1 if hit else m - 1, m) for hit, m in zip(pattern, allowed, strict=True)
        ]
        out.append((pattern, math.prod(chances)))
    return out
