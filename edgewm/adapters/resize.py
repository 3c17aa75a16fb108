"""Another picture size.

Bilinear with half-pixel centres, made wider for smaller pictures so that nothing falls between samples.
Along one axis of n samples that becomes s, the weight of sample j in result i is

    W_ij = max(0, 2 max(n, s) - |2 s j + s - (2 i + 1) n|),    result_i = sum_j W_ij x_j / sum_j W_ij

in whole numbers: a triangle over the distance between the centres, as wide as one sample of the coarser
grid on either side, cut off and normalised at the edges. Height first, then width. Terms are added in the
order of j, without a library's sum or product, whose order differs from machine to machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from . import Questions

_LARGEST = 4096


@dataclass(frozen=True, kw_only=True)
class Resize:
    """Pictures (height, width, channels) or (height, width) in another size."""

    height: int | None = None
    """Rows; none for what the suspect takes."""
    width: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("height", self.height), ("width", self.width)):
            if value is not None and not 1 <= value <= _LARGEST:
                raise BadInput(f"resize: got {name}={value}, expected 1 to {_LARGEST}")

    def adapt(self, questions: Questions) -> Questions:
        """Pictures of the wanted size; errors as `Adapter.adapt`."""
        if len(questions.shape) not in (2, 3):
            raise BadInput(
                f"resize: got inputs of shape {questions.shape}, expected (height, width, channels)"
            )
        settled = self.settled(questions)
        rows = _along(questions.inputs, axis=1, length=settled.height or 0)
        return replace(questions, inputs=_along(rows, axis=2, length=settled.width or 0))

    def settled(self, questions: Questions) -> Resize:
        """The same with its size filled in from what the suspect takes: the form that is recorded."""
        if self.height is not None and self.width is not None:
            return self
        if questions.takes is None:
            raise BadInput(
                "resize: nobody says which size this suspect takes, write resize:height=H,width=W"
            )
        height, width = picture_size(questions.takes)
        settled = replace(self, height=self.height or height, width=self.width or width)
        if settled.height is None or settled.width is None:
            raise BadInput(
                f"resize: the suspect takes {questions.takes}, which names no picture size, "
                "write resize:height=H,width=W"
            )
        return settled


def picture_size(takes: tuple[int, ...]) -> tuple[int | None, int | None]:
    """Height and width of what a suspect takes; None where the shape is no picture's."""
    if len(takes) == 3:
        takes = takes[1:] if channels_first(takes) else takes[:2]
    if len(takes) != 2:
        return None, None
    height, width = (length if 1 <= length <= _LARGEST else None for length in takes)
    return height, width


def channels_first(takes: tuple[int, ...]) -> bool:
    """Whether (a, b, c) is (channels, height, width): 1 or 3 in front and something else at the end."""
    return len(takes) == 3 and takes[0] in (1, 3) and takes[2] not in (1, 3)


def _along(values: npt.NDArray[np.float64], *, axis: int, length: int) -> npt.NDArray[np.float64]:
    """`values` with `length` samples along one axis."""
    had = values.shape[axis]
    if had == length:
        return values
    at, weights = _taps(had, length)
    spread = [1] * values.ndim
    spread[axis] = length
    summed = np.zeros((*values.shape[:axis], length, *values.shape[axis + 1 :]), np.float64)
    for tap in range(at.shape[1]):
        summed += np.take(values, at[:, tap], axis=axis) * weights[:, tap].reshape(spread)
    divided: npt.NDArray[np.float64] = summed / weights.sum(axis=1).reshape(spread)
    return divided


def _taps(had: int, length: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which samples each result takes, ascending, and with what whole weights: both (length, taps)."""
    sample = np.arange(had, dtype=np.int64)
    result = np.arange(length, dtype=np.int64)[:, None]
    distance = np.abs(2 * length * sample + length - (2 * result + 1) * had)
    weights = np.maximum(0, 2 * max(had, length) - distance)
    first = (weights > 0).argmax(axis=1)
    at = first[:, None] + np.arange(int((weights > 0).sum(axis=1).max()))
    inside = np.minimum(at, had - 1)
    return inside, np.where(at < had, np.take_along_axis(weights, inside, axis=1), 0)
