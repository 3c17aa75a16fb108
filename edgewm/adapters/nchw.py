"""Channels in front, as models that come from PyTorch take them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import BadInput
from . import Questions


@dataclass(frozen=True, kw_only=True)
class Nchw:
    """Inputs (height, width, channels) to (channels, height, width)."""

    def adapt(self, questions: Questions) -> Questions:
        """The last axis first; errors as `Adapter.adapt`."""
        if len(questions.shape) != 3:
            raise BadInput(
                f"nchw: got inputs of shape {questions.shape}, expected (height, width, channels)"
            )
        return replace(questions, inputs=np.moveaxis(questions.inputs, -1, 1))
