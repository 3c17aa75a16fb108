"""A `.tflite` of a stranger as a list of checked operators: int8 in, int8 out, every shape fixed.

A file may begin by quantising its one input and end by dequantising its one output; both are left to the
caller, so that what the engine takes and gives is always int8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..content import of_bytes
from ..errors import BadInput
from ..flatbuffer import Node, NotFlatbuffer, Span
from ..tflite import Operator as Listed
from ..tflite import Tflite, dtype_of, integers, operators_of, read_tflite, stored_bytes

_MOST_VALUES = 1 << 22
"""Values of one tensor: sums over all of them stay within 32 bits, and no microcontroller has more."""
_MOST_OPERATORS = 4096
"""Far above any model of a microcontroller; the time to plan its memory grows with the square."""


@dataclass(frozen=True, kw_only=True)
class Operand:
    """One tensor."""

    index: int
    shape: tuple[int, ...]
    dtype: str
    scales: npt.NDArray[np.float32] = field(repr=False)
    """Empty where it is not quantised, one, or one a slice along `axis`."""
    zero_points: tuple[int, ...] = field(repr=False)
    axis: int
    stored: bytes = field(repr=False)
    """What the file holds of it; empty for one that is computed."""

    @property
    def size(self) -> int:
        """How many values."""
        return math.prod(self.shape)

    @property
    def scale(self) -> float:
        """The one scale."""
        return float(self.scales[0])

    @property
    def zero_point(self) -> int:
        """The one zero point."""
        return self.zero_points[0]

    def values(self, dtype: str) -> npt.NDArray[np.generic]:
        """What is stored, in its shape."""
        return np.frombuffer(self.stored, dtype).reshape(self.shape)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One operator and its place in the file."""

    index: int
    name: str
    inputs: tuple[Operand | None, ...]
    output: Operand
    options: Node = field(repr=False)

    def refuse(self, why: str) -> BadInput:
        """The error that names this operator."""
        return BadInput(f"MODEL: operator {self.index} ({self.name}): {why}")

    def input(self, at: int) -> Operand:
        """An input that must be there."""
        got = self.inputs[at] if at < len(self.inputs) else None
        if got is None:
            raise self.refuse(f"input {at} is missing")
        return got

    def constant(self, at: int, dtype: str) -> npt.NDArray[np.generic]:
        """The stored values of an input.

        Raises:
            BadInput: it is computed, or of another type.
        """
        operand = self.input(at)
        if not operand.stored or operand.dtype != dtype:
            stored = "stored" if operand.stored else "computed"
            raise self.refuse(
                f"input {at} is {stored} {operand.dtype}, expected stored {dtype}: "
                "convert with full int8 quantisation"
            )
        return operand.values("<i4" if dtype == "int32" else dtype)

    def quantized(self, at: int) -> Operand:
        """An int8 input with one scale."""
        return self.checked(self.input(at), f"input {at}")

    def quantized_output(self) -> Operand:
        """The output, int8 with one scale."""
        return self.checked(self.output, "its output")

    def checked(self, operand: Operand, what: str) -> Operand:
        """An operand that is int8 and has one finite scale above zero.

        Raises:
            BadInput: it is not.
        """
        if operand.dtype != "int8":
            raise self.refuse(
                f"{what} is {operand.dtype}, expected int8: convert with full int8 quantisation"
            )
        if len(operand.scales) != 1 or len(operand.zero_points) != 1:
            raise self.refuse(f"{what} has {len(operand.scales)} scales, expected 1")
        if not (math.isfinite(operand.scale) and operand.scale > 0):
            raise self.refuse(f"{what} has the scale {operand.scale}, expected one above 0")
        if not -128 <= operand.zero_point <= 127:
            raise self.refuse(f"{what} has the zero point {operand.zero_point}")
        return operand


@dataclass(frozen=True, kw_only=True)
class Graph:
    """What is to be computed."""

    operators: tuple[Operator, ...]
    input: Operand
    output: Operand
    macs: int


def read_graph(model: bytes) -> Graph:
    """The operators of a model between its int8 input and its int8 output.

    Raises:
        BadInput: it is no whole `.tflite`, has several inputs or outputs, is not int8, or contradicts itself.
    """
    try:
        read = read_tflite(of_bytes(model))
    except NotFlatbuffer as error:
        raise BadInput(f"MODEL: not a whole .tflite model: {error}") from None
    graphs = read.root["subgraphs"]
    if len(graphs) != 1:
        raise BadInput(f"MODEL: got {len(graphs)} subgraphs, expected 1")
    count = len(graphs[0].get("operators", []))
    if count > _MOST_OPERATORS:
        raise BadInput(f"MODEL: got {count} operators, expected at most {_MOST_OPERATORS}")
    reader = _Reader(read, graphs[0])
    operators = reader.operators()
    first, last = reader.end("inputs"), reader.end("outputs")
    operators, first = _without_quantize(operators, first)
    operators, last = _without_dequantize(operators, last)
    for operand, which in ((first, "input"), (last, "output")):
        if operand.dtype != "int8":
            raise BadInput(
                f"MODEL: its {which} is {operand.dtype}, expected int8: convert with full int8 quantisation"
            )
    _check_order(operators, first, last)
    return Graph(operators=tuple(operators), input=first, output=last, macs=read.macs)


class _Reader:
    """The operands of one subgraph, each read once."""

    def __init__(self, model: Tflite, graph: Node) -> None:
        self._model, self._graph = model, graph
        self._known: dict[int, Operand] = {}

    def operators(self) -> list[Operator]:
        """All of them, in the order of the file."""
        return [self._operator(at, listed) for at, listed in enumerate(operators_of(self._model))]

    def end(self, which: str) -> Operand:
        """The one input or output of the graph."""
        listed = integers(self._model.content, self._graph.get(which))
        if len(listed) != 1 or listed[0] < 0:
            raise BadInput(f"MODEL: got {len(listed)} {which}, expected 1")
        return self._operand(listed[0])

    def _operator(self, at: int, listed: Listed) -> Operator:
        if len(listed.outputs) != 1 or listed.outputs[0] < 0:
            raise BadInput(
                f"MODEL: operator {at} ({listed.name}): got {len(listed.outputs)} outputs, expected 1"
            )
        return Operator(
            index=at,
            name=listed.name,
            inputs=tuple(self._operand(index) if index >= 0 else None for index in listed.inputs),
            output=self._operand(listed.outputs[0]),
            options=listed.options,
        )

    def _operand(self, index: int) -> Operand:
        if index not in self._known:
            self._known[index] = self._read(index)
        return self._known[index]

    def _read(self, index: int) -> Operand:
        tensor = self._graph["tensors"][index]
        shape = integers(self._model.content, tensor.get("shape"))
        dtype = dtype_of(tensor)
        if min(shape, default=1) < 1 or math.prod(shape) > _MOST_VALUES:
            raise BadInput(
                f"MODEL: tensor {index} has the shape {shape}, which is empty or too large"
            )
        if "sparsity" in tensor:
            raise BadInput(f"MODEL: tensor {index} is stored sparsely, expected all its values")
        stored = stored_bytes(self._model, tensor)
        width = {"int8": 1, "int32": 4}.get(dtype, 0)
        if stored and width and len(stored) != width * math.prod(shape):
            raise BadInput(
                f"MODEL: tensor {index} of shape {shape} is stored in {len(stored)} bytes"
            )
        quantization = tensor.get("quantization", {})
        return Operand(
            index=index,
            shape=shape,
            dtype=dtype,
            scales=np.frombuffer(self._numbers(quantization.get("scale")), "<f4"),
            zero_points=tuple(
                np.frombuffer(self._numbers(quantization.get("zero_point")), "<i8").tolist()
            ),
            axis=quantization.get("quantized_dimension", 0),
            stored=stored,
        )

    def _numbers(self, span: Span | None) -> bytes:
        if span is None:
            return b""
        return self._model.content.read(span.offset, span.count * span.width)


def _without_quantize(operators: list[Operator], first: Operand) -> tuple[list[Operator], Operand]:
    """Without the operator that quantises the input, where the file has one."""
    readers = [
        op for op in operators if any(i is not None and i.index == first.index for i in op.inputs)
    ]
    if first.dtype == "float32" and [op.name for op in readers] == ["QUANTIZE"]:
        quantize = readers[0]
        return [op for op in operators if op is not quantize], quantize.quantized_output()
    return operators, first


def _without_dequantize(operators: list[Operator], last: Operand) -> tuple[list[Operator], Operand]:
    """Without the operator that dequantises the output, where the file has one."""
    writers = [op for op in operators if op.output.index == last.index]
    if last.dtype == "float32" and [op.name for op in writers] == ["DEQUANTIZE"]:
        dequantize = writers[0]
        return [op for op in operators if op is not dequantize], dequantize.quantized(0)
    return operators, last


def _check_order(operators: list[Operator], first: Operand, last: Operand) -> None:
    """Every tensor is written once, before it is read, and the output is."""
    written = {first.index}
    if first.stored:
        raise BadInput("MODEL: its input is stored in the file, expected one to be given")
    for operator in operators:
        for operand in operator.inputs:
            if operand is not None and not operand.stored and operand.index not in written:
                raise operator.refuse(
                    f"reads tensor {operand.index}, which nothing has computed yet"
                )
        if operator.output.stored or operator.output.index in written:
            raise operator.refuse(
                f"writes tensor {operator.output.index}, which has a value already"
            )
        written.add(operator.output.index)
    if last.index not in written:
        raise BadInput("MODEL: no operator computes its output")
