"""A proved upper bound of the tail of a sum of fair +-a_c, where counting sign patterns takes too long.

Rounding every a_c to a grid, outwards, would need a grid finer than any memory: 4,000 roundings of
one direction add up. Here only the sum as a whole is smoothed, once, by an upper function whose
spectrum has an end, so that what remains is a finite sum of waves, computed exactly.

*The bound.* For any rate lambda > 0 let P' weigh each sign pattern by exp(lambda S). With u = S - t,

    p = prod cosh(lambda a_c) exp(-lambda t) E'[exp(-lambda u) 1{u >= 0}].

The last function is replaced by f = K * F / kappa, where F(v) = exp(-lambda v) 1{v >= -w}, K >= 0 is
an even kernel, and kappa is at most its integral with cosh(lambda x) within w (cosh x >= 1 + x^2 / 2).
For u >= 0, f(u) >= exp(-lambda u) then; elsewhere f >= 0. Repeating f with a period only adds to it. K
is the squared transform of a Hann window, of finite band, so that the repeated f is a finite sum of
waves, and the mean of a wave of frequency theta is prod(cos(theta a_c) + i tanh(lambda a_c)
sin(theta a_c)), each factor at most 1 in size. A wave whose partial product falls below 1e-11 is
charged that in full. For the others, each factor is off by at most 4 units of rounding times its angle
and 16 more; as factors are at most 1, a product is off by at most expm1 of the sum, which is added.

*Never growing in t.* For one rate, exp(lambda u) f(u) rises with u, for each repeated copy too, so the
bound falls with t. Which rate serves which t is fixed by the sizes alone; where it changes, the bounds
at all lower t are kept if they are smaller.

Majorants with a finite band are Beurling's and Selberg's (Graham and Vaaler 1981); weighing patterns
by exp(lambda S) is Esscher's (1932).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]
_U = 2.0**-53  # half a unit in the last place of 1
_BAND = 11.2  # band times width of the kernel
_INSIDE = 0.99926  # mass of the kernel within its width, rounded down
_SQUARE = 0.1035  # its second moment there, in widths squared, rounded down
_SMOOTHING = 0.0065  # width times the steepest slope of log p: about what smoothing costs of p
_LOST = 1e-22  # squared size below which a wave is given up, and charged in full


@dataclass(frozen=True, kw_only=True)
class _Level:
    """One rate and the thresholds it serves, fixed by the sizes alone."""

    rate: float
    spread: float
    """Standard deviation of the sum when patterns are weighed by exp(rate S)."""
    start: int
    """Lowest threshold served."""
    log10_least: float
    """Lower bound of log10 p at the start, by Chebyshev's inequality."""


def smoothed_log10_p(sizes: Sequence[int], threshold: int) -> float:
    """log10 of an upper bound of P[sum of fair +-sizes >= threshold]; above 0 where it says nothing.

    It costs about 0.5 % of p where the sum is spread finely, as with scores of networks, and more
    where few sums lie far apart; about 0.15 s for 4,000 sizes and p = 1e-30.

    Args:
        sizes: (n,) whole numbers above 0 without a common divisor, largest first, sum up to 2^52.
        threshold: of the parity of their sum, above minus and at most their sum.
    """
    values = np.array(sizes, np.float64)
    served = [*itertools.takewhile(lambda level: level.start <= threshold, _levels(values))]
    best = _at_level(values, threshold, served[-1])
    for level, following in reversed([*itertools.pairwise(served)]):
        if following.log10_least > best:  # so are the bounds of all lower thresholds
            break
        best = min(best, _at_level(values, following.start, level))
    return best


def _levels(sizes: _Floats) -> Iterator[_Level]:
    """Rates that rise by 6 standard deviations each, as far as sums are spread; lazily."""
    most = float(sizes.sum())
    rate = 1.0 / math.sqrt(float((sizes**2).sum()))
    _, spread = _weighed(sizes, rate)
    start = -int(most)
    yield _Level(rate=rate, spread=spread, start=start, log10_least=-math.inf)
    rate += 7.0 / spread
    while True:
        mean, spread = _weighed(sizes, rate)
        while (
            0.0 < spread < 2.0 / rate
        ):  # the largest cells are settled: go on at the others' scale
            rate = max(2.0 / spread, 1.01 * rate)
            mean, spread = _weighed(sizes, rate)
        if spread == 0.0:
            return
        start = max(start + 1, math.ceil(mean - 3.0 * spread))
        exponent = _log_mean(sizes, rate) - rate * (mean + math.sqrt(2.0) * spread)
        far = start > mean - math.sqrt(2.0) * spread
        least = -math.inf if far else (exponent - math.log(2.0)) / math.log(10.0) - 1e-6
        yield _Level(rate=rate, spread=spread, start=start, log10_least=least)
        rate += 6.0 / spread


def _weighed(sizes: _Floats, rate: float) -> tuple[float, float]:
    """Mean and standard deviation of the sum under weights exp(rate S)."""
    decay = np.exp(-2.0 * rate * sizes)
    variance = float((4.0 * sizes**2 * decay / (1.0 + decay) ** 2).sum())
    return float((sizes * (1.0 - decay) / (1.0 + decay)).sum()), math.sqrt(variance)


def _log_mean(sizes: _Floats, rate: float) -> float:
    """log of the mean of exp(rate S)."""
    logs = rate * sizes + np.log1p(np.exp(-2.0 * rate * sizes)) - math.log(2.0)
    return math.fsum(logs)


def _at_level(sizes: _Floats, threshold: int, level: _Level) -> float:
    """log10 of the bound of one rate."""
    rate, reach = level.rate, float(sizes.sum()) + abs(threshold)
    steepest = rate + 4.0 / level.spread
    width = max(1.0, _SMOOTHING / steepest)  # sums are two apart: half of that costs nothing
    step = 2.0 * math.pi / (10.0 * level.spread + 14.0 / rate)
    theta = step * np.arange(1, math.ceil(_BAND / (width * step)))
    window = _window(theta * (width / _BAND))
    inside = _INSIDE + _SQUARE * (rate * width) ** 2 / 2.0
    scale = step / (2.0 * math.pi) * math.exp(rate * width) / inside
    charge = 2.0 * scale * (np.abs(window) + 16.0 * _U) / np.hypot(rate, theta)
    everything = scale / rate + math.fsum(charge)

    kept, means = _wave_means(sizes, rate, theta)
    waves = np.exp(1j * theta[kept] * (width - threshold)) / (rate + 1j * theta[kept])
    terms = 2.0 * scale * window[kept] * (waves * means).real
    angles = 4.0 * _U * theta[kept] * (reach + width)
    rounding = charge[kept] * np.expm1(angles + 16.0 * _U * (len(sizes) + 8))
    mean = scale / rate + math.fsum(terms) + math.fsum(rounding)
    mean += math.sqrt(_LOST) * max(0.0, everything - scale / rate - math.fsum(charge[kept]))
    mean += 1e-13 * everything

    exponent = _log_mean(sizes, rate) - rate * threshold
    exponent += 16.0 * _U * (rate * reach + len(sizes))
    return (exponent + math.log(mean)) / math.log(10.0) + 1e-12


def _window(x: _Floats) -> _Floats:
    """The kernel's transform at the share x of its band: a Hann window convolved with itself."""
    turns = 2.0 * np.pi * x
    out: _Floats = (1.0 - x) * (2.0 + np.cos(turns)) / 3.0 + np.sin(turns) / (2.0 * np.pi)
    return out


def _wave_means(
    sizes: _Floats, rate: float, theta: _Floats
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.complex128]]:
    """Places of the frequencies that are not given up, and prod(cos + i tanh sin) of each."""
    decay = np.exp(-2.0 * rate * sizes)
    swing = 4.0 * decay / (1.0 + decay) ** 2  # 1 - tanh squared
    kept, active, squared = np.arange(len(theta)), theta, np.ones(len(theta))
    for at, size in enumerate(sizes.tolist()):
        if len(kept) <= 64:
            break
        sines = np.sin(active * size)
        up = _U * (32.0 + 8.0 * float(active[-1]) * size)  # so that partial products round up
        squared *= 1.0 + up - swing[at] * sines * sines
        if at % 4 == 3:
            alive = squared > _LOST
            kept, active, squared = kept[alive], active[alive], squared[alive]
    tilt = (1.0 - decay) / (1.0 + decay)
    means = np.ones(len(kept), np.complex128)
    rows = max(1, 65536 // max(len(kept), 1))
    for start in range(0, len(sizes), rows):
        angles = np.outer(sizes[start : start + rows], active)
        factors = np.cos(angles) + 1j * (tilt[start : start + rows, None] * np.sin(angles))
        means *= factors.prod(axis=0)
    return kept, means
