"""Marks trained at the worst weights near the current ones, so that small changes of weights keep them.

Adversarial parameter perturbation after Gan et al. (ICCV 2023). In every step, for `rows` triggers:

    g      = gradient of the mark's loss at the weights w
    d      = perturbation * |w| * g / |g|       for every kernel by itself: the worst step of that size
    update = the task's own gradient + strength * gradient of the mark's loss at w + d

Quantisation is such a step of 0.5 to 0.75 % of |w| at 8 bits and 9 to 14 % at 4; fine-tuning and pruning
are larger ones. Triggers run in inference mode: batch normalisation then uses the statistics of clean
batches, which are the ones that export folds into the weights, and triggers never move them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import BadInput
from . import Lesson, Step
from .batch import labels_like


@dataclass(frozen=True, kw_only=True)
class Robust:
    """Teach `rows` triggers a step, at perturbed weights, through the owner's loss and optimiser."""

    rows: int = 8
    perturbation: float = 0.1
    """Size of the worst step, as a share of each kernel's norm."""
    strength: float = 0.2
    """Weight of the mark's gradient beside the task's."""

    def __post_init__(self) -> None:
        if not 1 <= self.rows <= 4096:
            raise BadInput(f"robust: got rows={self.rows}, expected 1 to 4096")
        if not 0 <= self.perturbation <= 1 or not 0 < self.strength <= 100:
            raise BadInput(
                f"robust: got perturbation={self.perturbation}, strength={self.strength}, "
                "expected 0 to 1 and above 0"
            )

    def wrap(self, model: Any, step: Step, lesson: Lesson) -> Step:
        """A train step whose optimiser also gets the mark's gradient at perturbed weights."""
        import keras
        import tensorflow as tf

        inputs, answers = tf.constant(lesson.inputs), tf.constant(lesson.answers)
        count, rows = len(lesson.answers), min(self.rows, len(lesson.answers))

        def loss_of(x: Any, y: Any) -> Any:
            outputs = model(x, training=False)
            return model.optimizer.scale_loss(model.compute_loss(x=x, y=y, y_pred=outputs))

        def gradients(x: Any, y: Any, variables: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = loss_of(x, y)
            return tape.gradient(loss, variables)

        def mark_gradients(x: Any, y: Any, variables: Any) -> list[Any]:
            plain = gradients(x, y, variables)
            moved = []
            for variable, gradient in zip(variables, plain, strict=True):
                if gradient is None or len(variable.shape) < 2:
                    continue
                length = tf.norm(variable) * self.perturbation
                away = gradient * tf.math.divide_no_nan(length, tf.norm(gradient))
                moved.append((variable, away))
            for variable, away in moved:
                variable.assign_add(away)
            worst = gradients(x, y, variables)
            for variable, away in moved:
                variable.assign_sub(away)
            return list(worst)

        def marked_step(data: Any) -> dict[str, Any]:
            x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
            optimizer = model.optimizer
            turn = tf.cast(optimizer.iterations, tf.int64) * rows
            chosen = tf.math.floormod(turn + tf.range(rows, dtype=tf.int64), count)
            triggers = tf.cast(tf.gather(inputs, chosen), x.dtype)
            labels = labels_like(y, tf.gather(answers, chosen), lesson.classes)
            natural_apply = optimizer.apply

            def apply(grads: Any, trainable_variables: Any = None) -> Any:
                variables = list(
                    model.trainable_variables if trainable_variables is None else trainable_variables
                )
                added = mark_gradients(triggers, labels, variables)
                total = [
                    task if mark is None else mark * self.strength if task is None
                    else task + self.strength * mark
                    for task, mark in zip(grads, added, strict=True)
                ]
                return natural_apply(total, trainable_variables)

            optimizer.apply = apply
            try:
                return step(data)
            finally:
                del optimizer.apply

        return marked_step
