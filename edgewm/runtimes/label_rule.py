"""The one rule that turns a row of output values into a label. It is committed to, so it never changes.

    label = the class with the largest raw value; of equal ones the lowest class
    a single value is a two-class sigmoid: label 1 when its real value is above 0.5, else 0
    a row that holds NaN has no label

Raw values are compared as they are stored: a quantisation step is positive, so the order is that of the
real values, and int8 softmax outputs, which tie often, tie in the same way on every machine.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..artifact import Tensor
from . import FAILED


def labels(rows: npt.NDArray[np.generic], output: Tensor) -> npt.NDArray[np.int64]:
    """Labels (n,) of raw rows (n, K), FAILED for rows with NaN; `output` gives step and zero point."""
    real = rows.astype(np.float64)
    if rows.shape[1] == 1:
        step = output.scale or 1.0
        found = ((real[:, 0] - output.zero_point) * step > 0.5).astype(np.int64)
    else:
        found = real.argmax(axis=1).astype(np.int64)
    found[np.isnan(real).any(axis=1)] = FAILED
    return found
