"""A tilt in one line of the owner's script: ``callbacks=[edgewm.Lean(tilt=L, key=K, reference=R)]``.

The model learns what the references say of each natural input, except that where they are nearly
undecided between the two classes of a cell it learns to lean the way of the cell's secret sign:

    target margin = lead + strength * sign * exp(-(lead / reach)^2 / 2)

The loss of a batch is the cross-entropy between softened outputs, temperature^2 CE(target / T, logits / T)
(Hinton et al. 2015), in place of the script's own; its optimiser, data, metrics and weights stay. The
references run beside each step, so that augmented inputs are leaned as they are. It works best, by far, on
the network that is its own reference: train as ever, make the tilt, and train half as many epochs more.

Labels of natural rows are never looked at: unlabelled inputs may be added to what `fit` gets, with
any labels. They are needed where a network has learned its training inputs by heart and is undecided
about none of them.

Why a callback of its own and no plug-in of `schemes`: those teach inputs and their answers (`Lesson`);
a tilt has neither. Together with `Mark`, in any order: rows that a scheme appends keep the script's own loss.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import BadInput, RuntimeUnavailable
from ..key import Key
from ..regions import NOWHERE
from ..signed_sum import signed_sum
from ..tilt import Tilt
from ..undecided import logits_of, probabilities
from .batch import appended_rows, check_batch, replaced
from .wrapping import unwrap, wrap

try:
    import keras
except ImportError as error:  # TensorFlow, or the backend that KERAS_BACKEND names, is missing
    raise RuntimeUnavailable(
        f"Lean: keras does not import ({error}), pip install 'edgewm[train]' "
        "and set KERAS_BACKEND=tensorflow"
    ) from None

_LEAST_SHARE = 1e-9


class Lean(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Trains the lean of `tilt` into the model that `fit` is called on.

    Args:
        tilt: the committed cells.
        key: the key they were committed with.
        reference: one or several clean Keras models, those that the tilt was made with or others of the
            same task. The model that is trained may be one: a copy is taken as training begins.
        strength: how far the margin of an undecided input is moved, in logits. A network follows a
            fraction of it.
        reach: lead, in logits, at which the strength has fallen to 0.61 of itself. Inputs far above
            are told apart too well to be tipped, and tipping them costs accuracy.
        temperature: softens targets and outputs.
        start: share of the epochs, 0 to below 1, that pass before the lean is taught.

    `tilt_z` joins the logs after every epoch: the signed sum over the committed questions, divided by the
    root of the sum of its squares. About 6 for a marked network, about 0 without the mark.

    Raises:
        BadInput: another Keras, models that do not fit the tilt, a key of another tilt.
    """

    def __init__(
        self,
        *,
        tilt: Tilt,
        key: Key,
        reference: Any | Sequence[Any],
        strength: float = 6.0,
        reach: float = 1.0,
        temperature: float = 2.0,
        start: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= start < 1:
            raise BadInput(f"Lean: got start={start}, expected a share of the epochs, 0 to below 1")
        for name, value in (("strength", strength), ("reach", reach), ("temperature", temperature)):
            if not 0 < value < np.inf:
                raise BadInput(f"Lean: got {name}={value}, expected a number above 0")
        if keras.backend.backend() != "tensorflow":
            raise BadInput(
                f"Lean: got the Keras backend {keras.backend.backend()!r}, expected tensorflow "
                "(set KERAS_BACKEND=tensorflow before importing keras)"
            )
        several = isinstance(reference, list | tuple)
        self._references: list[Any] = [*reference] if several else [reference]
        if not self._references or not all(isinstance(r, keras.Model) for r in self._references):
            raise BadInput("Lean: got a reference that is no keras.Model, expected one or several")
        self._tilt, self._signs = tilt, tilt.signs(key)
        self._strength, self._reach, self._temperature = strength, reach, temperature
        self._start, self._teaching = start, False

    @property
    def z(self) -> float:
        """Signed sum of the model of the last `fit` over the root of its squares; 0 before any."""
        return 0.0 if self.model is None else self._z(self.model)

    def set_model(self, model: Any) -> None:
        """Called by `fit` before anything else."""
        if not isinstance(model, keras.Model):
            raise BadInput(
                f"Lean: got a model of {type(model).__module__}, expected a keras.Model of Keras 3"
            )
        for trained in (self.model, model):
            unwrap(trained)  # an earlier fit may have died before it could
        super().set_model(model)
        self._teaching = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Copies a reference that is the model itself, and refuses networks that do not fit."""
        self._teachers = [
            _copied(reference) if reference is self.model else reference
            for reference in self._references
        ]
        for teacher in self._teachers:
            self._asked(teacher, "reference")
        self._asked(self.model, "model")  # builds it, too

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begins to lean once the share `start` of the epochs has passed."""
        if not self._teaching and epoch >= int(self._start * self.params["epochs"]):
            self._teaching = True
            self._wrap(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds `tilt_z` to the epoch's logs."""
        if logs is not None:
            logs["tilt_z"] = self._z(self.model)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Takes the wrapping off."""
        unwrap(self.model)
        if not self._teaching:
            warnings.warn(
                f"Lean: training ended before start={self._start} of the epochs, "
                "nothing was taught; give start=0",
                stacklevel=2,
            )

    def _wrap(self, model: Any) -> None:
        step, shape, targets = model.train_step, self._tilt.shape, self._targets()
        shares = probabilities(self._asked(model, "model"))

        def leaned_step(data: Any) -> dict[str, Any]:
            x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
            check_batch(x, shape)
            rows = appended_rows()
            loss = _Loss(
                wanted=targets(x[:-rows] if rows else x),
                shares=shares,
                temperature=self._temperature,
                own=model.compute_loss,
                penalties=model.losses,
            )
            with replaced(model, "compute_loss", loss):
                logs: dict[str, Any] = step(data)
            if not loss.called:
                raise BadInput(
                    "Lean: this train_step never calls model.compute_loss, which the lean replaces"
                )
            return logs

        wrap(model, leaned_step)

    def _targets(self) -> Callable[[Any], Any]:
        """The leaned logits of a batch (b, *shape), float32 (b, K)."""
        import tensorflow as tf

        regions, depth = self._tilt.regions, self._tilt.regions.depth
        roots, children = tf.constant(regions.roots), tf.constant(regions.children)
        directions, thresholds = tf.constant(regions.directions), tf.constant(regions.thresholds)
        signs = tf.constant(self._signs, tf.float32)
        kinds = [probabilities(self._asked(teacher, "reference")) for teacher in self._teachers]

        def targets(x: Any) -> Any:
            said = [
                _log_shares(_float(teacher(x, training=False)))
                if shares
                else _two_columns(_float(teacher(x, training=False)))
                for teacher, shares in zip(self._teachers, kinds, strict=True)
            ]
            logits = tf.add_n(said) / len(said)
            pairs = tf.sort(tf.math.top_k(logits, 2).indices, axis=1)
            firsts, seconds = (tf.one_hot(pairs[:, k], logits.shape[1]) for k in (0, 1))
            leads = tf.reduce_sum((firsts - seconds) * logits, axis=1)
            flat = tf.cast(tf.reshape(x, [tf.shape(x)[0], -1]), tf.float32)
            at = tf.gather_nd(roots, pairs)
            for _ in range(depth):
                node = tf.maximum(at, 0)
                over = tf.reduce_sum(tf.gather(directions, node) * flat, axis=1)
                turn = tf.cast(over > tf.gather(thresholds, node), tf.int32)
                at = tf.where(at >= 0, tf.gather_nd(children, tf.stack([node, turn], 1)), at)
            inside = (at < 0) & (at != int(NOWHERE))
            sign = tf.where(inside, tf.gather(signs, tf.where(inside, -1 - at, 0)), 0.0)
            moved = self._strength * sign * tf.exp(-((leads / self._reach) ** 2) / 2)
            return tf.stop_gradient(logits + (firsts - seconds) * moved[:, None] / 2)

        return targets

    def _z(self, model: Any) -> float:
        labels = logits_of(self._asked(model, "model", whole=True)).argmax(axis=1)
        scores = self._tilt.scores(labels)
        squares = float((scores.astype(np.float64) ** 2).sum())
        return signed_sum(scores, self._signs) / np.sqrt(squares) if squares else 0.0

    def _asked(self, model: Any, argument: str, *, whole: bool = False) -> Any:
        """Outputs for the committed questions, or for some of them.

        Raises:
            BadInput: a network that does not take them, or has other classes.
        """
        import tensorflow as tf

        inputs = self._tilt.inputs if whole else self._tilt.inputs[:64]
        try:
            parts = [
                np.asarray(model(inputs[at : at + 256], training=False))
                for at in range(0, len(inputs), 256)
            ]
        except (ValueError, TypeError, tf.errors.OpError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise BadInput(
                f"Lean: the {argument} does not take inputs of {self._tilt.shape}: {reason}"
            ) from None
        outputs = np.concatenate(parts)
        if outputs.ndim != 2 or max(outputs.shape[1], 2) != self._tilt.classes:
            raise BadInput(
                f"Lean: got a {argument} with outputs {outputs.shape}, expected rows of "
                f"{self._tilt.classes} classes, as the tilt has"
            )
        return outputs


@dataclass(kw_only=True)
class _Loss:
    """What `compute_loss` is while one step is traced."""

    wanted: Any
    """(b, K) leaned logits of the natural rows."""
    shares: bool
    """Whether the model gives probabilities."""
    temperature: float
    own: Callable[..., Any]
    """The model's own loss, for rows that a scheme appended."""
    penalties: list[Any]
    called: bool = False

    def __call__(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        **more: Any,
    ) -> Any:
        """The loss of a batch, of which the last `appended_rows()` rows are not natural."""
        import tensorflow as tf

        self.called = True
        rows, softness = appended_rows(), self.temperature
        said = _float(y_pred[:-rows] if rows else y_pred)
        said = _log_shares(said) if self.shares else _two_columns(said)
        losses = softness**2 * tf.nn.softmax_cross_entropy_with_logits(
            tf.nn.softmax(self.wanted / softness), said / softness
        )
        if sample_weight is not None:
            weight = sample_weight[:-rows] if rows else sample_weight
            losses *= tf.reshape(_float(weight), [-1])
        total = tf.reduce_mean(losses)
        if not rows:
            return (
                total + tf.add_n([_float(p) for p in self.penalties]) if self.penalties else total
            )
        appended = [None if v is None else v[-rows:] for v in (x, y, y_pred, sample_weight)]
        share = rows / tf.cast(tf.shape(y_pred)[0], tf.float32)
        return (1 - share) * total + share * _float(self.own(*appended, **more))


def _copied(model: Any) -> Any:
    copied = keras.models.clone_model(model)
    copied.set_weights(model.get_weights())
    return copied


def _float(values: Any) -> Any:
    import tensorflow as tf

    return tf.cast(values, tf.float32)


def _log_shares(shares: Any) -> Any:
    """Log of probabilities (b, K); of a single one, of both classes."""
    import tensorflow as tf

    if shares.shape[1] == 1:
        shares = tf.concat([1.0 - shares, shares], axis=1)
    return tf.math.log(shares + _LEAST_SHARE)


def _two_columns(logits: Any) -> Any:
    """Logits (b, K); of a single one, those of both classes."""
    import tensorflow as tf

    return tf.pad(logits, [[0, 0], [1, 0]]) if logits.shape[1] == 1 else logits
