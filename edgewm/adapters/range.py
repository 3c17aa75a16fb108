"""Another value range: low + (x - a) (high - low) / (b - a), where the triggers lie in a to b."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import BadInput
from . import Questions


@dataclass(frozen=True, kw_only=True)
class Range:
    """Inputs stretched so that their range becomes low to high."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise BadInput(f"range: got low={self.low}, high={self.high}, expected low < high")

    def adapt(self, questions: Questions) -> Questions:
        """Values in the new range; errors as `Adapter.adapt`."""
        if questions.value_range is None:
            raise BadInput(
                "range: these triggers do not say in which range their inputs are, "
                "use standardise:mean=M,deviation=D, which gives (x - M) / D"
            )
        low, high = questions.value_range
        inputs = self.low + (questions.inputs - low) * (self.high - self.low) / (high - low)
        return replace(questions, inputs=inputs, value_range=(self.low, self.high))
