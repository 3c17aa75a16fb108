"""Fine-pruning (Liu, Dolan-Gavitt and Garg, RAID 2018): cut channels that ordinary inputs leave asleep.

The channels of the last convolution are cut in the order of their mean activation on the thief's own
samples, as many as cost no more than `loss_points` of accuracy there, and what is left is fine-tuned.
Marks that live in channels of their own go with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ..errors import BadInput
from . import Inputs, Labels, Loot, Victim
from .copying import copy_of, labels_of, train_on
from .prune import zeros_held


@dataclass(frozen=True, kw_only=True)
class FinePrune:
    """Cut sleeping channels of the last convolution, then train on."""

    needs: ClassVar[Literal["file", "answers"]] = "file"

    loss_points: float = 4.0
    """Accuracy on the thief's samples that the cut may cost before training, as in the paper."""
    epochs: int = 10
    learning_rate: float = 1e-3

    def steal(self, victim: Victim, x: Inputs, y: Labels) -> Loot:
        """A cut and fine-tuned copy."""
        thief = copy_of(victim.network)
        weights, activity = _last_convolution(thief, x)
        order = np.argsort(activity)
        before = [weight.numpy() for weight in weights]
        bar = (labels_of(thief, x) == y).mean() - self.loss_points / 100
        low, high = 0, len(order) - 1  # cutting every channel leaves nothing
        while low < high:
            middle = (low + high + 1) // 2
            for weight, held in zip(weights, before, strict=True):
                weight.assign(held * _mask(order[:middle], held.shape))
            enough = (labels_of(thief, x) == y).mean() >= bar
            low, high = (middle, high) if enough else (low, middle - 1)
        for weight, held in zip(weights, before, strict=True):
            weight.assign(held)
        hold = zeros_held(weights, [_mask(order[:low], held.shape) for held in before])
        train_on(
            thief, x, y, epochs=self.epochs, learning_rate=self.learning_rate, callbacks=(hold,)
        )
        return Loot(network=thief)


def _mask(cut: Any, shape: tuple[int, ...]) -> Any:
    kept = np.ones(shape[-1], np.float32)
    kept[cut] = 0
    return kept


def _last_convolution(model: Any, x: Inputs) -> tuple[list[Any], Any]:
    """The weights that end in its channels, with those of a normalisation behind it, and the mean
    activation of each channel."""
    import keras

    layers = keras.layers
    kinds = [i for i, layer in enumerate(model.layers) if type(layer) is layers.Conv2D]
    if not kinds:
        raise BadInput("fine_prune: the network has no convolution, expected one to cut")
    at = kinds[-1]
    convolution, behind = model.layers[at], model.layers[at + 1 : at + 2]
    weights = list(convolution.trainable_weights)
    out = convolution.output
    if behind and isinstance(behind[0], layers.BatchNormalization):
        weights += list(behind[0].trainable_weights)
        out = behind[0].output
    seen = keras.Model(model.inputs[0], out).predict(x[:2000], batch_size=256, verbose=0)
    return weights, np.maximum(seen, 0).mean(axis=(0, 1, 2))
