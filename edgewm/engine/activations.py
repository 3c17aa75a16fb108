"""The range of outputs that an activation inside another operator leaves."""

from __future__ import annotations

import numpy as np

from .fixed_point import round_half_away
from .graph import Operator

_BOUNDS: dict[int, tuple[float | None, float | None]] = {
    0: (None, None),
    1: (0.0, None),
    2: (-1.0, 1.0),
    3: (0.0, 6.0),
}
"""By the schema's number: none, RELU, RELU_N1_TO_1, RELU6."""


def output_range(operator: Operator) -> tuple[int, int]:
    """Smallest and largest output value.

    Raises:
        BadInput: an activation that is no range.
    """
    code = operator.options.get("activation", 0)
    if code not in _BOUNDS:
        raise operator.refuse(
            f"activation {code} inside it, expected none, RELU, RELU6 or RELU_N1_TO_1"
        )
    output = operator.quantized_output()
    low, high = (
        limit if bound is None else quantized(bound, output.scale, output.zero_point)
        for bound, limit in zip(_BOUNDS[code], (-128, 127), strict=True)
    )
    return max(low, -128), min(high, 127)


def quantized(value: float, scale: float, zero_point: int) -> int:
    """The whole number that stands for a value; rounded in single precision, as interpreters do."""
    with np.errstate(over="ignore"):
        steps = float(np.float32(value) / np.float32(scale))
    return zero_point + round_half_away(min(max(steps, -(2.0**31)), 2.0**31))
