"""One dense layer as ONNX, `.keras` and SavedModel, for tests: the same numbers as its `.tflite`."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def onnx_of(weights: np.ndarray, bias: np.ndarray, *, planes: bool = False) -> bytes:
    """ONNX with a free batch; weights (K, height, width, channels); `planes` takes channels first."""
    from onnx import TensorProto, checker, helper, numpy_helper

    weights = np.moveaxis(weights, 3, 1) if planes else weights
    flat = weights.reshape(len(bias), -1).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["input"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weights", "bias"], ["scores"], transB=1),
        ],
        "dense",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", *weights.shape[1:]])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", len(bias)])],
        [
            numpy_helper.from_array(flat, "weights"),
            numpy_helper.from_array(bias.astype(np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def quantised_onnx(model: bytes, inputs: np.ndarray, folder: Path) -> bytes:
    """The same in int8 (QDQ), by ONNX Runtime's own static quantisation on `inputs`."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._left = iter(inputs)

        def get_next(self) -> dict[str, np.ndarray] | None:
            one = next(self._left, None)
            return None if one is None else {"input": one[None]}

    (folder / "float.onnx").write_bytes(model)
    quantize_static(
        str(folder / "float.onnx"),
        str(folder / "int8.onnx"),
        Reader(),
        weight_type=QuantType.QInt8,
        per_channel=True,
    )
    return (folder / "int8.onnx").read_bytes()


def keras_of(weights: np.ndarray, bias: np.ndarray) -> object:
    """A Keras model; weights (K, height, width, channels)."""
    import keras

    layer = keras.layers.Dense(len(bias))
    model = keras.Sequential([keras.Input(weights.shape[1:]), keras.layers.Flatten(), layer])
    layer.set_weights([weights.reshape(len(bias), -1).T, bias])
    return model
