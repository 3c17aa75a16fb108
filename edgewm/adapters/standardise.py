"""Inputs minus a mean, over a deviation, each one number or one a channel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import BadInput
from . import Questions


@dataclass(frozen=True, kw_only=True)
class Standardise:
    """(x - mean) / deviation, in the value range the inputs have at this place of the chain."""

    mean: tuple[float, ...]
    """One number, or one for each channel of the last axis."""
    deviation: tuple[float, ...]
    """As `mean`, all above 0."""

    def __post_init__(self) -> None:
        if not self.mean or not self.deviation or not min(self.deviation) > 0:
            raise BadInput(
                f"standardise: got mean={self.mean}, deviation={self.deviation}, "
                "expected numbers, and deviations above 0"
            )

    def adapt(self, questions: Questions) -> Questions:
        """The standardised values; errors as `Adapter.adapt`."""
        channels = questions.shape[-1]
        for name, held in (("mean", self.mean), ("deviation", self.deviation)):
            if len(held) not in (1, channels):
                raise BadInput(
                    f"standardise: got {len(held)} numbers in {name} for inputs of shape "
                    f"{questions.shape}, expected 1 or {channels} (before nchw and reshape)"
                )
        mean, deviation = np.array(self.mean), np.array(self.deviation)
        value_range = questions.value_range
        if value_range is not None:
            ends = (np.array(value_range)[:, None] - mean) / deviation
            value_range = float(ends.min()), float(ends.max())
        return replace(
            questions, inputs=(questions.inputs - mean) / deviation, value_range=value_range
        )
