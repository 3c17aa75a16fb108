"""Twelve spoken words as a keyword spotter hears them: features of shifted, noisy clips.

MLPerf Tiny's form: frames of 40 ms every 20 ms, 40 mel bands from 20 Hz to 4 kHz, 10 cepstral coefficients,
49x10 numbers a second of sound. A few thousand clips become as many inputs as are wanted, each with its own
shift of up to 100 ms, loudness and background noise, as no device hears a word twice the same. Speakers of
the test set are in no other part.
"""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from results_file import CACHE

PARTS = {"owner": (0, 1_600), "thief": (1_600, 3_200), "natural": (3_200, 3_797)}
"""Clips of the training file that each has."""
INPUTS = 12_000
"""Inputs made of each part, and of the test clips a third."""
_RATE, _FRAME, _STEP, _MELS, _COEFFICIENTS = 16_000, 640, 320, 40, 10
_SHIFT, _NOISE = 1_600, (0.005, 0.05)
Floats = npt.NDArray[np.float32]


@cache
def speech_commands() -> Any:
    """A `Dataset`: x_train is owner, thief and natural inputs, 12,000 each."""
    from edgewm.datasets import Dataset

    path = CACHE / "speech_features.npz"
    if not path.exists():
        np.savez(path, **_made())
    with np.load(path) as held:
        arrays = {name: held[name] for name in held.files}
    return Dataset(name="speech_commands", classes=12, **arrays)


def _made() -> dict[str, npt.NDArray[Any]]:
    folder = Path(os.environ.get("EDGEWM_DATA", ""))
    if not (folder / "speech_commands").is_dir():
        raise SystemExit("set EDGEWM_DATA to the folder that holds speech_commands/")
    unpack = _codec(folder).unpack16
    parts = []
    for name in ("train", "test"):
        with np.load(folder / "speech_commands" / f"kws12_{name}.npz") as held:
            parts.append((unpack(held["x_lz"], held["x_shape"]), held["y"].astype(np.int64)))
    (clips, words), (test_clips, test_words) = parts
    order = np.random.default_rng(0).permutation(len(clips))
    x, y = [], []
    for at, (first, last) in enumerate(PARTS.values()):
        chosen = order[first:last]
        heard, which = _heard(clips[chosen], INPUTS, seed=at)
        x.append(heard)
        y.append(words[chosen][which])
    x_test, which = _heard(test_clips, INPUTS // 3, seed=99)
    x_train = np.concatenate(x)
    low, high = x_train.mean(axis=0), x_train.std(axis=0)
    return {
        "x_train": (x_train - low) / high,
        "y_train": np.concatenate(y),
        "x_test": (x_test - low) / high,
        "y_test": test_words[which],
    }


def _heard(
    clips: npt.NDArray[np.int16], count: int, *, seed: int
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Features (count, 49, 10, 1) of clips drawn at random, and which clip each was."""
    random = np.random.default_rng(seed)
    chosen = random.integers(0, len(clips), count)
    out = np.zeros((count, 49, _COEFFICIENTS, 1), np.float32)
    for at in range(0, count, 500):
        sound = clips[chosen[at : at + 500]].astype(np.float32) / 32768
        shifts = random.integers(-_SHIFT, _SHIFT + 1, len(sound))
        sound = np.stack([np.roll(s, n) for s, n in zip(sound, shifts, strict=True)])
        loudness = random.uniform(0.5, 1.5, (len(sound), 1))
        noise = random.uniform(*_NOISE, (len(sound), 1))
        sound = loudness * sound + noise * random.normal(0.0, 1.0, sound.shape)
        out[at : at + 500, ..., 0] = features(sound.astype(np.float32))
    return out, chosen


def features(sound: Floats) -> Floats:
    """Cepstral coefficients (n, 49, 10) of clips (n, 16000) from -1 to 1."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME, axis=1)[:, ::_STEP]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(_FRAME).astype(np.float32), 1024)) ** 2
    bands = np.log(spectrum @ _mel_bands().T + 1e-6)
    k = np.arange(_MELS)
    cosines = np.cos(np.pi / _MELS * (k + 0.5) * np.arange(_COEFFICIENTS)[:, None])
    return np.asarray(bands @ cosines.T, np.float32)


def _mel_bands() -> npt.NDArray[np.float64]:
    """Triangles over the 513 frequencies, (40, 513)."""

    def mel(hertz: float) -> float:
        return 1127.0 * float(np.log1p(hertz / 700.0))

    centres = 700.0 * np.expm1(np.linspace(mel(20.0), mel(4_000.0), _MELS + 2) / 1127.0)
    hertz = np.fft.rfftfreq(1024, 1 / _RATE)
    rising = (hertz - centres[:-2, None]) / np.diff(centres)[:-1, None]
    falling = (centres[2:, None] - hertz) / np.diff(centres)[1:, None]
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


def _codec(folder: Path) -> Any:
    """The module beside the clips that unpacks them."""
    found = importlib.util.spec_from_file_location("codec", folder / "codec.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
