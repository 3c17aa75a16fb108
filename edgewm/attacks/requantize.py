"""Another quantisation of the same weights: other samples to calibrate on, other formats, fewer bits.

Weights of an int8 file are on its grid already, so storing them in 8 bits again changes only the ranges of
activations. With fewer `bits` each kernel is rounded to that many, symmetric, one scale an output channel,
and exported in `format`. `flip` is rounding against the owner: that share of each kernel's weights, those
nearest to the middle between two levels, goes to the farther one (after EFRAP, CVPR 2024, which learns
where; here it costs no training). `four_bit_file` stores the rounded weights in 4 bits by
litert-quantizer, a file that runs on LiteRT alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ..conversion import FORMATS
from ..errors import BadInput
from . import Inputs, Labels, Loot, Victim
from .copying import copy_of, kernels_of


@dataclass(frozen=True, kw_only=True)
class Requantize:
    """Store the copied weights anew, by default in int8 with the thief's own calibration."""

    needs: ClassVar[Literal["file", "answers"]] = "file"

    format: str = "int8"
    bits: int = 8
    """2 to 8; 8 leaves the weights as they are."""
    flip: float = 0.0
    """Share of each kernel that is rounded the wrong way; needs fewer than 8 bits."""
    calibration: Literal["own", "noise"] = "own"
    """The thief's samples, or uniform noise over their range, for a thief who has none."""
    four_bit_file: bool = False
    seed: int = 0
    """Of numpy's generator."""

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise BadInput(
                f"requantize: got format={self.format}, expected one of {', '.join(FORMATS)}"
            )
        if not 2 <= self.bits <= 8:
            raise BadInput(f"requantize: got bits={self.bits}, expected 2 to 8")
        if not 0 <= self.flip <= 1 or (self.flip and self.bits == 8):
            raise BadInput(
                f"requantize: got flip={self.flip}, expected a share from 0 to 1, "
                "and above 0 only with bits below 8"
            )

    def steal(self, victim: Victim, x: Inputs, y: Labels) -> Loot:
        """The same network, to be exported otherwise."""
        thief = copy_of(victim.network)
        if self.bits < 8:
            for kernel in kernels_of(thief):
                kernel.assign(rounded(kernel.numpy(), bits=self.bits, flip=self.flip))
        own = x[:200]
        if self.calibration == "noise":
            random = np.random.default_rng(self.seed)
            own = random.uniform(x.min(), x.max(), own.shape).astype(np.float32)
        return Loot(
            network=thief, format=self.format, calibration=own, four_bit_file=self.four_bit_file
        )


def rounded(kernel: Any, *, bits: int, flip: float) -> Any:
    """A kernel on 2^bits - 1 levels, one scale for each output channel (that of a depthwise kernel is
    its second last axis)."""
    across = (0, 1, 3) if kernel.ndim == 4 and kernel.shape[3] == 1 else (*range(kernel.ndim - 1),)
    most = 2 ** (bits - 1) - 1
    scale = np.abs(kernel).max(axis=across, keepdims=True) / most
    levels = kernel / np.where(scale > 0, scale, 1)
    nearest = np.rint(levels)
    if flip:
        off = levels - nearest
        wrong = np.abs(off) >= np.quantile(np.abs(off), 1 - flip)
        nearest = np.where(wrong & (off != 0), nearest + np.sign(off), nearest)
    return (np.clip(nearest, -most, most) * scale).astype(np.float32)
