"""Small `.tflite` files made for one test each, written with the schema that ships in ai-edge-litert."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

_CODES = {"int8": 9, "uint8": 3, "int16": 7, "float16": 1, "float32": 0}


def edited(model: bytes, change: Callable[[Any, Any], None]) -> bytes:
    """`model` after `change(schema, its object tree)`."""
    from ai_edge_litert import schema_py_generated as schema

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(model), 0))
    change(schema, tree)
    return _packed(tree)


def identity(dtype: str, scale: float, zero_point: int, size: int) -> bytes:
    """A reshape from (1, size) to (1, size): its raw output is its quantised input."""
    from ai_edge_litert import schema_py_generated as schema

    options = schema.ReshapeOptionsT()
    options.newShape = [1, size]
    shape = np.array([1, size], np.int32)
    tree = _tree(
        schema,
        [(dtype, (1, size), None), ("int32", (2,), shape), (dtype, (1, size), None)],
        (schema.BuiltinOperator.RESHAPE, schema.BuiltinOptions.ReshapeOptions, options),
        scale,
        zero_point,
    )
    return _packed(tree)


def dense(weights: np.ndarray, bias: np.ndarray, shape: tuple[int, ...] | None = None) -> bytes:
    """A float32 dense layer, weights (K, D), bias (K,): (1, *shape) of D values to (1, K)."""
    from ai_edge_litert import schema_py_generated as schema

    classes, size = weights.shape
    tree = _tree(
        schema,
        [
            ("float32", (1, *(shape or (size,))), None),
            ("float32", weights.shape, weights.astype(np.float32)),
            ("float32", bias.shape, bias.astype(np.float32)),
            ("float32", (1, classes), None),
        ],
        (
            schema.BuiltinOperator.FULLY_CONNECTED,
            schema.BuiltinOptions.FullyConnectedOptions,
            schema.FullyConnectedOptionsT(),
        ),
    )
    return _packed(tree)


def endless(shape: tuple[int, ...] = (8, 8, 1), classes: int = 10) -> bytes:
    """A float32 classifier that loops for ever on every input (1, *shape): while x >= x, x stays x + x."""
    from ai_edge_litert import schema_py_generated as schema

    full = (1, *shape)
    axes = np.arange(len(full), dtype=np.int32)
    weights = np.zeros((classes, math.prod(shape)), np.float32)
    builtin, kinds = schema.BuiltinOperator, schema.BuiltinOptions
    loop = schema.WhileOptionsT()
    loop.condSubgraphIndex, loop.bodySubgraphIndex = 1, 2
    main = [("float32", full, None), ("float32", weights.shape, weights)]
    main += [("float32", full, None), ("float32", (1, classes), None)]
    condition = [("float32", full, None), ("int32", axes.shape, axes)]
    condition += [("float32", (), None), ("bool", (), None)]
    dense_layer = (builtin.FULLY_CONNECTED, kinds.FullyConnectedOptions)
    return _graphs(
        schema,
        [
            (
                main,
                [
                    (builtin.WHILE, kinds.WhileOptions, loop, [0], [2]),
                    (*dense_layer, schema.FullyConnectedOptionsT(), [2, 1], [3]),
                ],
            ),
            (
                condition,
                [
                    (builtin.SUM, kinds.ReducerOptions, schema.ReducerOptionsT(), [0, 1], [2]),
                    (
                        builtin.GREATER_EQUAL,
                        kinds.GreaterEqualOptions,
                        schema.GreaterEqualOptionsT(),
                        [2, 2],
                        [3],
                    ),
                ],
            ),
            (
                [("float32", full, None), ("float32", full, None)],
                [(builtin.ADD, kinds.AddOptions, schema.AddOptionsT(), [0, 0], [1])],
            ),
        ],
    )


def enormous(shape: tuple[int, ...] = (8, 8, 1), classes: int = 10) -> bytes:
    """A float32 classifier (1, *shape) to (1, classes) that needs 4 GiB between input and output."""
    from ai_edge_litert import schema_py_generated as schema

    full, wide = (1, *shape), (1 << 24, math.prod(shape))
    flat, target = np.array([1, wide[1]], np.int32), np.array(wide, np.int32)
    weights = np.zeros((classes, wide[1]), np.float32)
    builtin, kinds = schema.BuiltinOperator, schema.BuiltinOptions
    reshape = schema.ReshapeOptionsT()
    reshape.newShape = flat
    tensors = [
        *[("float32", full, None), ("int32", (2,), flat), ("float32", (1, wide[1]), None)],
        *[("int32", (2,), target), ("float32", wide, None), ("int32", (1,), np.zeros(1, np.int32))],
        *[("float32", (1, wide[1]), None), ("float32", weights.shape, weights)],
        ("float32", (1, classes), None),
    ]
    keep = schema.ReducerOptionsT()
    keep.keepDims = True
    dense_layer = (builtin.FULLY_CONNECTED, kinds.FullyConnectedOptions)
    operators = [
        (builtin.RESHAPE, kinds.ReshapeOptions, reshape, [0, 1], [2]),
        (builtin.BROADCAST_TO, kinds.BroadcastToOptions, schema.BroadcastToOptionsT(), [2, 3], [4]),
        (builtin.MEAN, kinds.ReducerOptions, keep, [4, 5], [6]),
        (*dense_layer, schema.FullyConnectedOptionsT(), [6, 7], [8]),
    ]
    return _graphs(schema, [(tensors, operators)])


def remembering(weights: np.ndarray) -> bytes:
    """A float32 dense layer (K, D) of all inputs so far: y = W (x + v), v := x + v, a resource variable."""
    from ai_edge_litert import schema_py_generated as schema

    classes, size = weights.shape
    builtin, kinds = schema.BuiltinOperator, schema.BuiltinOptions
    handle, once = schema.VarHandleOptionsT(), schema.CallOnceOptionsT()
    handle.container, handle.sharedName, once.initSubgraphIndex = b"", b"sum", 1
    variable = (builtin.VAR_HANDLE, kinds.VarHandleOptions, handle)
    assign = (builtin.ASSIGN_VARIABLE, kinds.AssignVariableOptions)
    row, none = (1, size), ("resource", (), None)
    main = [("float32", row, None), none, ("float32", row, None), ("float32", row, None)]
    main += [
        ("float32", weights.shape, weights.astype(np.float32)),
        ("float32", (1, classes), None),
    ]
    return _graphs(
        schema,
        [
            (
                main,
                [
                    (builtin.CALL_ONCE, kinds.CallOnceOptions, once, [], []),
                    (*variable, [], [1]),
                    (
                        *(builtin.READ_VARIABLE, kinds.ReadVariableOptions),
                        *(schema.ReadVariableOptionsT(), [1], [2]),
                    ),
                    (builtin.ADD, kinds.AddOptions, schema.AddOptionsT(), [0, 2], [3]),
                    (*assign, schema.AssignVariableOptionsT(), [1, 3], []),
                    (
                        *(builtin.FULLY_CONNECTED, kinds.FullyConnectedOptions),
                        *(schema.FullyConnectedOptionsT(), [3, 4], [5]),
                    ),
                ],
            ),
            (
                [none, ("float32", row, np.zeros(row, np.float32))],
                [(*variable, [], [0]), (*assign, schema.AssignVariableOptionsT(), [0, 1], [])],
                [],
                [],
            ),
        ],
    )


def streaming(weights: np.ndarray, memory: int) -> bytes:
    """A float32 SVDF layer, weights (K, D): sums the last `memory` frames (1, 1, D); state is a variable."""
    from ai_edge_litert import schema_py_generated as schema

    classes, size = weights.shape
    builtin, kinds = schema.BuiltinOperator, schema.BuiltinOptions
    flat, layer = np.array([1, size], np.int32), schema.SVDFOptionsT()
    reshape = schema.ReshapeOptionsT()
    reshape.newShape, layer.rank = flat, 1
    tensors = [
        *[("float32", (1, 1, size), None), ("int32", (2,), flat), ("float32", (1, size), None)],
        ("float32", weights.shape, weights.astype(np.float32)),
        ("float32", (classes, memory), np.ones((classes, memory), np.float32)),
        ("float32", (classes,), np.zeros(classes, np.float32)),
        *[("float32", (1, classes * memory), "variable"), ("float32", (1, classes), None)],
    ]
    operators = [
        (builtin.RESHAPE, kinds.ReshapeOptions, reshape, [0, 1], [2]),
        (builtin.SVDF, kinds.SVDFOptions, layer, [2, 3, 4, 5, 6], [7]),
    ]
    return _graphs(schema, [(tensors, operators)])


def with_state_outside(weights: np.ndarray) -> bytes:
    """The same sum with its state handed out: inputs frame (1, 1, D) and sum (1, D), outputs sum, scores."""
    from ai_edge_litert import schema_py_generated as schema

    classes, size = weights.shape
    builtin, kinds = schema.BuiltinOperator, schema.BuiltinOptions
    flat, reshape = np.array([1, size], np.int32), schema.ReshapeOptionsT()
    reshape.newShape = flat
    row = ("float32", (1, size), None)
    tensors = [("float32", (1, 1, size), None), row, ("int32", (2,), flat), row, row]
    tensors += [("float32", weights.shape, weights.astype(np.float32))]
    tensors += [("float32", (1, classes), None)]
    operators = [
        (builtin.RESHAPE, kinds.ReshapeOptions, reshape, [0, 2], [3]),
        (builtin.ADD, kinds.AddOptions, schema.AddOptionsT(), [3, 1], [4]),
        (
            *(builtin.FULLY_CONNECTED, kinds.FullyConnectedOptions),
            *(schema.FullyConnectedOptionsT(), [4, 5], [6]),
        ),
    ]
    return _graphs(schema, [(tensors, operators, [0, 1], [4, 6])])


def with_second_output(schema: Any, tree: Any) -> None:
    """Show an inner tensor of a model as one more output."""
    graph = tree.subgraphs[0]
    inner = graph.operators[len(graph.operators) // 2].outputs
    graph.outputs = np.append(graph.outputs, inner).astype(np.int32)


def with_second_input(schema: Any, tree: Any) -> None:
    """Add an input that nothing reads."""
    graph = tree.subgraphs[0]
    extra = schema.TensorT()
    extra.shape, extra.type, extra.name = np.array([1, 4], np.int32), 0, b"extra"
    extra.buffer = graph.tensors[graph.inputs[0]].buffer
    graph.tensors.append(extra)
    graph.inputs = np.append(graph.inputs, len(graph.tensors) - 1).astype(np.int32)


def with_resource_variable(schema: Any, tree: Any) -> None:
    """Add a handle to a variable that outlives an inference."""
    graph = tree.subgraphs[0]
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode = schema.BuiltinOperator.VAR_HANDLE, 127
    code.version = 1
    tree.operatorCodes.append(code)
    handle = schema.TensorT()
    handle.shape, handle.type = np.array([], np.int32), schema.TensorType.RESOURCE
    handle.name, handle.buffer = b"handle", 0
    graph.tensors.append(handle)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(tree.operatorCodes) - 1
    operator.inputs = np.array([], np.int32)
    operator.outputs = np.array([len(graph.tensors) - 1], np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.VarHandleOptions
    operator.builtinOptions = schema.VarHandleOptionsT()
    operator.builtinOptions.container, operator.builtinOptions.sharedName = b"", b"kept"
    graph.operators.insert(0, operator)


def as_older(schema: Any, tree: Any) -> None:
    """Operator codes as files before 2020 have them: in the one byte that was later deprecated."""
    for code in tree.operatorCodes:
        code.builtinCode = 0


def of_version(version: int) -> Callable[[Any, Any], None]:
    """Declare another version of the schema."""

    def change(schema: Any, tree: Any) -> None:
        tree.version = version

    return change


def with_weights_behind(model: bytes) -> bytes:
    """The weights behind the flatbuffer, as newer converters write models that are large."""
    from ai_edge_litert import schema_py_generated as schema

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(model), 0))
    held = [(b, np.asarray(b.data, np.uint8).tobytes()) for b in tree.buffers if b.data is not None]
    held = [(buffer, data) for buffer, data in held if data]
    for buffer, data in held:
        buffer.data, buffer.offset, buffer.size = None, 1 << 20, len(data)
    start = -(-len(_packed(tree)) // 16) * 16  # the same length with the true offsets
    behind = b""
    for buffer, data in held:
        behind += bytes(-len(behind) % 16)
        buffer.offset = start + len(behind)
        behind += data
    head = _packed(tree)
    return head + bytes(start - len(head)) + behind


def without_weights(schema: Any, tree: Any) -> None:
    """Zero the last layer's weights, so that only its bias is left of the answer."""
    graph = tree.subgraphs[0]
    weights = graph.tensors[graph.operators[-1].inputs[1]]
    stored = tree.buffers[weights.buffer]
    stored.data = np.zeros(len(stored.data), np.uint8)


def _tree(
    schema: Any,
    tensors: list[tuple[str, tuple[int, ...], np.ndarray | None]],
    operator: tuple[int, int, Any],
    scale: float = 0.0,
    zero_point: int = 0,
) -> Any:
    """A model of one operator whose first tensor is the input and whose last is the output."""
    tree, graph = schema.ModelT(), schema.SubGraphT()
    tree.version, tree.description = 3, b"test"
    tree.buffers, graph.tensors = [schema.BufferT()], []
    for index, (dtype, shape, values) in enumerate(tensors):
        tensor = schema.TensorT()
        tensor.name, tensor.shape = f"t{index}".encode(), np.array(shape, np.int32)
        tensor.type, tensor.buffer = {**_CODES, "int32": 2}[dtype], 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            tree.buffers.append(buffer)
            tensor.buffer = len(tree.buffers) - 1
        elif scale:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array([scale], np.float32)
            tensor.quantization.zeroPoint = np.array([zero_point], np.int64)
        graph.tensors.append(tensor)
    code, step = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = operator[0]
    code.version = 1
    step.opcodeIndex, step.builtinOptionsType, step.builtinOptions = 0, operator[1], operator[2]
    step.inputs = np.arange(len(tensors) - 1, dtype=np.int32)
    step.outputs = np.array([len(tensors) - 1], np.int32)
    graph.inputs, graph.outputs = np.array([0], np.int32), step.outputs
    graph.operators, graph.name = [step], b"main"
    tree.operatorCodes, tree.subgraphs = [code], [graph]
    return tree


def _graphs(schema: Any, graphs: list[tuple[Any, ...]]) -> bytes:
    """A model of several subgraphs, each from its first tensor to its last.

    Tensors are (type, shape, values, None or "variable"), operators (code, kind of options, options, inputs,
    outputs); a graph may name its own inputs and outputs behind them.
    """
    tree = schema.ModelT()
    tree.version, tree.description = 3, b"test"
    tree.buffers, tree.operatorCodes, tree.subgraphs = [schema.BufferT()], [], []
    for number, (tensors, operators, *ends) in enumerate(graphs):
        graph = schema.SubGraphT()
        graph.name, graph.tensors, graph.operators = f"g{number}".encode(), [], []
        for index, (dtype, shape, values) in enumerate(tensors):
            tensor = schema.TensorT()
            tensor.name, tensor.shape = f"g{number}t{index}".encode(), np.array(shape, np.int32)
            tensor.type, tensor.buffer = {**_CODES, "int32": 2, "bool": 6, "resource": 13}[dtype], 0
            if isinstance(values, str):
                tensor.isVariable = True
            elif values is not None:
                buffer = schema.BufferT()
                buffer.data = np.frombuffer(values.tobytes(), np.uint8)
                tree.buffers.append(buffer)
                tensor.buffer = len(tree.buffers) - 1
            graph.tensors.append(tensor)
        for named, kind, options, inputs, outputs in operators:
            code, step = schema.OperatorCodeT(), schema.OperatorT()
            code.builtinCode = named
            code.version = 2 if named == schema.BuiltinOperator.BROADCAST_TO else 1
            code.deprecatedBuiltinCode = min(named, 127)
            tree.operatorCodes.append(code)
            step.opcodeIndex = len(tree.operatorCodes) - 1
            step.builtinOptionsType, step.builtinOptions = kind, options
            step.inputs, step.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
            graph.operators.append(step)
        inputs, outputs = ends or ([0], [len(tensors) - 1])
        graph.inputs, graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        tree.subgraphs.append(graph)
    return _packed(tree)


def _packed(tree: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())
