"""Random noise on every kernel, the cheapest thing to do to a copied file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ..errors import BadInput
from . import Inputs, Labels, Loot, Victim
from .copying import copy_of, kernels_of


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Move each kernel by a random step of `strength` times its length (Euclidean norm)."""

    needs: ClassVar[Literal["file", "answers"]] = "file"

    strength: float = 0.1
    """As long as the error of storing the weights in 4 bits."""
    seed: int = 0
    """Of numpy's generator."""

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 10:
            raise BadInput(f"noise: got strength={self.strength}, expected above 0, at most 10")

    def steal(self, victim: Victim, x: Inputs, y: Labels) -> Loot:
        """A copy that was shaken once, and not trained."""
        thief, random = copy_of(victim.network), np.random.default_rng(self.seed)
        for kernel in kernels_of(thief):
            held = kernel.numpy()
            step = random.normal(size=held.shape)
            length = self.strength * np.linalg.norm(held) / np.linalg.norm(step)
            kernel.assign((held + length * step).astype(np.float32))
        return Loot(network=thief)
