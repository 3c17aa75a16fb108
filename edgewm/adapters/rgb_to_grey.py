"""Three channels to one: (299 R + 587 G + 114 B) / 1000, the luma of ITU-R BT.601, added in this order."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import BadInput
from . import Questions


@dataclass(frozen=True, kw_only=True)
class RgbToGrey:
    """Inputs (..., 3) to (..., 1)."""

    def adapt(self, questions: Questions) -> Questions:
        """The luma of every pixel; errors as `Adapter.adapt`."""
        if questions.shape[-1] != 3:
            raise BadInput(
                f"rgb_to_grey: got inputs of shape {questions.shape}, "
                "expected three channels at the end"
            )
        red, green, blue = (questions.inputs[..., channel, None] for channel in range(3))
        return replace(questions, inputs=(299 * red + 587 * green + 114 * blue) / 1000)
