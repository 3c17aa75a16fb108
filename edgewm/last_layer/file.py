"""The last dense layer of an int8 file: where its numbers lie, and the file with other numbers there.

Nothing but numbers is written, each in its old place, so length, tables and offsets stay. A file that
answers with the features is the same file whose graph names another tensor as its output.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..content import of_bytes
from ..errors import BadInput
from ..flatbuffer import Node, NotFlatbuffer, Span
from ..tflite import Tflite, operators_of, read_tflite

_LAST = ("SOFTMAX", "LOGISTIC", "RESHAPE", "QUANTIZE", "DEQUANTIZE")
"""What may follow the layer: none of them changes which class is first."""
Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class LastLayer:
    """A dense layer from int8 features to one score a class: scores = weights @ features + biases."""

    weights: npt.NDArray[np.int8] = field(repr=False)
    """(K, d)."""
    biases: npt.NDArray[np.int32] = field(repr=False)
    """(K,), in steps of feature_scale * weight_scales."""
    weight_scales: npt.NDArray[np.float32] = field(repr=False)
    """(1,), or (K,) where each class has its own."""
    feature_scale: float
    feature_zero_point: int
    score_scale: float
    score_zero_point: int
    feature_tensor: int
    places: dict[str, int] = field(repr=False)
    """Offset in the file of weights, biases, their scales, and the number of the output tensor."""

    @property
    def classes(self) -> int:
        """K."""
        return len(self.weights)


def last_layer_of(model: bytes) -> LastLayer:
    """The layer that gives the scores of a full-int8 classifier.

    Raises:
        BadInput: no `.tflite`, or one whose scores do not come from a dense int8 layer with biases.
    """
    try:
        found = read_tflite(of_bytes(model))
    except NotFlatbuffer as error:
        raise BadInput(f"MODEL: not a .tflite file: {error}") from None
    operators = operators_of(found)
    while operators and operators[-1].name in _LAST:
        operators = operators[:-1]
    if not operators or operators[-1].name != "FULLY_CONNECTED":
        name = operators[-1].name if operators else "nothing"
        raise BadInput(f"MODEL: its scores come from {name}, expected FULLY_CONNECTED")
    last = operators[-1]
    if len(last.inputs) != 3 or min(last.inputs) < 0 or len(last.outputs) != 1:
        raise BadInput("MODEL: its last dense layer has no biases, expected weights and biases")
    graph = found.root["subgraphs"][0]
    features, weights, biases = (graph["tensors"][i] for i in last.inputs)
    scores = graph["tensors"][last.outputs[0]]
    raw_weights, weights_at = _constant(found, weights, np.dtype("int8"), shared_by=graph)
    raw_biases, biases_at = _constant(found, biases, np.dtype("<i4"), shared_by=graph)
    classes = len(raw_biases)
    if classes < 2 or len(raw_weights) % classes:
        raise BadInput(
            f"MODEL: its last layer has {classes} outputs, expected one a class, 2 or more"
        )
    scales, scales_at = _scales(found, weights)
    bias_scales, bias_scales_at = _scales(found, biases)
    if len(scales) not in (1, classes) or len(bias_scales) != len(scales):
        raise BadInput("MODEL: the scales of its last layer are not one, or one a class")
    (feature_scale, feature_zero_point) = _quantisation(found, features)
    (score_scale, score_zero_point) = _quantisation(found, scores)
    outputs: Span | None = graph.get("outputs")
    if outputs is None or outputs.count != 1:
        raise BadInput("MODEL: it has several outputs, expected one row of scores")
    return LastLayer(
        weights=raw_weights.reshape(classes, -1),
        biases=raw_biases,
        weight_scales=scales,
        feature_scale=feature_scale,
        feature_zero_point=feature_zero_point,
        score_scale=score_scale,
        score_zero_point=score_zero_point,
        feature_tensor=last.inputs[0],
        places={
            "weights": weights_at,
            "biases": biases_at,
            "weight_scales": scales_at,
            "bias_scales": bias_scales_at,
            "output": outputs.offset,
        },
    )


def features_file(model: bytes, layer: LastLayer) -> bytes:
    """The same model, answering with the int8 features that its last layer takes."""
    number = np.array([layer.feature_tensor], "<i4").tobytes()
    return _written(model, layer.places["output"], number)


def with_layer(
    model: bytes,
    layer: LastLayer,
    *,
    weights: npt.NDArray[np.int8],
    biases: npt.NDArray[np.int32],
    weight_scales: npt.NDArray[np.float32],
) -> bytes:
    """The same file, as long as before, with another last layer: shapes as in `layer`."""
    assert weights.shape == layer.weights.shape
    assert biases.shape == layer.biases.shape
    assert weight_scales.shape == layer.weight_scales.shape
    bias_scales = (np.float32(layer.feature_scale) * weight_scales).astype("<f4")
    written = model
    for name, values in (
        ("weights", weights.astype(np.int8)),
        ("biases", biases.astype("<i4")),
        ("weight_scales", weight_scales.astype("<f4")),
        ("bias_scales", bias_scales),
    ):
        written = _written(written, layer.places[name], values.tobytes())
    return written


def _written(model: bytes, at: int, values: bytes) -> bytes:
    return model[:at] + values + model[at + len(values) :]


def _constant(
    model: Tflite, tensor: Node, dtype: np.dtype[Any], *, shared_by: Node
) -> tuple[npt.NDArray[Any], int]:
    """Values of a constant tensor that nothing else reads, and where they lie."""
    number = tensor.get("buffer", 0)
    data: Span | None = model.root["buffers"][number].get("data")
    wanted = {"int8": 9, "int32": 2}[dtype.name]
    if tensor.get("type", 0) != wanted or data is None or data.count % dtype.itemsize:
        raise BadInput(f"MODEL: its last dense layer is not full int8 ({dtype.name} constants)")
    if sum(other.get("buffer", 0) == number for other in shared_by["tensors"]) > 1:
        raise BadInput("MODEL: its last dense layer shares its numbers with another tensor")
    return np.frombuffer(model.content.read(data.offset, data.count), dtype), data.offset


def _scales(model: Tflite, tensor: Node) -> tuple[npt.NDArray[np.float32], int]:
    quantization = tensor.get("quantization", {})
    scales: Span | None = quantization.get("scale")
    if scales is None or scales.count < 1:
        raise BadInput("MODEL: its last dense layer has no scales, expected full int8")
    zeros: Span | None = quantization.get("zero_point")
    if zeros is not None and any(model.content.read(zeros.offset, 8 * zeros.count)):
        raise BadInput("MODEL: its last dense layer has zero points, expected symmetric weights")
    values = np.frombuffer(model.content.read(scales.offset, 4 * scales.count), "<f4")
    if not (np.isfinite(values) & (values > 0)).all():
        raise BadInput("MODEL: the scales of its last dense layer are no positive numbers")
    return values, scales.offset


def _quantisation(model: Tflite, tensor: Node) -> tuple[float, int]:
    if tensor.get("type", 0) != 9:
        raise BadInput("MODEL: its last dense layer does not take and give int8")
    quantization = tensor.get("quantization", {})
    scale: Span | None = quantization.get("scale")
    zero: Span | None = quantization.get("zero_point")
    if scale is None or zero is None or scale.count != 1 or zero.count != 1:
        raise BadInput("MODEL: its last dense layer takes or gives numbers without one scale")
    step = float(np.frombuffer(model.content.read(scale.offset, 4), "<f4")[0])
    if not (np.isfinite(step) and step > 0):
        raise BadInput("MODEL: a scale of its last dense layer is no positive number")
    return step, int(np.frombuffer(model.content.read(zero.offset, 8), "<i8")[0])
