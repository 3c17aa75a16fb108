"""Magnitude pruning of every kernel, then fine-tuning with the zeros held (Han et al. 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .copying import copy_of, train_on


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Zero the `share` of each kernel that is smallest in magnitude."""

    share: float = 0.5
    epochs: int = 2
    learning_rate: float = 1e-3
    decay: bool = True
    """Bring the rate to 0 over a half cosine."""

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise BadInput(f"prune: got share={self.share}, expected 0 or more, below 1")

    def steal(self, model: Any, x: npt.NDArray[np.float32], y: npt.NDArray[np.int64]) -> Any:
        """A pruned and fine-tuned copy."""
        import keras

        thief = copy_of(model)
        kernels = [w for w in thief.trainable_weights if len(w.shape) > 1]
        kept = [np.abs(w.numpy()) > np.quantile(np.abs(w.numpy()), self.share) for w in kernels]

        def hold_zeros(*_: Any, **__: Any) -> None:
            for kernel, mask in zip(kernels, kept, strict=True):
                kernel.assign(kernel * mask)

        hold_zeros()
        after_every_batch = keras.callbacks.LambdaCallback(on_train_batch_end=hold_zeros)
        train_on(
            thief,
            x,
            y,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            decay=self.decay,
            callbacks=(after_every_batch,),
        )
        return thief
