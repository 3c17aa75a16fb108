"""A smooth field a group, and as many variants of it as are wanted: the field is learned, not an input.

Whoever trains on some variants of a field and one class gives that class to the others too. So a group can
be taught with inputs that everybody sees and asked with inputs that nobody saw (`edgewm.data_marking`).

Variant i of group g, whole numbers only: the group's field (`edgewm.patterns.abstract.field` of the seed
SHAKE("field of a group", seed) and index g) is rolled along every axis by up to `shift` samples, never by
more than a sixteenth of its length, is mixed with field number i of the seed SHAKE("grain", seed, g) in parts
of 100, and is spread over the whole range:

    value = ((100 - grain) * rolled + grain * field_i + 50) // 100
    q     = (value - min) * 255 // (max - min)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..hashing import SHAKE, draw_below
from . import Canvas, Drawing
from .abstract import field

_GRAIN_CELLS = 12


@dataclass(frozen=True, kw_only=True)
class Variants:
    """Variants of one keyed field a group."""

    cells: int = 6
    """Lattice cells of a group's field along every long axis."""
    grain: int = 20
    """Parts in a hundred of each variant that are its own."""
    shift: int = 1
    """How many samples a variant is moved at most."""
    inputs_per_group: int = 8

    def __post_init__(self) -> None:
        bounds = {
            "cells": (1, 64),
            "grain": (0, 90),
            "shift": (0, 64),
            "inputs_per_group": (1, 4096),
        }
        for name, (least, most) in bounds.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise BadInput(f"variants: got {name}={value}, expected {least} to {most}")

    def draw(self, canvas: Canvas) -> Drawing:
        """Variants of every group; groups are consecutive runs of inputs."""
        longest = max(canvas.shape)
        cells, grains = (max(1, min(c, longest // 2)) for c in (self.cells, _GRAIN_CELLS))
        of_groups = SHAKE(32, "field of a group", canvas.seed)
        levels = np.array(
            [canvas.low + q / 255 * (canvas.high - canvas.low) for q in range(256)], np.float32
        )
        inputs = np.empty((canvas.groups * self.inputs_per_group, *canvas.shape), np.float32)
        for g in range(canvas.groups):
            own = field(of_groups, g, canvas.shape, cells)
            grain = SHAKE(32, "grain", canvas.seed, g)
            for i in range(self.inputs_per_group):
                mixed = self._mixed(own, field(grain, i, canvas.shape, grains), grain, i)
                inputs[g * self.inputs_per_group + i] = levels[mixed]
        ids = np.arange(len(inputs), dtype=np.int32) // self.inputs_per_group
        return Drawing(inputs=inputs, group_ids=ids.astype(np.int32))

    def _mixed(
        self, own: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8], seed: bytes, index: int
    ) -> npt.NDArray[np.uint8]:
        value = own.astype(np.int64)
        for axis, length in enumerate(own.shape):
            most = min(self.shift, length // 16)
            if most:
                steps = draw_below(2 * most + 1, "shift", seed, index, axis) - most
                value = np.roll(value, steps, axis)
        value = ((100 - self.grain) * value + self.grain * other.astype(np.int64) + 50) // 100
        low, high = int(value.min()), int(value.max())
        spread = (value - low) * 255 // (high - low) if high > low else np.zeros_like(value)
        return np.asarray(spread, np.uint8)
