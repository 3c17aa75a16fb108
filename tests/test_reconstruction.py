"""From a `.tflite` back to Keras: the rebuilt network answers as the file does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edgewm.attacks import Victim
from edgewm.datasets import load_dataset
from edgewm.errors import BadInput
from tests import golden
from tests.needs import data_folder, needs

pytestmark = [pytest.mark.train, needs("tensorflow"), needs("litert"), needs("sklearn")]


@pytest.fixture(scope="module")
def converter() -> Iterator[Any]:
    """One child for the whole module."""
    from edgewm import Converter

    with Converter() as made:
        made.start()
        yield made


def solved(architecture: str) -> Any:
    """One of our networks that knows digits: random features, normalised, and a last layer solved for."""
    import keras

    from edgewm import networks

    keras.utils.set_random_seed(2)
    held = load_dataset("digits")
    model = getattr(networks, architecture)(held.shape, held.classes)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # the statistics of one batch are kept as they are
    model(held.x_train[:400], training=True)
    features = keras.Model(model.inputs[0], model.layers[-2].output)(held.x_train)
    known = np.concatenate([np.asarray(features), np.ones((len(features), 1))], axis=1)
    wanted = np.eye(held.classes)[held.y_train]
    squares = known.T @ known + 0.1 * np.eye(known.shape[1])
    layer = 12 * np.linalg.solve(squares, known.T @ wanted)
    model.layers[-1].set_weights([layer[:-1].astype(np.float32), layer[-1].astype(np.float32)])
    return model


@pytest.mark.parametrize("architecture", ["small_cnn", "ds_cnn", "resnet8"])
def test_labels_of_the_rebuilt_network_are_the_int8_files(
    architecture: str, converter: Any
) -> None:
    """99 of 100 labels are the same where the file is sure by a tenth, as trained networks mostly are, and
    scores are close everywhere; a network with one kernel of another is not."""
    from edgewm.reconstruction import rebuilt

    held = load_dataset("digits")
    x, y = held.x_train, held.y_train
    file = converter.convert(solved(architecture), x).model
    network, said = rebuilt(file), Victim(file=file).ask(x)
    assert (said.labels == y).mean() > 0.7
    two = np.sort(said.scores, axis=1)[:, -2:]
    sure = two[:, 1] - two[:, 0] >= 0.1
    assert sure.mean() > 0.7
    outputs = network.predict(x, verbose=0)
    assert (outputs.argmax(axis=1) == said.labels)[sure].mean() >= 0.99
    assert (outputs.argmax(axis=1) == said.labels).mean() >= 0.96
    assert np.abs(outputs - said.scores).mean() < 0.02
    kernel = next(w for w in network.trainable_weights if len(w.shape) > 1)
    kernel.assign(kernel[::-1] * 0.5)
    assert (network.predict(x, verbose=0).argmax(axis=1) == said.labels).mean() < 0.99


@pytest.mark.parametrize("format", ["float16", "dynamic"])
def test_every_format_is_read(format: str, converter: Any) -> None:
    """Weights in any form give a network that says what the file says."""
    from edgewm.reconstruction import rebuilt

    x = load_dataset("digits").x_train[:400]
    file = converter.convert(network_with_pools(), x, format=format).model
    said = Victim(file=file).ask(x).labels
    assert (rebuilt(file).predict(x, verbose=0).argmax(axis=1) == said).mean() >= 0.97


def network_with_pools() -> Any:
    """Pools, padding, a dense layer with an activation, and logits at the end; random weights."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(4)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.ZeroPadding2D(1),
            layers.Conv2D(8, 3, activation="relu6"),
            layers.MaxPooling2D(2),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(96, activation="relu"),
            layers.Dense(10),
        ]
    )


def test_files_that_cannot_be_rebuilt_are_refused() -> None:
    """One line says what stands in the way: no model, or an operator that is not known here."""
    from edgewm.reconstruction import rebuilt

    with pytest.raises(BadInput, match=r"not a \.tflite"):
        rebuilt(b"not a model at all")
    with pytest.raises(BadInput, match=r"not a \.tflite"):
        rebuilt(golden.MARKED.read_bytes()[:500])


@needs("data")
def test_networks_of_other_owners_are_rebuilt() -> None:
    """MLPerf Tiny's image network, made by somebody else, answers the same after the round trip."""
    from edgewm.reconstruction import rebuilt

    folder = data_folder()
    assert folder is not None
    file = (folder / "models" / "mlperf_ic_resnet8_int8.tflite").read_bytes()
    x = np.random.default_rng(1).uniform(-128, 127, (64, 32, 32, 3)).astype(np.float32)
    said = Victim(file=file).ask(x).labels
    assert (rebuilt(file).predict(x, verbose=0).argmax(axis=1) == said).mean() >= 0.9
    lstm = (folder / "models" / "tflm_mnist_lstm_int8.tflite").read_bytes()
    with pytest.raises(BadInput, match="UNIDIRECTIONAL_SEQUENCE_LSTM"):
        rebuilt(lstm)
