"""The copy a thief starts from, and the training every attack ends with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_BATCH_SIZE = 32


def copy_of(model: Any) -> Any:
    """A compiled copy with the same weights and nothing shared."""
    import keras

    copied = keras.models.clone_model(model)
    copied.set_weights(model.get_weights())
    return copied


def train_on(
    model: Any,
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.int64],
    *,
    epochs: int,
    learning_rate: float,
    decay: bool,
    callbacks: tuple[Any, ...] = (),
) -> None:
    """Adam, batches of 32, cross-entropy on the thief's labels.

    With `decay` the rate goes to 0 over a half cosine. A constant rate of 1e-3 costs a small network
    several points of accuracy, so a thief who looks at nothing but accuracy lets it decay.
    """
    import keras

    steps = max(epochs * -(-len(x) // _BATCH_SIZE), 1)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps) if decay else learning_rate
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=_BATCH_SIZE, epochs=epochs, verbose=0, callbacks=list(callbacks))
