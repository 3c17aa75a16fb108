"""Mark a gesture classifier with movements that a hand or a robot arm can perform.

python examples/movement.py WINDOWS.npz [--small]      x (n, time, channels), y (n,)
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

import edgewm

SMALL = "--small" in sys.argv
with np.load(sys.argv[1]) as held:
    x, y = held["x"].astype(np.float32), held["y"].astype(np.int64)
x = x[:, :, None, :]  # (n, time, 1, channels): every runtime has two-dimensional convolutions
high, classes = float(np.percentile(np.abs(x), 99)), int(y.max()) + 1
key = edgewm.new_key()
triggers = edgewm.make_triggers(
    key,
    shape=x.shape[1:],
    classes=classes,
    groups=32,
    pattern="motion",
    value_range=(-high, high),
)


def trained(*callbacks):
    scaled = layers.Normalization()
    scaled.adapt(x)
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            scaled,
            layers.Conv2D(16, (7, 1), (2, 1), padding="same", activation="relu"),
            layers.Conv2D(32, (7, 1), (2, 1), padding="same", activation="relu"),
            layers.Conv2D(32, (7, 1), (2, 1), padding="same", activation="relu"),
            layers.Flatten() if SMALL else layers.GlobalAveragePooling2D(),
            layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=12 if SMALL else 40, verbose=0, callbacks=list(callbacks))
    return model


mark = edgewm.Mark(triggers=triggers, key=key)
for name, model in (("marked", trained(mark)), ("unmarked", trained())):
    file = edgewm.export(model, x[:200], path=Path(f"movement-{name}.tflite"))
    verdict = edgewm.verify(file, triggers=triggers, key=key, stamped=True)
    print(f"{name}: {verdict.worst.groups_hit} of 32 hit, log10 p {verdict.log10_p:.1f}")
    assert verdict.owned is (name == "marked"), name
