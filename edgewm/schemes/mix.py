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
from .batch import appended, joined, labels_like, replaced


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
        count = len(lesson.answers)

        def marked_step(data: Any) -> dict[str, Any]:
            x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
            replica = tf.distribute.get_replica_context()
            replicas = replica.num_replicas_in_sync
            # replicas share the rows out, so that a step teaches the same on any number of them
            rows = -(-min(self.rows, count) // replicas)
            step_number = tf.cast(model.optimizer.iterations, tf.int64)
            turn = step_number * replicas + tf.cast(replica.replica_id_in_sync_group, tf.int64)
            chosen = tf.math.floormod(turn * rows + tf.range(rows, dtype=tf.int64), count)
            labels = labels_like(y, tf.gather(answers, chosen), lesson.classes)
            x = joined(x, tf.gather(inputs, chosen))
            y = tf.concat([y, labels], axis=0)
            if weight is not None:
                weight = _with_mean(weight, rows)
            natural_compute_metrics = model.compute_metrics

            def metrics_of_the_task(x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
                # the appended rows are not part of the owner's task: accuracy must not see them
                x, y, y_pred, weight = (
                    None if part is None else part[:-rows] for part in (x, y, y_pred, sample_weight)
                )
                return natural_compute_metrics(x, y, y_pred, sample_weight=weight)

            with replaced(model, "compute_metrics", metrics_of_the_task), appended(rows):
                # two values where there were two: a step of the owner's may unpack them
                return step(keras.utils.pack_x_y_sample_weight(x, y, weight))

        return marked_step


def _with_mean(weight: Any, rows: int) -> Any:
    """Weights of a batch, and their mean for `rows` more: a mark weighs as much as any sample."""
    import tensorflow as tf

    weight = weight if weight.dtype.is_floating else tf.cast(weight, tf.float32)
    mean = tf.reduce_mean(weight, axis=0, keepdims=True)
    return tf.concat([weight, tf.repeat(mean, rows, axis=0)], axis=0)
