"""Sequential evidence: an e-process that may be looked at after every group.

It is a bet that starts at 1 and that no innocent suspect can expect to grow. By Ville's inequality
(1939) it ever reaches 1/alpha with probability at most alpha, so whoever asks may stop at any time,
and p = 1 / (highest value so far). A perfect mark is shown in about as few questions as information
allows, which matters when each costs a second on a serial line.

For each theta in [0, 1] a hit multiplies by 1 + theta (M_j - 1), a miss by 1 - theta, silence by 1.
At any hit rate up to 1/M_j the expected factor is at most 1. Bets on rates below 1/M_j (theta < 0)
are left out on purpose: natural networks hit less often than chance and would be accused.

The bet is the average over theta ~ Beta(1/2, 1/2), taken as the plain mean over the N = m // 2 + 1
Gauss-Chebyshev nodes (1 + cos((2i - 1) pi / 2N)) / 2. A mean over finitely many thetas is a valid
e-process by itself; with these nodes it also equals the Beta integral, because the product is a
polynomial in theta of degree at most m and the rule is exact up to degree 2N - 1 >= m. So the only
thing to be fixed beforehand is m, which was committed to. Betting of this kind: Howard, Ramdas,
McAuliffe and Sekhon (2021); Ramdas, Gruenwald, Vovk and Shafer (2023). The quadrature rule is
25.4.38 in Abramowitz and Stegun.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from .errors import BadInput
from .stats import Integers, Outcome


@dataclass(frozen=True, kw_only=True)
class EProcess:
    """Sequential evidence after some of the committed groups; start with ``EProcess(groups=m)``.

    Ask the groups in their committed order and stop once `stats.owned(process.log10_p, ...)`.
    """

    groups: int
    """m, the number of committed groups."""
    hits: Mapping[int, int] = field(default_factory=dict)
    """Hits so far, by M_j."""
    misses: int = 0
    silent: int = 0
    log10_e: float = 0.0
    """log10 of the current value, rounded down."""
    highest: float = 0.0
    """The highest log10_e so far, at least 0."""

    @property
    def log10_p(self) -> float:
        """log10 of the anytime p-value 1 / sup E, at most 0."""
        return 0.0 - self.highest

    def after(self, outcome: int, allowed: int) -> EProcess:
        """The evidence once one more group, with `allowed` classes, has come to `outcome`.

        Raises:
            BadInput: more groups than were committed to, an M_j below 2, an unasked group.
        """
        if sum(self.hits.values()) + self.misses + self.silent >= self.groups:
            raise BadInput(f"groups: got one more than the {self.groups} that were committed to")
        if allowed < 2:
            raise BadInput(f"allowed: got {allowed} classes, expected 2 or more in each group")
        if outcome == Outcome.SILENT:
            return replace(self, silent=self.silent + 1)
        if outcome == Outcome.HIT:
            hits, misses = {**self.hits, allowed: self.hits.get(allowed, 0) + 1}, self.misses
        elif outcome == Outcome.MISS:
            hits, misses = dict(self.hits), self.misses + 1
        else:
            raise BadInput(
                f"outcome: got {outcome}, expected hit, miss or silent of an asked group"
            )
        value = log10_mixture(hits, misses, groups=self.groups)
        highest = max(self.highest, value)
        return replace(self, hits=hits, misses=misses, log10_e=value, highest=highest)


def log10_mixture(hits: Mapping[int, int], misses: int, *, groups: int) -> float:
    """log10 of the e-process of `EProcess`, which depends only on the counts.

    It is rounded down by 1e-13 (10 + groups counted). Whole counts times logarithms leave less
    error than that: at most 15 nats a group and 100 different M_j make 8e-14 a group, even if every
    rounding goes the same way. So floating point can only make p larger.

    Args:
        hits: number of hits by M_j.
        misses: number of misses.
        groups: m, which fixes the nodes.
    """
    theta, log_miss = _nodes(groups // 2 + 1)
    logs = misses * log_miss
    for classes, count in sorted(hits.items()):
        logs = logs + count * np.log1p(theta * (classes - 1))
    most = float(logs.max())
    mean = most + math.log(float(np.exp(logs - most).mean()))
    counted = sum(hits.values()) + misses
    return mean / math.log(10.0) - 1e-13 * (10 + counted) if counted else 0.0


def e_process(outcomes: Integers, allowed: Integers, *, groups: int) -> npt.NDArray[np.float64]:
    """log10 E after each group, float64 (t,); the running maximum gives -log10 p.

    Args:
        outcomes: (t,) of `Outcome` in the committed order, t <= groups, unasked ones last.
        allowed: (t,) M_j in the same order.
        groups: m, the number of committed groups.

    Raises:
        BadInput: a group asked after an unasked one, or what `EProcess.after` refuses.
    """
    if len(outcomes) != len(allowed):
        raise BadInput(f"allowed: got {len(allowed)} groups for {len(outcomes)} outcomes")
    codes = [int(code) for code in outcomes]
    asked = codes.index(Outcome.UNASKED) if Outcome.UNASKED in codes else len(codes)
    if any(code != Outcome.UNASKED for code in codes[asked:]):
        raise BadInput(f"outcomes: group {asked} of the order was skipped, ask them without gaps")
    values = np.zeros(len(codes), np.float64)
    process = EProcess(groups=groups)
    for at in range(asked):
        process = process.after(codes[at], int(allowed[at]))
        values[at] = process.log10_e
    values[asked:] = process.log10_e
    return values


def sequential_log10_p(outcomes: Integers, allowed: Integers, *, groups: int) -> float:
    """log10 of the anytime p-value of groups in their committed order; arguments as `e_process`."""
    return 0.0 - max(0.0, float(e_process(outcomes, allowed, groups=groups).max(initial=0.0)))


@functools.lru_cache(maxsize=16)
def _nodes(count: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Gauss-Chebyshev nodes on [0, 1] and log(1 - theta), both (count,)."""
    half_angles = (2.0 * np.arange(1, count + 1) - 1.0) * (np.pi / (4.0 * count))
    # (1 + cos 2a) / 2 = cos(a)^2; the sine keeps 1 - theta accurate where theta is almost 1.
    return np.cos(half_angles) ** 2, 2.0 * np.log(np.sin(half_angles))
