"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED: the input's zero point goes into the bias.

Weights are symmetric, so the sum of w (x - z) is the sum of w x minus z times the sum of w. The kernels then
read raw values, and pad with z.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .activations import output_range
from .fixed_point import quantize_multiplier
from .graph import Operand, Operator
from .step import Call, Scratch, Step, Structure, array, numbers
from .windows import window_of

_LARGEST_SHIFT = 30


def convolution(operator: Operator) -> Step:
    """CONV_2D: one row of weights a channel of the output."""
    weights = operator.constant(1, "int8")
    if weights.ndim != 4 or operator.quantized(0).shape[-1:] != weights.shape[3:]:
        raise operator.refuse(
            f"weights {weights.shape} for an input of {operator.quantized(0).shape}, "
            "expected as many input channels in both (no groups)"
        )
    return _convolution(operator, weights, axis=0)


def _convolution(operator: Operator, weights: npt.NDArray[np.generic], axis: int) -> Step:
    source, output = operator.quantized(0), operator.quantized_output()
    window = window_of(operator, (weights.shape[1], weights.shape[2]))
    layer = _layer(operator, weights.reshape(len(weights), -1), axis)
    if window.is_one_value:
        rows = window.output[0] * window.output[1]
        arguments = (layer, str(rows), source, output)
        return [Call(function="dense", arguments=arguments, output=output)]
    room = Scratch(size=2 * weights[0].size)
    padding = str(source.zero_point)
    call = (layer, window.structure(), padding, source, room, output)
    return [Call(function="convolve", arguments=call, output=output)]


def depthwise(operator: Operator) -> Step:
    """DEPTHWISE_CONV_2D; of one input channel it is a convolution with its weights turned."""
    source, output = operator.quantized(0), operator.quantized_output()
    weights = operator.constant(1, "int8")
    channels = source.shape[-1] if source.shape else 0
    if weights.ndim != 4 or weights.shape[0] != 1 or not channels or weights.shape[3] % channels:
        raise operator.refuse(f"weights {weights.shape} for an input of {source.shape}")
    each = operator.options.get("depth_multiplier", 0)
    if each * channels != weights.shape[3]:
        raise operator.refuse(
            f"multiplier {each} with weights {weights.shape} for {channels} channels"
        )
    if channels == 1:
        return _convolution(operator, weights.transpose(3, 1, 2, 0), axis=3)
    window = window_of(operator, (weights.shape[1], weights.shape[2]))
    flat = weights.reshape(-1, weights.shape[3])
    layer = _layer(operator, flat.T, axis=3, stored=flat)
    room = Scratch(size=len(flat) * channels)
    padding = str(source.zero_point)
    call = (layer, window.structure(), padding, source, room, output)
    return [Call(function="depthwise", arguments=call, output=output)]


def fully_connected(operator: Operator) -> Step:
    """FULLY_CONNECTED, over all axes of its input but those that stay in the output."""
    source, output = operator.quantized(0), operator.quantized_output()
    weights = operator.constant(1, "int8")
    if operator.options.get("weights_format", 0):
        raise operator.refuse("its weights are shuffled, expected rows")
    if weights.ndim != 2 or source.size % weights.shape[1]:
        raise operator.refuse(f"weights {weights.shape} for an input of {source.shape}")
    rows = source.size // weights.shape[1]
    if output.size != rows * len(weights) or output.shape[-1:] != (len(weights),):
        raise operator.refuse(f"an output of {output.shape} for weights {weights.shape}")
    layer = _layer(operator, weights, axis=0)
    arguments = (layer, str(rows), source, output)
    return [Call(function="dense", arguments=arguments, output=output)]


def _layer(
    operator: Operator,
    rows: npt.NDArray[np.generic],
    axis: int,
    *,
    stored: npt.NDArray[np.generic] | None = None,
) -> Structure:
    """The constant of a layer with a row of weights a channel; `stored` is how the kernel reads them."""
    output = operator.quantized_output()
    channels, depth = rows.shape
    if output.shape[-1] != channels:
        raise operator.refuse(f"an output of {output.shape} for {channels} channels")
    pairs = _multipliers(operator, channels, axis)
    low, high = output_range(operator)
    kept = rows if stored is None else stored
    return Structure(
        kind="layer",
        fields=(
            array(kept, "int8"),
            array(_bias(operator, rows.astype(np.int64)), "int32"),
            array([multiplier for multiplier, _ in pairs], "int32"),
            array([shift for _, shift in pairs], "int8"),
            *numbers(depth, channels, output.zero_point, low, high),
        ),
    )


def _bias(operator: Operator, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The bias less the input's zero point times each row's sum."""
    bias = np.zeros(len(rows), np.int64)
    if len(operator.inputs) > 2 and operator.inputs[2] is not None:
        bias = operator.constant(2, "int32").astype(np.int64)
        if bias.shape != (len(rows),):
            raise operator.refuse(f"a bias of {bias.shape}, expected {len(rows)} values")
    folded = bias - operator.quantized(0).zero_point * rows.sum(axis=1)
    largest = np.abs(folded) + 128 * np.abs(rows).sum(axis=1)
    if largest.max() >= 2**31:
        raise operator.refuse("its sums may leave 32 bits; train with smaller weights or biases")
    return np.asarray(folded, np.int64)


def _multipliers(operator: Operator, channels: int, axis: int) -> list[tuple[int, int]]:
    """(multiplier, shift) of each channel."""
    source, output = operator.quantized(0), operator.quantized_output()
    weights = operator.input(1)
    scales = _scales(operator, weights, channels, axis)
    # older releases multiplied the two scales of a dense layer in single precision: one step off at times
    reals = source.scale * scales.astype(np.float64) / output.scale
    pairs = [quantize_multiplier(float(real)) for real in reals]
    if any(shift > _LARGEST_SHIFT for _, shift in pairs):
        raise operator.refuse("its scales are further apart than 32 bits can hold")
    return pairs


def _scales(
    operator: Operator, weights: Operand, channels: int, axis: int
) -> npt.NDArray[np.float32]:
    """The scale of each channel's weights."""
    scales = weights.scales
    if len(scales) not in (1, channels) or (len(scales) > 1 and weights.axis != axis):
        raise operator.refuse(
            f"{len(scales)} scales along axis {weights.axis} of its weights, "
            f"expected 1 or {channels} along axis {axis}"
        )
    if any(weights.zero_points):
        raise operator.refuse("its weights have a zero point, expected symmetric ones")
    if not (np.isfinite(scales).all() and (scales >= 0).all()):
        raise operator.refuse("its weights have a scale that is negative or no number")
    return np.broadcast_to(scales, (channels,))
