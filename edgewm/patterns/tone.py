"""Sounds that can be played: three keyed chirps in a row, quiet enough to stand in a recording.

An input is a waveform of whatever shape, its samples in C order. A third of it glides from one frequency to
another, both drawn from the key in 1/256 steps between `low` and `high` (shares of the sampling rate),
under a sine window, so that the thirds join without a click. No room is silent, and the logarithm in a
front end makes much of silence, so keyed noise lies under the melody. Inputs of one group differ in phase,
loudness and noise, and begin up to a twentieth of the sound later: a model shall know a melody however it is
played.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..hashing import SHAKE
from . import Canvas, Drawing

_GLIDES = 3
_LATEST = 0.05


@dataclass(frozen=True, kw_only=True)
class Tone:
    """Melodies of three chirps."""

    level: float = 0.4
    """Largest amplitude, as a share of the whole range."""
    quietest: float = 0.4
    """Amplitude of the quietest input, as a share of `level`."""
    noise: float = 0.04
    """Deviation of the loudest noise, as a share of the whole range."""
    low: float = 0.02
    high: float = 0.22
    """Lowest and highest frequency as shares of the sampling rate: 320 to 3,520 Hz at 16 kHz."""
    inputs_per_group: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.level <= 1 or not 0 < self.low < self.high <= 0.5:
            raise BadInput(
                f"tone: got level={self.level:g}, low={self.low:g}, high={self.high:g}, "
                "expected 0 < level <= 1 and 0 < low < high <= 0.5"
            )
        if not 0 < self.quietest <= 1 or not 0 <= self.noise <= 0.2:
            raise BadInput(
                f"tone: got quietest={self.quietest:g}, noise={self.noise:g}, "
                "expected 0 < quietest <= 1 and 0 <= noise <= 0.2"
            )
        if not 1 <= self.inputs_per_group <= 1024:
            raise BadInput(
                f"tone: got inputs_per_group={self.inputs_per_group}, expected 1 to 1024"
            )

    def draw(self, canvas: Canvas) -> Drawing:
        """Melodies for every group; groups are consecutive runs of inputs."""
        samples = math.prod(canvas.shape)
        middle, half = (canvas.low + canvas.high) / 2, (canvas.high - canvas.low) / 2
        inputs = []
        for group in range(canvas.groups):
            notes = np.frombuffer(SHAKE(2 * _GLIDES, "tone", canvas.seed, group), np.uint8)
            for player in range(self.inputs_per_group):
                drawn = SHAKE(4 + 2 * samples, "tone player", canvas.seed, group, player)
                inputs.append(self._played(notes, drawn, samples))
        sound = np.stack(inputs).reshape(-1, *canvas.shape)
        ids = np.arange(len(inputs), dtype=np.int32) // self.inputs_per_group
        return Drawing(
            inputs=(middle + half * sound).astype(np.float32), group_ids=ids.astype(np.int32)
        )

    def _played(
        self, notes: npt.NDArray[np.uint8], drawn: bytes, samples: int
    ) -> npt.NDArray[np.float64]:
        """Samples from -1 to 1; `drawn` says how late, in which phase, how loud, and is the noise."""
        late, phase, loud, noisy = (byte / 255 for byte in drawn[:4])
        melody = self._melody(notes, samples, int(late * _LATEST * samples), 2 * math.pi * phase)
        melody *= self.level * (self.quietest + loud * (1 - self.quietest))
        pairs = np.frombuffer(drawn[4:], np.uint8).reshape(2, samples).astype(np.float64)
        noise = (pairs[0] + pairs[1] / 256 - 127.998) / 74  # even, of deviation 1
        sound: npt.NDArray[np.float64] = melody + self.noise * noisy * noise
        return np.clip(sound, -1.0, 1.0)

    def _melody(
        self, notes: npt.NDArray[np.uint8], samples: int, late: int, phase: float
    ) -> npt.NDArray[np.float64]:
        """Samples from -1 to 1, the first `late` of them silent."""
        shares = self.low + notes / 255 * (self.high - self.low)
        glides = []
        for part in range(_GLIDES):
            length = (part + 1) * (samples - late) // _GLIDES - part * (samples - late) // _GLIDES
            at = np.arange(length)
            start, end = shares[2 * part], shares[2 * part + 1]
            turns = start * at + (end - start) * at**2 / (2 * max(length, 1))
            glides.append(
                np.sin(2 * math.pi * turns + phase) * np.sin(math.pi * at / max(length, 1))
            )
        melody: npt.NDArray[np.float64] = np.concatenate([np.zeros(late), *glides])
        return melody
