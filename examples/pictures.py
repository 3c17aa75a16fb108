"""Mark a picture classifier while it trains, ship it as int8, and tell a copy from a stranger.

python examples/pictures.py [--small]
"""

import sys
from pathlib import Path

import edgewm
from edgewm.datasets import load_dataset
from edgewm.networks import small_cnn

SMALL = "--small" in sys.argv
data = load_dataset("digits")
key = edgewm.new_key()
triggers = edgewm.make_triggers(key, shape=data.shape, classes=10, groups=16 if SMALL else 64)


def trained(*callbacks):
    model = small_cnn(data.shape, 10)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        data.x_train,
        data.y_train,
        epochs=8 if SMALL else 30,
        verbose=0,
        callbacks=list(callbacks),
    )
    return model


marked = trained(edgewm.Mark(triggers=triggers, key=key))
unmarked = trained()
for name, model in (("marked", marked), ("unmarked", unmarked)):
    file = edgewm.export(model, data.x_train[:200], path=Path(f"{name}.tflite"))
    verdict = edgewm.verify(file, triggers=triggers, key=key, stamped=True)
    print(
        f"{name}: {verdict.worst.groups_hit} of {triggers.groups} hit, log10 p {verdict.log10_p:.1f}"
    )
    assert verdict.owned is (name == "marked"), name
