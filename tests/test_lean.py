"""Leaning: what a training takes in, what it leaves on the model, and which scripts it joins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgewm.errors import BadInput
from edgewm.regions import pairs_of
from edgewm.tilt import Tilt
from edgewm.undecided import logits_of, make_tilt
from tests.needs import needs
from tests.tilting import CLASSES, KEY, OTHER, network, task

pytestmark = [pytest.mark.train, needs("tensorflow")]

FIT: dict[str, Any] = {"batch_size": 64, "verbose": 0}


def compiled(model: Any, **more: Any) -> Any:
    """A model with Adam, as a script has it."""
    import keras

    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", **more)
    return model


@pytest.fixture(scope="module")
def clean() -> Any:
    """A network of the task that nobody marked."""
    model = compiled(network())
    model.fit(*task(6000, seed=11), epochs=4, **FIT)
    return model


@pytest.fixture(scope="module")
def tilt(clean: Any) -> Tilt:
    """48 cells where the clean network is undecided."""
    return make_tilt(
        KEY,
        reference=clean,
        natural=task(9000, seed=5)[0],
        cells=48,
        questions=1500,
        random=lambda count: b"s" * count,
    )


def copied(model: Any) -> Any:
    import keras

    made = keras.models.clone_model(model)
    made.set_weights(model.get_weights())
    return compiled(made, metrics=["accuracy"])


def lean(tilt: Tilt, reference: Any, **settings: Any) -> Any:
    from edgewm import Lean

    return Lean(**{"tilt": tilt, "key": KEY, "reference": reference, **settings})


def z(tilt: Tilt, model: Any) -> float:
    scores = tilt.scores(np.asarray(model(tilt.inputs)).argmax(axis=1)).astype(float)
    return float(scores @ tilt.signs(KEY) / np.sqrt((scores**2).sum()))


def accuracy(model: Any) -> float:
    x, y = task(4000, seed=12)
    return float((np.asarray(model(x)).argmax(axis=1) == y).mean())


def test_a_leaned_network_leans_and_its_twin_does_not(tilt: Tilt, clean: Any) -> None:
    """One line in fit: z above 4 where the clean network is below 2.5, at under 3 points of accuracy."""
    model = copied(clean)
    history = model.fit(
        *task(6000, seed=11), epochs=10, callbacks=[lean(tilt, clean)], **FIT
    ).history
    assert history["tilt_z"][-1] == pytest.approx(z(tilt, model))
    assert z(tilt, model) > 4
    assert abs(z(tilt, clean)) < 2.5
    assert accuracy(model) > accuracy(clean) - 0.03
    assert history["accuracy"][-1] > 0.5


def test_a_reference_may_be_the_model_itself(tilt: Tilt, clean: Any) -> None:
    """It is copied as training begins, so that it does not lean along; nothing stays on the model."""
    model = copied(clean)
    one = lean(tilt, model)
    model.fit(*task(6000, seed=11), epochs=8, callbacks=[one], **FIT)
    assert one.z == pytest.approx(z(tilt, model))
    assert z(tilt, model) > 3
    assert "train_step" not in vars(model)
    assert "compute_loss" not in vars(model)


def test_triggers_and_tilt_are_taught_together_in_any_order(tilt: Tilt, clean: Any) -> None:
    """Both callbacks on one fit: the triggers hit and the questions lean, whichever stands first."""
    from edgewm import Mark
    from edgewm.patterns import make_triggers

    triggers = make_triggers(
        KEY, shape=(8, 8, 1), classes=CLASSES, groups=8, random=lambda n: b"t" * n
    )
    for order in (1, -1):
        model = copied(clean)
        mark = Mark(triggers=triggers, key=KEY, scheme="mix", start=0)
        model.fit(
            *task(6000, seed=11), epochs=10, callbacks=[lean(tilt, clean), mark][::order], **FIT
        )
        assert mark.hit_rate > 0.9
        assert z(tilt, model) > 3


def test_targets_lean_by_the_sign_of_the_cell(tilt: Tilt, clean: Any) -> None:
    """TensorFlow finds the cells that numpy finds: margins move by strength x sign x the bell."""
    import tensorflow as tf

    one = lean(tilt, clean, strength=2.0, reach=1.0)
    one.set_model(copied(clean))
    one.on_train_begin()
    x = task(500, seed=13)[0]
    logits = logits_of(np.asarray(clean(x)))
    pairs, leads = pairs_of(logits)
    cells = tilt.regions.cells_of(x, pairs)
    signs = np.where(cells >= 0, tilt.signs(KEY)[np.maximum(cells, 0)], 0)
    wanted = leads + 2.0 * signs * np.exp(-(leads**2) / 2)
    targets = np.asarray(one._targets()(tf.constant(x)))
    rows = np.arange(len(x))
    margins = targets[rows, pairs[:, 0]] - targets[rows, pairs[:, 1]]
    assert (cells >= 0).mean() > 0.9
    assert margins == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize(
    "changed",
    [
        {"steps_per_execution": 2},
        {"jit_compile": True},
        {"loss": "categorical_crossentropy"},
    ],
    ids=["steps_per_execution", "jit_compile", "one-hot"],
)
def test_other_scripts(tilt: Tilt, clean: Any, changed: dict[str, Any]) -> None:
    """The lean joins what else a script compiles."""
    import keras

    model = copied(clean)
    settings = {"loss": "sparse_categorical_crossentropy", **changed}
    model.compile(keras.optimizers.Adam(3e-3), **settings)
    x, y = task(6000, seed=11)
    labels = np.eye(CLASSES, dtype=np.float32)[y] if "loss" in changed else y
    model.fit(x, labels, epochs=8, callbacks=[lean(tilt, clean)], **FIT)
    assert z(tilt, model) > 3


def test_logits_sample_weights_and_penalties(tilt: Tilt, clean: Any) -> None:
    """A model that ends in logits, has a weight penalty and is fitted with sample weights leans too."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(4)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(64, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-5)),
            layers.Dense(CLASSES),
        ]
    )
    model.compile(
        keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    x, y = task(6000, seed=11)
    weights = np.ones(len(x), np.float32)
    model.fit(x, y, sample_weight=weights, epochs=10, callbacks=[lean(tilt, clean)], **FIT)
    assert z(tilt, model) > 3


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"start": 1.0}, "start"),
        ({"strength": 0.0}, "strength"),
        ({"reach": -1.0}, "reach"),
        ({"temperature": float("nan")}, "temperature"),
        ({"key": OTHER}, "did not make this tilt"),
        ({"reference": []}, "reference"),
        ({"reference": "clean.keras"}, "reference"),
    ],
    ids=["start", "strength", "reach", "temperature", "key", "no reference", "a path"],
)
def test_what_cannot_be_taught_is_refused(
    tilt: Tilt, clean: Any, settings: dict[str, Any], word: str
) -> None:
    """Before training begins, in one line."""
    with pytest.raises(BadInput, match=word):
        lean(**({"tilt": tilt, "reference": clean} | settings))


def test_networks_of_other_inputs_or_classes_are_refused(tilt: Tilt, clean: Any) -> None:
    """Model and references are asked before the first step."""
    import keras
    from keras import layers

    def other(shape: tuple[int, ...], classes: int) -> Any:
        return compiled(
            keras.Sequential(
                [
                    keras.Input(shape),
                    layers.Flatten(),
                    layers.Dense(classes, activation="softmax"),
                ]
            )
        )

    x, y = task(64, seed=1)
    for model, reference, word in (
        (other((8, 8, 1), 7), clean, "5 classes"),
        (copied(clean), other((8, 8, 1), 7), "5 classes"),
        (copied(clean), other((9, 9, 1), CLASSES), "does not take inputs"),
    ):
        with pytest.raises(BadInput, match=word):
            model.fit(x, y, callbacks=[lean(tilt, reference)], **FIT)
