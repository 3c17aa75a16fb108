"""Sequential evidence from signed cells: a bet that may be looked at after every complete cell.

The sign of a cell is fair and unknown to an innocent suspect. For any lambda fixed before it is seen,

    1 + s_c tanh(lambda A_c) = exp(lambda s_c A_c) / cosh(lambda A_c)

has mean 1 over the sign, so that the product over cells is a martingale whatever the suspect is, and
by Ville's inequality (1939) p = 1 / (highest value so far). A cell counts once all its inputs were
answered: half a cell, stopped where it looks good, would be a choice by the answer.

lambda = theta / r, where r is the root mean square of |A| over the nonzero cells so far and this one:
sizes only, known before the sign. The bet is the plain mean over theta = zeta / sqrt(n), n the number
of committed cells, zeta = 2, 2 sqrt 2, 4, ... as long as theta <= 2: an effect of z standard
deviations over all cells is bet on best at zeta = z, one that shows much earlier at a larger zeta. Steps
of sqrt 2 lose at most 4 % of the exponent, and the mean over 12 of them 1.1 in log10 E.
Bets of this kind: Howard, Ramdas, McAuliffe and Sekhon (2021); Robbins (1970) for the mixture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .errors import BadInput
from .stats import Integers

_U = 2.0**-53  # half a unit in the last place of 1


@dataclass(frozen=True, kw_only=True)
class SignedProcess:
    """Sequential evidence after some of the committed cells; start with ``SignedProcess(cells=n)``.

    Ask the cells in their committed order and stop once `stats.owned(process.log10_p, ...)`.
    """

    cells: int
    """n, the number of committed cells, whatever they will score."""
    complete: int = 0
    """Cells so far, those with score 0 too."""
    nonzero: int = 0
    squares: int = 0
    """Sum of A_c squared so far."""
    logs: tuple[float, ...] = ()
    """log of the product for each theta; empty before the first nonzero cell."""
    rounding: float = 0.0
    """Bound of the rounding errors in any of the logs."""
    log10_e: float = 0.0
    """log10 of the current value, rounded down."""
    highest: float = 0.0
    """The highest log10_e so far, at least 0."""

    @property
    def log10_p(self) -> float:
        """log10 of the anytime p-value 1 / sup E, at most 0."""
        return 0.0 - self.highest

    def after(self, score: int, sign: int) -> SignedProcess:
        """The evidence once one more cell, with its secret sign, has got all its answers.

        Args:
            score: the whole number A_c; 0 changes nothing but the count.
            sign: s_c, -1 or +1.

        Raises:
            BadInput: more cells than were committed to, a sign that is none.
        """
        if self.complete >= self.cells:
            raise BadInput(f"cells: got one more than the {self.cells} that were committed to")
        if sign not in (-1, 1):
            raise BadInput(f"sign: got {sign}, expected -1 or +1")
        if score == 0:
            return replace(self, complete=self.complete + 1)
        nonzero, squares = self.nonzero + 1, self.squares + int(score) ** 2
        bets = _thetas(self.cells)
        relative = abs(score) / math.sqrt(squares / nonzero)
        logs, rounding = [], 0.0
        for theta, log in zip(bets, self.logs or (0.0,) * len(bets), strict=True):
            x = theta * relative
            gain = math.log(2.0) - math.log1p(math.exp(-2.0 * x))
            logs.append(log + (gain if sign * score > 0 else gain - 2.0 * x))
            rounding = max(rounding, 2.0 * _U * (8.0 + 4.0 * x + abs(logs[-1])))
        rounding += self.rounding
        most = max(logs)
        mean = most + math.log(math.fsum(math.exp(log - most) for log in logs) / len(logs))
        log10_e = (mean - rounding) / math.log(10.0) - 1e-14 * (10.0 + abs(mean))
        return replace(
            self,
            complete=self.complete + 1,
            nonzero=nonzero,
            squares=squares,
            logs=tuple(logs),
            rounding=rounding,
            log10_e=log10_e,
            highest=max(self.highest, log10_e),
        )


def signed_e_process(scores: Integers, signs: Integers, *, cells: int) -> npt.NDArray[np.float64]:
    """log10 E after each complete cell, float64 (t,); the running maximum gives -log10 p.

    Args:
        scores: (t,) whole numbers A_c in the committed order, t <= cells.
        signs: (t,) secret signs, each -1 or +1.
        cells: n, the number of committed cells.

    Raises:
        BadInput: lengths that differ, or what `SignedProcess.after` refuses.
    """
    if len(scores) != len(signs):
        raise BadInput(f"signs: got {len(signs)} signs for {len(scores)} scores")
    process, values = SignedProcess(cells=cells), np.zeros(len(scores), np.float64)
    for at, (score, sign) in enumerate(zip(scores, signs, strict=True)):
        process = process.after(int(score), int(sign))
        values[at] = process.log10_e
    return values


def signed_sequential_log10_p(scores: Integers, signs: Integers, *, cells: int) -> float:
    """log10 of the anytime p-value of cells in their committed order, as `signed_e_process`."""
    values = signed_e_process(scores, signs, cells=cells)
    return 0.0 - max(0.0, float(values.max(initial=0.0)))


def two_marks_log10_p(trigger_log10_p: float, tilt_log10_p: float) -> float:
    """log10 of min(1, 2 min(p_trigger, p_tilt)): the fixed form for both marks in one model.

    It is Bonferroni's inequality for two tests, so it holds although both read the same suspect.

    Args:
        trigger_log10_p: fixed p of the triggers, at most 0; 0 where they were not asked.
        tilt_log10_p: fixed p of the cells, likewise.

    Raises:
        BadInput: a logarithm above 0, which is none of a probability.
    """
    for name, value in (("trigger_log10_p", trigger_log10_p), ("tilt_log10_p", tilt_log10_p)):
        if not value <= 0.0:
            raise BadInput(f"{name}: got {value}, expected at most 0")
    best = min(trigger_log10_p, tilt_log10_p)
    return min(0.0, math.nextafter(best + math.nextafter(math.log10(2.0), 1.0), math.inf))


def two_marks_log10_e(trigger_log10_e: float, tilt_log10_e: float) -> float:
    """log10 of (1/2 + E_trigger / 2)(1/2 + E_tilt / 2): the sequential form for both marks.

    Answers and signs are drawn independently, and each question moves one factor only: in whatever
    order groups and cells are asked, the product is a supermartingale that starts at 1. Each factor
    stakes half of its capital, so that a mark that died costs a factor of 2, never what the other has
    won. p = 1 / sup of *this* value over time: pass the current values; the highest of each, reached
    at different times, prove nothing together.

    Args:
        trigger_log10_e: current `EProcess.log10_e`, any float or minus infinity.
        tilt_log10_e: current `SignedProcess.log10_e`, likewise.

    Raises:
        BadInput: not a number, or plus infinity.
    """
    return _half_staked(trigger_log10_e, "trigger_log10_e") + _half_staked(
        tilt_log10_e, "tilt_log10_e"
    )


def _half_staked(log10_e: float, name: str) -> float:
    """log10 of (1 + E) / 2, rounded down."""
    if not log10_e < math.inf:
        raise BadInput(f"{name}: got {log10_e}, expected the logarithm of a finite bet")
    most = max(0.0, log10_e)
    value = most + math.log1p(10.0 ** -abs(log10_e)) / math.log(10.0) - math.log10(2.0)
    return value - 1e-15 * (1.0 + most) if log10_e != 0.0 else 0.0


def _thetas(cells: int) -> tuple[float, ...]:
    """2 / sqrt(n) and its multiples by sqrt 2, up to 2."""
    count = 1 + math.floor(math.log2(cells) + 1e-9)
    return tuple(2.0 * 2.0 ** (step / 2.0) / math.sqrt(cells) for step in range(count))
