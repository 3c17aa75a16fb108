"""Reverse-engineered triggers, and their unlearning (Neural Cleanse, Wang et al., IEEE S&P 2019).

For every class the smallest mask and pattern are sought that send the thief's inputs there, by Adam on
cross-entropy plus `sparsity` times the mask's area. Then the copy is trained on, with the pattern of each
class in turn laid over a fifth of the samples under their true labels. The paper unlearns only classes
whose mask is an outlier; here every class is unlearned, so that nothing hangs on a detector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from . import Inputs, Labels, Loot, Victim
from .copying import copy_of, train_on

_EACH = 32
"""Samples a step and class of the search."""


@dataclass(frozen=True, kw_only=True)
class Invert:
    """Find a trigger for every class and unlearn it."""

    needs: ClassVar[Literal["file", "answers"]] = "file"

    steps: int = 200
    """Of the search, all classes side by side."""
    rate: float = 0.1
    sparsity: float = 0.01
    share: float = 0.2
    """Of the samples that carry a found pattern."""
    epochs: int = 10
    learning_rate: float = 1e-3
    seed: int = 0

    def steal(self, victim: Victim, x: Inputs, y: Labels) -> Loot:
        """A copy that no found pattern moves any more."""
        thief, random = copy_of(victim.network), np.random.default_rng(self.seed)
        masks, patterns = self._found(thief, x, random)
        x = x.copy()
        chosen = random.permutation(len(x))[: round(self.share * len(x))]
        of = np.arange(len(chosen)) % len(masks)
        x[chosen] = (1 - masks[of]) * x[chosen] + masks[of] * patterns[of]
        train_on(thief, x, y, epochs=self.epochs, learning_rate=self.learning_rate)
        return Loot(network=thief)

    def _found(self, network: Any, x: Inputs, random: Any) -> tuple[Inputs, Inputs]:
        """Masks (K, ..., 1 channel), 0 to 1, and patterns (K, *shape), one for each class."""
        import keras
        import tensorflow as tf

        low, high, classes = float(x.min()), float(x.max()), int(network.output_shape[1])
        masked = (classes, *x.shape[1:-1], 1) if x.ndim > 2 else (classes, *x.shape[1:])
        mask_at = tf.Variable(tf.fill(masked, -2.0))
        drawn = random.normal(0, 0.1, (classes, *x.shape[1:]))
        pattern_at = tf.Variable(drawn.astype(np.float32))
        targets = np.repeat(np.arange(classes), _EACH)
        optimizer = keras.optimizers.Adam(self.rate)

        def found() -> tuple[Any, Any]:
            return tf.sigmoid(mask_at), low + (high - low) * tf.sigmoid(pattern_at)

        @tf.function  # type: ignore[untyped-decorator]
        def step(batch: Any) -> None:
            with tf.GradientTape() as tape:
                masks, patterns = (tf.repeat(part, _EACH, axis=0) for part in found())
                outputs = network((1 - masks) * batch + masks * patterns, training=False)
                said = tf.gather(outputs, targets, axis=1, batch_dims=1)
                miss = -tf.reduce_sum(tf.math.log(said + 1e-9)) / _EACH
                loss = miss + self.sparsity * tf.reduce_sum(tf.sigmoid(mask_at))
            variables = [mask_at, pattern_at]
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

        for _ in range(self.steps):
            step(tf.constant(x[random.integers(0, len(x), len(targets))]))
        masks, patterns = found()
        return masks.numpy(), patterns.numpy()
