"""The tail of a signed sum: how rare it is that secret fair signs fit a suspect's cells so well.

A tilt mark asks about ordinary inputs. They fall into public cells c; a suspect's labels give each
cell a score A_c (how often it says a rather than b, minus what was expected), and a secret fair sign
s_c belongs to each cell. The labels of an innocent suspect do not depend on the signs, so that given
the labels |A_c| are constants, S = sum s_c A_c is a sum of fair +-|A_c|, and

    p = P[sum of fair +-|A_c| >= S]

holds whatever the suspect is. Scores are whole numbers. Where it is feasible the sign patterns are
counted, in whole numbers only; otherwise a smooth function that lies above the tail is summed
exactly, and every rounding goes up (`smoothed_tail`). Any function of the labels and of public facts
may choose or change the scores beforehand; the signs may not.
`edgewm.signed_evidence` is the form that may be looked at after every cell.
"""

from __future__ import annotations

import math
import operator
from fractions import Fraction

import numpy as np

from .errors import BadInput
from .smoothed_tail import smoothed_log10_p
from .stats import Integers, folded, log10_fraction

LARGEST_SUM = 1 << 52
"""Largest sum of |A_c|: whole numbers up to here are floats, so that nothing is rounded on entry."""

BENTKUS_DZINDZALIETA = 3.1787
"""1 / (4 (1 - Phi(sqrt 2))), rounded up: the best constant of `bound_log10_p`."""

_HALVED = 34  # nonzero cells up to which all sign patterns are counted, half of them at a time
_COUNTING_BITS = 1.5e9  # work up to which subset sums are counted: cells x length of the number


def signed_sum(scores: Integers, signs: Integers) -> int:
    """S = sum s_c A_c, exactly.

    Args:
        scores: (n,) whole numbers A_c.
        signs: (n,) secret signs, each -1 or +1.

    Raises:
        BadInput: lengths that differ, a score that is no whole number, a sign that is none.
    """
    values = _whole(scores, "scores")
    if len(signs) != len(values):
        raise BadInput(f"signs: got {len(signs)} signs for {len(values)} scores")
    if any(sign not in (-1, 1) for sign in signs):
        raise BadInput("signs: got a value that is neither -1 nor +1")
    return sum(int(sign) * value for sign, value in zip(signs, values, strict=True))


def fixed_log10_p(scores: Integers, total: int) -> float:
    """log10 of an upper bound of P[sum of fair +-|A_c| >= total], at most 0; exact where feasible.

    Up to 34 nonzero cells, or while the subset sums in reach are few, the sign patterns are counted
    and the result is exact up to the rounding of the logarithm. Otherwise it is the proved bound of
    `smoothed_tail.smoothed_log10_p`, about 0.5 % above p for scores as networks give them. It does
    not grow with `total`, up to 1e-9 in the logarithm.

    Args:
        scores: (n,) whole numbers A_c of any sign, n to about 4,000; zeros drop out.
        total: S, the signed sum that was found.

    Raises:
        BadInput: a score that is no whole number, a sum of |A_c| above 2^52, a total out of reach.
    """
    sizes, threshold = _reduced(scores, total)
    if threshold <= -sum(sizes):
        return 0.0
    if len(sizes) <= _HALVED:
        return log10_fraction(Fraction(_halved(sizes, threshold), 1 << len(sizes)))
    below = (sum(sizes) - threshold) // 2  # the minuses may add up to this much
    above = sum(sizes) - below - 1
    if len(sizes) ** 2 * float(min(below, above) + 1) <= _COUNTING_BITS:
        ways = (
            _subsets(sizes, below) if below <= above else (1 << len(sizes)) - _subsets(sizes, above)
        )
        return log10_fraction(Fraction(ways, 1 << len(sizes)))
    return min(0.0, smoothed_log10_p(sizes, threshold))


def bound_log10_p(scores: Integers, total: int) -> float:
    """log10 of the closed bound 3.1787 (1 - Phi(total / |A|)), at most 0, and 1/2 above zero.

    It is proved for every sum of fair signs (Bentkus and Dzindzalieta 2015, Bernoulli 21(2),
    1231-1237), with the smallest constant that any proof can have; Pinelis (1994) had 4.46. The 1/2
    is the symmetry of the sum. Anybody can check it with a table of the normal distribution; it is
    looser than `fixed_log10_p` by the constant, and by more where few cells carry the score.

    Args:
        scores: (n,) whole numbers A_c of any sign.
        total: S, the signed sum that was found.

    Raises:
        BadInput: as `fixed_log10_p`.
    """
    sizes, threshold = _reduced(scores, total)
    if threshold <= 0:
        return 0.0
    squares = sum(size * size for size in sizes)
    z = math.sqrt(Fraction(threshold * threshold, squares)) * (1.0 - 1e-15)
    return min(math.log10(0.5), math.log10(BENTKUS_DZINDZALIETA) + normal_log10_tail(z))


def normal_log10_tail(z: float) -> float:
    """log10 of 1 - Phi(z), rounded up, for z from -8 to 1e6, with no underflow.

    From 20 on it is the asymptotic series cut after a positive term, where it is an upper bound
    (7.1.23 in Abramowitz and Stegun), too high by less than 1e-10 of itself.
    """
    slack = 1e-14 * (10.0 + z * z)
    if z < 20.0:
        return math.log10(0.5 * math.erfc(z / math.sqrt(2.0))) + slack
    v = 1.0 / (z * z)
    series = 1.0 - v * (1.0 - 3.0 * v * (1.0 - 5.0 * v * (1.0 - 7.0 * v)))
    scale = math.log10(series / (z * math.sqrt(2.0 * math.pi)))
    return scale - z * z / (2.0 * math.log(10.0)) + slack


def _whole(values: Integers, name: str) -> list[int]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise BadInput(
            f"{name}: got shape {array.shape} of {array.dtype}, expected one row of whole numbers"
        )
    return [int(value) for value in array.tolist()]


def _reduced(scores: Integers, total: int) -> tuple[list[int], int]:
    """Nonzero |A_c|, largest first, and the lowest sum in reach from `total` up, in their gcd."""
    sizes = sorted((abs(value) for value in _whole(scores, "scores") if value), reverse=True)
    most = sum(sizes)
    if most > LARGEST_SUM:
        raise BadInput(f"scores: got a sum of sizes of {most}, expected at most 2^52; scale down")
    try:
        wanted = operator.index(total)
    except TypeError:
        raise BadInput(f"total: got {total!r}, expected a whole number") from None
    if abs(wanted) > most:
        raise BadInput(f"total: got {wanted}, expected -{most} to {most}, the sums in reach")
    unit = math.gcd(*sizes) or 1
    threshold = -(-wanted // unit)
    return [size // unit for size in sizes], threshold + (threshold - most // unit) % 2


def _halved(sizes: list[int], threshold: int) -> int:
    """Number of sign patterns whose sum is at least `threshold`: every sum of each half, sorted."""
    halves = []
    for part in (sizes[::2], sizes[1::2]):
        sums = np.zeros(1, np.int64)
        for size in part:
            sums = np.concatenate([sums - size, sums + size])
        halves.append(np.sort(sums))
    return int((len(halves[1]) - np.searchsorted(halves[1], threshold - halves[0])).sum())


def _subsets(sizes: list[int], most: int) -> int:
    """Number of subsets with a sum of at most `most`.

    The counts are slots of one long number, as in `stats`; adding a cell is a shift and a sum.
    """
    if most < 0:
        return 0
    width = len(sizes) + 1
    kept = (1 << width * (most + 1)) - 1
    counts = 1
    for size in sorted(sizes):
        if size <= most:
            counts += (counts << width * size) & kept
    return folded(counts, width)  # no slot can overflow, all add up to 2^n
