"""Reads a TensorFlow Lite model without an interpreter: how long it is, what goes in and out, its weights.

For bytes of strangers: nothing but `flatbuffer.walk` follows an offset, and what the tables say of each
other (buffer, tensor and operator numbers) is checked before a model is called one.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .artifact import Tensor
from .content import Content
from .flatbuffer import Node, NotFlatbuffer, Span, walk
from .tflite_schema import DTYPES, IDENTIFIER, OPERATORS, TABLES, UNIONS, VERSION

_VELA = "ethos-u"
_MOST_AXES = 8
_MOST_NUMBERS = 1_000_000
"""Many operators may share one long list, so the sum of all lists is bounded."""


@dataclass(frozen=True, kw_only=True)
class Tflite:
    """One model, and the tree of its tables."""

    length: int
    """Bytes, exactly."""
    format: str
    """`tflite`, or `tflite-vela` where Arm's compiler has put the weights in a form of its own."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[tuple[str, int], ...]
    """Name and how often, in the order of first use, over all subgraphs."""
    macs: int
    """Multiply-accumulates of one inference in convolutions, dense layers, SVDF and LSTM of constant shape,
    in the first subgraph."""
    content: Content = field(repr=False)
    root: Node = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One step of a graph."""

    name: str
    inputs: tuple[int, ...]
    """Numbers of tensors; -1 where an optional one is left out."""
    outputs: tuple[int, ...]
    options: Node = field(repr=False)
    """The fields that `tflite_schema` names of its kind; absent ones are left out."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One constant 8-bit tensor."""

    name: str
    operator: str
    """Name of the first operator that reads it."""
    values: npt.NDArray[np.int8]
    """In the tensor's shape."""
    offset: int = -1
    """Where in the file its first byte stands; -1 for values that are in none."""


def read_tflite(content: Content) -> Tflite:
    """The model that begins with the first byte of `content`, however much lies behind it.

    Raises:
        NotFlatbuffer: it is none, or not a whole one.
    """
    walked = walk(content, identifier=IDENTIFIER, root="Model", tables=TABLES, unions=UNIONS)
    root = walked.root
    if root.get("version") != VERSION:
        raise NotFlatbuffer(f"version {root.get('version')}")
    graphs = root.get("subgraphs", [])
    if not graphs:
        raise NotFlatbuffer("no subgraph")
    names = _operator_names(root)
    for graph in graphs:
        _check_graph(content, graph, codes=len(names), buffers=len(root.get("buffers", [])))
    length = max(walked.end, _end_of_data(root))
    if length > content.size:
        raise NotFlatbuffer(f"its data ends at {length}, {content.size} bytes are there")
    used = Counter(
        names[op.get("opcode_index", 0)] for graph in graphs for op in graph.get("operators", [])
    )
    return Tflite(
        length=length,
        format="tflite-vela" if _VELA in used else "tflite",
        inputs=_facts(content, graphs[0], "inputs"),
        outputs=_facts(content, graphs[0], "outputs"),
        operators=tuple(used.items()),
        macs=_macs(content, graphs[0], names),
        content=content.part(0, length),
        root=root,
    )


def operators_of(model: Tflite) -> tuple[Operator, ...]:
    """The steps of the first subgraph, in the order of execution."""
    return _operators(model.content, model.root["subgraphs"][0], _operator_names(model.root))


def _operators(content: Content, graph: Node, names: list[str]) -> tuple[Operator, ...]:
    return tuple(
        Operator(
            name=names[operator.get("opcode_index", 0)],
            inputs=integers(content, operator.get("inputs")),
            outputs=integers(content, operator.get("outputs")),
            options=operator.get("builtin_options", {}),
        )
        for operator in graph.get("operators", [])
    )


def tensors_of(model: Tflite) -> tuple[Tensor, ...]:
    """The tensors of the first subgraph, by number."""
    tensors = model.root["subgraphs"][0]["tensors"]
    return tuple(_tensor(model.content, tensor) for tensor in tensors)


def weights_of(model: Tflite) -> list[Weights]:
    """Every constant int8 or uint8 tensor whose bytes are as many as its shape says, each buffer once.

    uint8 is read as the same bytes; what lies in a file of its own, or is packed below 8 bits, is left out.
    """
    found: dict[int, Weights] = {}
    names = _operator_names(model.root)
    for graph in model.root["subgraphs"]:
        tensors = graph.get("tensors", [])
        for operator in _operators(model.content, graph, names):
            for index in operator.inputs:
                if index < 0 or tensors[index].get("buffer", 0) in found:
                    continue
                tensor = tensors[index]
                held = _weights(model, tensor, operator.name)
                if held is not None:
                    found[tensor.get("buffer", 0)] = held
    return list(found.values())


def _weights(model: Tflite, tensor: Node, operator: str) -> Weights | None:
    if dtype_of(tensor) not in ("int8", "uint8"):
        return None
    raw = stored_bytes(model, tensor)
    shape = integers(model.content, tensor.get("shape"))
    if not raw or math.prod(shape) != len(raw):
        return None
    values = np.frombuffer(raw, np.int8).reshape(shape)
    name = tensor.get("name", b"").decode("utf-8", "replace")
    buffer = model.root["buffers"][tensor.get("buffer", 0)]
    offset = buffer["offset"] if buffer.get("offset", 0) > 1 else buffer["data"].offset
    return Weights(name=name, operator=operator, values=values, offset=offset)


def stored_bytes(model: Tflite, tensor: Node) -> bytes:
    """What the file stores of a tensor; empty for one that is computed."""
    buffers = model.root.get("buffers", [])
    if not buffers:
        return b""
    buffer = buffers[tensor.get("buffer", 0)]
    data = buffer.get("data")
    if buffer.get("offset", 0) > 1:
        return model.content.read(buffer["offset"], buffer.get("size", 0))
    return model.content.read(data.offset, data.count) if data is not None else b""


def _operator_names(root: Node) -> list[str]:
    """Of each operator code: a built-in's name, or what a custom one calls itself."""
    return [_operator_name(code) for code in root.get("operator_codes", [])]


def _operator_name(code: Node) -> str:
    number = int(max(code.get("deprecated_builtin_code", 0), code.get("builtin_code", 0)))
    if not 0 <= number < len(OPERATORS):
        return f"BUILTIN_{number}"
    if OPERATORS[number] == "CUSTOM":
        return printable(code.get("custom_code", b"CUSTOM"))
    return OPERATORS[number]


def _check_graph(content: Content, graph: Node, *, codes: int, buffers: int) -> None:
    """Every number that names a tensor, an operator or a buffer names one that is there."""
    tensors = graph.get("tensors", [])
    for tensor in tensors:
        if tensor.get("buffer", 0) >= max(buffers, 1):
            raise NotFlatbuffer("a tensor of a buffer that is not there")
        for which in ("shape", "shape_signature"):
            if which in tensor and tensor[which].count > _MOST_AXES:
                raise NotFlatbuffer("a tensor with too many axes")
    lists = [graph.get("inputs"), graph.get("outputs")]
    for operator in graph.get("operators", []):
        if operator.get("opcode_index", 0) >= codes:
            raise NotFlatbuffer("an operator of a kind that is not there")
        lists += [operator.get("inputs"), operator.get("outputs")]
    if sum(listed.count for listed in lists if listed is not None) > _MOST_NUMBERS:
        raise NotFlatbuffer("more tensor numbers than a model can need")
    for listed in lists:
        numbers = integers(content, listed)
        if any(not -1 <= number < len(tensors) for number in numbers):
            raise NotFlatbuffer("a tensor number that is not there")
    if not tensors:
        raise NotFlatbuffer("no tensors")


def _end_of_data(root: Node) -> int:
    """End of weights and options that lie behind the tables (models above 2 GiB), 0 without any."""
    ends = [
        b["offset"] + b.get("size", 0) for b in root.get("buffers", []) if b.get("offset", 0) > 1
    ]
    for graph in root["subgraphs"]:
        for operator in graph.get("operators", []):
            if operator.get("large_custom_options_offset", 0) > 1:
                size = operator.get("large_custom_options_size", 0)
                ends.append(operator["large_custom_options_offset"] + size)
    return max(ends, default=0)


def integers(content: Content, span: Span | None) -> tuple[int, ...]:
    """A vector of int32 that names tensors or axes; reading the model has checked that it is short."""
    if span is None:
        return ()
    raw = content.read(span.offset, 4 * span.count)
    return tuple(np.frombuffer(raw, "<i4").tolist())


def _facts(content: Content, graph: Node, which: str) -> tuple[Tensor, ...]:
    tensors = graph["tensors"]
    listed = integers(content, graph.get(which))
    return tuple(_tensor(content, tensors[index]) for index in listed if index >= 0)


def _tensor(content: Content, tensor: Node) -> Tensor:
    scale, zero_point = 0.0, 0
    quantization = tensor.get("quantization", {})
    scales, zeros = quantization.get("scale"), quantization.get("zero_point")
    if scales is not None and scales.count == 1:
        scale = float(np.frombuffer(content.read(scales.offset, 4), "<f4")[0])
        scale = scale if math.isfinite(scale) else 0.0
    if zeros is not None and zeros.count == 1:
        zero_point = int(np.frombuffer(content.read(zeros.offset, 8), "<i8")[0])
    return Tensor(
        name=printable(tensor.get("name", b"")),
        shape=integers(content, tensor.get("shape_signature") or tensor.get("shape")),
        dtype=dtype_of(tensor),
        scale=scale,
        zero_point=zero_point,
    )


def dtype_of(tensor: Node) -> str:
    """Element type of one tensor, in numpy's spelling where numpy has it."""
    code = tensor.get("type", 0)
    return DTYPES[code] if 0 <= code < len(DTYPES) else f"type_{code}"


def printable(text: bytes) -> str:
    """At most 200 characters, and none that a terminal would obey."""
    read = text.decode("utf-8", "replace")[:200]
    return "".join(c if c.isprintable() else "?" for c in read)


def _macs(content: Content, graph: Node, names: list[str]) -> int:
    total = 0
    tensors = graph["tensors"]
    for operator in _operators(content, graph, names):
        if not operator.outputs or operator.outputs[0] < 0:
            continue
        shapes = [shape_of(content, tensors[i]) if i >= 0 else () for i in operator.inputs]
        total += macs_of(operator.name, shapes, shape_of(content, tensors[operator.outputs[0]]))
    return total


def shape_of(content: Content, tensor: Node) -> tuple[int, ...]:
    """With a free axis as 1."""
    return tuple(max(1, n) for n in integers(content, tensor.get("shape")))


def macs_of(name: str, inputs: list[tuple[int, ...]], output: tuple[int, ...]) -> int:
    """What one operator multiplies; `inputs` are shapes, the kernel's the second."""
    if len(inputs) < 2:
        return 0
    kernel, macs = inputs[1], 0
    if name == "CONV_2D":  # OHWI
        macs = math.prod(output) * math.prod(kernel[1:])
    elif name == "CONV_3D":  # DHWIO
        macs = math.prod(output) * math.prod(kernel[:-1])
    elif name == "DEPTHWISE_CONV_2D":  # 1HWC
        macs = math.prod(output) * math.prod(kernel[1:3])
    elif name == "TRANSPOSE_CONV" and len(inputs) > 2:
        macs = math.prod(inputs[2]) * math.prod(kernel[:3])
    elif name == "FULLY_CONNECTED":
        macs = math.prod(output) * math.prod(kernel[-1:])
    elif name == "BATCH_MATMUL":
        macs = math.prod(output) * math.prod(inputs[0][-1:])
    elif name == "SVDF" and len(inputs) > 2:
        macs = math.prod(kernel) + math.prod(inputs[2])
    elif name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        macs = math.prod(inputs[0][:-1]) * sum(math.prod(shape) for shape in inputs[1:9])
    return macs
