"""Fine-tuning of all layers on the thief's own labelled samples (FTAL of Adi et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .copying import copy_of, train_on


@dataclass(frozen=True, kw_only=True)
class FineTune:
    """Train on, with a rate as high as the owner's."""

    epochs: int = 10
    learning_rate: float = 1e-3
    decay: bool = True
    """Bring the rate to 0 over a half cosine; False keeps it, and costs the copy accuracy."""

    def steal(self, model: Any, x: npt.NDArray[np.float32], y: npt.NDArray[np.int64]) -> Any:
        """A fine-tuned copy."""
        thief = copy_of(model)
        train_on(
            thief, x, y, epochs=self.epochs, learning_rate=self.learning_rate, decay=self.decay
        )
        return thief
