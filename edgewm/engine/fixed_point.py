"""The whole-number arithmetic of TensorFlow Lite Micro's reference kernels, for what is computed beforehand.

Multipliers are made from the scales as that interpreter makes them, in double precision. Functions of one
value become tables of 256.

Source: tensorflow/lite/kernels/internal/{common.cc,quantization_util.cc} and gemmlowp's fixedpoint.h.
"""

from __future__ import annotations

import math

_MOST = 2**31 - 1


def quantize_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift) with real = multiplier * 2^(shift - 31), multiplier 0 for what is below 2^-32."""
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def input_radius(integer_bits: int, left_shift: int) -> int:
    """Largest difference that still fits into `integer_bits` before the point once it is shifted."""
    return math.floor(math.ldexp(2**integer_bits - 1, 31 - integer_bits - left_shift))


def high_multiply(a: int, b: int) -> int:
    """a * b / 2^31, ties up."""
    return (a * b + 2**30) >> 31


def divide_by_power(x: int, exponent: int) -> int:
    """x / 2^exponent, ties away from zero."""
    return (x - (x < 0) + (1 << exponent >> 1)) >> exponent if exponent else x


def scale(x: int, multiplier: int, shift: int) -> int:
    """x * multiplier * 2^(shift - 31), rounded twice."""
    return divide_by_power(high_multiply(x << max(shift, 0), multiplier), max(-shift, 0))


def round_half_away(x: float) -> int:
    """C's round."""
    return math.floor(abs(x) + 0.5) * (1 if x >= 0 else -1)


def clamp(x: int, low: int = -128, high: int = 127) -> int:
    """x between the two."""
    return min(max(x, low), high)


def logistic(x: int) -> int:
    """1 / (1 + e^-x), Q0.31, for x in Q4.27."""
    if x == 0:
        return 2**30
    positive = _reciprocal(_exponential(-abs(x), integer_bits=4))
    return positive if x > 0 else _MOST - positive


_FACTORS = (
    *((-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308)),
    *((2, 39332535), (3, 720401), (4, 242)),
)


def _exponential(x: int, integer_bits: int) -> int:
    """e^x, Q0.31, for x <= 0 with so many bits before its point."""
    if x == 0:
        return _MOST
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    part = (x & (quarter - 1)) - quarter
    y = (part << integer_bits) + 2**28
    y2 = high_multiply(y, y)
    y3, y4 = high_multiply(y2, y), high_multiply(y2, y2)
    tail = high_multiply(divide_by_power(y4, 2) + y3, 715827883) + y2
    result = 1895147668 + high_multiply(1895147668, y + divide_by_power(tail, 1))
    for exponent, factor in _FACTORS:
        if integer_bits > exponent and (part - x) >> (fraction_bits + exponent) & 1:
            result = high_multiply(result, factor)
    return result


def _reciprocal(x: int) -> int:
    """1 / (1 + x), Q0.31, for x in [0, 1), Q0.31."""
    half = (x + _MOST + 1) // 2
    y = 1515870810 + high_multiply(half, -1010580540)
    for _ in range(3):
        error = 2**29 - high_multiply(half, y)
        y += clamp(high_multiply(y, error) << 2, -_MOST - 1, _MOST)
    return clamp(y << 1, -_MOST - 1, _MOST)
