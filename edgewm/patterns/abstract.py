"""Smooth fields drawn from the key, in whole numbers only, so that C repeats them bit for bit.

For input i a lattice of bytes is read from SHAKE("abstract", seed, i) in C order: `cells` + 1 points
along every axis of more than 4 samples, one a sample along the others (colours, axes of a sensor). Each
long axis is then filled in turn, first axis first, between lattice points in steps of 1/256:

    position = t * cells * 256 // (length - 1)        for sample t of the axis
    value    = (a * (256 - f) + b * f + 128) >> 8      a, b the points around it, f the fraction

and the field is stretched to the whole range: (v - min) * 255 // (max - min), 0 where max = min. The
byte q stands for low + q / 255 * (high - low), as float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..hashing import SHAKE
from . import Canvas, Drawing

_SHORT_AXIS = 4


@dataclass(frozen=True, kw_only=True)
class Abstract:
    """Key-derived smooth fields of any shape: pictures, spectrograms, sensor series, vectors."""

    cells: int = 12
    """Lattice cells along every long axis, at most half as many as the longest one has samples: few give
    broad shapes, many fine ones, which a network learns in fewer epochs."""
    inputs_per_group: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.cells <= 64:
            raise BadInput(f"abstract: got cells={self.cells}, expected 1 to 64")
        if not 1 <= self.inputs_per_group <= 1024:
            raise BadInput(
                f"abstract: got inputs_per_group={self.inputs_per_group}, expected 1 to 1024"
            )

    def draw(self, canvas: Canvas) -> Drawing:
        """Fields for every group; groups are consecutive runs of inputs."""
        count = canvas.groups * self.inputs_per_group
        cells = max(1, min(self.cells, max(canvas.shape) // 2))
        fields = np.stack([field(canvas.seed, i, canvas.shape, cells) for i in range(count)])
        span = canvas.high - canvas.low
        levels = np.array([canvas.low + q / 255 * span for q in range(256)], np.float32)
        ids = np.arange(count, dtype=np.int32) // self.inputs_per_group
        return Drawing(inputs=levels[fields], group_ids=ids.astype(np.int32))


def field(seed: bytes, index: int, shape: tuple[int, ...], cells: int) -> npt.NDArray[np.uint8]:
    """Field number `index` of a seed: uint8 of `shape`, the definition that C repeats."""
    lattice = tuple(cells + 1 if length > _SHORT_AXIS else length for length in shape)
    points = int(np.prod(lattice))
    values = np.frombuffer(SHAKE(points, "abstract", seed, index), np.uint8)
    grid = values.astype(np.int64).reshape(lattice)
    for axis, length in enumerate(shape):
        if length > _SHORT_AXIS:
            grid = _fill(grid, axis, length, cells)
    low, high = int(grid.min()), int(grid.max())
    if high == low:
        return np.zeros(shape, np.uint8)
    return ((grid - low) * 255 // (high - low)).astype(np.uint8)


def _fill(grid: npt.NDArray[np.int64], axis: int, length: int, cells: int) -> npt.NDArray[np.int64]:
    position = np.arange(length, dtype=np.int64) * cells * 256 // (length - 1)
    left = np.minimum(position // 256, cells - 1)
    fraction = (position - left * 256).reshape([-1 if k == axis else 1 for k in range(grid.ndim)])
    below, above = np.take(grid, left, axis), np.take(grid, left + 1, axis)
    return np.asarray((below * (256 - fraction) + above * fraction + 128) >> 8)
