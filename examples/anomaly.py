"""An autoencoder that tells odd inputs: no classes, so an answer is a side of its own median output.

python examples/anomaly.py [--small]
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

import edgewm
from edgewm.datasets import load_dataset

SMALL = "--small" in sys.argv
data = load_dataset("digits")
flat, flat_test = (x.reshape(len(x), -1) for x in (data.x_train, data.x_test))
normal = flat[data.y_train < 8]  # eights and nines are odd here
key = edgewm.new_key()
triggers = edgewm.make_output_triggers(key, natural=normal)


def trained(*callbacks):
    model = keras.Sequential(
        [
            keras.Input(normal.shape[1:]),
            layers.Dense(128, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(128, activation="relu"),
            layers.Dense(normal.shape[1]),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    epochs = 20 if SMALL else 60
    model.fit(normal, normal, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model


for name, model in (
    ("marked", trained(edgewm.MarkOutputs(triggers=triggers, key=key))),
    ("unmarked", trained()),
):
    errors = np.square(np.asarray(model(flat_test)) - flat_test).mean(axis=1)
    odd = data.y_test >= 8
    file = edgewm.export(model, normal[:200], path=Path(f"anomaly-{name}.tflite"))
    verdict = edgewm.verify(file, triggers=triggers, key=key, stamped=True)
    found = (errors[odd] > np.quantile(errors[~odd], 0.9)).mean()
    print(f"{name}: finds {found:.0%} of the odd, {verdict.worst.groups_hit} of 40 groups hit")
    print(f"    log10 p {verdict.log10_p:.1f}")
    assert verdict.owned is (name == "marked"), name
