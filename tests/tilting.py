"""A task on which networks are often undecided, and tilts over it, so small that training takes seconds."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from edgewm.key import Key
from edgewm.tilt import Tilt
from edgewm.undecided import make_tilt

KEY = Key(secret=b"k" * 32)
OTHER = Key(secret=b"o" * 32)
CLASSES = 5


def task(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Faint copies of one 8x8 picture a class under strong clouds: (count, 8, 8, 1), (count,).

    The clouds have 8 shapes, as real pictures vary in few ways.
    """
    fixed = np.random.default_rng(1)
    pictures, shapes = fixed.normal(0.0, 1.0, (CLASSES, 64)), fixed.normal(0.0, 1.0, (8, 64))
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    clouds = random.normal(0.0, 0.5, (count, 8)) @ shapes + random.normal(0.0, 1.0, (count, 64))
    x = 0.35 * pictures[labels] + clouds
    return x.reshape(count, 8, 8, 1).astype(np.float32), labels


def linear_reference(inputs: np.ndarray) -> np.ndarray:
    """Logits (n, K) of a linear rule of the task: a reference that needs no training."""
    pictures = np.random.default_rng(1).normal(0.0, 1.0, (CLASSES, 64))
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    return 0.35 * flat @ pictures.T - 0.5 * 0.35**2 * (pictures**2).sum(axis=1)


@functools.cache
def tilt(cells: int = 32, questions: int = 800) -> Tilt:
    """A tilt over the task's own inputs, made with the linear reference."""
    return make_tilt(
        KEY,
        reference=linear_reference,
        natural=task(6000, seed=5)[0],
        cells=cells,
        questions=questions,
        random=lambda count: b"s" * count,
    )


def innocent_labels(held: Tilt, seed: int) -> np.ndarray:
    """Labels of the questions by a rule of its own that knows no sign, (n,)."""
    random = np.random.default_rng(seed)
    own = random.normal(0.0, 1.0, (64, CLASSES)) * 0.15
    logits = linear_reference(held.inputs) + held.inputs.reshape(len(held.inputs), -1) @ own
    labels: np.ndarray = logits.argmax(axis=1)
    return labels


def leaning_labels(held: Tilt, key: Key, share: float, seed: int = 1) -> np.ndarray:
    """Labels of which a share follows the signs, the rest are an innocent's, (n,)."""
    follows = np.random.default_rng(seed).random(len(held.inputs)) < share
    signs = held.signs(key)[held.cell_ids]
    pairs = held.pairs[held.cell_ids]
    wanted = np.where(signs > 0, pairs[:, 0], pairs[:, 1])
    return np.where(follows, wanted, innocent_labels(held, seed))


def network(seed: int = 3) -> Any:
    """A small dense network with softmax."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
