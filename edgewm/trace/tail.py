"""The chance that an innocent recipient scores at least as much, given what was read from the suspect.

An innocent recipient's symbols are independent of the suspect: each is one with its own bias. So given the
values that were read, the score is a sum of independent two-point variables with known probabilities, and
its tail can be computed: tilt every variable so that the observed score is the mean (Esscher 1932), take the
tilted distribution from its characteristic function on a ring of whole numbers by one Fourier transform,
and tilt back. What the ring and the rounding can lose is below SLACK, which is added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

SLACK = 1e-12
"""Added to the tilted tail: mass beyond 16 standard deviations, and the rounding of the transform."""
_NOTHING = -50.0
"""Logarithm of a frequency's share that is dropped, far below SLACK."""
_STEEPEST = 6.0
"""Largest tilt, in units of one point of score: the tail is then a product of probabilities."""


@dataclass(frozen=True, kw_only=True)
class Null:
    """The score of an innocent recipient: a sum of independent variables in classes of equal ones."""

    counts: Numbers
    """(k,) how many variables of each class."""
    chances: Floats
    """(k,) probability of a one."""
    ones: Numbers
    """(k,) what a one adds."""
    zeros: Numbers
    """(k,) what a zero adds."""
    _known: dict[int, float] = field(default_factory=dict, repr=False, compare=False)

    def log10_tail(self, score: int) -> float:
        """log10 of an upper bound of P[score of an innocent >= `score`], exact to 1e-6; at most 0."""
        if score not in self._known:
            self._known[score] = self._log10_tail(score)
        return self._known[score]

    def _log10_tail(self, score: int) -> float:
        mean, _ = self._moments(0.0)
        if score <= mean or not len(self.counts):
            return 0.0
        tilt = self._tilt_for(score)
        log_bound = self._cumulant(tilt) - tilt * score
        inside = self._tilted_tail(score, tilt) + SLACK
        return min(0.0, (log_bound + math.log(min(inside, 1.0))) / math.log(10.0) + 1e-9)

    def _parts(self, tilt: float) -> tuple[Floats, Floats]:
        """Logarithm of each class's moment generating function, and its tilted probability of a one."""
        step = tilt * (self.ones - self.zeros)
        ones = np.log(self.chances) + step
        whole = np.logaddexp(np.log1p(-self.chances), ones)
        return whole + tilt * self.zeros, np.exp(ones - whole)

    def _cumulant(self, tilt: float) -> float:
        return float((self.counts * self._parts(tilt)[0]).sum())

    def _moments(self, tilt: float) -> tuple[float, float]:
        _, q = self._parts(tilt)
        step = (self.ones - self.zeros).astype(np.float64)
        mean = self.counts * (self.zeros + step * q)
        return float(mean.sum()), float((self.counts * step * step * q * (1 - q)).sum())

    def _tilt_for(self, score: int) -> float:
        low, high = 0.0, _STEEPEST
        for _ in range(60):
            middle = (low + high) / 2
            if self._moments(middle)[0] < score:
                low = middle
            else:
                high = middle
        return high

    def _tilted_tail(self, score: int, tilt: float) -> float:
        """Sum over s >= score of exp(-tilt (s - score)) times the tilted probability of s."""
        _, q = self._parts(tilt)
        deviation = math.sqrt(self._moments(tilt)[1])
        ring = 1 << max(12, math.ceil(math.log2(32.0 * deviation + 1.0)))
        angles = 2.0 * np.pi * np.arange(ring // 2 + 1) / ring
        logs = np.zeros(len(angles), np.complex128)
        steps = (self.ones - self.zeros).astype(np.float64)
        alive = np.arange(len(angles))
        for at in np.argsort(-self.counts * steps**2 * q * (1 - q)):
            turned = np.exp(-1j * ((angles[alive] * steps[at]) % (2.0 * np.pi)))
            with np.errstate(divide="ignore"):  # a factor of exactly zero
                logs[alive] += self.counts[at] * np.log(1.0 - q[at] + q[at] * turned)
            alive = alive[logs[alive].real > _NOTHING]  # no factor is above one: it stays nothing
        spectrum = np.zeros(len(angles), np.complex128)
        spectrum[alive] = np.exp(logs[alive])
        mass = np.maximum(np.fft.irfft(spectrum, ring), 0.0)
        start = score - int((self.counts * self.zeros).sum())
        above = np.arange(ring // 2)
        return float((mass[(start + above) % ring] * np.exp(-tilt * above)).sum())
