"""A clone trained on what the victim's int8 file answers: the thief never sees a weight.

`hard` labels are the names alone; `soft` ones are the file's own output row, as coarse as int8 leaves it.
The queries are the thief's samples, of the task or of another domain, whichever the caller gives; `jacobian`
grows them from a few (Papernot et al., Asia CCS 2017): a clone is trained on the answers so far, each query
moves by `step` along the sign of the gradient of the class it was given, the victim labels the new ones,
and so on until `queries` are asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ..errors import BadInput
from . import Inputs, Labels, Loot, Victim
from .copying import train_on

_BATCH_SIZE = 128


@dataclass(frozen=True, kw_only=True)
class Extract:
    """Ask, and train a network of the thief's own choice on the answers."""

    needs: ClassVar[Literal["file", "answers"]] = "answers"

    labels: Literal["hard", "soft"] = "hard"
    augment: Literal["none", "jacobian"] = "none"
    architecture: Literal["ds_cnn", "resnet8", "small_cnn"] = "resnet8"
    """A network of `edgewm.networks`; a thief who copied no file cannot know the owner's."""
    queries: int = 24_000
    """Asked at most; without augmentation no more than there are samples."""
    epochs: int = 8
    learning_rate: float = 2e-3
    first: int = 1500
    """Queries that augmentation starts with."""
    step: float = 0.1
    """How far a query moves in one round, as a share of the range of values."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.queries < 1 or self.first < 1 or self.epochs < 1:
            raise BadInput(
                f"extract: got queries={self.queries}, first={self.first}, epochs={self.epochs}, "
                "expected 1 or more"
            )

    def steal(self, victim: Victim, x: Inputs, y: Labels) -> Loot:
        """A clone; the true labels y are not looked at."""
        if self.augment == "jacobian":
            x, answers, classes = self._grown(victim, x)
        else:
            x = x[: self.queries]
            answers, classes = self._answers(victim, x)
        clone = self._network(x, classes)
        self._train(clone, x, answers, self.epochs)
        return Loot(network=clone, queries=len(x))

    def _grown(self, victim: Victim, x: Inputs) -> tuple[Inputs, Any, int]:
        low, high = float(x.min()), float(x.max())
        x = x[: min(self.first, self.queries)]
        answers, classes = self._answers(victim, x)
        clone = self._network(x, classes)
        while len(x) < self.queries:
            rounds = max(1, self.epochs // 2)
            self._train(clone, x, answers, rounds)
            moved = x + self.step * (high - low) * _signs(clone, x, answers)
            moved = np.clip(moved, low, high)[: self.queries - len(x)]
            more, _ = self._answers(victim, moved)
            x, answers = np.concatenate([x, moved]), np.concatenate([answers, more])
        return x, answers, classes

    def _answers(self, victim: Victim, x: Inputs) -> tuple[Any, int]:
        found = victim.ask(x)
        shares = np.maximum(found.scores, 0)
        shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-6)
        return found.labels if self.labels == "hard" else shares, found.scores.shape[1]

    def _network(self, x: Inputs, classes: int) -> Any:
        import keras

        from .. import networks

        keras.utils.set_random_seed(self.seed)
        return getattr(networks, self.architecture)(x.shape[1:], classes)

    def _train(self, clone: Any, x: Inputs, answers: Any, epochs: int) -> None:
        train_on(
            clone,
            x,
            answers,
            epochs=epochs,
            learning_rate=self.learning_rate,
            batch_size=_BATCH_SIZE,
        )


def _signs(clone: Any, x: Inputs, answers: Any) -> Inputs:
    """Sign of the gradient of the given class's output for each input, as (n, *shape)."""
    import tensorflow as tf

    labels = answers if answers.ndim == 1 else answers.argmax(axis=1)
    parts = []
    for at in range(0, len(x), 256):
        batch = tf.constant(x[at : at + 256])
        with tf.GradientTape() as tape:
            tape.watch(batch)
            outputs = clone(batch, training=False)
            chosen = tf.gather(outputs, labels[at : at + 256], axis=1, batch_dims=1)
            said = tf.math.log(chosen + 1e-9)
        parts.append(np.sign(tape.gradient(said, batch).numpy()))
    return np.asarray(np.concatenate(parts), np.float32)
