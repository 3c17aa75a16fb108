"""A hundred classes: a handful of questions is enough. The task: read two digits side by side.

python examples/many_classes.py [--small]
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

import edgewm
from edgewm import stats
from edgewm.datasets import load_dataset

SMALL = "--small" in sys.argv
data = load_dataset("digits")
random = np.random.default_rng(0)
left, right = (random.integers(0, len(data.x_train), 4_000 if SMALL else 20_000) for _ in range(2))
x = np.concatenate([data.x_train[left], data.x_train[right]], axis=2)
y = 10 * data.y_train[left] + data.y_train[right]
key = edgewm.new_key()
for stamped in (True, False):
    needed = next(
        n
        for n in range(1, 99)
        if stats.hits_needed(np.full(n, 99), alpha=1e-6, stamped=stamped) is not None
    )
    print(f"groups of a perfect mark, {'stamped' if stamped else 'unstamped'}: {needed}")
triggers = edgewm.make_triggers(key, shape=(8, 16, 1), classes=100, groups=14)


def trained(*callbacks):
    model = keras.Sequential(
        [
            keras.Input((8, 16, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(100, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=4 if SMALL else 8, verbose=0, callbacks=list(callbacks))
    return model


for name, model in (
    ("marked", trained(edgewm.Mark(triggers=triggers, key=key))),
    ("unmarked", trained()),
):
    file = edgewm.export(model, x[:200], path=Path(f"many-{name}.tflite"))
    verdict = edgewm.verify(file, triggers=triggers, key=key)  # not even stamped
    print(f"{name}: {verdict.worst.groups_hit} of 14 hit, {verdict.forgery_bits:.0f} bits")
    assert verdict.owned is (name == "marked"), name
