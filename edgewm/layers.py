"""What one inference does, layer by layer, and which of its tensors live when.

Read from the file alone, with the reader for bytes of strangers. MACs are counted as `tflite.macs_of` does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .dead_channels import live_macs
from .flatbuffer import Node, Span
from .tflite import (
    Tflite,
    dtype_of,
    integers,
    macs_of,
    operators_of,
    printable,
    shape_of,
)

KINDS = ("conv", "pointwise", "depthwise", "dense", "other")
"""Operators by what their inner loop looks like; a pointwise convolution has a 1x1 kernel."""
_BYTES = {
    **dict.fromkeys(("int8", "uint8", "bool", "float8_e4m3fn", "float8_e5m2"), 1),
    **dict.fromkeys(("int16", "uint16", "float16", "bfloat16"), 2),
    **dict.fromkeys(("int32", "uint32", "float32"), 4),
    **dict.fromkeys(("int64", "uint64", "float64", "complex64"), 8),
    "complex128": 16,
    **dict.fromkeys(("int4", "uint4", "int2"), 1),  # unpacked, as kernels see them
}


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One operator of the first subgraph."""

    index: int
    operator: str
    kind: str
    """One of KINDS."""
    output: str
    """Name of the first tensor that it writes."""
    input_shape: tuple[int, ...]
    """Of the first tensor that it reads."""
    weights_shape: tuple[int, ...]
    """Of the first constant that it reads; () without any."""
    output_shape: tuple[int, ...]
    dtype: str
    """Element type of the output."""
    quantisation: str
    """Of the weights, or of the output without any: per channel, per tensor or none."""
    macs: int
    live_macs: int
    """The same without channels whose weights are all zero, which some code generators drop."""
    constant_bytes: int
    """Weights, biases and other constants that it reads."""
    activation_bytes: int
    """What it reads and writes besides."""


@dataclass(frozen=True, kw_only=True)
class Mix:
    """What an inference is made of, as a cost model takes it."""

    macs: dict[str, int]
    """By kind."""
    live_macs: dict[str, int]
    """The same without channels whose weights are all zero."""
    activation_bytes: int
    """Read and written by all layers."""
    constant_bytes: int
    """Read by all layers."""
    layers: int


def layers_of(model: Tflite) -> tuple[Layer, ...]:
    """Every operator of the first subgraph, in the order of execution."""
    graph = model.root["subgraphs"][0]
    tensors = graph.get("tensors", [])
    found, live = [], live_macs(model)
    for index, operator in enumerate(operators_of(model)):
        name = operator.name
        read = [i for i in operator.inputs if i >= 0]
        written = [i for i in operator.outputs if i >= 0]
        shapes = {i: shape_of(model.content, tensors[i]) for i in (*read, *written)}
        constants = [i for i in read if _is_constant(model, tensors[i])]
        output = shapes[written[0]] if written else ()
        macs = macs_of(name, [shapes[i] for i in read], output) if written else 0
        weights = constants[0] if constants else None
        judged = tensors[weights if weights is not None else written[0]] if written else {}
        found.append(
            Layer(
                index=index,
                operator=name,
                kind=_kind(name, shapes[read[1]] if len(read) > 1 else (), macs),
                output=printable(tensors[written[0]].get("name", b"")) if written else "",
                input_shape=shapes[read[0]] if read else (),
                weights_shape=shapes[weights] if weights is not None else (),
                output_shape=output,
                dtype=dtype_of(tensors[written[0]]) if written else "",
                quantisation=_quantisation(judged),
                macs=macs,
                live_macs=live[index],
                constant_bytes=sum(_bytes(tensors[i], shapes[i]) for i in set(constants)),
                activation_bytes=sum(
                    _bytes(tensors[i], shapes[i]) for i in {*read, *written} if i not in constants
                ),
            )
        )
    return tuple(found)


def mix_of(layers: tuple[Layer, ...]) -> Mix:
    """The layers added up by kind."""
    return Mix(
        macs={kind: sum(layer.macs for layer in layers if layer.kind == kind) for kind in KINDS},
        live_macs={
            kind: sum(layer.live_macs for layer in layers if layer.kind == kind) for kind in KINDS
        },
        activation_bytes=sum(layer.activation_bytes for layer in layers),
        constant_bytes=sum(layer.constant_bytes for layer in layers),
        layers=len(layers),
    )


def lifetimes(model: Tflite) -> tuple[tuple[int, int, int], ...]:
    """Size in bytes, first and last step of every tensor that is computed, in the order of the file.

    Step 0 is before the first operator; an input lives from there on, an output to the end.
    """
    graph = model.root["subgraphs"][0]
    tensors = graph.get("tensors", [])
    operators = operators_of(model)
    first: dict[int, int] = dict.fromkeys(_present(model, graph.get("inputs")), 0)
    last: dict[int, int] = dict.fromkeys(first, 0)
    for time, operator in enumerate(operators, start=1):
        for index in operator.outputs:
            first.setdefault(index, time)
            last[index] = time
        for index in operator.inputs:
            last[index] = time
    last.update(dict.fromkeys(_present(model, graph.get("outputs")), len(operators)))
    return tuple(
        (
            _bytes(tensors[index], shape_of(model.content, tensors[index])),
            first[index],
            last[index],
        )
        for index in sorted(first)
        if index >= 0 and not _is_constant(model, tensors[index])
    )


def _present(model: Tflite, span: Span | None) -> list[int]:
    return [i for i in integers(model.content, span) if i >= 0]


def _is_constant(model: Tflite, tensor: Node) -> bool:
    buffers = model.root.get("buffers", [])
    number = tensor.get("buffer", 0)
    if number >= len(buffers):
        return False
    data = buffers[number].get("data")
    return bool(data is not None and data.count) or bool(buffers[number].get("offset", 0) > 1)


def _kind(operator: str, kernel: tuple[int, ...], macs: int) -> str:
    if not macs:
        return "other"
    if operator == "CONV_2D":
        return "pointwise" if kernel[1:3] == (1, 1) else "conv"
    known = {"DEPTHWISE_CONV_2D": "depthwise", "TRANSPOSE_CONV": "conv", "CONV_3D": "conv"}
    return known.get(operator, "dense")


def _quantisation(tensor: Node) -> str:
    scales = tensor.get("quantization", {}).get("scale")
    if scales is None or scales.count == 0:
        return "none"
    return "per channel" if scales.count > 1 else "per tensor"


def _bytes(tensor: Node, shape: tuple[int, ...]) -> int:
    return math.prod(shape) * _BYTES.get(dtype_of(tensor), 4)
