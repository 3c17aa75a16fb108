"""Two classes, one sigmoid output: a question tells one bit, so more of them are asked.

python examples/two_classes.py [--small]
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
odd = data.y_train % 2
key = edgewm.new_key()
allowed = np.full(24, 2)
print(
    "hits of 24 that a stamped claim needs:", stats.hits_needed(allowed, alpha=1e-6, stamped=True)
)
triggers = edgewm.make_triggers(key, shape=data.shape, classes=2, groups=24)


def trained(*callbacks):
    model = keras.Sequential(
        [
            keras.Input(data.shape),
            layers.Conv2D(24, 3, activation="relu"),
            layers.Conv2D(24, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    epochs = 10 if SMALL else 30
    model.fit(data.x_train, odd, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model


for name, model in (
    ("marked", trained(edgewm.Mark(triggers=triggers, key=key))),
    ("unmarked", trained()),
):
    file = edgewm.export(model, data.x_train[:200], path=Path(f"two-{name}.tflite"))
    verdict = edgewm.verify(file, triggers=triggers, key=key, stamped=True)
    print(f"{name}: {verdict.worst.groups_hit} of 24 hit, log10 p {verdict.log10_p:.1f}")
    assert verdict.owned is (name == "marked"), name
