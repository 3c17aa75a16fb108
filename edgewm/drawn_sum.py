"""The tail of a drawn sum: how rare it is that secret answers fit a suspect's scores so well.

A label says which class a suspect puts first; its scores say how near every other one came. For each
group j they give every allowed class a whole number v_j[c] (`edgewm.output_scores`), and the key has drawn
one class a_j of them, evenly. The scores of an innocent suspect do not depend on the draws, so that given
the scores S = sum v_j[a_j] is a sum of independent draws, each even over the row's allowed numbers, and

    p = P[sum of draws >= S]

holds whatever the suspect is and however its scores were changed beforehand, as long as the answers
had no part in it. It is counted in whole numbers only, as `edgewm.stats.tail` is, which is the case of
rows that hold one 1: there only a hit counts, here a class pushed from first place to second still does.
A randomisation test in the sense of Fisher (1935): the key drew, so all draws are equally likely.
"""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from .errors import BadInput
from .stats import folded, log10_fraction

LARGEST_LEVEL = 63
"""Scores are cut to 0 to 63: finer steps change p by little and the exact count takes longer."""

Levels = npt.NDArray[np.int64]


def drawn_sum(levels: Levels, answers: npt.NDArray[np.int64], failed: npt.NDArray[np.bool_]) -> int:
    """S = sum v_j[a_j] over groups, those that failed adding nothing; arguments as `drawn_log10_p`."""
    rows = np.flatnonzero(~failed)
    return int(levels[rows, answers[rows]].sum())


def drawn_log10_p(
    levels: Levels,
    *,
    excluded: npt.NDArray[np.bool_],
    answers: npt.NDArray[np.int64],
    failed: npt.NDArray[np.bool_] | None = None,
) -> float:
    """log10 of the exact P[sum of draws >= S], at most 0.

    A group that failed counts as one that had a class at the highest level and was not given it: a
    suspect, or whoever asks it, must not gain by ending where it looks bad.

    Args:
        levels: (m, K) whole numbers from 0 to 63.
        excluded: (m, K), True for the natural classes of a group.
        answers: (m,), the drawn answers, none of them excluded.
        failed: (m,), True for groups whose scores did not all arrive.

    Raises:
        BadInput: shapes that do not fit, a level out of range, a natural class as an answer.
    """
    gone = np.zeros(len(levels), np.bool_) if failed is None else failed
    if levels.shape != excluded.shape or not len(levels) == len(answers) == len(gone):
        raise BadInput(
            f"scores: got {levels.shape} for {len(answers)} answers of {excluded.shape[0]} groups"
        )
    if levels.size == 0 or levels.min() < 0 or levels.max() > LARGEST_LEVEL:
        raise BadInput(f"scores: got a level outside 0 to {LARGEST_LEVEL}")
    if excluded[np.arange(len(answers)), answers].any():
        raise BadInput("answers: got a natural class of its group as an answer")
    return log10_fraction(_tail(levels, excluded, gone, drawn_sum(levels, answers, gone)))


def _tail(
    levels: Levels, excluded: npt.NDArray[np.bool_], failed: npt.NDArray[np.bool_], total: int
) -> Fraction:
    """Share of all draws whose sum is at least `total`.

    The counts are slots of one long number, which all add up to the number of ways; a group is a product
    with a short sum of shifts.
    """
    rows = [
        [LARGEST_LEVEL, *([0] * (int((~out).sum()) - 1))] if gone else values[~out].tolist()
        for values, out, gone in zip(levels, excluded, failed, strict=True)
    ]
    lowest = sum(min(row) for row in rows)
    ways = math.prod(len(row) for row in rows)
    width = ways.bit_length() + 1
    counts = 1
    for row in rows:
        counts = sum(
            times * (counts << width * (level - min(row))) for level, times in Counter(row).items()
        )
    wanted = total - lowest
    if wanted <= 0:
        return Fraction(1)
    return Fraction(folded(counts >> width * wanted, width), ways)
