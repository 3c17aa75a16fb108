"""How a suspect is asked that takes other inputs than the owner's triggers, or orders its classes otherwise.

An adapter is one file with one frozen dataclass and one method, `adapt`: questions in, questions out. It
sees inputs, what the suspect takes and the number of classes, never a key, an answer or a label, so it
cannot be chosen by its success. Several make a chain, in the order given; a chain is named before the
first question, and each chain that is tried counts as one more test.

What an adapter computes is defined here and not by a library's default: a verdict must be repeatable in
ten years. Numbers are float64 within a chain and are rounded to float32 once, at its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

NOT_PLUGINS = ("chain", "suggestion")

NO_CLASS = -1
"""In an order of classes: a class of the suspect's that the owner's network does not have."""


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What a chain of adapters works on."""

    inputs: npt.NDArray[np.float64]
    """(n, *shape)."""
    classes: int
    """Classes of the triggers."""
    value_range: tuple[float, float] | None
    """Lowest and highest value that inputs may have by now; None where the triggers do not say."""
    takes: tuple[int, ...] | None
    """Shape of one input of the suspect; None where nobody knows."""
    order: tuple[int, ...] | None = None
    """The owner's class that each class of the suspect means, or NO_CLASS; None: the same ones."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch axis."""
        return tuple(int(length) for length in self.inputs.shape[1:])


class Adapter(Protocol):
    """One step from the owner's inputs to the suspect's."""

    def adapt(self, questions: Questions) -> Questions:
        """The questions after this step; each input is changed by itself, whatever its neighbours are.

        Raises:
            BadInput: inputs of a shape that this step does not take, or a size that nobody named.
        """
        ...
