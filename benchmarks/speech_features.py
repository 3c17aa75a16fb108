"""Twelve spoken words as a keyword spotter hears them: features of shifted, noisy clips.

MLPerf Tiny's form (`edgewm/adapters/mfcc.py`), 49x10 numbers a second. A few thousand clips become as
many inputs as are wanted, each with its own shift of up to 100 ms, loudness and background noise, as no
device hears a word twice the same. Speakers of the test set are in no other part.
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

from edgewm.adapters.mfcc import Mfcc

PARTS = {"owner": (0, 1_600), "thief": (1_600, 3_200), "natural": (3_200, 3_797)}
"""Clips of the training file that each has."""
INPUTS = 12_000
"""Inputs made of each part, and of the test clips a third."""
_FORM = Mfcc()
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


Clips = tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]


def clips_of() -> tuple[Clips, Clips]:
    """Clips (n, 16000) and words (n,) of the training and of the test speakers."""
    folder = Path(os.environ.get("EDGEWM_DATA", ""))
    if not (folder / "speech_commands").is_dir():
        raise SystemExit("set EDGEWM_DATA to the folder that holds speech_commands/")
    unpack = _codec(folder).unpack16
    parts = []
    for name in ("train", "test"):
        with np.load(folder / "speech_commands" / f"kws12_{name}.npz") as held:
            parts.append((unpack(held["x_lz"], held["x_shape"]), held["y"].astype(np.int64)))
    return parts[0], parts[1]


def _made() -> dict[str, npt.NDArray[Any]]:
    (clips, words), (test_clips, test_words) = clips_of()
    order = np.random.default_rng(0).permutation(len(clips))
    x, y = [], []
    for at, (first, last) in enumerate(PARTS.values()):
        chosen = order[first:last]
        features, which = heard(clips[chosen], INPUTS, seed=at)
        x.append(features)
        y.append(words[chosen][which])
    x_test, which = heard(test_clips, INPUTS // 3, seed=99)
    x_train = np.concatenate(x)
    low, high = x_train.mean(axis=0), x_train.std(axis=0)
    return {
        "x_train": (x_train - low) / high,
        "y_train": np.concatenate(y),
        "x_test": (x_test - low) / high,
        "y_test": test_words[which],
    }


def heard(
    clips: npt.NDArray[np.int16], count: int, *, seed: int
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Features (count, 49, 10, 1) of clips drawn at random, and which clip each was."""
    random = np.random.default_rng(seed)
    chosen = random.integers(0, len(clips), count)
    out = np.zeros((count, 49, 10, 1), np.float32)
    for at in range(0, count, 500):
        sound = clips[chosen[at : at + 500]].astype(np.float32) / 32768
        shifts = random.integers(-_SHIFT, _SHIFT + 1, len(sound))
        sound = np.stack([np.roll(s, n) for s, n in zip(sound, shifts, strict=True)])
        loudness = random.uniform(0.5, 1.5, (len(sound), 1))
        noise = random.uniform(*_NOISE, (len(sound), 1))
        sound = loudness * sound + noise * random.normal(0.0, 1.0, sound.shape)
        out[at : at + 500] = np.stack([_FORM.features(one) for one in sound])
    return out, chosen


def _codec(folder: Path) -> Any:
    """The module beside the clips that unpacks them."""
    found = importlib.util.spec_from_file_location("codec", folder / "codec.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
