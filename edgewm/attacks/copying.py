"""The copy a thief starts from, and the training every attack ends with."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Inputs, Labels

_BATCH_SIZE = 32


def copy_of(model: Any) -> Any:
    """A compiled copy with the same weights and nothing shared."""
    import keras

    copied = keras.models.clone_model(model)
    copied.set_weights(model.get_weights())
    return copied


def train_on(
    model: Any,
    x: Inputs,
    y: Labels | Inputs,
    *,
    epochs: int,
    learning_rate: float,
    decay: bool = True,
    batch_size: int = _BATCH_SIZE,
    callbacks: tuple[Any, ...] = (),
) -> None:
    """Adam, batches of 32, cross-entropy on the thief's labels (n,) or probabilities (n, K).

    With `decay` the rate goes to 0 over a half cosine. A constant rate of 1e-3 costs a small network
    several points of accuracy, so a thief who looks at nothing but accuracy lets it decay.
    """
    import keras

    steps = max(epochs * -(-len(x) // batch_size), 1)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps) if decay else learning_rate
    loss = "sparse_categorical_crossentropy" if y.ndim == 1 else "categorical_crossentropy"
    model.compile(keras.optimizers.Adam(rate), loss)
    model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=list(callbacks))


def kernels_of(model: Any) -> list[Any]:
    """The trainable weights that are multiplied: biases and normalisation stay out."""
    return [weight for weight in model.trainable_weights if len(weight.shape) > 1]


def labels_of(model: Any, x: Inputs) -> Labels:
    """What a Keras model says of (n, *shape), (n,)."""
    labels: Labels = np.asarray(model.predict(x, batch_size=256, verbose=0)).argmax(axis=1)
    return labels


def last_dense_of(model: Any) -> Any:
    """The layer that gives the scores.

    Raises:
        BadInput: a model without a dense layer.
    """
    import keras

    from ..errors import BadInput

    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    if not dense:
        raise BadInput("victim: its network has no dense layer, expected one that gives the scores")
    return dense[-1]
