"""What a thief does to a copy, with settings fixed beforehand and never tuned to a scheme.

An attack is one file with one frozen dataclass and one method, `steal`: the copied Keras model and data
of the thief's own in, the thief's model out. The copy that came in is left as it was.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

NOT_PLUGINS = ("copying",)


class Attack(Protocol):
    """One way to try to lose a mark."""

    def steal(self, model: Any, x: npt.NDArray[np.float32], y: npt.NDArray[np.int64]) -> Any:
        """The thief's keras.Model, made from `model` and the thief's samples x (n, *shape), y (n,)."""
        ...
