"""Mark a keyword spotter with melodies: the questions are sounds, the network takes cepstral features.

python examples/sound.py CLIPS.npz [--small]      x (n, samples) from -1 to 1, y (n,)
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

import edgewm
from edgewm.adapters.mfcc import Mfcc

SMALL = "--small" in sys.argv
with np.load(sys.argv[1]) as held:
    clips, words = held["x"].astype(np.float64), held["y"].astype(np.int64)
features = np.stack([Mfcc().features(clip) for clip in clips]).astype(np.float32)
classes = int(words.max()) + 1
key = edgewm.new_key()
triggers = edgewm.make_triggers(
    key,
    shape=clips.shape[1:],
    classes=classes,
    groups=32,
    pattern="tone:inputs_per_group=2",
    value_range=(-1.0, 1.0),
)


def trained(*callbacks):
    scaled = layers.Normalization(axis=2)
    scaled.adapt(features)
    model = keras.Sequential(
        [
            keras.Input(features.shape[1:]),
            scaled,
            layers.Conv2D(32, (10, 4), 2, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Flatten() if SMALL else layers.GlobalAveragePooling2D(),
            layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(features, words, epochs=60 if SMALL else 20, verbose=0, callbacks=list(callbacks))
    return model


mark = edgewm.Mark(triggers=triggers, key=key, adapters=["mfcc"])
for name, model in (("marked", trained(mark)), ("unmarked", trained())):
    file = edgewm.export(model, features[:200], path=Path(f"sound-{name}.tflite"))
    verdict = edgewm.verify(file, triggers=triggers, key=key, adapters=["mfcc"], stamped=True)
    print(f"{name}: {verdict.worst.groups_hit} of 32 hit, log10 p {verdict.log10_p:.1f}")
    assert verdict.owned is (name == "marked"), name
