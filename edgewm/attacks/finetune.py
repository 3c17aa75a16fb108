"""Fine-tuning on the thief's own labelled samples, in the four ways of Adi et al. (USENIX Security 2018).

`FTAL` trains all layers, `FTLL` the last one; `RTAL` and `RTLL` draw the last one anew first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from . import Inputs, Labels, Loot, Victim
from .copying import copy_of, last_dense_of, train_on


@dataclass(frozen=True, kw_only=True)
class FineTune:
    """Train on, with a rate as high as the owner's."""

    needs: ClassVar[Literal["file", "answers"]] = "file"

    epochs: int = 10
    learning_rate: float = 1e-3
    decay: bool = True
    """Bring the rate to 0 over a half cosine; False keeps it, and costs the copy accuracy."""
    mode: Literal["FTAL", "FTLL", "RTAL", "RTLL"] = "FTAL"
    seed: int = 0
    """Of numpy's generator, for a layer drawn anew."""

    def steal(self, victim: Victim, x: Inputs, y: Labels) -> Loot:
        """A fine-tuned copy."""
        thief = copy_of(victim.network)
        last = last_dense_of(thief)
        if self.mode.startswith("RT"):
            kernel, *biases = last.get_weights()
            limit = np.sqrt(
                6 / sum(kernel.shape)
            )  # as Keras draws a dense layer (Glorot and Bengio)
            drawn = np.random.default_rng(self.seed).uniform(-limit, limit, kernel.shape)
            last.set_weights([drawn.astype(np.float32), *(0 * b for b in biases)])
        if self.mode.endswith("LL"):
            for layer in thief.layers:
                layer.trainable = layer is last
        train_on(
            thief, x, y, epochs=self.epochs, learning_rate=self.learning_rate, decay=self.decay
        )
        return Loot(network=thief)
