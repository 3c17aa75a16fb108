"""What ordinary inputs say of each weight: how strong its input is, measured in the running model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..runtimes import child

_MOST = 256
"""Inputs that are used: mean squares settle long before."""


def measure_moments(
    model: bytes, inputs: npt.NDArray[np.generic]
) -> dict[str, npt.NDArray[np.float64]]:
    """Mean square of every input channel of each layer with weights, by the name of its weights.

    Args:
        model: the owner's .tflite.
        inputs: (n, *shape) real values as the model takes them, the first 256 are used.

    Raises:
        BadInput: inputs of another shape, none, or not finite.
        ModelRefused: LiteRT does not run the file.
    """
    started = child.start("litert", {"delegate": "none", "keep_activations": True})
    try:
        started.ready()
        facts = started.load(model)
        shape = facts.inputs[0].shape[1:]
        if inputs.dtype.kind not in "fiu" or inputs.shape[1:] != shape or not len(inputs):
            raise BadInput(
                f"--calibration: got {inputs.dtype} {inputs.shape}, expected numbers "
                f"(n, {', '.join(map(str, shape))})"
            )
        if not np.isfinite(inputs[:_MOST]).all():
            raise BadInput("--calibration: got NaN or infinity, expected finite numbers only")
        found = started.moments(inputs[:_MOST].astype(np.float32))
    finally:
        started.close()
    return {name: np.array(row) for name, row in found.items()}
