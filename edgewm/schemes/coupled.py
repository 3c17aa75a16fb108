"""Triggers mixed into every batch, their features pulled towards those of ordinary inputs of their answer.

A network can learn triggers apart from its task, and a clone that learns the task then learns none of them.
The coupling is the soft nearest neighbour loss of Frosst et al. (ICML 2019) as EWE (Jia et al., USENIX
Security 2021) and DeepTracer (AAAI 2026) use it: among the ordinary rows of a batch, those of a
trigger's answer shall be the nearest, by cosine in what the last dense layer takes,

    loss += weight * mean over triggers of -ln(share of exp(cosine / temperature) of their answer's rows)

Triggers whose answer has no row in the batch are left out of the mean. What it does for clones of a small
network is measured in docs/robustness.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import BadInput
from . import Lesson, Step
from .batch import appended_rows, replaced
from .mix import Mix

_LEAST = 1e-4


@dataclass(frozen=True, kw_only=True)
class Coupled:
    """Append `rows` triggers to every batch, and pull them to their answer's class."""

    rows: int = 16
    weight: float = 1.0
    temperature: float = 0.1

    def __post_init__(self) -> None:
        if not 1 <= self.rows <= 4096:
            raise BadInput(f"coupled: got rows={self.rows}, expected 1 to 4096")
        if self.weight <= 0 or self.temperature <= 0:
            raise BadInput(
                f"coupled: got weight={self.weight}, temperature={self.temperature}, expected above 0"
            )

    def wrap(self, model: Any, step: Step, lesson: Lesson) -> Step:
        """A train step of marked batches with the coupling in its loss.

        Raises:
            BadInput: while the step is traced, a model without a dense layer, or a train_step of its own
                that never calls compute_loss.
        """

        def coupled_step(data: Any) -> dict[str, Any]:
            taken: list[Any] = []
            last, loss = _last_dense(model), model.compute_loss
            call, called = last.call, []

            def watched(inputs: Any, *more: Any, **named: Any) -> Any:
                taken.append(inputs)
                return call(inputs, *more, **named)

            def with_coupling(
                x: Any = None,
                y: Any = None,
                y_pred: Any = None,
                sample_weight: Any = None,
                **more: Any,
            ) -> Any:
                called.append(True)
                total = loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **more)
                pulled = _coupling(taken[-1], y, rows=appended_rows(), temperature=self.temperature)
                return total + self.weight * pulled

            with replaced(last, "call", watched), replaced(model, "compute_loss", with_coupling):
                logs = step(data)
            if not called:
                raise BadInput(
                    "coupled: this train_step never calls model.compute_loss, which the coupling adds to"
                )
            return logs

        return Mix(rows=self.rows).wrap(model, coupled_step, lesson)


def _coupling(features: Any, y: Any, *, rows: int, temperature: float) -> Any:
    """The pull of the last `rows` features (b, d) to the rows before with their labels, a scalar."""
    import tensorflow as tf

    near = tf.math.l2_normalize(
        tf.cast(tf.reshape(features, (tf.shape(features)[0], -1)), tf.float32), 1
    )
    labels = tf.cast(y if y.shape.rank == 1 else _classes(y), tf.int64)
    close = tf.exp(tf.matmul(near[-rows:], near[:-rows], transpose_b=True) / temperature)
    same = tf.cast(labels[-rows:, None] == labels[None, :-rows], tf.float32)
    share = tf.reduce_sum(close * same, axis=1) / tf.reduce_sum(close, axis=1)
    there = tf.cast(tf.reduce_any(same > 0, axis=1), tf.float32)
    pulls = -tf.math.log(share + _LEAST) * there
    return tf.reduce_sum(pulls) / tf.maximum(tf.reduce_sum(there), 1.0)


def _classes(y: Any) -> Any:
    """Class numbers (b,) of labels (b, 1) or one-hot rows (b, K)."""
    import tensorflow as tf

    return y[:, 0] if y.shape[1] == 1 else tf.argmax(y, axis=1)


def _last_dense(model: Any) -> Any:
    import keras

    dense = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.Dense)
    ]
    if not dense:
        raise BadInput("coupled: the model has no dense layer, expected one that gives its outputs")
    return dense[-1]
