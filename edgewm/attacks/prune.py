"""Magnitude pruning of every kernel, then fine-tuning with the zeros held (Han et al. 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ..errors import BadInput
from . import Inputs, Labels, Loot, Victim
from .copying import copy_of, kernels_of, train_on


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Zero the `share` of each kernel that is smallest in magnitude."""

    needs: ClassVar[Literal["file", "answers"]] = "file"

    share: float = 0.5
    epochs: int = 2
    learning_rate: float = 1e-3
    decay: bool = True
    """Bring the rate to 0 over a half cosine."""

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise BadInput(f"prune: got share={self.share}, expected 0 or more, below 1")

    def steal(self, victim: Victim, x: Inputs, y: Labels) -> Loot:
        """A pruned and fine-tuned copy."""
        thief = copy_of(victim.network)
        kernels = kernels_of(thief)
        kept = [np.abs(w.numpy()) > np.quantile(np.abs(w.numpy()), self.share) for w in kernels]
        hold = zeros_held(kernels, [mask.astype(np.float32) for mask in kept])
        train_on(
            thief,
            x,
            y,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            decay=self.decay,
            callbacks=(hold,),
        )
        return Loot(network=thief)


def zeros_held(weights: list[Any], masks: list[Any]) -> Any:
    """A callback that multiplies each weight by its mask, now and after every batch."""
    import keras

    def hold(*_: Any, **__: Any) -> None:
        for weight, mask in zip(weights, masks, strict=True):
            weight.assign(weight * mask)

    hold()
    return keras.callbacks.LambdaCallback(on_train_batch_end=hold)
