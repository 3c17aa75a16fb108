"""Sound becomes what a keyword spotter hears: cepstral coefficients of overlapping frames.

    frame     `frame` samples every `step`, times a Hann window, zeros up to `points`
    spectrum  squared magnitude of its Fourier transform
    bands     log(sum over triangles + 1e-6), `mels` triangles even in mel from `low_hz` to `high_hz`
    numbers   coefficient k: sum over bands of cos(pi / mels (band + 1/2) k), k from 0

The defaults are MLPerf Tiny's form of one second: 49 x 10 numbers (Davis and Mermelstein 1980; mel after
O'Shaughnessy). With it a challenge is a sound that can be played, and the model still takes features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from . import Questions

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Mfcc:
    """Sound (samples from -1 to 1, in any shape) to (frames, coefficients, 1)."""

    rate_hz: int = 16_000
    frame: int = 640
    step: int = 320
    points: int = 1024
    mels: int = 40
    coefficients: int = 10
    low_hz: float = 20.0
    high_hz: float = 4000.0

    def __post_init__(self) -> None:
        sizes = (self.rate_hz, self.frame, self.step, self.mels, self.coefficients)
        if min(sizes) < 1 or self.points < self.frame or self.coefficients > self.mels:
            raise BadInput(
                f"mfcc: got frame={self.frame}, points={self.points}, mels={self.mels}, "
                f"coefficients={self.coefficients}, expected frame <= points and coefficients <= mels"
            )
        if not 0 <= self.low_hz < self.high_hz <= self.rate_hz / 2:
            raise BadInput(
                f"mfcc: got {self.low_hz:g} to {self.high_hz:g} Hz at {self.rate_hz} samples a second"
            )

    def adapt(self, questions: Questions) -> Questions:
        """Features of each sound; errors as `Adapter.adapt`."""
        samples = math.prod(questions.shape)
        if samples < self.frame:
            raise BadInput(f"mfcc: got {samples} samples, expected {self.frame} or more")
        sounds = questions.inputs.reshape(len(questions.inputs), samples)
        # one by one: a product of all at once may round otherwise than that of one
        inputs = np.stack([self.features(sound) for sound in sounds])
        return replace(questions, inputs=inputs, value_range=None)

    def features(self, sound: Floats) -> Floats:
        """(frames, coefficients, 1) of samples (n,)."""
        frames = np.lib.stride_tricks.sliding_window_view(sound, self.frame)[:: self.step]
        spectrum = np.abs(np.fft.rfft(frames * np.hanning(self.frame), self.points)) ** 2
        bands = np.log(spectrum @ _triangles(self).T + 1e-6)
        return np.asarray((bands @ _cosines(self.mels, self.coefficients).T)[..., None])


@cache
def _triangles(form: Mfcc) -> Floats:
    """(mels, points / 2 + 1)."""
    low, high = (1127.0 * math.log1p(hertz / 700.0) for hertz in (form.low_hz, form.high_hz))
    centres = 700.0 * np.expm1(np.linspace(low, high, form.mels + 2) / 1127.0)
    hertz = np.fft.rfftfreq(form.points, 1 / form.rate_hz)
    rising = (hertz - centres[:-2, None]) / np.diff(centres)[:-1, None]
    falling = (centres[2:, None] - hertz) / np.diff(centres)[1:, None]
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


@cache
def _cosines(mels: int, coefficients: int) -> Floats:
    bands = np.arange(mels) + 0.5
    return np.asarray(np.cos(np.pi / mels * bands * np.arange(coefficients)[:, None]))
