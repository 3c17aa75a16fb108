"""Triggers mixed into every batch, and weights that are shaken while mark and task are learned.

For the length of a step every kernel w is moved by `noise` |w| d, d a Gaussian direction of length 1
(Euclidean norms, each kernel by itself); gradients are taken there and applied to the weights as they
were. Bansal et al. (ICML 2022) shake weights to certify a mark against changes of them; here the task
sees the same weights, which costs no further pass. Rounding a kernel to 8 bits moves it by 0.5 to 0.75 %
of |w|, to 4 bits by 9 to 14 %, pruning half of it by about 30 %.

Tried in its place on a depthwise-separable network and left out, since none kept more groups after
fine-tuning and pruning at the same cost: the adversarial direction of APP (Gan et al., ICCV 2023), which
at 5 % of |w| undoes the marks, a temperature that widens margins, triggers that move and blur, training
at pruned weights, and a simulated thief under whose drift the mark is taught. Batch statistics need
nothing of their own: triggers are 8 rows of a natural batch.

The noise comes from TensorFlow's generator: it shapes training and need not be repeatable from the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import BadInput
from . import Lesson, Step
from .batch import replaced
from .mix import Mix


@dataclass(frozen=True, kw_only=True)
class Robust:
    """Append `rows` triggers to every batch and train at shaken weights."""

    rows: int = 8
    noise: float = 0.1
    """Length of the shake, as a share of each kernel's norm."""

    def __post_init__(self) -> None:
        if not 1 <= self.rows <= 4096:
            raise BadInput(f"robust: got rows={self.rows}, expected 1 to 4096")
        if not 0 < self.noise <= 1:
            raise BadInput(f"robust: got noise={self.noise}, expected above 0 and at most 1")

    def wrap(self, model: Any, step: Step, lesson: Lesson) -> Step:
        """A train step of marked batches at shaken weights."""
        return shaken(model, Mix(rows=self.rows).wrap(model, step, lesson), noise=self.noise)


def shaken(model: Any, step: Step, *, noise: float) -> Step:
    """A train step that does what `step` does at shaken weights."""

    def shaken_step(data: Any) -> dict[str, Any]:
        before = _shake(model, noise)
        natural_apply = model.optimizer.apply
        restored = False

        def apply(gradients: Any, trainable_variables: Any = None) -> Any:
            nonlocal restored
            for variable, kept in before:
                variable.assign(kept)
            restored = True
            return natural_apply(gradients, trainable_variables)

        with replaced(model.optimizer, "apply", apply):
            logs = step(data)
        if not restored:
            raise BadInput(
                "robust: this train_step never calls model.optimizer.apply, use scheme mix"
            )
        return logs

    return shaken_step


def _shake(model: Any, noise: float) -> list[tuple[Any, Any]]:
    """Move every kernel; the variables and what they held before."""
    import tensorflow as tf

    before = []
    for variable in model.trainable_variables:
        if len(variable.shape) > 1:  # biases and normalisation stay: export folds them
            kept = tf.identity(variable)
            direction = tf.random.normal(variable.shape, dtype=kept.dtype)
            length = noise * tf.norm(kept) / tf.norm(direction)
            before.append((variable, kept))
            variable.assign(kept + length * direction)
    return before
