"""A thief who trains a traced copy further: weights out of the int8 file, fresh labels, and int8 again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgewm.key import Key
from edgewm.trace import align
from edgewm.trace.issue import issue
from edgewm.trace.plan import kernels_of, make_plan
from edgewm.trace.read import trace

RATES = (1e-4, 1e-3)
EPOCHS = 3
Array = npt.NDArray[Any]


def _network() -> Any:
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), batch_size=None),
            layers.Conv2D(24, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(48, 3, strides=2, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )


def _quantised(model: Any, samples: Array) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converted: bytes = converter.convert()
    return converted


def _give_weights(model: Any, content: bytes) -> None:
    """Put a .tflite's kernels, times their scales, into the network; its biases stay as they were trained."""
    from ai_edge_litert.interpreter import Interpreter

    held = Interpreter(model_content=content)
    held.allocate_tensors()
    details = {detail["name"]: detail for detail in held.get_tensor_details()}
    layers = [layer for layer in model.layers if layer.weights]
    for layer, tensor in zip(layers, kernels_of(content), strict=True):
        scales = details[tensor.name]["quantization_parameters"]["scales"]
        shape = [-1] + [1] * (tensor.values.ndim - 1)
        real = tensor.values.astype(np.float32) * scales.reshape(shape)
        real = real.transpose(1, 2, 3, 0) if real.ndim == 4 else real.T
        layer.set_weights([real, layer.get_weights()[1]])


def _train(model: Any, inputs: Array, labels: Array, *, rate: float, epochs: int) -> None:
    import keras

    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(inputs, labels, batch_size=128, epochs=epochs, verbose=0)


def fine_tuned(data: Path) -> list[dict[str, Any]]:
    """One row a learning rate: who is named of 1,000, and the control, trained from the base file."""
    import keras

    from edgewm.datasets import load_dataset

    keras.utils.set_random_seed(5)
    held = load_dataset(str(data / "fashion_mnist"))
    x, y = held.x_train, held.y_train
    model = _network()
    _train(model, x[:30000], y[:30000], rate=2e-3, epochs=4)
    base = _quantised(model, x[:100])
    key = Key(secret=bytes(range(32)))
    plan = make_plan(base, key)
    recipients = [f"recipient {i}" for i in range(1000)]
    leaked = issue(base, plan, key, recipients[17])
    weights = model.get_weights()
    rows = []
    for rate in RATES:
        for start, content in (("leaked copy", leaked), ("base file", base)):
            model.set_weights(weights)
            _give_weights(model, content)
            _train(model, x[30000:54000], y[30000:54000], rate=rate, epochs=EPOCHS)
            accuracy = float(model.evaluate(held.x_test, held.y_test, verbose=0)[1])
            suspect = _quantised(model, x[30000:30100])
            found = trace(plan, key, align.counterparts(plan, kernels_of(suspect)), recipients)
            rows.append(
                {
                    "start": start,
                    "rate": rate,
                    "epochs": EPOCHS,
                    "labels": 24000,
                    "positions": len(plan.positions),
                    "accuracy": accuracy,
                    "named": list(found.named),
                    "log10_p": found.ranking[0].log10_p,
                }
            )
            print(rows[-1], flush=True)
    return rows
