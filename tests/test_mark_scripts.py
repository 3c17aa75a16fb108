"""The one line works in the scripts that people write: every way to build, compile and feed a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.marking import FIT, GROUPS, SCHEMES, compiled, hits, mark, network, stack, task
from tests.marking import triggers as triggers_of
from tests.needs import needs

pytestmark = [pytest.mark.train, needs("tensorflow")]

Script = tuple[Any, dict[str, Any]]
"""A compiled model, and the arguments of its `fit`."""


def arrays(**more: Any) -> dict[str, Any]:
    x, y = task()
    return {"x": x, "y": y, "batch_size": 32, **more}


def a_repeated_data_set_with_dropped_remainder_in_few_executions() -> Script:
    import keras
    import tensorflow as tf

    x, y = task(count=330)
    one_hot = keras.utils.to_categorical(y, 10)
    data = tf.data.Dataset.from_tensor_slices((x, one_hot)).batch(32, drop_remainder=True)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model = compiled(loss=loss, steps_per_execution=16)
    return model, {"x": data.repeat(), "steps_per_epoch": 10, "validation_data": (x, one_hot)}


def an_unbuilt_sequential_model_with_class_weights_and_a_last_batch_of_one() -> Script:
    import keras

    keras.utils.set_random_seed(3)
    x, y = task(count=321)
    weights = {c: 1.0 + c / 10 for c in range(10)}
    return compiled(keras.Sequential(stack())), arrays(x=x, y=y, class_weight=weights)


def subclassed(*, takes_training: bool) -> Any:
    import keras

    class Plain(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.parts = stack()

        def call(self, x: Any) -> Any:
            for part in self.parts:
                x = part(x)
            return x

    class Training(Plain):
        def call(self, x: Any, training: bool = False) -> Any:
            return super().call(x)

    keras.utils.set_random_seed(3)
    return Training() if takes_training else Plain()


def a_subclassed_unbuilt_model_with_a_weighted_generator() -> Script:
    x, y = task()

    def batches() -> Iterator[tuple[Any, ...]]:
        while True:
            for at in range(0, 320, 32):
                yield x[at : at + 32], y[at : at + 32], np.linspace(0.001, 0.003, 32)

    return compiled(subclassed(takes_training=False)), {"x": batches(), "steps_per_epoch": 10}


def a_subclassed_built_model_with_a_pydataset() -> Script:
    import keras

    x, y = task()

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return 10

        def __getitem__(self, at: int) -> Any:
            return x[at * 32 : at * 32 + 32], y[at * 32 : at * 32 + 32]

    model = subclassed(takes_training=True)
    model.build((None, 8, 8, 1))
    return compiled(model), {"x": Batches()}


def logits_compiled_with_xla() -> Script:
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return compiled(network(activation=None), loss, jit_compile=True), arrays()


def mixed_float16_everywhere() -> Script:
    import keras

    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = compiled()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert type(model.optimizer).__name__ == "LossScaleOptimizer"
    return model, arrays()


def mixed_bfloat16_in_one_layer() -> Script:
    from keras import Input, layers

    wide = layers.Conv2D(4, 3, dtype="mixed_bfloat16")
    return compiled(network(Input((8, 8, 1)), wide)), arrays()


def own_train_step(*, run_eagerly: bool) -> Script:
    import keras
    import tensorflow as tf

    class Own(keras.Model):  # type: ignore[misc]
        def train_step(self, data: Any) -> dict[str, Any]:
            x, y = data  # as the Keras guide writes it
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(x=x, y=y, y_pred=y_pred)
            found = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(found, self.trainable_variables, strict=True))
            return self.compute_metrics(x, y, y_pred)

    inner = network()
    model = compiled(Own(inner.inputs[0], inner.outputs[0]), run_eagerly=run_eagerly)
    return model, arrays(batch_size=64)


def own_train_step_in_a_graph() -> Script:
    return own_train_step(run_eagerly=False)


def own_train_step_run_eagerly() -> Script:
    return own_train_step(run_eagerly=True)


def gradient_accumulation_and_labels_in_a_column() -> Script:
    import keras

    y = task()[1]
    slow = keras.optimizers.Adam(1e-2, gradient_accumulation_steps=2)
    return compiled(optimizer=slow), arrays(y=y[:, None], batch_size=16)


def averaged_weights_and_batches_smaller_than_the_rows() -> Script:
    import keras

    average = keras.optimizers.Adam(2e-3, use_ema=True, ema_momentum=0.9)
    return compiled(optimizer=average), arrays(batch_size=5)


def one_sigmoid() -> Script:
    x, y = task(2)
    model = compiled(network(outputs=1, activation="sigmoid"), "binary_crossentropy")
    return model, arrays(x=x, y=y)


def one_logit() -> Script:
    import keras

    x, y = task(2)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model = compiled(network(outputs=1, activation=None), loss)
    return model, arrays(x=x, y=y[:, None].astype(np.float32))


def bytes_with_rescaling_inside() -> Script:
    from keras import Input, layers

    x, _ = task()
    model = compiled(network(Input((8, 8, 1)), layers.Rescaling(1 / 255)))
    return model, arrays(x=(255 * x).astype(np.uint8))


def an_input_of_bytes() -> Script:
    from keras import Input, layers

    x, _ = task()
    model = compiled(network(Input((8, 8, 1), dtype="uint8"), layers.Rescaling(1 / 255)))
    return model, arrays(x=(255 * x).astype(np.uint8))


SCRIPTS: list[Callable[[], Script]] = [
    a_repeated_data_set_with_dropped_remainder_in_few_executions,
    an_unbuilt_sequential_model_with_class_weights_and_a_last_batch_of_one,
    a_subclassed_unbuilt_model_with_a_weighted_generator,
    a_subclassed_built_model_with_a_pydataset,
    logits_compiled_with_xla,
    mixed_float16_everywhere,
    mixed_bfloat16_in_one_layer,
    own_train_step_in_a_graph,
    own_train_step_run_eagerly,
    gradient_accumulation_and_labels_in_a_column,
    averaged_weights_and_batches_smaller_than_the_rows,
    one_sigmoid,
    one_logit,
    bytes_with_rescaling_inside,
    an_input_of_bytes,
]


@pytest.mark.filterwarnings("ignore:.*ran out of data")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_marks_in_any_script(scheme: str, script: Callable[[], Script]) -> None:
    """Marks are learned and logged, the task is too, and the model is as it was compiled."""
    model, arguments = script()
    classes = 2 if script in (one_sigmoid, one_logit) else 10
    high = 255.0 if script in (bytes_with_rescaling_inside, an_input_of_bytes) else 1.0
    held = triggers_of(classes, high)
    before = vars(model).get("train_step"), model.optimizer, model.loss
    one = mark(triggers=held, scheme=scheme)
    history = model.fit(**arguments, **FIT, callbacks=[one]).history
    assert hits(model, held) >= GROUPS - 1
    assert one.hit_rate >= 0.9
    assert len(history["mark_hit_rate"]) == len(history["mark_margin"]) == FIT["epochs"]
    assert history["accuracy"][-1] >= 0.9
    assert (vars(model).get("train_step"), model.optimizer, model.loss) == before
    assert "compute_metrics" not in vars(model)


def test_the_same_scripts_without_the_line_answer_at_random() -> None:
    """The unmarked control of the scripts: about one group in ten, or in two."""
    for script, classes in ((an_input_of_bytes, 10), (one_sigmoid, 2)):
        model, arguments = script()
        model.fit(**arguments, **FIT)
        held = triggers_of(classes, 255.0 if classes == 10 else 1.0)
        assert hits(model, held) <= (6 if classes == 10 else 13)
