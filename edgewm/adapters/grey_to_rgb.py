"""One channel to three equal ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import BadInput
from . import Questions


@dataclass(frozen=True, kw_only=True)
class GreyToRgb:
    """Inputs (..., 1) to (..., 3)."""

    def adapt(self, questions: Questions) -> Questions:
        """The channel three times; errors as `Adapter.adapt`."""
        if questions.shape[-1] != 1:
            raise BadInput(
                f"grey_to_rgb: got inputs of shape {questions.shape}, expected one channel at the end"
            )
        return replace(questions, inputs=np.repeat(questions.inputs, 3, axis=-1))
