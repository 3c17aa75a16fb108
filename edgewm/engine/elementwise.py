"""ADD, SUB and MUL, and what depends on one value alone and so becomes a table of 256 answers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .activations import output_range, quantized
from .fixed_point import (
    clamp,
    divide_by_power,
    input_radius,
    logistic,
    quantize_multiplier,
    round_half_away,
    scale,
)
from .graph import Operand, Operator
from .step import Call, Step, Structure, array, numbers

_ADD_BITS = 20


def add(operator: Operator) -> Step:
    """ADD: both inputs are brought to twice the larger scale, with 20 bits below the point."""
    return _sum(operator, "add")


def subtract(operator: Operator) -> Step:
    """SUB, in the same way; the Normalization layer of Keras becomes one, with a MUL."""
    if operator.quantized(0).size < operator.quantized(1).size:
        raise operator.refuse("its second input is the larger one")
    return _sum(operator, "subtract")


def _sum(operator: Operator, function: str) -> Step:
    first, second = _pair(operator)
    output = operator.quantized_output()
    twice = 2.0 * max(first.scale, second.scale)
    reals = (first.scale / twice, second.scale / twice, twice / (2**_ADD_BITS * output.scale))
    pairs = [quantize_multiplier(real) for real in reals]
    if any(shift > 0 for _, shift in pairs):
        raise operator.refuse("its output's scale is too small for its inputs")
    return _paired(operator, function, first, second, pairs)


def multiply(operator: Operator) -> Step:
    """MUL."""
    first, second = _pair(operator)
    pair = quantize_multiplier(first.scale * second.scale / operator.quantized_output().scale)
    if pair[1] > 30:
        raise operator.refuse("its output's scale is too small for its inputs")
    return _paired(operator, "multiply", first, second, [(0, 0), (0, 0), pair])


def _pair(operator: Operator) -> tuple[Operand, Operand]:
    """Both inputs, the one of all values first.

    Raises:
        BadInput: the other's shape is not the end of the first's.
    """
    first, second = sorted(
        (operator.quantized(0), operator.quantized(1)), key=lambda side: -side.size
    )
    output = operator.quantized_output()
    trimmed = _without_ones(second.shape)
    fits = first.shape == output.shape and first.shape[len(first.shape) - len(trimmed) :] == trimmed
    if not fits:
        raise operator.refuse(
            f"shapes {first.shape} and {second.shape} to {output.shape}, "
            "expected one to be the end of the other"
        )
    return first, second


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def _paired(
    operator: Operator,
    function: str,
    first: Operand,
    second: Operand,
    pairs: list[tuple[int, int]],
) -> Step:
    output = operator.quantized_output()
    fields = numbers(
        *(output.size, second.size, -first.zero_point, -second.zero_point),
        *(number for pair in pairs for number in pair),
        *(output.zero_point, *output_range(operator)),
    )
    pair = Structure(kind="pair", fields=fields)
    return [Call(function=function, arguments=(pair, first, second, output), output=output)]


def quantize(operator: Operator) -> Step:
    """QUANTIZE from int8 to int8 of another scale."""
    return _table(operator, _rescaled(operator, -128, 127))


def relu(operator: Operator) -> Step:
    """RELU, to an output of any scale."""
    return _table(operator, _rescaled(operator, operator.quantized_output().zero_point, 127))


def relu6(operator: Operator) -> Step:
    """RELU6: a clamp, so its output has its input's scale."""
    source, output = operator.quantized(0), operator.quantized_output()
    if (source.scale, source.zero_point) != (output.scale, output.zero_point):
        raise operator.refuse("its output has another scale than its input")
    high = quantized(6.0, source.scale, source.zero_point)
    return _table(operator, lambda x: clamp(x, source.zero_point, clamp(high)))


def sigmoid(operator: Operator) -> Step:
    """LOGISTIC."""
    source, output = operator.quantized(0), operator.quantized_output()
    if (output.scale, output.zero_point) != (1 / 256, -128):
        raise operator.refuse("its output's scale is not 1/256 with zero point -128")
    fraction, shift = math.frexp(source.scale * 2**27)
    multiplier = round_half_away(fraction * 2**31)
    if not -31 <= shift <= 30:
        raise operator.refuse(f"its input has the scale {source.scale}")
    radius = input_radius(4, shift)

    def answer(value: int) -> int:
        x = value - source.zero_point
        if abs(x) >= radius:
            return 127 if x > 0 else -128
        return clamp(divide_by_power(logistic(scale(x, multiplier, shift)), 23) - 128)

    return _table(operator, answer)


def _rescaled(operator: Operator, low: int, high: int) -> Callable[[int], int]:
    source, output = operator.quantized(0), operator.quantized_output()
    multiplier, shift = quantize_multiplier(source.scale / output.scale)
    if shift > 22:
        raise operator.refuse("its output's scale is too small for its input")

    def answer(value: int) -> int:
        scaled = scale(value - source.zero_point, multiplier, shift) + output.zero_point
        return clamp(scaled, low, high)

    return answer


def _table(operator: Operator, answer: Callable[[int], int]) -> Step:
    source, output = operator.quantized(0), operator.quantized_output()
    if source.size != output.size:
        raise operator.refuse(f"shapes {source.shape} to {output.shape}")
    table = array(np.array([answer(value) for value in range(-128, 128)]), "int8")
    arguments = (table, str(output.size), source, output)
    return [Call(function="lookup", arguments=arguments, output=output)]
