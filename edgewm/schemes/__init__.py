"""How training takes the mark in.

A scheme is one file with one frozen dataclass and one method, `wrap`: it gets the model's own
`train_step` and returns the one that trains the mark beside the task. Wrapping the step rather than
the loss or the data keeps every `compile`, every data source and every other callback as the owner
wrote them, and nothing is ever added to the model that is saved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

NOT_PLUGINS = ("batch", "lean", "mark", "mark_outputs", "wrapping")

Step = Callable[[Any], dict[str, Any]]
"""A Keras `train_step`: one batch of data in, logs out."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What the model has to learn besides its task, in an order drawn from the key."""

    inputs: npt.NDArray[np.float32] = field(repr=False)
    """(n, *shape)."""
    answers: npt.NDArray[np.int64] = field(repr=False)
    """(n,) the answer of each input's group."""
    classes: int


class Scheme(Protocol):
    """One way of training a mark in."""

    def wrap(self, model: Any, step: Step, lesson: Lesson) -> Step:
        """A train step that does what `step` does and teaches `lesson`; traced by TensorFlow."""
        ...
