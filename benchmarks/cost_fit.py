"""Cycles per MAC of every CPU class and engine, by kind of layer, from four networks a pair.

    cycles of a network = sum over kinds of cycles per MAC (pair, kind) x MACs (network, kind)
    log cycles per MAC  = level of the pair + profile of the kind + a deviation that costs

Four numbers cannot tell four kinds apart where networks mix them, so what a pair does not say is taken from
all pairs (ridge regression in the logarithm, by Gauss-Newton). Whether a pair drops channels whose weights
are all zero is decided by which of both explains its own rows. The form of the model was chosen with errors
on v1.2 and v1.3 in view, so its hold-out is not blind; a round after v1.3 would be.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cost_rows import Row, newest

from edgewm.cost_model import KINDS
from edgewm.layers import Mix

DEVIATION, PROFILE, TREND_ROWS = 0.1, 0.3, 4.0
_USUAL = np.log([1.0, 1.0, 2.0, 1.0])
"""Where nothing is known: a depthwise MAC takes twice as long, since no register is used twice."""
Pair = tuple[str, str]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What was learned from a set of rows."""

    cycles_per_mac: dict[Pair, Values]
    """By kind, in the order of KINDS."""
    drops: dict[Pair, bool]
    """Whether all-zero channels are dropped."""
    trend: dict[str, float]
    """Mean change of the logarithm of cycles from one round to the engine's next, towards 0."""

    def cycles(self, pair: Pair, mix: Mix, *, newer: bool = False) -> float:
        """Of one inference; `newer` for a version that the fit has not seen."""
        found = float(self.cycles_per_mac[pair] @ macs(mix, drops=self.drops[pair]))
        return found * float(np.exp(self.trend.get(pair[1], 0.0))) if newer else found


def macs(mix: Mix, *, drops: bool) -> Values:
    """MACs by kind, in the order of KINDS."""
    held = mix.live_macs if drops else mix.macs
    return np.array([held[kind] for kind in KINDS], np.float64)


def fit(rows: list[Row], mixes: dict[str, Mix], drops: dict[Pair, bool] | None = None) -> Fit:
    """Fit the newest rows of every pair; `drops` where that is known already."""
    held = newest(rows)
    chosen = dict.fromkeys((row.pair for row in held), False) if drops is None else drops
    found, loss = _solve(held, mixes, chosen)
    if drops is None:
        tells = {n for n, mix in mixes.items() if mix.macs != mix.live_macs}
        for pair in sorted({row.pair for row in held if row.network in tells}):
            other = {**chosen, pair: not chosen[pair]}
            found_other, loss_other = _solve(held, mixes, other)
            if loss_other < loss:
                chosen, found, loss = other, found_other, loss_other
    return Fit(cycles_per_mac=found, drops=chosen, trend=_trend(rows, mixes))


def _solve(
    rows: list[Row], mixes: dict[str, Mix], drops: dict[Pair, bool]
) -> tuple[dict[Pair, Values], float]:
    """Cycles per MAC of every pair, and the sum of squares that is left, penalties included."""
    pairs = sorted({row.pair for row in rows})
    kinds, count = len(KINDS), len(pairs)
    at = np.array([pairs.index(row.pair) for row in rows])
    counts = np.array([macs(mixes[row.network], drops=drops[row.pair]) for row in rows])
    logs = np.log([row.cycles for row in rows])
    centre = np.concatenate([np.zeros(count), _USUAL, np.zeros(count * kinds)])
    penalty = np.concatenate(
        [np.full(count, 1e-6), np.full(kinds, PROFILE), np.full(count * kinds, DEVIATION)]
    )
    found = centre.copy()
    lines = np.arange(len(rows))
    for _ in range(200):
        parts = np.exp(_log_rates(found, count)[at]) * counts
        shares = parts / parts.sum(axis=1, keepdims=True)
        slopes = np.zeros((len(rows), len(found)))
        slopes[lines, at] = 1.0
        slopes[:, count : count + kinds] = shares
        for kind in range(kinds):
            slopes[lines, count + kinds + at * kinds + kind] = shares[:, kind]
        wrong = logs - np.log(parts.sum(axis=1))
        step = np.linalg.solve(
            slopes.T @ slopes + np.diag(penalty), slopes.T @ wrong - penalty * (found - centre)
        )
        found += step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-7:
            break
    rates = np.exp(_log_rates(found, count))
    wrong = logs - np.log((rates[at] * counts).sum(axis=1))
    loss = float((wrong**2).sum() + (penalty * (found - centre) ** 2).sum())
    return dict(zip(pairs, rates, strict=True)), loss


def _log_rates(found: Values, count: int) -> Values:
    kinds = len(KINDS)
    levels, profile = found[:count, None], found[count : count + kinds]
    rates: Values = levels + profile + found[count + kinds :].reshape(count, kinds)
    return rates


def _trend(rows: list[Row], mixes: dict[str, Mix]) -> dict[str, float]:
    """Of networks without all-zero channels, so that learning to drop them is not taken for speed."""
    rounds: dict[tuple[str, str, str], dict[float, list[Row]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in rows:
        if mixes[row.network].macs == mixes[row.network].live_macs:
            rounds[*row.pair, row.network][row.round].append(row)
    changes: dict[str, list[float]] = defaultdict(list)
    for (_, engine, _), held in rounds.items():
        means = [np.mean(np.log([row.cycles for row in newest(held[at])])) for at in sorted(held)]
        changes[engine] += np.diff(means).tolist()
    return {
        engine: sum(steps) / (len(steps) + TREND_ROWS)
        for engine, steps in sorted(changes.items())
        if steps
    }
