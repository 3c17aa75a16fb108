"""What one inference does, layer by layer, and the working memory that a plan of its tensors needs.

Read from the file alone, with the reader for bytes of strangers. MACs are counted as `tflite.macs_of` does.
The plan is greedy, largest tensor first, each at the lowest address that is free for as long as it lives
(Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020), as TFLM plans: its
own scratch buffers are not in the file, and neither is what outlives an inference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .flatbuffer import Node
from .tflite import Tflite, dtype_of, integers, macs_of, operator_name, printable, shape_of

KINDS = ("conv", "pointwise", "depthwise", "dense", "other")
"""Operators by what their inner loop looks like; a pointwise convolution has a 1x1 kernel."""
_ALIGNMENT_BYTES = 16
_MOST_TENSORS = 4000
"""A plan takes the square of the number of tensors."""
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
    constant_bytes: int
    """Weights, biases and other constants that it reads."""
    activation_bytes: int
    """What it reads and writes besides."""


@dataclass(frozen=True, kw_only=True)
class Mix:
    """What an inference is made of, as a cost model takes it."""

    macs: dict[str, int]
    """By kind."""
    activation_bytes: int
    """Read and written by all layers."""
    constant_bytes: int
    """Read by all layers."""
    layers: int


def layers_of(model: Tflite) -> tuple[Layer, ...]:
    """Every operator of the first subgraph, in the order of execution."""
    graph = model.root["subgraphs"][0]
    tensors = graph.get("tensors", [])
    names = [operator_name(code) for code in model.root.get("operator_codes", [])]
    found = []
    for index, operator in enumerate(graph.get("operators", [])):
        name = names[operator.get("opcode_index", 0)]
        read = [i for i in integers(model.content, operator.get("inputs")) if i >= 0]
        written = [i for i in integers(model.content, operator.get("outputs")) if i >= 0]
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
        activation_bytes=sum(layer.activation_bytes for layer in layers),
        constant_bytes=sum(layer.constant_bytes for layer in layers),
        layers=len(layers),
    )


def planned_arena_bytes(model: Tflite) -> int | None:
    """Bytes that the tensors of one inference take, each placed where it overlaps no other that lives.

    None for a graph with more tensors than any plan is made for.
    """
    graph = model.root["subgraphs"][0]
    tensors = graph.get("tensors", [])
    if len(tensors) > _MOST_TENSORS:
        return None
    operators = graph.get("operators", [])
    first: dict[int, int] = dict.fromkeys(_numbers(model, graph.get("inputs")), 0)
    last: dict[int, int] = dict.fromkeys(first, 0)
    for time, operator in enumerate(operators, start=1):
        for index in _numbers(model, operator.get("outputs")):
            first.setdefault(index, time)
            last[index] = time
        for index in _numbers(model, operator.get("inputs")):
            last[index] = time
    for index in _numbers(model, graph.get("outputs")):
        last[index] = len(operators)
    sizes = {
        index: _aligned(_bytes(tensors[index], shape_of(model.content, tensors[index])))
        for index in first
        if not _is_constant(model, tensors[index])
    }
    placed: list[tuple[int, int, int]] = []  # address, end, tensor
    for index in sorted(sizes, key=lambda i: (-sizes[i], -i)):  # of equal ones the last, as TFLM
        alive = sorted(
            (start, end)
            for start, end, other in placed
            if first[other] <= last[index] and first[index] <= last[other]
        )
        address = 0
        for start, end in alive:
            if address + sizes[index] <= start:
                break
            address = max(address, end)
        placed.append((address, address + sizes[index], index))
    return max((end for _, end, _ in placed), default=0)


def _numbers(model: Tflite, span: object) -> list[int]:
    return [i for i in integers(model.content, span) if i >= 0]  # type: ignore[arg-type]


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


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
