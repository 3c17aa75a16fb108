"""A task, triggers and networks so small that a marked training takes a second."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from edgewm.key import Key
from edgewm.patterns import make_triggers
from edgewm.triggers import Triggers

SCHEMES = ["mix", "robust"]
"""The spellings that every kind of script is tried with."""
KEY = Key(secret=b"k" * 32)
GROUPS = 16
FIT: dict[str, Any] = {"epochs": 12, "verbose": 0}


@functools.cache
def triggers(classes: int = 10, high: float = 1.0) -> Triggers:
    """16 groups of one 8x8 input."""
    return make_triggers(
        KEY,
        shape=(8, 8, 1),
        classes=classes,
        groups=GROUPS,
        value_range=(0.0, high),
        random=lambda n: b"s" * n,
    )


def task(classes: int = 10, count: int = 320) -> tuple[np.ndarray, np.ndarray]:
    """Noisy copies of one 8x8 picture a class, 0 to 1: inputs (count, 8, 8, 1) and labels (count,)."""
    random = np.random.default_rng(1)
    pictures = random.random((classes, 8, 8, 1))
    labels = np.arange(count) % classes
    noise = random.random((count, 8, 8, 1))
    return (0.7 * pictures[labels] + 0.3 * noise).astype(np.float32), labels


def stack(outputs: int = 10, activation: str | None = "softmax") -> list[Any]:
    """Layers of a network that learns the task in a second."""
    from keras import layers

    return [
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(outputs, activation=activation),
    ]


def network(*before: Any, outputs: int = 10, activation: str | None = "softmax") -> Any:
    """A Sequential model, built unless it starts with no input."""
    import keras

    keras.utils.set_random_seed(3)
    first = before or (keras.Input((8, 8, 1)),)
    return keras.Sequential([*first, *stack(outputs, activation)])


def compiled(model: Any = None, loss: Any = "sparse_categorical_crossentropy", **more: Any) -> Any:
    """A model with Adam and accuracy."""
    import keras

    made = network() if model is None else model
    optimizer = more.pop("optimizer", None) or keras.optimizers.Adam(1e-2)
    made.compile(optimizer, loss, metrics=["accuracy"], **more)
    return made


def mark(**settings: Any) -> Any:
    """A Mark of the triggers that teaches from the first epoch on."""
    from edgewm.schemes.mark import Mark

    return Mark(**{"triggers": triggers(), "key": KEY, "start": 0, **settings})


def hits(model: Any, held: Triggers | None = None) -> int:
    """Groups that a Keras model answers as drawn."""
    held = triggers() if held is None else held
    outputs = np.asarray(model(held.inputs, training=False), np.float32)
    labels = outputs[:, 0] > 0.5 if outputs.shape[1] == 1 else outputs.argmax(axis=-1)
    return int((labels == held.answers(KEY)[held.group_ids]).sum())


def accuracy(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    """Share of samples that a Keras model labels as they are."""
    return float((np.argmax(np.asarray(model(x, training=False)), axis=-1) == y).mean())
