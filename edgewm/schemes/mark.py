"""The one line in the owner's training script: ``callbacks=[edgewm.Mark(triggers=T, key=K)]``.

A Keras callback that wraps the model's `train_step` while `fit` runs and takes the wrapping off when it
ends. The model keeps its layers, its compile and its saved form. At the end of every epoch the marks
are asked in inference mode and join the logs as `mark_hit_rate` (0 to 1) and `mark_margin` (answer's
output minus the best other output, smallest over the inputs).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from .. import spec
from ..errors import BadInput
from ..key import Key
from ..triggers import Triggers
from . import Lesson, Scheme

_WRAPPED = "step_before_edgewm"


class Mark(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Trains the marks of `triggers` into the model that `fit` is called on.

    `scheme` is a spelling such as "mix:rows=8" or a scheme object. `start` is the share of the epochs,
    0 to below 1, that pass before the first mark is taught: marks learned late cost less accuracy than
    marks taught from the first epoch on (see the README), and need epochs enough to be learned at all.
    With a callback that may end training early, or for a short one, give start=0. After `fit`,
    `hit_rate` holds the share of inputs answered as drawn (float model, inference mode).

    Raises:
        BadInput: another Keras backend, a model that does not fit the triggers, a key of another set.
    """

    def __init__(
        self, *, triggers: Triggers, key: Key, scheme: Scheme | str = "mix", start: float = 0.5
    ) -> None:
        super().__init__()
        if not 0 <= start < 1:
            raise BadInput(f"Mark: got start={start}, expected a share of the epochs, 0 to below 1")
        if keras.backend.backend() != "tensorflow":
            raise BadInput(
                f"Mark: got the Keras backend {keras.backend.backend()!r}, expected tensorflow "
                "(set KERAS_BACKEND=tensorflow before importing keras)"
            )
        self.scheme: Scheme = spec.parse("schemes", scheme) if isinstance(scheme, str) else scheme
        self.hit_rate = 0.0
        drawn = triggers.answers(key)[triggers.group_ids]
        turn = _shuffled(key, triggers)
        self._lesson = Lesson(
            inputs=triggers.inputs[turn], answers=drawn[turn], classes=triggers.classes
        )
        self._start = start
        self._first_epoch: int | None = None
        self._wrapped: Any = None

    def set_model(self, model: Any) -> None:
        """Called by `fit` before it traces the train step: the moment to wrap it."""
        super().set_model(model)
        if model.built:
            _check_fits(model, self._lesson)
        self.on_train_end()  # an earlier fit may have died before it could
        self._first_epoch = None
        if self._start == 0:
            self._wrap(model)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begins to teach once the share `start` of the epochs of this fit has passed."""
        if self._first_epoch is None:
            self._first_epoch = epoch
        epochs = self.params["epochs"] - self._first_epoch
        if self._wrapped is None and epoch - self._first_epoch >= int(self._start * epochs):
            self._wrap(self.model)
            self.model.make_train_function()

    def _wrap(self, model: Any) -> None:
        step = model.train_step
        step = getattr(step, _WRAPPED, step)  # wrapped by a callback whose fit died
        wrapped = self.scheme.wrap(model, step, self._lesson)
        setattr(wrapped, _WRAPPED, step)
        self._wrapped = model
        model.train_step = wrapped
        model.train_function = None  # else an earlier fit's traced step would be used again

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds `mark_hit_rate` and `mark_margin` to the epoch's logs."""
        hit_rate, margin = self._ask()
        self.hit_rate = hit_rate
        if logs is not None:
            logs["mark_hit_rate"] = hit_rate
            logs["mark_margin"] = margin

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Takes the wrapping off."""
        if self._wrapped is not None:
            del self._wrapped.train_step
            self._wrapped.train_function = None
            self._wrapped = None

    def _ask(self) -> tuple[float, float]:
        outputs = np.asarray(self.model(self._lesson.inputs, training=False), np.float64)
        answers = self._lesson.answers
        if outputs.shape[-1] == 1:  # one sigmoid output: class 1 above one half
            outputs = np.concatenate([1 - outputs, outputs], axis=-1)
        rows = np.arange(len(answers))
        of_answer = outputs[rows, answers]
        outputs[rows, answers] = -np.inf
        margins = of_answer - outputs.max(axis=-1)
        return float((margins > 0).mean()), float(margins.min())


def _shuffled(key: Key, triggers: Triggers) -> list[int]:
    """The order in which inputs are taught, from the key: neighbours in a batch are of many groups."""
    count = len(triggers.group_ids)
    drawn = key.stream("teach " + triggers.sha256, 8 * count)
    return sorted(range(count), key=lambda i: drawn[8 * i : 8 * i + 8])


def _check_fits(model: Any, lesson: Lesson) -> None:
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, (list, dict)) or (shape and isinstance(shape[0], (tuple, list))):
        raise BadInput("Mark: got a model with several inputs, expected one input")
    expected = tuple(lesson.inputs.shape[1:])
    if shape is not None and any(
        have not in (None, want) for have, want in zip(shape[1:], expected, strict=False)
    ):
        raise BadInput(f"Mark: got a model that takes {shape[1:]}, the triggers are {expected}")
    output = getattr(model, "output_shape", None)
    if isinstance(output, tuple) and output[-1] not in (lesson.classes, None):
        one_output = output[-1] == 1 and lesson.classes == 2
        if not one_output:
            raise BadInput(
                f"Mark: got a model with {output[-1]} outputs, the triggers have {lesson.classes} classes"
            )
