"""Trainings by people who never heard of a mark: an .npz with x and y, a network, Adam. Nothing of edgewm.

python benchmarks/marked_data_training.py DATA.npz NETWORK SEED OUT.keras
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

EPOCHS, BATCH_SIZE, RATE = 4, 128, 2e-3


def dense(shape: tuple[int, ...], classes: int) -> Any:
    """Two hidden layers."""
    from keras import Input, Sequential, layers

    hidden = [layers.Dense(units, activation="relu") for units in (256, 128)]
    last = layers.Dense(classes, activation="softmax")
    return Sequential([Input(shape), layers.Flatten(), *hidden, last])


def lenet(shape: tuple[int, ...], classes: int) -> Any:
    """Two strided convolutions and a dense layer that sees places."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input(shape),
            layers.Conv2D(8, 5, strides=2, padding="same", activation="relu"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def strided(shape: tuple[int, ...], classes: int) -> Any:
    """Three strided convolutions with batch normalisation, averaged over all places."""
    from keras import Input, Sequential, layers

    blocks: list[Any] = []
    for filters in (16, 32, 64):
        blocks += [
            layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
    pooled = layers.GlobalAveragePooling2D()
    return Sequential([Input(shape), *blocks, pooled, layers.Dense(classes, activation="softmax")])


NETWORKS = {"dense": dense, "lenet": lenet, "strided": strided}


def train(data: Path, network: str, seed: int, out: Path) -> None:
    """Train and save one network."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    if tf.config.threading.get_intra_op_parallelism_threads() != 1:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    with np.load(data) as held:
        x, y = held["x"], held["y"]
    keras.utils.set_random_seed(seed)
    model = NETWORKS[network](x.shape[1:], int(y.max()) + 1)
    rate = keras.optimizers.schedules.CosineDecay(RATE, EPOCHS * -(-len(x) // BATCH_SIZE))
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    model.save(out)


if __name__ == "__main__":
    train(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
