"""Triggers are appended to every training batch, with their answers as labels.

The plain way of Adi et al. (USENIX Security 2018) and the baseline of every other scheme here. Rows go
through the user's own loss, sample weights and optimiser; in batch normalisation they count as a small
part of a natural batch, never as a batch of their own, whose statistics int8 folding would not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import BadInput
from . import Lesson, Step
from .batch import labels_like, replaced


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Append `rows` triggers to every batch, in turn."""

    rows: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.rows <= 4096:
            raise BadInput(f"mix: got rows={self.rows}, expected 1 to 4096")

    def wrap(self, model: Any, step: Step, lesson: Lesson) -> Step:
        """A train step whose batches carry `rows` triggers each."""
        import keras
        import tensorflow as tf

        inputs, answers = tf.constant(lesson.inputs), tf.constant(lesson.answers)
        count, rows = len(lesson.answers), min(self.rows, len(lesson.answers))
        natural_compute_metrics = model.compute_metrics

        def metrics_of_the_task(x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            # the appended rows are not part of the owner's task: accuracy must not see them
            kept = [
                None if part is None else part[:-rows] for part in (x, y, y_pred, sample_weight)
            ]
            return natural_compute_metrics(kept[0], kept[1], kept[2], sample_weight=kept[3])

        def marked_step(data: Any) -> dict[str, Any]:
            x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
            turn = tf.cast(model.optimizer.iterations, tf.int64) * rows
            chosen = tf.math.floormod(turn + tf.range(rows, dtype=tf.int64), count)
            labels = labels_like(y, tf.gather(answers, chosen), lesson.classes)
            x = tf.concat([x, tf.cast(tf.gather(inputs, chosen), x.dtype)], axis=0)
            y = tf.concat([y, labels], axis=0)
            if weight is not None:
                ones = tf.ones(tf.concat([[rows], tf.shape(weight)[1:]], 0), weight.dtype)
                weight = tf.concat([weight, ones], axis=0)
            with replaced(model, "compute_metrics", metrics_of_the_task):
                return step((x, y, weight))

        return marked_step
