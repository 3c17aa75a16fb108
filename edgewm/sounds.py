"""Sounds as WAV files, and what a telephone, a resampler or a room does to them.

Definitions are here and not a library's defaults, because a benchmark that says what a played challenge
survives must be repeatable.
"""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np
import numpy.typing as npt

Sound = npt.NDArray[np.float64]
_MU = 255.0
_HALF_WIDTH = 32
"""Samples of the kernel on each side, of the lower rate."""


def wav_bytes(sound: npt.NDArray[np.floating[Any]], rate_hz: int) -> bytes:
    """A mono WAV of 16 bits: samples from -1 to 1, in any shape, read in C order."""
    steps = np.clip(np.rint(np.asarray(sound, np.float64).ravel() * 32767), -32768, 32767)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(steps.astype("<i2").tobytes())
    return buffer.getvalue()


def through_mu_law(sound: Sound) -> Sound:
    """8-bit mu-law and back (ITU-T G.711's curve, mu = 255, 256 even steps of the compressed value)."""
    squeezed = np.sign(sound) * np.log1p(_MU * np.abs(np.clip(sound, -1, 1))) / np.log1p(_MU)
    steps = np.clip(np.rint(squeezed * 127.5 - 0.5) + 0.5, -127.5, 127.5) / 127.5
    return np.asarray(np.sign(steps) * np.expm1(np.abs(steps) * np.log1p(_MU)) / _MU)


def through_half_rate(sound: Sound) -> Sound:
    """Every second sample, and back: a Hann-windowed sinc at half the band before and after."""
    kernel = _half_band()
    lower = np.apply_along_axis(np.convolve, -1, sound, kernel, "same")[..., ::2]
    spread = np.zeros(sound.shape)
    spread[..., ::2] = 2 * lower
    return np.asarray(np.apply_along_axis(np.convolve, -1, spread, kernel, "same"))


def quieter(sound: Sound, decibels: float) -> Sound:
    """The same with less amplitude."""
    return np.asarray(sound * 10 ** (-decibels / 20))


def with_noise(sound: Sound, decibels: float, *, seed: int) -> Sound:
    """White noise at a signal-to-noise ratio over each whole sound (n, samples)."""
    power = (sound**2).mean(axis=-1, keepdims=True) * 10 ** (-decibels / 10)
    noise = np.random.default_rng(seed).normal(size=sound.shape)
    return np.asarray(np.clip(sound + np.sqrt(power) * noise, -1, 1))


def _half_band() -> Sound:
    at = np.arange(-2 * _HALF_WIDTH, 2 * _HALF_WIDTH + 1)
    window = 0.5 + 0.5 * np.cos(np.pi * at / (2 * _HALF_WIDTH))
    kernel = np.sinc(at / 2) / 2 * window
    return np.asarray(kernel / kernel.sum())
