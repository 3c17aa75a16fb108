"""The copy a thief starts from, and the training every attack ends with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


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
    callbacks: tuple[Any, ...] = (),
) -> None:
    """Adam at a constant rate, batches of 32, cross-entropy on the thief's labels."""
    import keras

    model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, callbacks=list(callbacks))
