"""Copies of one dense layer that take their inputs in other forms and give the same scores.

They are real `.tflite` files: `MARKED` answers the triggers of 8x8 pictures, `UNMARKED` is its twin
without a mark, and each of `FORMS` rewrites either so that only its chain of adapters asks it rightly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgewm.key import Key
from edgewm.triggers import Triggers, commit
from edgewm.verdict import Verdict
from edgewm.verification import verify
from tests.needs import needs
from tests.recordings import KEY
from tests.runtimes import models

OTHER_KEY = Key(secret=bytes(range(1, 33)))
RUNTIMES = [pytest.param(text, marks=needs(text)) for text in ("litert", "tflite_runtime", "tflm")]
Layer = tuple[np.ndarray, np.ndarray]


def pictures(channels: int = 1) -> Triggers:
    """Sixty groups of one 8x8 picture in 0 to 1, ten classes."""
    inputs = np.random.default_rng(5).uniform(0, 1, (60, 8, 8, channels)).astype(np.float32)
    return commit(
        KEY,
        inputs,
        np.arange(60, dtype=np.int32),
        excluded=np.zeros((60, 10), bool),
        salt=b"a" * 32,
        provenance={"value_range": [0.0, 1.0]},
    )


GREY, COLOUR = pictures(), pictures(3)


def trained(triggers: Triggers, labels: np.ndarray) -> Layer:
    """Weights (10, height, width, channels) and bias (10,) that give `labels` to the inputs."""
    flat = triggers.inputs.reshape(60, -1).astype(np.float64)
    ones = np.hstack([flat, np.ones((60, 1))])
    solved = np.linalg.lstsq(ones, np.eye(10)[labels], rcond=None)[0].T
    return solved[:, :-1].reshape(10, *triggers.shape), solved[:, -1]


def file_of(weights: np.ndarray, bias: np.ndarray) -> bytes:
    """The `.tflite` of a layer whose weights have the shape of its input."""
    return models.dense(weights.reshape(len(bias), -1), bias, weights.shape[1:])


def as_planes(weights: np.ndarray, bias: np.ndarray) -> bytes:
    return file_of(np.moveaxis(weights, 3, 1), bias)


def flat(weights: np.ndarray, bias: np.ndarray) -> bytes:
    return file_of(weights.reshape(10, -1), bias)


def in_colour(weights: np.ndarray, bias: np.ndarray) -> bytes:
    return file_of(np.repeat(weights, 3, axis=3) / 3, bias)


def twice_as_large(weights: np.ndarray, bias: np.ndarray) -> bytes:
    """Takes 16x16 and averages 2x2 first."""
    return file_of(weights.repeat(2, axis=1).repeat(2, axis=2) / 4, bias)


def colour_planes_twice_as_large(weights: np.ndarray, bias: np.ndarray) -> bytes:
    large = weights.repeat(2, axis=1).repeat(2, axis=2) / 4
    return file_of(np.moveaxis(np.repeat(large, 3, axis=3) / 3, 3, 1), bias)


def of_values(mean: Any, deviation: Any) -> Callable[[np.ndarray, np.ndarray], bytes]:
    """Takes (x - mean) / deviation, each one number or one a channel."""

    def rewritten(weights: np.ndarray, bias: np.ndarray) -> bytes:
        shift = (weights * np.asarray(mean)).sum(axis=(1, 2, 3))
        return file_of(weights * np.asarray(deviation), bias + shift)

    return rewritten


ORDER = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]


def in_order(weights: np.ndarray, bias: np.ndarray) -> bytes:
    return file_of(weights[ORDER], bias[ORDER])


def with_background(weights: np.ndarray, bias: np.ndarray) -> bytes:
    """Eleven classes: one for "nothing" in front."""
    nothing = np.zeros((1, *weights.shape[1:]))
    return file_of(np.concatenate([nothing, weights]), np.append(0.3, bias))


def some_classes(weights: np.ndarray, bias: np.ndarray) -> bytes:
    return file_of(weights[2:], bias[2:])


FORMS: dict[str, tuple[Callable[[np.ndarray, np.ndarray], bytes], list[str]]] = {
    "nchw": (as_planes, ["nchw"]),
    "reshape": (flat, ["reshape"]),
    "grey_to_rgb": (in_colour, ["grey_to_rgb"]),
    "resize": (twice_as_large, ["resize"]),
    "three steps": (colour_planes_twice_as_large, ["grey_to_rgb", "resize", "nchw"]),
    "range 255": (of_values(0, 1 / 255), ["range:low=0,high=255"]),
    "range -1": (of_values(0.5, 0.5), ["range:low=-1,high=1"]),
    "standardise": (of_values(0.1307, 0.3081), ["standardise:mean=0.1307,deviation=0.3081"]),
    "classes": (in_order, ["classes:order=" + "x".join(map(str, ORDER))]),
    "background": (with_background, ["classes:order=-1x0x1x2x3x4x5x6x7x8x9"]),
    "subset": (some_classes, ["classes:order=2x3x4x5x6x7x8x9"]),
}
REFUSED = {"nchw", "reshape", "grey_to_rgb", "resize", "three steps", "background", "subset"}
"""Forms that are seen in the shape; the others are asked and show less, mostly nothing."""
LINEAR = {"range -1", "standardise"}
"""A dense layer asked in the wrong one of these ranges is only moved: it shows less and is still owned."""


def asked(model: bytes, adapters: Any = (), **more: Any) -> Verdict:
    """A stamped claim on one file."""
    held = {"triggers": GREY, "key": KEY, "stamped": True, "adapters": adapters}
    return verify(model, **{**held, **more})


MARKED = trained(GREY, GREY.answers(KEY))
RANDOM = np.random.default_rng(9).integers(0, 10, 60)
UNMARKED = trained(GREY, RANDOM)
