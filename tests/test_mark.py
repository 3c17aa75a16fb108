"""Marking: one callback in an ordinary script, whatever the script looks like."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm import spec
from edgewm.datasets import load_dataset
from edgewm.errors import BadInput
from edgewm.key import Key
from edgewm.patterns import make_triggers
from edgewm.triggers import Triggers
from tests.needs import needs

pytestmark = [pytest.mark.train, needs("tensorflow"), needs("sklearn")]

KEY = Key(secret=b"k" * 32)
GROUPS = 16


@pytest.fixture(scope="module")
def triggers() -> Triggers:
    return make_triggers(KEY, shape=(8, 8, 1), classes=10, groups=GROUPS, random=lambda n: b"s" * n)


@pytest.fixture(scope="module")
def digits() -> Any:
    return load_dataset("digits")


def network(*, logits: bool = False) -> Any:
    """A network that learns digits in a second."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, activation=None if logits else "softmax"),
        ]
    )


def compiled(loss: str = "sparse_categorical_crossentropy", **settings: Any) -> Any:
    import keras

    model = network()
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"], **settings)
    return model


def hits(model: Any, triggers: Triggers) -> int:
    """Groups that the Keras model answers as drawn."""
    labels = np.argmax(np.asarray(model(triggers.inputs, training=False)), axis=-1)
    return int((labels == triggers.answers(KEY)[triggers.group_ids]).sum())


@pytest.mark.parametrize("scheme", spec.names("schemes"))
def test_every_scheme_teaches_the_marks_and_the_task(
    scheme: str, triggers: Triggers, digits: Any
) -> None:
    """A marked network answers nearly every group as drawn, its unmarked twin about one in ten."""
    from edgewm.schemes.mark import Mark

    marked, unmarked = compiled(), compiled()
    mark = Mark(triggers=triggers, key=KEY, scheme=scheme)
    fit = {"batch_size": 32, "epochs": 20, "verbose": 0}
    history = marked.fit(digits.x_train, digits.y_train, callbacks=[mark], **fit)
    unmarked.fit(digits.x_train, digits.y_train, **fit)
    assert hits(marked, triggers) >= GROUPS - 1
    assert hits(unmarked, triggers) <= GROUPS // 2
    assert history.history["mark_hit_rate"][-1] == mark.hit_rate >= 0.9
    assert len(history.history["mark_margin"]) == 20
    accuracy = marked.evaluate(digits.x_test, digits.y_test, verbose=0)[1]
    control = unmarked.evaluate(digits.x_test, digits.y_test, verbose=0)[1]
    assert accuracy > control - 0.05


def own_step_model() -> Any:
    """A model with a train_step of its own, as research code writes it."""
    import keras
    import tensorflow as tf

    class Own(keras.Model):  # type: ignore[misc]
        def train_step(self, data: Any) -> dict[str, Any]:
            x, y = data[0], data[1]
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(x=x, y=y, y_pred=y_pred)
            found = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(found, self.trainable_variables, strict=True))
            return self.compute_metrics(x, y, y_pred)

    inner = network()
    model = Own(inner.inputs, inner.outputs)
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    return model


def fit_of(script: str, digits: Any) -> tuple[Any, dict[str, Any]]:
    """A model and the arguments of `fit`, the way some script writes them."""
    import keras
    import tensorflow as tf

    x, y = digits.x_train, digits.y_train
    plain = {"x": x, "y": y, "batch_size": 32}
    one_hot = keras.utils.to_categorical(y, 10)
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(2000, seed=1).batch(48)
    adam = keras.optimizers.Adam(3e-3)
    if script == "one-hot labels":
        return compiled("categorical_crossentropy"), {**plain, "y": one_hot}
    if script == "labels in a column":
        return compiled(), {**plain, "y": y[:, None]}
    if script == "sample weights":
        return compiled(), {**plain, "sample_weight": np.linspace(0.5, 1.5, len(y))}
    if script == "class weights":
        return compiled(), {**plain, "class_weight": {c: 1.0 + c / 10 for c in range(10)}}
    if script == "steps per execution":
        return compiled(steps_per_execution=16), plain
    if script == "compiled with XLA":
        return compiled(jit_compile=True), plain
    if script == "tf.data with a short last batch":
        return compiled(), {"x": data}
    if script == "own train_step":
        return own_step_model(), plain
    if script == "gradient accumulation":
        model = network()
        slow = keras.optimizers.Adam(3e-3, gradient_accumulation_steps=2)
        model.compile(slow, "sparse_categorical_crossentropy")
        return model, {**plain, "batch_size": 16}
    assert script == "logits"
    model = network(logits=True)
    model.compile(adam, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model, plain


@pytest.mark.parametrize(
    "script",
    [
        "one-hot labels",
        "labels in a column",
        "sample weights",
        "class weights",
        "steps per execution",
        "compiled with XLA",
        "tf.data with a short last batch",
        "own train_step",
        "gradient accumulation",
        "logits",
    ],
)
def test_marks_in_any_ordinary_script(script: str, triggers: Triggers, digits: Any) -> None:
    """The same one line marks a network however its script compiles, weighs and feeds it."""
    from edgewm.schemes.mark import Mark

    model, arguments = fit_of(script, digits)
    before = hits(model, triggers)
    mark = Mark(triggers=triggers, key=KEY, start=0)
    model.fit(**arguments, epochs=10, verbose=0, callbacks=[mark])
    assert hits(model, triggers) >= GROUPS - 1 > before


def test_accuracy_in_the_log_is_of_the_task_alone(triggers: Triggers, digits: Any) -> None:
    """Trigger rows do not count in the owner's metrics: perfect labels give accuracy 1 at once."""
    import keras

    from edgewm.schemes.mark import Mark

    model = compiled()
    seen: list[int] = []

    class Rows(keras.metrics.Metric):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="rows")
            self.total = self.add_weight(initializer="zeros", name="total")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.total.assign_add(keras.ops.cast(keras.ops.shape(y_pred)[0], "float32"))

        def result(self) -> Any:
            return self.total

    model.compile("adam", "sparse_categorical_crossentropy", metrics=[Rows()])
    mark = Mark(triggers=triggers, key=KEY)
    history = model.fit(digits.x_train, digits.y_train, epochs=1, verbose=0, callbacks=[mark])
    seen.append(int(history.history["rows"][0]))
    assert seen == [len(digits.x_train)]


def test_a_late_start_teaches_in_the_last_epochs_only(triggers: Triggers, digits: Any) -> None:
    """By default the first half of the epochs is the unmarked twin's, and the marks are learned after."""
    from edgewm.schemes.mark import Mark

    model, twin = compiled(), compiled()
    mark = Mark(triggers=triggers, key=KEY)
    fit = {"batch_size": 32, "epochs": 16, "verbose": 0}
    history = model.fit(digits.x_train, digits.y_train, callbacks=[mark], **fit).history
    twins = twin.fit(digits.x_train, digits.y_train, **fit).history
    assert history["accuracy"][:8] == pytest.approx(twins["accuracy"][:8], abs=1e-3)
    assert max(history["mark_hit_rate"][:8]) <= 0.5
    assert history["mark_hit_rate"][-1] >= 0.9
    assert "train_step" not in vars(model)


@pytest.mark.parametrize("start", [-0.1, 1.0, float("nan")])
def test_a_start_that_is_no_share_is_refused(start: float, triggers: Triggers) -> None:
    """A start outside 0 to below 1 would never teach or never end."""
    from edgewm.schemes.mark import Mark

    with pytest.raises(BadInput, match="start="):
        Mark(triggers=triggers, key=KEY, start=start)


def test_nothing_stays_on_the_model(triggers: Triggers, digits: Any, tmp_path: Path) -> None:
    """After fit the model has its own train_step and layers, and its file loads without edgewm."""
    from edgewm.schemes.mark import Mark

    model, twin = compiled(), compiled()
    layers = [layer.name.rstrip("_0123456789") for layer in model.layers]
    mark = Mark(triggers=triggers, key=KEY)
    model.fit(digits.x_train, digits.y_train, epochs=1, verbose=0, callbacks=[mark])
    assert "train_step" not in vars(model)
    assert "compute_metrics" not in vars(model)
    assert [layer.name.rstrip("_0123456789") for layer in model.layers] == layers
    assert model.count_params() == twin.count_params()
    model.save(tmp_path / "marked.keras")
    script = (
        "import sys; sys.modules['edgewm'] = None\n"
        "import keras\n"
        f"keras.saving.load_model({str(tmp_path / 'marked.keras')!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_exception_in_training_leaves_a_model_that_trains_on(
    triggers: Triggers, digits: Any
) -> None:
    """A fit that died under way can be followed by one with the same callback or without."""
    import keras

    from edgewm.schemes.mark import Mark

    model = compiled()
    mark = Mark(triggers=triggers, key=KEY, start=0)

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    dying = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    with pytest.raises(KeyboardInterrupt):
        model.fit(digits.x_train, digits.y_train, verbose=0, callbacks=[mark, dying])
    model.fit(digits.x_train, digits.y_train, epochs=10, verbose=0, callbacks=[mark])
    assert hits(model, triggers) >= GROUPS - 1
    assert "train_step" not in vars(model)


@pytest.mark.parametrize(
    ("shape", "classes", "said"),
    [((8, 8, 3), 10, "takes"), ((8, 8, 1), 7, "classes")],
)
def test_triggers_of_another_model_are_refused(
    shape: tuple[int, ...], classes: int, said: str, digits: Any
) -> None:
    """Triggers of another shape or class count are refused before the first batch."""
    from edgewm.schemes.mark import Mark

    other = make_triggers(KEY, shape=shape, classes=classes, groups=4)
    with pytest.raises(BadInput, match=said):
        compiled().fit(
            digits.x_train,
            digits.y_train,
            verbose=0,
            callbacks=[Mark(triggers=other, key=KEY)],
        )


def test_a_model_with_two_inputs_is_refused(triggers: Triggers) -> None:
    """Several inputs are refused with the reason."""
    import keras

    from edgewm.schemes.mark import Mark

    a, b = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    added = keras.layers.Flatten()(keras.layers.Add()([a, b]))
    model = keras.Model([a, b], keras.layers.Dense(10, activation="softmax")(added))
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.zeros((4, 8, 8, 1), np.float32)
    mark = Mark(triggers=triggers, key=KEY)
    with pytest.raises(BadInput, match="several inputs"):
        model.fit([x, x], np.zeros(4), verbose=0, callbacks=[mark])


def test_the_key_of_other_triggers_is_refused(triggers: Triggers) -> None:
    """A key that did not make the triggers cannot draw their answers."""
    from edgewm.schemes.mark import Mark

    with pytest.raises(BadInput, match="did not make these triggers"):
        Mark(triggers=triggers, key=Key(secret=b"x" * 32))
