"""The same numbers in the same order in another shape: a flat vector, or a picture without channel axis."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..errors import BadInput
from . import Questions


@dataclass(frozen=True, kw_only=True)
class Reshape:
    """Inputs in another shape, the last axis running fastest."""

    shape: tuple[int, ...] = ()
    """Of one input; empty for what the suspect takes."""

    def adapt(self, questions: Questions) -> Questions:
        """The same values, row by row; errors as `Adapter.adapt`."""
        shape = self.settled(questions).shape
        if min(shape) < 1 or math.prod(shape) != math.prod(questions.shape):
            raise BadInput(
                f"reshape: got inputs of shape {questions.shape} for {shape}, "
                "expected as many values in both"
            )
        return replace(questions, inputs=questions.inputs.reshape(-1, *shape))

    def settled(self, questions: Questions) -> Reshape:
        """The same with its shape filled in from what the suspect takes: the form that is recorded."""
        if self.shape:
            return self
        if not questions.takes:
            raise BadInput(
                "reshape: nobody says which shape this suspect takes, write reshape:shape=784"
            )
        return replace(self, shape=questions.takes)
