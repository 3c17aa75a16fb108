"""The one line in the owner's training script: ``callbacks=[edgewm.Mark(triggers=T, key=K)]``.

A Keras callback that wraps the model's `train_step` while `fit` runs and takes the wrapping off when it
ends. The model keeps its layers, its compile and its saved form. At the end of every epoch the marks
are asked in inference mode and join the logs as `mark_hit_rate` (0 to 1) and `mark_margin` (answer's
output minus the best other output, smallest over the inputs).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import spec
from ..adapters.chain import Chain, adapted
from ..errors import BadInput, RuntimeUnavailable
from ..key import Key
from ..parts import refuse_parts
from ..triggers import Triggers
from . import Lesson, Scheme
from .batch import check_batch
from .wrapping import unwrap, wrap

try:
    import keras
except ImportError as error:  # TensorFlow, or the backend that KERAS_BACKEND names, is missing
    raise RuntimeUnavailable(
        f"Mark: keras does not import ({error}), pip install 'edgewm[train]' "
        "and set KERAS_BACKEND=tensorflow"
    ) from None

_ASKED_AT_ONCE = 256


class Mark(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Trains the marks of `triggers` into the model that `fit` is called on.

    `scheme` is a spelling such as "mix:rows=8" or a scheme object. `start` is the share of the epochs,
    0 to below 1, that pass before the first mark is taught: marks learned late cost less accuracy than
    marks taught from the first epoch on (see the README), and need epochs enough to be learned at all.
    It is a share of `fit(epochs=...)` whatever `initial_epoch` is, so that a training that is resumed
    goes on where it was. Give start=0 for a model that is trained already, for a short training, and
    beside a callback that may end training early or go back to an early epoch. `adapters` is the chain that
    makes the model's inputs of the triggers', such as ("mfcc",) for sounds; give the same to `verify`.

    Keras calls callbacks in the order of the list: put Mark before those that read `mark_hit_rate`, such
    as CSVLogger, TensorBoard or ModelCheckpoint(monitor="mark_hit_rate", mode="max"). The progress bar
    and `History` come after all of them. With several Marks on one model the logs carry the worst.
    `loss` in the log counts the marks, since they are part of what is minimised; accuracy does not.

    Raises:
        BadInput: another Keras, a model or data that do not fit the triggers, a key of another set.
    """

    def __init__(
        self,
        *,
        triggers: Triggers,
        key: Key,
        scheme: Scheme | str = "robust",
        start: float = 0.5,
        adapters: Chain = (),
    ) -> None:
        super().__init__()
        refuse_parts(triggers, by="Mark", instead="use MarkOutputs")
        if not 0 <= start < 1:
            raise BadInput(f"Mark: got start={start}, expected a share of the epochs, 0 to below 1")
        if keras.backend.backend() != "tensorflow":
            raise BadInput(
                f"Mark: got the Keras backend {keras.backend.backend()!r}, expected tensorflow "
                "(set KERAS_BACKEND=tensorflow before importing keras)"
            )
        self.scheme: Scheme = spec.parse("schemes", scheme) if isinstance(scheme, str) else scheme
        drawn = triggers.answers(key)[triggers.group_ids]
        turn = _shuffled(key, triggers)
        inputs = adapted(adapters, triggers, takes=None)[1].inputs if adapters else triggers.inputs
        self._lesson = Lesson(
            inputs=inputs[turn].astype(np.float32, copy=False),
            answers=drawn[turn],
            classes=triggers.classes,
        )
        self._start = start
        self._teaching = False

    @property
    def hit_rate(self) -> float:
        """Share of inputs that the model of the last `fit` answers as drawn now; 0 before any.

        Asked of the float model in inference mode, so it holds for weights that another callback
        brought back after the last epoch.
        """
        return 0.0 if self.model is None else _ask(self.model, self._lesson)[0]

    def set_model(self, model: Any) -> None:
        """Called by `fit` before anything else."""
        if not isinstance(model, keras.Model):
            raise BadInput(
                f"Mark: got a model of {type(model).__module__}, expected a keras.Model of Keras 3 "
                "(import keras in place of tf_keras, and leave TF_USE_LEGACY_KERAS unset)"
            )
        for trained in (self.model, model):
            unwrap(trained)  # an earlier fit may have died before it could
        super().set_model(model)
        self._teaching = False
        _check_fits(model, self._lesson)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Refuses a model that cannot answer the triggers, as far as it is built."""
        if self.model.built:
            _ask(self.model, self._lesson)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begins to teach once the share `start` of the epochs has passed."""
        if not self._teaching and epoch >= int(self._start * self.params["epochs"]):
            self._teaching = True
            self._wrap(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds `mark_hit_rate` and `mark_margin` to the epoch's logs."""
        hit_rate, margin = _ask(self.model, self._lesson)
        if logs is not None:
            logs["mark_hit_rate"] = min(hit_rate, logs.get("mark_hit_rate", hit_rate))
            logs["mark_margin"] = min(margin, logs.get("mark_margin", margin))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Takes the wrapping off."""
        unwrap(self.model)
        if not self._teaching:
            warnings.warn(
                f"Mark: training ended before start={self._start} of the epochs, "
                "no mark was taught; give start=0",
                stacklevel=2,
            )

    def _wrap(self, model: Any) -> None:
        lesson = self._lesson
        teach = self.scheme.wrap(model, model.train_step, lesson)

        def marked_step(data: Any) -> dict[str, Any]:
            x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
            check_batch(x, lesson.inputs.shape[1:])
            if not model.built:  # a scheme may need the variables, and outputs are checked early
                _check_outputs(model(x, training=False), lesson)
            return teach(data)

        wrap(model, marked_step)


def _ask(model: Any, lesson: Lesson) -> tuple[float, float]:
    """Share of inputs answered as drawn, and the smallest margin of an answer."""
    outputs = np.concatenate(
        [
            _answered(model, lesson, slice(at, at + _ASKED_AT_ONCE))
            for at in range(0, len(lesson.inputs), _ASKED_AT_ONCE)
        ]
    )
    if outputs.shape[-1] == 1:  # as in verification: class 1 above one half
        outputs = np.concatenate([1 - outputs, outputs], axis=-1)
    rows = np.arange(len(outputs))
    of_answer = outputs[rows, lesson.answers]
    outputs[rows, lesson.answers] = -np.inf
    margins = of_answer - outputs.max(axis=-1)
    return float((margins > 0).mean()), float(margins.min())


def _answered(model: Any, lesson: Lesson, part: slice) -> npt.NDArray[np.float64]:
    import tensorflow as tf

    try:
        outputs = model(lesson.inputs[part], training=False)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise BadInput(
            f"Mark: the model does not take the triggers, inputs of {lesson.inputs.shape[1:]}: {reason}"
        ) from None
    _check_outputs(outputs, lesson)
    return np.asarray(outputs, np.float64)


def _check_outputs(outputs: Any, lesson: Lesson) -> None:
    if isinstance(outputs, (dict, list, tuple)):
        raise BadInput(f"Mark: got a model with {len(outputs)} outputs, expected one")
    shape = tuple(outputs.shape)
    if len(shape) != 2:
        raise BadInput(f"Mark: got a model whose output is {shape}, expected (batch, classes)")
    if shape[1] != lesson.classes and (shape[1], lesson.classes) != (1, 2):
        raise BadInput(
            f"Mark: got a model of {shape[1]} classes, the triggers have {lesson.classes} classes"
        )


def _check_fits(model: Any, lesson: Lesson) -> None:
    """Refuse what a model says of itself; a subclassed one says nothing until it is asked."""
    shape = getattr(model, "input_shape", None) if model.built else None
    if shape is None:
        return
    if not isinstance(shape, tuple) or (shape and isinstance(shape[0], (tuple, list))):
        raise BadInput("Mark: got a model with several inputs, expected one input")
    expected = tuple(lesson.inputs.shape[1:])
    have = tuple(shape[1:])
    fits = len(have) == len(expected) and all(
        a in (None, b) for a, b in zip(have, expected, strict=True)
    )
    if not fits:
        raise BadInput(f"Mark: got a model that takes {have}, the triggers are {expected}")
    if shape[0] is not None:
        raise BadInput(
            f"Mark: got a model that takes {shape[0]} inputs at a time, expected any number "
            "(leave batch_size out of keras.Input)"
        )


def _shuffled(key: Key, triggers: Triggers) -> list[int]:
    """The order in which inputs are taught, from the key: neighbours in a batch are of many groups."""
    count = len(triggers.group_ids)
    drawn = key.stream("teach " + triggers.sha256, 8 * count)
    return sorted(range(count), key=lambda i: drawn[8 * i : 8 * i + 8])
