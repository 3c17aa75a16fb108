"""The p-value of drawn answers against scores: every draw is counted, and innocents are accused as rarely.

Reference values come from every draw, one by one, and from the Poisson-binomial tail of `stats`.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from edgewm.drawn_sum import LARGEST_LEVEL, drawn_log10_p, drawn_sum
from edgewm.errors import BadInput
from edgewm.stats import log10_fraction, tail


def by_enumeration(levels: np.ndarray, excluded: np.ndarray, total: int) -> float:
    """Share of all draws whose sum is at least `total`."""
    rows = [values[~out] for values, out in zip(levels, excluded, strict=True)]
    sums = [sum(draw) for draw in itertools.product(*rows)]
    return log10_fraction(Fraction(sum(int(value >= total) for value in sums), len(sums)))


@pytest.mark.parametrize("seed", range(5))
def test_every_draw_is_counted(seed: int) -> None:
    """Six groups of four classes, some natural, some scores equal: the same as 4^6 sums."""
    random = np.random.default_rng(seed)
    levels = random.integers(0, 5 if seed % 2 else LARGEST_LEVEL + 1, (6, 4))
    excluded = np.zeros((6, 4), bool)
    excluded[::2, seed % 4] = True
    answers = np.array([random.choice(np.flatnonzero(~out)) for out in excluded])
    none = np.zeros(6, bool)
    wanted = by_enumeration(levels, excluded, drawn_sum(levels, answers, none))
    assert drawn_log10_p(levels, excluded=excluded, answers=answers) == wanted


@pytest.mark.parametrize("hits", [0, 3, 20, 40])
def test_rows_with_one_1_give_the_tail_of_hits(hits: int) -> None:
    """Where only the first class counts, p is that of `stats.tail`."""
    levels = np.zeros((40, 10), np.int64)
    levels[:, 4] = 1
    answers = np.where(np.arange(40) < hits, 4, 5)
    found = drawn_log10_p(levels, excluded=np.zeros((40, 10), bool), answers=answers)
    assert found == log10_fraction(tail([10] * 40, hits))


def test_a_perfect_mark_loses_nothing_by_being_judged_by_scores() -> None:
    """The highest level everywhere is one draw of 10^64, and the lowest shows nothing."""
    levels = np.random.default_rng(1).integers(1, LARGEST_LEVEL, (64, 10))
    levels[np.arange(64), np.arange(64) % 10] = LARGEST_LEVEL
    none = np.zeros((64, 10), bool)
    best = drawn_log10_p(levels, excluded=none, answers=np.arange(64) % 10)
    assert best == pytest.approx(-64.0)
    assert drawn_log10_p(levels, excluded=none, answers=levels.argmin(axis=1)) == 0.0


def test_innocents_are_accused_as_rarely_as_alpha_says() -> None:
    """One innocent's scores under 4,000 keys: the share of p <= a is at most a, within 4 sigma."""
    random = np.random.default_rng(3)
    levels, none = random.integers(0, LARGEST_LEVEL + 1, (24, 10)), np.zeros((24, 10), bool)
    found = np.array(
        [
            drawn_log10_p(levels, excluded=none, answers=random.integers(0, 10, 24))
            for _ in range(4000)
        ]
    )
    for alpha in (0.2, 0.05, 0.01):
        share = (found <= math.log10(alpha)).mean()
        assert abs(share - alpha) < 4 * math.sqrt(alpha * (1 - alpha) / len(found))


def test_a_failed_group_is_a_miss() -> None:
    """Failing raises p, most where the group had hit, and never lowers it."""
    levels = np.zeros((8, 10), np.int64)
    levels[:, 0] = LARGEST_LEVEL
    none, answers = np.zeros((8, 10), bool), np.zeros(8, np.int64)
    answers[7] = 3
    whole = drawn_log10_p(levels, excluded=none, answers=answers)
    for group in range(8):
        failed = np.arange(8) == group
        found = drawn_log10_p(levels, excluded=none, answers=answers, failed=failed)
        assert found == whole if group == 7 else found > whole


def test_many_groups_are_counted_in_time() -> None:
    """256 groups of 10 classes, exactly, in less than the 10 s that a test may take."""
    random = np.random.default_rng(4)
    levels, none = random.integers(0, LARGEST_LEVEL + 1, (256, 10)), np.zeros((256, 10), bool)
    answers = random.integers(0, 10, 256)
    found = drawn_log10_p(levels, excluded=none, answers=answers)
    centred = levels - levels.mean(axis=1, keepdims=True)
    z = centred[np.arange(256), answers].sum() / math.sqrt((centred**2).mean(axis=1).sum())
    assert 10**found == pytest.approx(0.5 * math.erfc(z / math.sqrt(2)), rel=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": np.full((4, 3), LARGEST_LEVEL + 1)}, "outside 0 to 63"),
        ({"levels": np.zeros((4, 2), np.int64)}, "4 groups"),
        ({"answers": np.zeros(3, np.int64)}, "3 answers"),
        ({"answers": np.full(4, 2)}, "natural class"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, np.ndarray], message: str) -> None:
    """Shapes, levels, and an answer that the group does not allow."""
    excluded = np.zeros((4, 3), bool)
    excluded[:, 2] = True
    given = {"levels": np.zeros((4, 3), np.int64), "answers": np.zeros(4, np.int64), **change}
    with pytest.raises(BadInput, match=message):
        drawn_log10_p(given["levels"], excluded=excluded, answers=given["answers"])
