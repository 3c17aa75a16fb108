"""Movements that a hand or a robot arm can perform: slow swings of every axis of a motion sensor.

The first axis of an input is time, the others are the sensor's. Each channel swings as two sines whose
frequencies, phases and shares are drawn from the key in 1/256 steps, none faster than `fastest` turns in
the whole input, since a hand moves at a few hertz. Inputs of one group are the same movement, begun up to a
tenth of the input later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..hashing import SHAKE
from . import Canvas, Drawing

_LATEST = 0.1
_NUMBERS = 3


@dataclass(frozen=True, kw_only=True)
class Motion:
    """Slow swings."""

    fastest: float = 9.0
    """Turns in the whole input: 3 Hz in three seconds."""
    level: float = 0.6
    """Largest swing, as a share of half the range."""
    inputs_per_group: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.level <= 1 or not self.fastest > 0.5:
            raise BadInput(
                f"motion: got level={self.level:g}, fastest={self.fastest:g}, "
                "expected 0 < level <= 1 and fastest > 0.5"
            )
        if not 1 <= self.inputs_per_group <= 1024:
            raise BadInput(
                f"motion: got inputs_per_group={self.inputs_per_group}, expected 1 to 1024"
            )

    def draw(self, canvas: Canvas) -> Drawing:
        """Movements for every group; groups are consecutive runs of inputs."""
        channels = math.prod(canvas.shape[1:])
        middle, half = (canvas.low + canvas.high) / 2, (canvas.high - canvas.low) / 2
        inputs = []
        for group in range(canvas.groups):
            drawn = SHAKE(2 * _NUMBERS * channels, "motion", canvas.seed, group)
            swings = np.frombuffer(drawn, np.uint8).reshape(channels, 2, _NUMBERS) / 255
            for player in range(self.inputs_per_group):
                late = SHAKE(1, "motion player", canvas.seed, group, player)[0] / 255 * _LATEST
                inputs.append(self._movement(swings, late, canvas.shape[0]))
        moved = np.stack(inputs).reshape(-1, *canvas.shape)
        ids = np.arange(len(inputs), dtype=np.int32) // self.inputs_per_group
        return Drawing(
            inputs=(middle + half * moved).astype(np.float32), group_ids=ids.astype(np.int32)
        )

    def _movement(
        self, swings: npt.NDArray[np.float64], late: float, samples: int
    ) -> npt.NDArray[np.float64]:
        """(samples, channels), from -level to level."""
        time = np.arange(samples)[:, None, None] / samples - late
        turns = 0.5 + swings[..., 0] * (self.fastest - 0.5)
        swung = np.sin(2 * math.pi * (turns * time + swings[..., 1])) * (0.3 + 0.7 * swings[..., 2])
        moved: npt.NDArray[np.float64] = swung.sum(axis=2) / 2 * self.level
        return moved
