"""The statistics of a verdict: what a group says, how rare the hits are, and what that proves.

An innocent suspect's labels do not depend on the answers, and each answer was drawn evenly from
the M_j classes that its group allows. Given the labels, every group that speaks therefore hits with
probability exactly 1/M_j, independently of all others, whatever the suspect is. So

    p = P[sum of Bernoulli(1/M_j) >= hits],

the Poisson-binomial tail over the groups that spoke or failed, computed in whole numbers only: no
approximation, no underflow, no model of what an innocent network looks like. That is the fixed
form, for a number of groups named beforehand; `edgewm.evidence` is the form that may be looked at
after every group. One of the two is named before the first question: the fixed p at a stopping time
of the other is worth nothing. Probabilities travel as log10, as good ones are below any float.
"""

from __future__ import annotations

import decimal
import enum
import functools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import BadInput

UNSTAMPED_BITS = 64
"""Bits a claim needs beyond alpha when no timestamp shows that it is older than the suspect."""

FAILED = -1
"""Label of a query that brought no answer."""

Integers = Sequence[int] | npt.NDArray[np.integer[Any]]
_Chance = tuple[int, int]  # numerator and denominator


class Outcome(enum.IntEnum):
    """What one group came to."""

    MISS = 0
    HIT = 1
    SILENT = 2
    UNASKED = 3


def choose(
    labels: npt.NDArray[np.int64],
    group_ids: npt.NDArray[np.integer[Any]],
    *,
    excluded: npt.NDArray[np.bool_],
    answers: npt.NDArray[np.int64],
) -> npt.NDArray[np.int8]:
    """The `Outcome` of every group, int8 (m,), in ascending group number.

    A group names the allowed class with most of its votes. Votes for a natural class do not count;
    no vote or a tie leaves the group silent. A group with a failed query misses, and so does one
    left half asked: whoever stops or crashes in the middle of a group must not gain by it.

    Args:
        labels: (q,) in the order asked, q <= n; `FAILED` (-1) where a query brought no answer.
        group_ids: (n,) group of each input in the same order; groups not among the first q inputs
            are unasked.
        excluded: (m, K), True for the natural classes of a group.
        answers: (m,), the drawn answers.

    Raises:
        BadInput: shapes that do not fit, a label that is no class, a natural class as an answer.
    """
    groups, classes = excluded.shape
    _check_labels(labels, group_ids, excluded, answers)
    asked_of = group_ids[: len(labels)]
    spoken = labels != FAILED
    votes = np.zeros((groups, classes), np.int64)
    np.add.at(votes, (asked_of[spoken], labels[spoken]), 1)
    votes[excluded] = 0
    most = votes.max(axis=1)
    silent = (votes == most[:, None]).sum(axis=1) > 1  # no vote at all ties every class at zero

    answered = np.bincount(asked_of[spoken], minlength=groups)
    outcomes = np.where(votes.argmax(axis=1) == answers, Outcome.HIT, Outcome.MISS)
    outcomes[silent] = Outcome.SILENT
    outcomes[answered < np.bincount(group_ids, minlength=groups)] = Outcome.MISS
    outcomes[np.bincount(asked_of, minlength=groups) == 0] = Outcome.UNASKED
    return outcomes.astype(np.int8)


def tail(allowed: Integers, hits: int) -> Fraction:
    """Exact P[at least `hits` of n groups hit] when group j hits with probability 1/allowed[j].

    The coefficients of prod((M_j - 1) + x) count the ways to hit 0, 1, ... n groups, of prod M_j.

    Args:
        allowed: (n,) M_j of the groups that count: all but the silent ones.
        hits: 0 to n.

    Raises:
        BadInput: an M_j below 2, or hits outside 0 to n.
    """
    chances = _even_chances(allowed)
    if not 0 <= hits <= len(chances):
        raise BadInput(f"hits: got {hits}, expected 0 to {len(chances)}, the groups that count")
    return Fraction(_ways(_halves(chances), hits), math.prod(d for _, d in chances))


def fixed_p(outcomes: Integers, allowed: Integers) -> Fraction:
    """Exact p-value of a fixed set of groups, in any order.

    Silent groups drop out, since silence does not depend on the answers; unasked ones count as
    missed, since whoever stopped early may have known why.

    Args:
        outcomes: (m,) of `Outcome`, every committed group.
        allowed: (m,) M_j.
    """
    _check_pair(outcomes, allowed)
    codes = np.asarray(outcomes)
    counted = np.asarray(allowed, np.int64)[codes != Outcome.SILENT]
    return tail(counted, int((codes == Outcome.HIT).sum()))


def folded(counts: int, width: int) -> int:
    """Sum of all slots of `width` bits in one long number of counts, none of which can overflow its slot.

    The upper half of the slots is added to the lower one until one slot is left.
    """
    slots = max(1, -(-counts.bit_length() // width))
    while slots > 1:
        slots = (slots + 1) // 2
        counts = (counts & ((1 << width * slots) - 1)) + (counts >> width * slots)
    return counts


def log10_fraction(value: Fraction) -> float:
    """log10 of a positive fraction of any size, to the last bit or two.

    It never turns an order around (a <= b gives log10 a <= log10 b) and is exact at powers of ten,
    so that comparing logarithms decides as comparing fractions would. Within 1e-49 of 1 it gives 0.
    """
    if value <= 0:
        raise BadInput(f"value: got {value}, expected a positive fraction")
    wide = decimal.Context(
        prec=50, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX, rounding=decimal.ROUND_HALF_EVEN
    )
    ratio = wide.divide(decimal.Decimal(value.numerator), decimal.Decimal(value.denominator))
    return float(ratio.log10(wide)) + 0.0  # no minus zero


def rounded_up(p: Fraction) -> float:
    """The smallest float that is not below `p`; never 0 for a positive p."""
    nearest = float(p)
    return nearest if Fraction(nearest) >= p else math.nextafter(nearest, math.inf)


def forgery_bits(log10_p: float) -> float:
    """log2(1/p): a forger with free choice of key reaches p in N tries with chance at most N p."""
    return 0.0 - log10_p / math.log10(2.0)


def owned(log10_p: float, *, alpha: float, tests: int, stamped: bool) -> bool:
    """Whether p * tests <= alpha, or <= alpha 2^-64 for a claim not stamped before the suspect.

    Args:
        log10_p: log10 of a p-value, at most 0.
        alpha: accepted probability of accusing an innocent suspect, read as the decimal it prints.
        tests: suspects x marks x claims in the ledger x adapters tried, fixed before the first.
        stamped: a timestamp shows that the claim is older than the suspect.

    Raises:
        BadInput: alpha outside (0, 1), fewer than one test, a log10_p that is no probability.
    """
    if not log10_p <= 0.0:
        raise BadInput(f"log10_p: got {log10_p}, expected at most 0")
    return log10_p <= log10_bar(alpha=alpha, tests=tests, stamped=stamped)


@functools.lru_cache(maxsize=64)
def log10_bar(*, alpha: float, tests: int, stamped: bool) -> float:
    """log10 of the largest p-value that is `owned`; arguments and errors as there."""
    return log10_fraction(_bar(alpha, tests, stamped))


def hits_needed(allowed: Integers, *, alpha: float, tests: int = 1, stamped: bool) -> int | None:
    """Fewest hits among all these groups whose fixed p is `owned`; None if all of them are too few.

    Args:
        allowed: (m,) M_j of every group, none silent.
        alpha: see `owned`, as are tests and stamped.
    """
    chances = _even_chances(allowed)
    halves, every = _halves(chances), math.prod(d for _, d in chances)

    def enough(hits: int) -> bool:
        log10_p = log10_fraction(Fraction(_ways(halves, hits), every))
        return owned(log10_p, alpha=alpha, tests=tests, stamped=stamped)

    low, high = 0, len(chances)
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def power(
    allowed: Integers, hit_rate: float, *, alpha: float, tests: int = 1, stamped: bool
) -> float:
    """Exact chance of `owned` (fixed p) for a suspect that hits each group independently.

    Args:
        allowed: (m,) M_j of every group, none silent.
        hit_rate: chance of a hit in each group, 0 to 1, read as the decimal it prints.
        alpha: see `owned`, as are tests and stamped.
    """
    _check_rate(hit_rate)
    needed = hits_needed(allowed, alpha=alpha, tests=tests, stamped=stamped)
    return 0.0 if needed is None else _binomial_tail(len(allowed), hit_rate, needed)


def groups_needed(
    allowed: int,
    *,
    alpha: float,
    hit_rate: float = 1.0,
    tests: int = 1,
    stamped: bool,
    chance: float = 0.95,
    at_most: int = 1000,
) -> int | None:
    """Smallest number of groups with M_j = `allowed` whose `power` is at least `chance`.

    None if more than `at_most` are needed. Hits come in whole numbers, so that power is not quite
    monotone in the number of groups: a few more than the smallest can have slightly less.
    """
    _check_rate(hit_rate)
    groups = 1
    while groups <= at_most:
        needed = hits_needed([allowed] * groups, alpha=alpha, tests=tests, stamped=stamped)
        if needed is not None and _binomial_tail(groups, hit_rate, needed) >= chance:
            return groups
        # More groups need no fewer hits, and the median of a binomial is at most ceil(n rate).
        fewest = groups + 1 if needed is None else needed
        beyond = math.floor((fewest - 1) / max(hit_rate, 1e-9)) if chance > 0.5 else 0
        groups = max(groups + 1, beyond)
    return None


def _bar(alpha: float, tests: int, stamped: bool) -> Fraction:
    if not 0.0 < alpha < 1.0:
        raise BadInput(f"alpha: got {alpha}, expected a probability between 0 and 1, such as 1e-6")
    if tests < 1:
        raise BadInput(f"tests: got {tests}, expected 1 or more")
    # The decimal, not the float below it: 6 hits of 6 at M = 10 are 1e-6 and meet alpha 1e-6.
    return Fraction(repr(float(alpha))) / int(tests) / (1 if stamped else 1 << UNSTAMPED_BITS)


def _binomial_tail(groups: int, hit_rate: float, hits: int) -> float:
    rate = Fraction(repr(float(hit_rate)))
    chances = [(rate.numerator, rate.denominator)] * groups
    return float(Fraction(_ways(_halves(chances), hits), rate.denominator**groups))


def _check_rate(hit_rate: float) -> None:
    if not 0.0 <= hit_rate <= 1.0:
        raise BadInput(f"hit_rate: got {hit_rate}, expected 0 to 1")


def _even_chances(allowed: Integers) -> list[_Chance]:
    counts = [int(classes) for classes in allowed]
    if min(counts, default=2) < 2:
        raise BadInput(f"allowed: got {min(counts)} classes, expected 2 or more in each group")
    return [(1, classes) for classes in counts]


def _halves(chances: Iterable[_Chance]) -> tuple[list[int], list[int]]:
    """Two polynomials whose product is prod(d_j - n_j + n_j x), each with about half the factors.

    The product itself is never formed: a tail needs only one of its sums, which is cheaper.
    """
    parts = [_binomial(n, d - n, count) for (n, d), count in Counter(chances).items()] + [[1], [1]]
    while len(parts) > 2:
        parts.sort(key=len, reverse=True)
        shortest = parts.pop()
        parts[-1] = _product(parts[-1], shortest)
    return parts[0], parts[1]


def _binomial(hit: int, miss: int, count: int) -> list[int]:
    """Coefficients of (miss + hit x) ** count, lowest first."""
    hit_powers, miss_powers = [1], [1]
    for _ in range(count):
        hit_powers.append(hit_powers[-1] * hit)
        miss_powers.append(miss_powers[-1] * miss)
    choices, out = 1, []
    for k in range(count + 1):
        out.append(choices * hit_powers[k] * miss_powers[count - k])
        choices = choices * (count - k) // (k + 1)
    return out


def _product(a: list[int], b: list[int]) -> list[int]:
    """Product of two polynomials with coefficients >= 0, as one product of two long numbers.

    Each coefficient gets a slot that the largest possible result fits (Kronecker substitution).
    """
    if len(b) == 1:
        return [b[0] * value for value in a]
    width = ((sum(a) * sum(b)).bit_length() + 7) // 8
    left, right = (
        int.from_bytes(b"".join(v.to_bytes(width, "little") for v in side), "little")
        for side in (a, b)
    )
    length = len(a) + len(b) - 1
    packed = (left * right).to_bytes(length * width, "little")
    return [int.from_bytes(packed[k * width : (k + 1) * width], "little") for k in range(length)]


def _ways(halves: tuple[list[int], list[int]], hits: int) -> int:
    """Sum of the coefficients of x^hits and above in the product of two polynomials."""
    a, b = halves
    at_least = [0]
    for value in reversed(b):
        at_least.append(at_least[-1] + value)
    at_least.reverse()  # now at_least[k] is the sum of b from k on, and 0 just past its end
    last = len(b)
    return sum(value * at_least[min(max(hits - i, 0), last)] for i, value in enumerate(a))


def _check_pair(outcomes: Integers, allowed: Integers) -> None:
    if len(outcomes) != len(allowed):
        raise BadInput(f"allowed: got {len(allowed)} groups for {len(outcomes)} outcomes")
    known = [int(code) for code in Outcome]
    if len(outcomes) and not np.isin(np.asarray(outcomes), known).all():
        raise BadInput(f"outcomes: got a code outside {known}, expected values of Outcome")


def _check_labels(
    labels: npt.NDArray[np.int64],
    group_ids: npt.NDArray[np.integer[Any]],
    excluded: npt.NDArray[np.bool_],
    answers: npt.NDArray[np.int64],
) -> None:
    groups, classes = excluded.shape
    if labels.ndim != 1 or group_ids.ndim != 1 or len(labels) > len(group_ids):
        raise BadInput(f"labels: got shape {labels.shape} for {group_ids.shape} inputs")
    if len(labels) and not (labels.min() >= FAILED and labels.max() < classes):
        raise BadInput(
            f"labels: got {int(labels.min())} to {int(labels.max())}, expected classes 0 to "
            f"{classes - 1}, or {FAILED} for a failed query"
        )
    if sorted(set(group_ids.tolist())) != list(range(groups)):
        raise BadInput(f"group_ids: got ids that do not cover 0 to {groups - 1}")
    if answers.shape != (groups,) or not ((answers >= 0) & (answers < classes)).all():
        raise BadInput(f"answers: got shape {answers.shape}, expected ({groups},) classes")
    if excluded[np.arange(groups), answers].any():
        raise BadInput(
            "answers: got a natural class of its own group, expected allowed classes only"
        )
