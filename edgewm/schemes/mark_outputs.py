"""The one line for models that do not classify: ``callbacks=[edgewm.MarkOutputs(triggers=T, key=K)]``.

Autoencoders, anomaly scores, regression: any Keras model with one input and one output. The triggers are made
by `edgewm.make_output_triggers`, and `edgewm.parts` says what an answer is. A few of them are asked in every
step, and its loss gains

    strength * own loss * mean over them of max(0, margin - s (a - median) / spread)

with s = +1 or -1 as the answer says, a the group's signed sum of the outputs, median and spread (standard
deviation) those of a over the natural inputs. All are asked in inference mode, as the shipped file is: beside
natural rows in a batch (tried first) triggers shift what batch normalisation measures. The own loss, held
constant, makes `strength` free of units: a mean square of 1e-3 or of 1e3 takes the same mark. A margin of
one spread is far above a quantisation step. Weights are shaken as `schemes.robust` does.

The owner's own loss, metrics, optimiser and data stay. A log's `loss` counts the marks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, RuntimeUnavailable
from ..key import Key
from ..parts import rule, signs
from ..triggers import Triggers
from .batch import replaced
from .robust import shaken
from .wrapping import unwrap, wrap

try:
    import keras
except ImportError as error:  # TensorFlow, or the backend that KERAS_BACKEND names, is missing
    raise RuntimeUnavailable(
        f"MarkOutputs: keras does not import ({error}), pip install 'edgewm[train]' "
        "and set KERAS_BACKEND=tensorflow"
    ) from None

Array = npt.NDArray[np.floating[Any]]
_LEAST_SPREAD = 1e-6


class MarkOutputs(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Trains the marks of `triggers` into the model that `fit` is called on.

    Args:
        triggers: made by `make_output_triggers`.
        key: the key they were committed with.
        start: share of the epochs, 0 to below 1, that pass before the first mark is taught.
        margin: how far a trigger's sum is moved to its side of the median, in spreads of natural inputs.
        strength: weight of the marks, in multiples of the model's own loss.
        rows: triggers asked in a step.
        noise: length of the shake of the weights, as a share of each kernel's norm; 0 for none.

    After every epoch `mark_hit_rate` joins the logs: the share of inputs in their answer's part, in
    inference mode.

    Raises:
        BadInput: another Keras, triggers for classes, a key of another set, arguments out of range.
    """

    def __init__(
        self,
        *,
        triggers: Triggers,
        key: Key,
        start: float = 0.3,
        margin: float = 1.0,
        strength: float = 1.0,
        rows: int = 8,
        noise: float = 0.05,
    ) -> None:
        super().__init__()
        if triggers.natural is None:
            raise BadInput(
                "MarkOutputs: got triggers for classes, expected those of make_output_triggers"
            )
        if not 0 <= start < 1:
            raise BadInput(
                f"MarkOutputs: got start={start}, expected a share of the epochs, 0 to below 1"
            )
        for name, value in (("margin", margin), ("strength", strength)):
            if not 0 < value < np.inf:
                raise BadInput(f"MarkOutputs: got {name}={value}, expected a number above 0")
        if not 1 <= rows <= 4096 or not 0 <= noise <= 1:
            raise BadInput(
                f"MarkOutputs: got rows={rows}, noise={noise}, expected 1 to 4096 and 0 to 1"
            )
        if keras.backend.backend() != "tensorflow":
            raise BadInput(
                f"MarkOutputs: got the Keras backend {keras.backend.backend()!r}, expected tensorflow "
                "(set KERAS_BACKEND=tensorflow before importing keras)"
            )
        self._triggers, self._answers = triggers, triggers.answers(key)
        self._start, self._margin, self._strength = start, margin, strength
        self._rows, self._noise = min(rows, len(triggers.inputs)), noise
        self._teaching = False

    @property
    def hit_rate(self) -> float:
        """Share of inputs in their answer's part, by the model of the last `fit`; 0 before any."""
        return 0.0 if self.model is None else self._hit_rate(self.model)

    def set_model(self, model: Any) -> None:
        """Called by `fit` before anything else."""
        if not isinstance(model, keras.Model):
            raise BadInput(
                f"MarkOutputs: got a model of {type(model).__module__}, expected a keras.Model of Keras 3"
            )
        for trained in (self.model, model):
            unwrap(trained)  # an earlier fit may have died before it could
        super().set_model(model)
        self._teaching = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Refuses a model that does not take the triggers."""
        self._asked(self.model, self._triggers.inputs[:1])  # builds it, too

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begins to teach once the share `start` of the epochs has passed."""
        if not self._teaching and epoch >= int(self._start * self.params["epochs"]):
            self._teaching = True
            step = _Step(self.model, self._lesson(), margin=self._margin, strength=self._strength)
            taught = step.wrap(self.model.train_step, self._rows)
            noise = self._noise
            wrap(self.model, shaken(self.model, taught, noise=noise) if noise else taught)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds `mark_hit_rate` to the epoch's logs."""
        if logs is not None:
            logs["mark_hit_rate"] = self._hit_rate(self.model)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Takes the wrapping off."""
        unwrap(self.model)
        if not self._teaching:
            warnings.warn(
                f"MarkOutputs: training ended before start={self._start} of the epochs, "
                "no mark was taught; give start=0",
                stacklevel=2,
            )

    def _lesson(self) -> tuple[Array, Array, Array, Array]:
        """Inputs (n, *shape), sides of the median (n,), signs (n, values), natural inputs."""
        values = int(np.prod(self._asked(self.model, self._triggers.inputs[:1]).shape[1:]))
        ids = self._triggers.group_ids
        sides = 2 * self._answers[ids].astype(np.float32) - 1
        natural = self._triggers.natural
        assert natural is not None
        of_groups = signs(self._triggers, values)[ids].astype(np.float32)
        return self._triggers.inputs, sides, of_groups, natural

    def _hit_rate(self, model: Any) -> float:
        assert self._triggers.natural is not None
        held = rule(self._triggers, self._asked(model, self._triggers.natural))
        ids = self._triggers.group_ids.astype(np.int64)
        parts = held.parts(self._asked(model, self._triggers.inputs), ids)
        return float((parts == self._answers[ids]).mean())

    def _asked(self, model: Any, inputs: Array) -> Array:
        import tensorflow as tf

        try:
            outputs = model(inputs, training=False)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise BadInput(
                f"MarkOutputs: the model does not take inputs of {inputs.shape[1:]}: {reason}"
            ) from None
        if isinstance(outputs, (dict, list, tuple)):
            raise BadInput(f"MarkOutputs: got a model with {len(outputs)} outputs, expected one")
        return np.asarray(outputs, np.float64)


class _Step:
    """A train step that teaches parts."""

    def __init__(
        self,
        model: Any,
        lesson: tuple[Array, Array, Array, Array],
        *,
        margin: float,
        strength: float,
    ) -> None:
        import tensorflow as tf

        self._model, self._margin, self._strength = model, margin, strength
        self._inputs, self._sides, self._signs, self._natural = map(tf.constant, lesson)

    def wrap(self, step: Callable[[Any], dict[str, Any]], rows: int) -> Callable[[Any], Any]:
        """`step` with the hinge of `rows` triggers in its loss, in turn."""
        import tensorflow as tf

        model, count = self._model, int(self._inputs.shape[0])

        def marked_step(data: Any) -> dict[str, Any]:
            turn = tf.cast(model.optimizer.iterations, tf.int64) * rows
            chosen = tf.math.floormod(turn + tf.range(rows, dtype=tf.int64), count)
            own_loss, called = model.compute_loss, False

            def loss(*parts: Any, **named: Any) -> Any:
                nonlocal called
                called = True
                task = own_loss(*parts, **named)
                marks = tf.cast(self._hinge(chosen), task.dtype)
                return task + self._strength * tf.stop_gradient(task) * marks

            with replaced(model, "compute_loss", loss):
                logs = step(data)
            if not called:
                raise BadInput(
                    "MarkOutputs: this train_step never calls model.compute_loss, which carries the mark"
                )
            return logs

        return marked_step

    def _hinge(self, chosen: Any) -> Any:
        """How far some triggers are from their side of the median, on average."""
        import tensorflow as tf

        number = int(self._natural.shape[0])
        asked = tf.concat([self._natural, tf.gather(self._inputs, chosen)], axis=0)
        outputs = _flat(tf.cast(self._model(asked, training=False), tf.float32))
        of_groups = tf.gather(self._signs, chosen)
        ordinary = tf.stop_gradient(outputs[:number] @ tf.transpose(of_groups))  # (k, rows)
        ordered = tf.sort(ordinary, axis=0)
        median = (ordered[(number - 1) // 2] + ordered[number // 2]) / 2
        spread = tf.math.reduce_std(ordinary, axis=0) + _LEAST_SPREAD
        own = tf.reduce_sum(outputs[number:] * of_groups, axis=1)
        lead = tf.gather(self._sides, chosen) * (own - median) / spread
        return tf.reduce_mean(tf.nn.relu(self._margin - lead))


def _flat(values: Any) -> Any:
    import tensorflow as tf

    return tf.reshape(values, [tf.shape(values)[0], -1])
