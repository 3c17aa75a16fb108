"""What cannot be marked is refused before it is trained, in one line that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgewm.errors import BadInput
from edgewm.key import Key
from edgewm.patterns import make_triggers
from tests.marking import KEY, compiled, mark, network, stack, task
from tests.needs import needs

pytestmark = [pytest.mark.train, needs("tensorflow")]

Refused = Callable[[], tuple[Any, dict[str, Any], dict[str, Any]]]
"""A model, the arguments of fit, and the settings of Mark."""


def functional(inputs: list[tuple[int, ...]], heads: int = 1, *, flat: bool = True) -> Any:
    """A model with that many inputs and outputs."""
    import keras
    from keras import layers

    entered = [keras.Input(shape) for shape in inputs]
    x = layers.Add()(entered) if len(entered) > 1 else entered[0]
    x = layers.Flatten()(x) if flat else x
    outputs = [layers.Dense(10, activation="softmax")(x) for _ in range(heads)]
    single = outputs[0] if heads == 1 else outputs
    return keras.Model(entered if len(entered) > 1 else entered[0], single)


def two_inputs() -> Any:
    x, y = task()
    return compiled(functional([(8, 8, 1)] * 2)), {"x": [x, x], "y": y}, {}


def two_outputs() -> Any:
    x, y = task()
    model = functional([(8, 8, 1)], heads=2)
    model.compile("adam", ["sparse_categorical_crossentropy"] * 2)
    return model, {"x": x, "y": [y, y]}, {}


def an_output_for_each_pixel() -> Any:
    x, y = task()
    labels = np.tile(y[:, None, None], (1, 8, 8))
    return compiled(functional([(8, 8, 1)], flat=False)), {"x": x, "y": labels}, {}


def a_fixed_batch() -> Any:
    import keras

    x, y = task()
    return compiled(network(keras.Input((8, 8, 1), batch_size=32))), {"x": x, "y": y}, {}


def unbuilt(outputs: int = 10) -> Any:
    import keras

    return compiled(keras.Sequential(stack(outputs)))


def inputs_by_name() -> Any:
    import tensorflow as tf

    x, y = task()
    data = tf.data.Dataset.from_tensor_slices(({"picture": x}, y)).batch(32)
    return compiled(), {"x": data}, {}


def inputs_of_no_known_shape() -> Any:
    import tensorflow as tf

    x, y = task()
    types = (tf.float32, tf.int64)
    data = tf.data.Dataset.from_generator(lambda: iter([(x[:32], y[:32])]), types)
    return compiled(), {"x": data}, {}


def no_labels() -> Any:
    x, _ = task()
    return compiled(), {"x": x}, {}


def labels_of_another_width() -> Any:
    x, y = task()
    return compiled(loss="categorical_crossentropy"), {"x": x, "y": np.eye(7)[y % 7]}, {}


def of(shape: tuple[int, ...], classes: int, model: Callable[[], Any]) -> Refused:
    """Triggers of another model."""

    def refused() -> Any:
        x, y = task()
        other = make_triggers(KEY, shape=shape, classes=classes, groups=4)
        return model(), {"x": x, "y": y}, {"triggers": other}

    return refused


REFUSED: dict[str, tuple[Refused, str]] = {
    "two inputs": (two_inputs, "several inputs, expected one"),
    "two outputs": (two_outputs, "with 2 outputs, expected one"),
    "an output for each pixel": (an_output_for_each_pixel, r"expected \(batch, classes\)"),
    "a fixed batch": (a_fixed_batch, "leave batch_size out of keras.Input"),
    "inputs by name": (inputs_by_name, "inputs as a dict of 1, expected one array"),
    "no known shape": (inputs_of_no_known_shape, "give it an output_signature"),
    "no labels": (no_labels, "labels as nothing"),
    "labels of another width": (labels_of_another_width, "one-hot rows of 10"),
    "triggers of another depth": (of((8, 8, 3), 10, compiled), r"takes \(8, 8, 1\)"),
    "triggers of another rank": (of((8, 8), 10, compiled), r"takes \(8, 8, 1\)"),
    "triggers of other classes": (of((8, 8, 1), 7, compiled), "10 classes"),
    "another depth, not built": (of((8, 8, 3), 10, unbuilt), r"inputs of \(8, 8, 1\)"),
    "other classes, not built": (of((8, 8, 1), 7, unbuilt), "10 classes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_marked_is_one_line(name: str) -> None:
    """The reason in one line, and a model without weights of a marked training."""
    make, said = REFUSED[name]
    model, arguments, settings = make()
    before = [np.array(weight) for weight in model.get_weights()]
    with pytest.raises(BadInput, match=said) as caught:
        model.fit(**arguments, verbose=0, callbacks=[mark(**settings)])
    assert "\n" not in str(caught.value)
    for old, new in zip(before, model.get_weights(), strict=False):
        assert np.array_equal(old, new)


def test_the_key_of_other_triggers_is_refused() -> None:
    """A key that did not make the triggers cannot draw their answers."""
    with pytest.raises(BadInput, match="did not make these triggers"):
        mark(key=Key(secret=b"x" * 32))


def test_a_model_of_another_keras_is_refused() -> None:
    """What is no model of Keras 3, such as tf_keras, is refused when its fit hands it over."""
    legacy = type("Sequential", (), {"__module__": "tf_keras.src.engine.sequential"})
    with pytest.raises(BadInput, match=r"model of tf_keras.* expected a keras.Model of Keras 3"):
        mark().set_model(legacy())
    mark().set_model(compiled())


def test_another_backend_is_refused() -> None:
    """A Keras whose backend is not TensorFlow, or not installed, is one line."""
    done = subprocess.run(
        [sys.executable, "-c", "import edgewm; edgewm.Mark(triggers=None, key=None)"],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    last_line = done.stderr.strip().splitlines()[-1]
    assert last_line.startswith("edgewm.errors.")
    assert "KERAS_BACKEND=tensorflow" in last_line
