"""The innocent are safe whatever they are and however often one looks; the forger can only try again.

Reference values come from scipy, from exact integrals of polynomials in fractions and from sums over
all paths, never from the code under test.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import integrate, special
from scipy import stats as reference

from edgewm import commitment
from edgewm.errors import BadInput
from edgewm.evidence import EProcess, e_process, log10_mixture, sequential_log10_p
from edgewm.hashing import draw_below
from edgewm.stats import Outcome, choose, forgery_bits, hits_needed, log10_fraction, owned, tail

HIT, MISS, SILENT, UNASKED = Outcome.HIT, Outcome.MISS, Outcome.SILENT, Outcome.UNASKED


# ---- the sequential form


@pytest.mark.parametrize(("allowed", "expected"), [(9, 7), (2, 23), (99, 4)])
@pytest.mark.parametrize("groups", [32, 64, 65, 256])
def test_perfect_mark_is_shown_at_the_promised_group(allowed, expected, groups):
    """A perfect mark first reaches 1e6 at group 7 for M = 9, 23 for M = 2 and 4 for M = 99."""
    log10_e = e_process([HIT] * groups, [allowed] * groups, groups=groups)
    assert int((log10_e >= 6).argmax()) + 1 == expected


@pytest.mark.parametrize(
    ("hits", "misses"), [({9: 3}, 5), ({2: 7, 9: 4}, 3), ({9: 24}, 0), ({}, 24)]
)
def test_mean_over_nodes_is_the_beta_integral(hits, misses):
    """The finite mean equals the Beta(1/2, 1/2) integral, by quadrature and by exact moments."""

    def product(theta):
        gains = [(1 + theta * (m - 1)) ** n for m, n in hits.items()]
        return math.prod(gains) * (1 - theta) ** misses

    area, _ = integrate.quad(product, 0, 1, weight="alg", wvar=(-0.5, -0.5))
    value = log10_mixture(hits, misses, groups=24)
    assert value == pytest.approx(math.log10(area / math.pi), abs=1e-9)
    assert value == pytest.approx(_exact_log10_e(hits, misses), abs=1e-10)
    # The control: with far too few nodes the rule is not exact.
    few = log10_mixture(hits, misses, groups=2)
    assert few != pytest.approx(math.log10(area / math.pi), abs=1e-3)


def test_sequential_p_is_never_too_small():
    """The logarithm lies below the exact rational value, by less than 1e-10, in any run."""
    random = np.random.default_rng(5)
    for _ in range(60):
        sizes = random.choice([2, 3, 5, 9, 10, 99], 3, replace=False)
        hits = {int(m): int(random.integers(0, 40)) for m in sizes}
        misses = int(random.integers(0, 120))
        groups = sum(hits.values()) + misses + int(random.integers(1, 50))
        gap = _exact_log10_e(hits, misses) - log10_mixture(hits, misses, groups=groups)
        assert 0 < gap < 1e-10


def test_p_is_one_over_the_highest_value():
    """log10 p starts at 0, never rises and ignores silence; stepping equals the array."""
    random = np.random.default_rng(1)
    outcomes = random.choice([HIT, MISS, SILENT], 60, p=[0.3, 0.5, 0.2])
    allowed = random.choice([2, 6, 9], 60)
    process, highest = EProcess(groups=60), 0.0
    assert process.log10_p == 0.0
    for at, value in enumerate(e_process(outcomes, allowed, groups=60)):
        before, process = process, process.after(int(outcomes[at]), int(allowed[at]))
        highest = max(highest, value)
        assert process.log10_e == value
        assert process.log10_p == -highest <= before.log10_p
        if outcomes[at] == SILENT:
            assert process.log10_e == before.log10_e
    assert sequential_log10_p(outcomes, allowed, groups=60) == -highest
    assert process.log10_e < highest  # the last value is not the highest: the two differ here


def test_unasked_groups_end_the_sequence():
    """Unasked groups at the end change nothing; a gap or a group too many is refused."""
    values = e_process([HIT, HIT, UNASKED], [9, 9, 9], groups=3)
    assert values[2] == values[1] > values[0] > 0
    with pytest.raises(BadInput, match="gaps"):
        e_process([HIT, UNASKED, HIT], [9, 9, 9], groups=3)
    with pytest.raises(BadInput, match="groups"):
        e_process([HIT, HIT], [9, 9], groups=1)
    assert sequential_log10_p([], [], groups=3) == 0.0


@pytest.mark.parametrize("allowed", [2, 9, 99])
@pytest.mark.parametrize("alpha", [0.2, 1e-2, 1e-6])
def test_chance_of_ever_crossing_is_at_most_alpha(allowed, alpha):
    """An innocent suspect is accused at any of 64 looks with chance <= alpha, summed over paths."""
    groups, chance = 64, Fraction(1, allowed)
    alive, accused = {0: Fraction(1)}, Fraction(0)
    for asked in range(1, groups + 1):
        moved: dict[int, Fraction] = {}
        for hits, weight in alive.items():
            moved[hits + 1] = moved.get(hits + 1, Fraction(0)) + weight * chance
            moved[hits] = moved.get(hits, Fraction(0)) + weight * (1 - chance)
        alive = {}
        for hits, weight in moved.items():
            log10_e = log10_mixture({allowed: hits}, asked - hits, groups=groups)
            if owned(min(0.0, -log10_e), alpha=alpha, tests=1, stamped=True):
                accused += weight
            else:
                alive[hits] = weight
    assert 0 < accused <= Fraction(repr(alpha))


def test_fixed_p_looked_at_after_every_group_would_accuse_the_innocent():
    """The control of the sequential form: stopping at the first fixed p <= 5 % errs far more."""
    random = np.random.default_rng(2)
    hits = np.cumsum(random.random((4000, 64)) < 1 / 9, axis=1)
    bar = [hits_needed([9] * n, alpha=0.05, stamped=True) for n in range(1, 65)]
    limits = np.array([np.inf if needed is None else needed for needed in bar])
    assert (hits >= limits).any(axis=1).mean() > 0.10


def test_natural_suspect_with_few_hits_is_not_accused():
    """1 % hits at M = 9 (chance: 11 %) prove nothing; a bet on lower rates too would accuse."""
    outcomes = ([MISS] * 99 + [HIT]) * 4
    assert sequential_log10_p(outcomes, [9] * 400, groups=400) > math.log10(0.5)
    # The control: rate q ~ Beta(1/2, 1/2) over all of [0, 1], factors 9 q and (1 - q) 9/8.
    log_e = special.betaln(4.5, 396.5) - math.log(math.pi) + 4 * math.log(9) + 396 * math.log(9 / 8)
    assert log_e / math.log(10) > 6


# ---- the innocent, simulated


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_innocent_suspects_are_accused_at_most_alpha(classes):
    """Of 200,000 draws against a stubborn suspect at most alpha + 4 SE have p <= alpha.

    The suspect is far from fair: it names one class nearly always and falls silent wherever that
    is natural, and E_j has two sizes. Fixed and sequential p are both held to it. The control takes
    each group to have K + 1 allowed classes, more than there are; it accuses too often.
    """
    draws, groups = 200_000, 24
    random = np.random.default_rng(classes)
    excluded, labels = _stubborn(random, classes, groups)
    allowed = classes - excluded.sum(axis=1)
    silent = excluded[np.arange(groups), labels]
    answers = _drawn(random, excluded, draws)
    hit = (answers == labels) & ~silent
    for row in range(0, 2000, 100):  # the shortcut above says what choose() says
        said = choose(labels, np.arange(groups), excluded=excluded, answers=answers[row])
        assert list(said) == list(np.where(silent, SILENT, hit[row].astype(int)))

    spoke = allowed[~silent]
    fixed = np.array([float(tail(spoke, h)) for h in range(len(spoke) + 1)])[hit.sum(axis=1)]
    wrong = np.array([float(tail([classes + 1] * len(spoke), h)) for h in range(len(spoke) + 1)])
    sequential = 10.0 ** -_highest_log10_e(hit, allowed, silent)
    for alpha in (0.2, 0.05, 1e-2, 1e-3):
        limit = alpha + 4 * math.sqrt(alpha * (1 - alpha) / draws)
        assert (fixed <= alpha).mean() <= limit
        assert (sequential <= alpha).mean() <= limit
    assert sequential.min() < 0.2  # it can accuse at all
    excess = [
        (wrong[hit.sum(axis=1)] <= a).mean() - a - 4 * math.sqrt(a * (1 - a) / draws)
        for a in np.unique(wrong)
    ]
    assert max(excess) > 0


# ---- the forger


def test_equal_group_keys_still_give_independent_answers():
    """With all k_j equal, hits of a constant suspect over 1,000 tries are binomial all the same.

    The control drops j from the draw: then all groups share one answer, and a try in ten hits all.
    """
    groups, classes, tries = 64, 10, 1000
    nothing_excluded = np.zeros((groups, classes), bool)
    hits, without_j = np.empty(tries, int), np.empty(tries, int)
    for attempt in range(tries):
        key = attempt.to_bytes(32, "little")
        drawn = commitment.answers([key] * groups, b"r" * 32, nothing_excluded)
        hits[attempt] = (drawn == 7).sum()
        without_j[attempt] = groups * (draw_below(classes, "answer", key, b"r" * 32) == 7)
    assert hits.mean() == pytest.approx(6.4, abs=4 * math.sqrt(5.76 / tries))
    assert hits.var() == pytest.approx(5.76, rel=0.2)
    edges = reference.binom.ppf([0.2, 0.4, 0.6, 0.8], groups, 0.1)
    expected = np.diff([0.0, *reference.binom.cdf(edges, groups, 0.1), 1.0]) * tries
    seen = np.bincount(np.searchsorted(edges, hits), minlength=5)
    assert reference.chisquare(seen, expected).pvalue > 1e-4
    assert hits.max() < 25
    assert (without_j == groups).mean() == pytest.approx(0.1, abs=0.04)


def test_forger_needs_about_one_over_p_tries():
    """Varying keys or inputs against one suspect succeeds in a share p of tries, within 4 SE."""
    groups, classes, tries = 2, 32, 40_000
    nothing_excluded = np.zeros((groups, classes), bool)
    suspect = np.array([17, 3])
    level = tail([classes] * groups, groups)
    assert level == Fraction(1, 1024)
    hits = 0
    for attempt in range(tries):
        fresh = attempt.to_bytes(32, "little")
        key, root = (fresh, b"r" * 32) if attempt % 2 else (b"k" * 32, fresh)
        drawn = commitment.answers([key] * groups, root, nothing_excluded)
        hits += bool((drawn == suspect).all())
    p = float(level)
    assert hits / tries == pytest.approx(p, abs=4 * math.sqrt(p / tries))
    assert forgery_bits(log10_fraction(level)) == pytest.approx(10.0, abs=1e-12)
    assert forgery_bits(0.0) == 0.0


# ---- references


def _exact_log10_e(hits, misses):
    """The Beta(1/2, 1/2) integral as a fraction: its k-th moment is C(2k, k) / 4^k."""
    polynomial = [1]
    factors = [m - 1 for m, n in hits.items() for _ in range(n)] + [-1] * misses
    for slope in factors:
        shifted = [0, *(slope * value for value in polynomial)]
        polynomial = [a + b for a, b in zip([*polynomial, 0], shifted, strict=True)]
    top = len(polynomial) - 1
    total = sum(value * math.comb(2 * k, k) * 4 ** (top - k) for k, value in enumerate(polynomial))
    return log10_fraction(Fraction(total, 4**top))


def _stubborn(random, classes, groups):
    """Natural classes of two sizes, and a suspect that names one of two classes nearly always."""
    excluded = np.zeros((groups, classes), bool)
    if classes > 2:
        for group in range(groups):
            size = 1 if group % 2 else max(1, (classes - 2) // 2)
            excluded[group, random.choice(classes, size, replace=False)] = True
    labels = np.where(random.random(groups) < 0.8, 0, random.integers(0, classes, groups))
    return excluded, labels.astype(np.int64)


def _drawn(random, excluded, draws):
    """Answers (draws, m), uniform over each group's allowed classes."""
    columns = [np.flatnonzero(~row)[random.integers(0, (~row).sum(), draws)] for row in excluded]
    return np.stack(columns, axis=1)


def _highest_log10_e(hit, allowed, silent):
    """sup log10 E of each row, by looking log10_mixture up for each pair of counts and time."""
    groups = len(allowed)
    sizes = sorted(set(allowed.tolist()))
    counts = [np.zeros(len(hit), int) for _ in sizes]
    highest = np.zeros(len(hit))
    for spoken, at in enumerate(np.flatnonzero(~silent), 1):
        counts[sizes.index(allowed[at])] += hit[:, at]
        code = sum(c * (groups + 1) ** i for i, c in enumerate(counts))
        seen, where = np.unique(code, return_inverse=True)
        values = []
        for one in seen:
            hits = {m: int(one) // (groups + 1) ** i % (groups + 1) for i, m in enumerate(sizes)}
            values.append(log10_mixture(hits, spoken - sum(hits.values()), groups=groups))
        highest = np.maximum(highest, np.array(values)[where])
    return highest
