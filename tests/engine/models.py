"""Small int8 `.tflite` files, an operator or two each, written with ai-edge-litert's own schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

_CODES = {"int8": 9, "int32": 2, "float32": 0, "uint8": 3}
_OPTIONS = {
    "ADD": "AddOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "PAD": "PadOptions",
    "RESHAPE": "ReshapeOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SUB": "SubOptions",
}
SAME, VALID = 0, 1
RELU, RELU_N1_TO_1, RELU6 = 1, 2, 3


@dataclass(kw_only=True)
class T:
    """A tensor: computed, or stored with `values`."""

    shape: tuple[int, ...]
    scale: float | np.ndarray = 0.05
    zero: int = 0
    values: np.ndarray | None = None
    dtype: str = "int8"
    axis: int = 0


@dataclass(kw_only=True)
class Op:
    """An operator over tensors by number; options by their names in the schema's objects."""

    name: str
    inputs: list[int]
    output: int
    options: dict[str, Any] = field(default_factory=dict)


def packed(tensors: list[T], operators: list[Op], inputs: list[int], outputs: list[int]) -> bytes:
    """The file."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    tree, graph = schema.ModelT(), schema.SubGraphT()
    tree.version, tree.description, tree.buffers = 3, b"test", [schema.BufferT()]
    tree.operatorCodes, tree.subgraphs, graph.name = [], [graph], b"main"
    graph.tensors = [_tensor(schema, tree, number, t) for number, t in enumerate(tensors)]
    graph.operators = [_operator(schema, tree, op) for op in operators]
    graph.inputs, graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
    builder = flatbuffers.Builder(1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(schema: Any, tree: Any, number: int, t: T) -> Any:
    made = schema.TensorT()
    made.name, made.shape = f"t{number}".encode(), np.array(t.shape, np.int32)
    made.type, made.buffer = _CODES[t.dtype], 0
    if t.values is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.asarray(t.values, t.dtype).tobytes(), np.uint8)
        tree.buffers.append(buffer)
        made.buffer = len(tree.buffers) - 1
    if t.dtype in ("int8", "uint8") or np.ndim(t.scale):
        scales = np.atleast_1d(np.asarray(t.scale, np.float32))
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = scales
        made.quantization.zeroPoint = np.full(len(scales), t.zero, np.int64)
        made.quantization.quantizedDimension = t.axis
    return made


def _operator(schema: Any, tree: Any, op: Op) -> Any:
    code, made = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = getattr(schema.BuiltinOperator, op.name)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
    tree.operatorCodes.append(code)
    made.opcodeIndex = len(tree.operatorCodes) - 1
    made.inputs = np.array(op.inputs, np.int32)
    made.outputs = np.array([op.output], np.int32)
    if op.name in _OPTIONS:
        kind = _OPTIONS[op.name]
        made.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        made.builtinOptions = getattr(schema, f"{kind}T")()
        for name, value in op.options.items():
            assert hasattr(made.builtinOptions, name), name
            setattr(made.builtinOptions, name, value)
    return made


def weights(rng: np.random.Generator, shape: tuple[int, ...], axis: int, per_channel: bool) -> T:
    """Stored symmetric weights."""
    channels = shape[axis]
    scale = rng.uniform(0.002, 0.02, channels) if per_channel else 0.01
    values = rng.integers(-127, 128, shape)
    return T(shape=shape, scale=scale, values=values, axis=axis)


def layer(
    kind: str,
    source: tuple[int, ...],
    kernel: tuple[int, ...],
    output: tuple[int, ...],
    *,
    per_channel: bool = True,
    bias: bool = True,
    **options: Any,
) -> bytes:
    """CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED alone, with weights of the kernel's shape."""
    rng = np.random.default_rng(sum(kernel))
    axis = 3 if kind == "DEPTHWISE_CONV_2D" else 0
    held = weights(rng, kernel, axis, per_channel)
    stored = T(shape=(kernel[axis],), dtype="int32", values=rng.integers(-9000, 9000, kernel[axis]))
    stored.scale = np.atleast_1d(held.scale) * 0.04
    reach = 0.04 * 0.01 * 73 * 73 * np.sqrt(np.prod(kernel) / kernel[axis])
    tensors = [
        T(shape=source, scale=0.04, zero=-17),
        held,
        stored,
        T(shape=output, scale=float(reach) / 60, zero=5),
    ]
    op = Op(name=kind, inputs=[0, 1, 2] if bias else [0, 1, -1], output=3, options=options)
    return packed(tensors, [op], [0], [3])


def window(
    kind: str,
    source: tuple[int, ...],
    kernel: tuple[int, ...],
    output: tuple[int, ...],
    *,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    padding: int = SAME,
    activation: int = 0,
    per_channel: bool = True,
) -> bytes:
    """A convolution alone."""
    options = {
        "strideH": stride[0],
        "strideW": stride[1],
        "dilationHFactor": dilation[0],
        "dilationWFactor": dilation[1],
        "padding": padding,
        "fusedActivationFunction": activation,
    }
    if kind == "DEPTHWISE_CONV_2D":
        options["depthMultiplier"] = kernel[3] // source[3]
    return layer(kind, source, kernel, output, per_channel=per_channel, **options)


def pool(
    kind: str,
    source: tuple[int, ...],
    size: tuple[int, int],
    output: tuple[int, ...],
    *,
    stride: tuple[int, int],
    padding: int = SAME,
    activation: int = 0,
) -> bytes:
    """A pooling alone."""
    options = {
        "strideH": stride[0],
        "strideW": stride[1],
        "filterHeight": size[0],
        "filterWidth": size[1],
        "padding": padding,
        "fusedActivationFunction": activation,
    }
    tensors = [T(shape=source), T(shape=output)]
    return packed(tensors, [Op(name=kind, inputs=[0], output=1, options=options)], [0], [1])


def pair(
    kind: str, second: T, *, activation: int = 0, source: tuple[int, ...] = (1, 3, 4, 8)
) -> bytes:
    """ADD, SUB or MUL of the input with a stored tensor, or with itself under another scale."""
    tensors = [
        T(shape=source, scale=0.031, zero=-9),
        second,
        T(shape=source, scale=0.083, zero=-40),
    ]
    options = {"fusedActivationFunction": activation}
    if second.values is not None:
        op = Op(name=kind, inputs=[0, 1], output=2, options=options)
        return packed(tensors, [op], [0], [2])
    rescale = Op(name="QUANTIZE", inputs=[0], output=1)
    op = Op(name=kind, inputs=[1, 0], output=2, options=options)
    return packed(tensors, [rescale, op], [0], [2])


def mean(source: tuple[int, ...], axes: list[int], output: T, *, keep: bool) -> bytes:
    """MEAN alone."""
    listed = T(shape=(len(axes),), dtype="int32", values=np.array(axes))
    op = Op(name="MEAN", inputs=[0, 1], output=2, options={"keepDims": keep})
    return packed([T(shape=source, zero=7), listed, output], [op], [0], [2])


def single(name: str, source: T, output: T, **options: Any) -> bytes:
    """An operator of one input."""
    return packed(
        [source, output], [Op(name=name, inputs=[0], output=1, options=options)], [0], [1]
    )


def padded(source: tuple[int, ...], pads: list[list[int]], value: int | None = None) -> bytes:
    """PAD, or PADV2 with a value, alone."""
    grown = tuple(n + sum(p) for n, p in zip(source, pads, strict=True))
    tensors = [
        T(shape=source, zero=-3),
        T(shape=(len(pads), 2), dtype="int32", values=np.array(pads)),
        T(shape=grown, zero=-3),
    ]
    op = Op(name="PAD", inputs=[0, 1], output=2)
    if value is not None:
        tensors.append(T(shape=(1,), zero=-3, values=np.array([value])))
        op = Op(name="PADV2", inputs=[0, 1, 3], output=2)
    return packed(tensors, [op], [0], [2])


def joined(axis: int) -> bytes:
    """CONCATENATION of the input, a stored tensor and the input's mirror through RELU."""
    shape = (1, 2, 3, 4)
    grown = tuple(3 * n if at == axis % 4 else n for at, n in enumerate(shape))
    stored = np.arange(24).reshape(shape)
    tensors = [T(shape=shape), T(shape=shape, values=stored), T(shape=shape), T(shape=grown)]
    operators = [
        Op(name="RELU", inputs=[0], output=2),
        Op(name="CONCATENATION", inputs=[2, 1, 0], output=3, options={"axis": axis}),
    ]
    return packed(tensors, operators, [0], [3])


def branching() -> bytes:
    """Two convolutions of one tensor, added, reshaped, a dense layer and softmax: lifetimes that overlap."""
    rng = np.random.default_rng(5)
    options = {"strideH": 1, "strideW": 1, "padding": SAME, "fusedActivationFunction": RELU}
    shape = (1, 5, 4, 6)
    tensors = [
        T(shape=shape, scale=0.04, zero=-17),
        weights(rng, (6, 3, 3, 6), 0, True),
        weights(rng, (6, 1, 1, 6), 0, False),
        T(shape=shape, scale=0.1, zero=-128),
        T(shape=shape, scale=0.05, zero=-128),
        T(shape=shape, scale=0.11, zero=-30),
        T(shape=(1, 120), scale=0.11, zero=-30),
        weights(rng, (10, 120), 0, True),
        T(shape=(1, 10), scale=0.12, zero=3),
        T(shape=(1, 10), scale=1 / 256, zero=-128),
        T(shape=(2,), dtype="int32", values=np.array([1, 120])),
    ]
    operators = [
        Op(name="CONV_2D", inputs=[0, 1, -1], output=3, options=options),
        Op(name="CONV_2D", inputs=[0, 2, -1], output=4, options=options),
        Op(name="ADD", inputs=[3, 4], output=5),
        Op(name="RESHAPE", inputs=[5, 10], output=6),
        Op(name="FULLY_CONNECTED", inputs=[6, 7, -1], output=8),
        Op(name="SOFTMAX", inputs=[8], output=9, options={"beta": 1.0}),
    ]
    return packed(tensors, operators, [0], [9])


def of_stored() -> bytes:
    """ADD of the input and a stored tensor that is reshaped first."""
    tensors = [
        T(shape=(1, 6)),
        T(shape=(2, 3), values=np.arange(-60, 60, 20)),
        T(shape=(1, 6)),
        T(shape=(1, 6), scale=0.09),
    ]
    operators = [
        Op(name="RESHAPE", inputs=[1], output=2, options={"newShape": [1, 6]}),
        Op(name="ADD", inputs=[0, 2], output=3),
    ]
    return packed(tensors, operators, [0], [3])


SOFTMAX = T(shape=(1, 10), scale=1 / 256, zero=-128)


def cases() -> dict[str, bytes]:
    """Every operator, in the ways that its kernel tells apart."""
    conv, deep, dense = "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"
    flat = T(shape=(1, 60), scale=0.07, zero=11)
    return {
        "conv 3x3": window(conv, (1, 6, 5, 4), (8, 3, 3, 4), (1, 6, 5, 8), activation=RELU),
        "conv odd": window(
            *(conv, (1, 9, 8, 3), (7, 3, 2, 3), (1, 4, 4, 7)),
            stride=(2, 2),
            padding=VALID,
            per_channel=False,
        ),
        "conv dilated": window(conv, (1, 8, 9, 2), (3, 3, 3, 2), (1, 8, 9, 3), dilation=(2, 3)),
        "conv 1x1": window(conv, (1, 5, 3, 9), (5, 1, 1, 9), (1, 5, 3, 5), activation=RELU6),
        "conv 1x1 strided": window(conv, (1, 5, 4, 8), (4, 1, 1, 8), (1, 3, 2, 4), stride=(2, 2)),
        "conv tall": window(conv, (1, 12, 5, 1), (6, 10, 4, 1), (1, 6, 3, 6), stride=(2, 2)),
        "conv wide window": window(conv, (1, 2, 2, 3), (2, 5, 5, 3), (1, 2, 2, 2)),
        "depthwise": window(deep, (1, 6, 5, 8), (1, 3, 3, 8), (1, 6, 5, 8), activation=RELU),
        "depthwise odd": window(
            *(deep, (1, 9, 7, 6), (1, 3, 3, 6), (1, 4, 3, 6)),
            stride=(2, 2),
            padding=VALID,
            per_channel=False,
        ),
        "depthwise dilated": window(
            deep, (1, 6, 6, 4), (1, 3, 3, 4), (1, 6, 6, 4), dilation=(2, 2)
        ),
        "depthwise several": window(deep, (1, 4, 4, 3), (1, 3, 3, 6), (1, 4, 4, 6)),
        "depthwise of one": window(deep, (1, 9, 8, 1), (1, 4, 3, 5), (1, 5, 4, 5), stride=(2, 2)),
        "dense": layer(dense, (1, 37), (11, 37), (1, 11), fusedActivationFunction=RELU),
        "dense one scale": layer(dense, (1, 64), (6, 64), (1, 6), per_channel=False),
        "dense rows": layer(dense, (3, 10), (4, 10), (3, 4), bias=False, per_channel=False),
        "dense n1": layer(dense, (1, 16), (9, 16), (1, 9), fusedActivationFunction=RELU_N1_TO_1),
        "add": pair("ADD", T(shape=(1, 3, 4, 8), scale=0.052, zero=22), activation=RELU),
        "add stored": pair(
            "ADD", T(shape=(8,), scale=0.02, zero=-50, values=np.arange(-60, 68, 16))
        ),
        "add one": pair("ADD", T(shape=(1,), scale=0.01, values=np.array([99])), activation=RELU6),
        "sub": pair("SUB", T(shape=(3, 4, 8), scale=0.052, zero=22, values=np.arange(-96, 96, 2))),
        "sub one": pair("SUB", T(shape=(1,), scale=0.01, values=np.array([99])), activation=RELU),
        "sub stored": pair(
            "SUB", T(shape=(8,), scale=0.02, zero=-50, values=np.arange(-60, 68, 16))
        ),
        "mul": pair("MUL", T(shape=(1, 3, 4, 8), scale=0.052, zero=22)),
        "mul stored": pair(
            "MUL", T(shape=(8,), scale=0.02, zero=-128, values=np.arange(-60, 68, 16))
        ),
        "average": pool("AVERAGE_POOL_2D", (1, 7, 6, 3), (3, 3), (1, 4, 3, 3), stride=(2, 2)),
        "average all": pool(
            "AVERAGE_POOL_2D", (1, 5, 6, 4), (5, 6), (1, 1, 1, 4), stride=(5, 6), padding=VALID
        ),
        "average relu6": pool(
            "AVERAGE_POOL_2D", (1, 4, 4, 2), (2, 2), (1, 2, 2, 2), stride=(2, 2), activation=RELU6
        ),
        "max": pool("MAX_POOL_2D", (1, 7, 6, 3), (3, 2), (1, 4, 6, 3), stride=(2, 1)),
        "max relu": pool(
            "MAX_POOL_2D", (1, 6, 6, 2), (2, 2), (1, 3, 3, 2), stride=(2, 2), activation=RELU
        ),
        "mean pictures": mean((1, 5, 6, 7), [1, 2], T(shape=(1, 1, 1, 7), zero=7), keep=True),
        "mean as it is": mean((1, 5, 6, 7), [1, 2], T(shape=(1, 7), zero=7), keep=False),
        "mean rescaled": mean((1, 5, 6, 7), [2, 1], T(shape=(1, 7), scale=0.021), keep=False),
        "mean of time": mean((1, 9, 5), [1], T(shape=(1, 5), scale=0.03, zero=1), keep=False),
        "mean channels": mean((1, 3, 4, 6), [-1], T(shape=(1, 3, 4), scale=0.02), keep=False),
        "pad": padded((1, 3, 4, 2), [[0, 0], [1, 2], [0, 1], [0, 0]]),
        "pad two axes": padded((2, 5), [[1, 0], [2, 3]]),
        "pad value": padded((1, 3, 4, 2), [[0, 0], [1, 1], [1, 1], [0, 3]], value=55),
        "concatenation channels": joined(-1),
        "concatenation rows": joined(1),
        "softmax": single("SOFTMAX", T(shape=(1, 10), scale=0.17, zero=24), SOFTMAX, beta=1.0),
        "softmax flat": single(
            "SOFTMAX",
            T(shape=(3, 20), scale=0.002),
            T(shape=(3, 20), scale=1 / 256, zero=-128),
            beta=1.0,
        ),
        "softmax steep": single("SOFTMAX", T(shape=(1, 10), scale=3.0), SOFTMAX, beta=2.0),
        "quantize": single("QUANTIZE", T(shape=(1, 60), scale=0.03, zero=-5), flat),
        "quantize finer": single("QUANTIZE", T(shape=(1, 60), scale=0.3, zero=-5), flat),
        "logistic": single(
            "LOGISTIC",
            T(shape=(1, 60), scale=0.06, zero=4),
            T(shape=(1, 60), scale=1 / 256, zero=-128),
        ),
        "relu": single("RELU", T(shape=(1, 60), scale=0.09, zero=-20), flat),
        "relu6": single("RELU6", T(shape=(1, 60), zero=-20), T(shape=(1, 60), zero=-20)),
        "reshape": single("RESHAPE", T(shape=(1, 12)), T(shape=(1, 3, 4)), newShape=[1, 3, 4]),
        "branching": branching(),
        "of stored": of_stored(),
    }
