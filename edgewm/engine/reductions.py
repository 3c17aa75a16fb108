"""AVERAGE_POOL_2D, MAX_POOL_2D, MEAN and SOFTMAX."""

from __future__ import annotations

import math

from .activations import output_range
from .fixed_point import input_radius, quantize_multiplier
from .graph import Operator
from .step import Argument, Call, Step, Structure, numbers
from .windows import window_of

_DEEPEST_SOFTMAX = 4095
"""Values whose exponentials, at most 2^19 each, are summed in 32 bits."""


def average_pool(operator: Operator) -> Step:
    """AVERAGE_POOL_2D."""
    return _pool(operator, "average_pool")


def max_pool(operator: Operator) -> Step:
    """MAX_POOL_2D."""
    return _pool(operator, "max_pool")


def _pool(operator: Operator, function: str) -> Step:
    source, output = operator.quantized(0), operator.quantized_output()
    size = operator.options.get("window_height", 0), operator.options.get("window_width", 0)
    window = window_of(operator, size)
    if source.shape[3] != output.shape[3]:
        raise operator.refuse(f"shapes {source.shape} to {output.shape}")
    limits = numbers(*output_range(operator))
    arguments: tuple[Argument, ...] = (window.structure(), *limits, source, output)
    return [Call(function=function, arguments=arguments, output=output)]


def mean(operator: Operator) -> Step:
    """MEAN over neighbouring axes."""
    source, output = operator.quantized(0), operator.quantized_output()
    rank = len(source.shape)
    listed = operator.constant(1, "int32").ravel().tolist()
    if not listed or any(not -rank <= axis < rank for axis in listed):
        raise operator.refuse(f"axes {listed} of a shape {source.shape}")
    axes = sorted({axis % rank for axis in listed})
    first, behind = axes[0], axes[-1] + 1
    if axes != list(range(first, behind)):
        raise operator.refuse(f"axes {axes}, expected neighbouring ones")
    reduced = math.prod(source.shape[first:behind])
    outer, inner = math.prod(source.shape[:first]), math.prod(source.shape[behind:])
    if output.size != outer * inner:
        raise operator.refuse(f"shapes {source.shape} to {output.shape} over the axes {axes}")
    multiplier, shift = _mean_multiplier(operator, reduced)
    offset = -source.zero_point * reduced
    fields = numbers(outer, reduced, inner, offset, multiplier, shift, output.zero_point)
    structure = Structure(kind="mean", fields=fields)
    return [Call(function="mean", arguments=(structure, source, output), output=output)]


def _mean_multiplier(operator: Operator, reduced: int) -> tuple[int, int]:
    """(multiplier, shift) with the division by `reduced` in it.

    Interpreters of 2025 and before divided the sum as it was, towards zero, where input and output had one
    scale and the averaged axes were dropped.
    """
    source, output = operator.quantized(0), operator.quantized_output()
    multiplier, shift = quantize_multiplier(source.scale / output.scale)
    bits = min(reduced.bit_length() - 1, 32, 31 + shift)
    multiplier, shift = (multiplier << bits) // reduced, shift - bits
    if multiplier == 0 or shift > 22:
        raise operator.refuse("its output's scale does not fit its input's")
    return multiplier, shift


def softmax(operator: Operator) -> Step:
    """SOFTMAX over the last axis."""
    source, output = operator.quantized(0), operator.quantized_output()
    if (output.scale, output.zero_point) != (1 / 256, -128):
        raise operator.refuse("its output's scale is not 1/256 with zero point -128")
    if not source.shape or source.shape != output.shape:
        raise operator.refuse(f"shapes {source.shape} to {output.shape}")
    depth = source.shape[-1]
    if depth > _DEEPEST_SOFTMAX:
        raise operator.refuse(f"{depth} classes, expected at most {_DEEPEST_SOFTMAX}")
    beta = operator.options.get("beta", 0.0)
    real = min(beta * source.scale * 2.0**26, 2.0**31 - 1.0) if math.isfinite(beta) else 0.0
    if real <= 1.0:
        raise operator.refuse(f"beta {beta} with an input scale of {source.scale}")
    multiplier, shift = quantize_multiplier(real)
    smallest = -input_radius(5, shift)
    limits = numbers(source.size // depth, depth, multiplier, shift, smallest)
    return [Call(function="softmax", arguments=(*limits, source, output), output=output)]
