"""From a copied `.tflite` back to a Keras network that trains: a thief without the training code starts here.

Weights are the file's numbers times their scales; batch normalisation was folded into them long ago and
does not come back. Activations lose the file's ranges: the network answers in float, and its labels agree
with the file's but for inputs that rounding decides. Only the operators of small classifiers are known
(convolutions, dense layers, residual sums, pooling); softmax is put at the end where the file has none,
which changes no label, so that cross-entropy trains it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .content import of_bytes
from .errors import BadInput
from .flatbuffer import NotFlatbuffer
from .tflite import operators_of, read_tflite

Values = npt.NDArray[np.float32]

_ACTIVATIONS = {0: "linear", 1: "relu", 3: "relu6"}
_PADDINGS = {0: "same", 1: "valid"}
_DTYPES = {0: "<f4", 1: "<f2", 2: "<i4", 4: "<i8", 9: "<i1"}
"""numpy's type by the schema's number, of the constants that are read."""


def rebuilt(model: bytes) -> Any:
    """A keras.Model with the file's weights: float32 (n, *shape) in, probabilities (n, K) out.

    Inputs are in the value range that the file's own input step takes, as `Session.ask` has it. Files of
    every format in `edgewm.conversion.FORMATS` are read.

    Raises:
        BadInput: no `.tflite`, an operator that is not known here, not one input and one row of scores.
    """
    try:
        found = read_tflite(of_bytes(model))
    except NotFlatbuffer as error:
        raise BadInput(f"MODEL: not a .tflite file: {error}") from None
    if len(found.inputs) != 1 or len(found.outputs) != 1:
        raise BadInput(
            f"MODEL: has {len(found.inputs)} inputs and {len(found.outputs)} outputs, expected one each"
        )
    from tensorflow.lite.python import schema_py_generated as schema

    graph = _Graph(schema.ModelT.InitFromPackedBuf(model, 0).subgraphs[0], schema, model)
    try:
        for step in operators_of(found):
            graph.add(step.name)
        return graph.network()
    except (KeyError, IndexError, AttributeError, TypeError, ValueError) as error:
        raise BadInput(f"MODEL: its graph is not rebuilt: {error!r}") from None


class _Graph:
    """Keras tensors and constants by the number of the file's tensor, operator after operator."""

    def __init__(self, graph: Any, schema: Any, model: bytes) -> None:
        import keras

        self._graph = graph
        self._buffers = schema.ModelT.InitFromPackedBuf(model, 0).buffers
        self._at = 0
        self._weights: list[tuple[Any, list[Values]]] = []
        shape = tuple(int(n) for n in graph.tensors[graph.inputs[0]].shape[1:])
        self._input = keras.Input(shape)
        self._tensors: dict[int, Any] = {int(graph.inputs[0]): self._input}
        self._constants: dict[int, Values] = {}
        self._last = ""

    def add(self, name: str) -> None:
        """The next operator, which `operators_of` calls `name`."""
        operator = self._graph.operators[self._at]
        self._at += 1
        make = _LAYERS.get(name)
        if make is None:
            raise BadInput(
                f"MODEL: it has the operator {name}, expected one of {', '.join(_LAYERS)}"
            )
        first, out = int(operator.inputs[0]), int(operator.outputs[0])
        if name == "DEQUANTIZE" and first not in self._tensors:
            self._constants[out] = self._constant(first)  # float16 weights
            return
        self._tensors[out] = make(self, operator)
        if name not in ("QUANTIZE", "DEQUANTIZE", "RESHAPE"):
            self._last = name

    def network(self) -> Any:
        """The model, with its weights."""
        import keras

        scores = self._tensors[int(self._graph.outputs[0])]
        if len(scores.shape) != 2 or scores.shape[1] < 2:
            raise BadInput(f"MODEL: gives {scores.shape}, expected one row of two or more scores")
        if self._last != "SOFTMAX":
            scores = keras.layers.Softmax()(scores)
        model = keras.Model(self._input, scores)
        for layer, values in self._weights:
            layer.set_weights(values)
        return model

    def _tensor(self, number: int) -> Any:
        return self._tensors[int(number)]

    def _constant(self, number: int) -> Values:
        """Real values of a constant, in the tensor's shape."""
        if int(number) in self._constants:
            return self._constants[int(number)]
        tensor = self._graph.tensors[int(number)]
        data = self._buffers[tensor.buffer].data
        if data is None or not len(data) or tensor.type not in _DTYPES:
            raise BadInput(f"MODEL: tensor {int(number)} is no constant that is read here")
        shape = () if tensor.shape is None else tuple(int(n) for n in tensor.shape)
        stored = np.frombuffer(bytes(data), _DTYPES[tensor.type]).reshape(shape)
        quantised = tensor.quantization
        if stored.dtype.kind == "f" or quantised is None or quantised.scale is None:
            return stored.astype(np.float32)
        scale, zero = (np.asarray(v, np.float64) for v in (quantised.scale, quantised.zeroPoint))
        along = [1] * stored.ndim
        if len(scale) > 1:
            along[quantised.quantizedDimension] = len(scale)
        wide = stored.astype(np.float64) - zero.reshape(
            along if len(zero) > 1 else [1] * len(along)
        )
        return np.asarray(wide * scale.reshape(along), np.float32)

    def _bias(self, operator: Any, length: int) -> Values:
        if len(operator.inputs) < 3 or operator.inputs[2] < 0:
            return np.zeros(length, np.float32)
        return self._constant(operator.inputs[2])

    def conv(self, operator: Any) -> Any:
        """CONV_2D: kernels are stored as (out, height, width, in)."""
        import keras

        kernel, options = self._constant(operator.inputs[1]), operator.builtinOptions
        layer = keras.layers.Conv2D(
            kernel.shape[0],
            kernel.shape[1:3],
            strides=(options.strideH, options.strideW),
            padding=_PADDINGS[options.padding],
            dilation_rate=(options.dilationHFactor, options.dilationWFactor),
            activation=_ACTIVATIONS[options.fusedActivationFunction],
        )
        return self._weighted(layer, operator, kernel.transpose(1, 2, 3, 0), kernel.shape[0])

    def depthwise(self, operator: Any) -> Any:
        """DEPTHWISE_CONV_2D: kernels are stored as (1, height, width, in * multiplier)."""
        import keras

        kernel, options = self._constant(operator.inputs[1]), operator.builtinOptions
        channels, multiplier = kernel.shape[3], options.depthMultiplier
        layer = keras.layers.DepthwiseConv2D(
            kernel.shape[1:3],
            strides=(options.strideH, options.strideW),
            padding=_PADDINGS[options.padding],
            depth_multiplier=multiplier,
            dilation_rate=(options.dilationHFactor, options.dilationWFactor),
            activation=_ACTIVATIONS[options.fusedActivationFunction],
        )
        shaped = kernel[0].reshape(*kernel.shape[1:3], channels // multiplier, multiplier)
        return self._weighted(layer, operator, shaped, channels)

    def dense(self, operator: Any) -> Any:
        """FULLY_CONNECTED: weights are stored as (out, in); the input is flattened to rows."""
        import keras

        weights = self._constant(operator.inputs[1])
        activation = _ACTIVATIONS[operator.builtinOptions.fusedActivationFunction]
        layer = keras.layers.Dense(weights.shape[0], activation=activation)
        found = self._tensor(operator.inputs[0])
        if len(found.shape) != 2:
            self._tensors[int(operator.inputs[0])] = keras.layers.Flatten()(found)
        return self._weighted(layer, operator, weights.T, weights.shape[0])

    def _weighted(self, layer: Any, operator: Any, kernel: Values, length: int) -> Any:
        made = layer(self._tensor(operator.inputs[0]))
        self._weights.append((layer, [kernel, self._bias(operator, length)]))
        return made

    def add_up(self, operator: Any) -> Any:
        """ADD of two computed tensors of one shape."""
        import keras

        parts = [self._tensor(number) for number in operator.inputs]
        fused = _ACTIVATIONS[operator.builtinOptions.fusedActivationFunction]
        return keras.layers.Activation(fused)(keras.layers.Add()(parts))

    def mean(self, operator: Any) -> Any:
        """MEAN over height and width."""
        import keras

        axes = sorted(int(a) for a in np.ravel(self._constant(operator.inputs[1])))
        if axes != [1, 2]:
            raise BadInput(f"MODEL: it takes means over the axes {axes}, expected 1 and 2")
        keep = bool(operator.builtinOptions.keepDims)
        return keras.layers.GlobalAveragePooling2D(keepdims=keep)(self._tensor(operator.inputs[0]))

    def pool(self, operator: Any, kind: str) -> Any:
        """AVERAGE_POOL_2D and MAX_POOL_2D."""
        import keras

        options = operator.builtinOptions
        layer = getattr(keras.layers, kind)(
            (options.filterHeight, options.filterWidth),
            strides=(options.strideH, options.strideW),
            padding=_PADDINGS[options.padding],
        )
        return layer(self._tensor(operator.inputs[0]))

    def reshape(self, operator: Any) -> Any:
        """RESHAPE to what the file says comes out, without the batch axis."""
        import keras

        shape = self._graph.tensors[int(operator.outputs[0])].shape
        return keras.layers.Reshape(tuple(int(n) for n in shape[1:]))(
            self._tensor(operator.inputs[0])
        )

    def pad(self, operator: Any) -> Any:
        """PAD of height and width with zeros."""
        import keras

        rows = np.asarray(self._constant(operator.inputs[1]), np.int64).tolist()
        return keras.layers.ZeroPadding2D((tuple(rows[1]), tuple(rows[2])))(
            self._tensor(operator.inputs[0])
        )

    def activation(self, operator: Any, name: str) -> Any:
        """RELU, RELU6 and SOFTMAX on their own."""
        import keras

        return keras.layers.Activation(name)(self._tensor(operator.inputs[0]))

    def same(self, operator: Any) -> Any:
        """QUANTIZE and DEQUANTIZE of a computed tensor: real numbers stay what they are."""
        return self._tensor(operator.inputs[0])


_LAYERS: dict[str, Any] = {
    "CONV_2D": _Graph.conv,
    "DEPTHWISE_CONV_2D": _Graph.depthwise,
    "FULLY_CONNECTED": _Graph.dense,
    "ADD": _Graph.add_up,
    "MEAN": _Graph.mean,
    "AVERAGE_POOL_2D": lambda graph, operator: graph.pool(operator, "AveragePooling2D"),
    "MAX_POOL_2D": lambda graph, operator: graph.pool(operator, "MaxPooling2D"),
    "RESHAPE": _Graph.reshape,
    "PAD": _Graph.pad,
    "RELU": lambda graph, operator: graph.activation(operator, "relu"),
    "RELU6": lambda graph, operator: graph.activation(operator, "relu6"),
    "SOFTMAX": lambda graph, operator: graph.activation(operator, "softmax"),
    "QUANTIZE": _Graph.same,
    "DEQUANTIZE": _Graph.same,
}
