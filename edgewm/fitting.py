"""Whether the triggers fit a suspect, and how they are made to.

What a suspect takes is what its file declares, as a worker reports it; nothing here has asked anything
yet, so nothing here can be chosen by an answer. Without adapters this module loads none of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .artifact import Tensor
from .errors import BadInput
from .runtimes import FAILED

if TYPE_CHECKING:
    from .adapters import Adapter
    from .commitment import Committed
    from .runtimes import ModelFacts

Labels = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]

_RANGE_TOLERANCE = 0.25
"""Of the triggers' own range: a model that was quantised on a sample is off by a few per cent."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The inputs as one chain of adapters gives them, and what a suspect's labels mean then."""

    inputs: npt.NDArray[np.float32]
    """(n, *shape), in the order of the triggers' inputs."""
    adapters: tuple[str, ...] = ()
    """Spellings in order."""
    value_range: tuple[float, float] | None = None
    """Where the inputs lie, as far as the triggers say; None for the inputs' own ends."""
    order: tuple[int, ...] | None = None
    """The owner's class for each class of the suspect, -1 for none; None for the same classes."""

    def meant(self, labels: Labels, classes: int) -> Labels:
        """Labels in the owner's classes, and `classes` itself for one that the owner does not have.

        Raises:
            BadInput: a label that is no class of the suspect.
        """
        known = classes if self.order is None else len(self.order)
        if len(labels) and int(labels.max()) >= known:
            raise BadInput(
                f"labels: got {int(labels.max())}, expected classes 0 to {known - 1}, "
                f"or {FAILED} for a failed query"
            )
        if self.order is None:
            return labels
        order = np.array([classes if c < 0 else c for c in self.order], np.int64)
        return np.where(labels == FAILED, FAILED, order[labels])

    def meant_scores(self, scores: Scores, classes: int) -> Scores:
        """Scores (n, suspect's classes) in the owner's classes, (n, classes): the best of those that mean
        one class, and the lowest score of all for a class that the suspect does not have.

        Raises:
            BadInput: a suspect, of which nothing was known, that has another number of classes.
        """
        if scores.shape[1] == 0:  # a board that never answered
            return np.full((len(scores), classes), np.nan)
        known = classes if self.order is None else len(self.order)
        if scores.shape[1] != known:
            raise BadInput(
                f"SUSPECT: gives {scores.shape[1]} values, expected {known}, one a class"
            )
        if self.order is None:
            return scores
        order = np.asarray(self.order)
        found = np.repeat(scores.min(axis=1, keepdims=True), classes, axis=1)
        for owners in sorted(set(self.order) - {-1}):
            found[:, owners] = scores[:, order == owners].max(axis=1)
        return found


def chains_for(
    adapters: Sequence[str | Adapter] | Sequence[Sequence[str | Adapter]],
    *,
    triggers: Committed,
    facts: ModelFacts | None,
    single: bool,
) -> tuple[Asked, ...]:
    """What each chain of `adapters` asks of a suspect; `single` refuses more than one.

    Raises:
        BadInput: chains that cannot be made, or several for a suspect without a model file.
    """
    if not adapters:
        return (Asked(inputs=triggers.inputs),)
    from .adapters.chain import adapted, chains_of

    takes = None if facts is None else _takes(facts)
    held = None if facts is None else _representable(facts.inputs[0])
    named = chains_of(adapters, triggers=triggers, takes=takes, representable=held)
    if single and len(named) > 1:
        raise BadInput("adapters: got several chains for a suspect without a model file, name one")
    made = [adapted(chain, triggers, takes=takes) for chain in named]
    return tuple(
        Asked(
            inputs=q.inputs.astype(np.float32, copy=False),
            adapters=spelled,
            value_range=q.value_range,
            order=q.order,
        )
        for spelled, q in made
    )


def check_fits(facts: ModelFacts | None, triggers: Committed, asked: Asked) -> None:
    """Refuse a suspect that takes other inputs or has other classes than will be asked.

    Raises:
        BadInput: one line that names the adapters which make them fit, where there are any.
    """
    if facts is None:
        return
    takes, gives = _takes(facts), facts.outputs[0].shape[1:]
    shape = asked.inputs.shape[1:]
    if takes != shape:
        become = f" and become {_times(shape)} by the adapters" if asked.adapters else ""
        raise BadInput(
            f"SUSPECT: the model takes inputs {_times(takes)}, the triggers are "
            f"{_times(triggers.shape)}{become}: {_advice(takes, triggers)}"
        )
    if sum(length != 1 for length in gives) > 1:
        raise BadInput(
            f"SUSPECT: the model gives {_times(gives)} values, expected one row of scores: for a "
            "model that does not classify, make triggers for outputs (edgewm triggers make --outputs)"
        )
    scores = math.prod(gives)
    classes = 2 if scores == 1 else scores  # one sigmoid output says two classes
    wanted = triggers.classes if asked.order is None else len(asked.order)
    if min(gives, default=1) < 1 or classes == wanted:
        return
    if asked.order is not None:
        raise BadInput(
            f"SUSPECT: the model has {classes} classes, the order of --adapter classes names "
            f"{wanted}: name a class of the triggers, or -1, for each"
        )
    raise BadInput(
        f"SUSPECT: the model has {classes} classes, the triggers {wanted}: these are not triggers "
        "for this model, or its classes need names: --adapter classes:order=2x0x1"
    )


def flags(
    facts: ModelFacts | None, triggers: Committed, chains: Sequence[Asked], best: Asked
) -> list[str]:
    """Reasons to doubt the way in which a suspect was asked, for the chain that counts."""
    found: list[str] = []
    if len(chains) > 1:
        found.append(f"{len(chains)} chains of adapters were tried: tests x {len(chains)}")
    if best.order is not None:
        orders = math.log10(triggers.classes + 1) * len(best.order)
        found.append(
            "the order of classes must come from what they mean: one that these answers chose "
            f"would need 10^{math.ceil(orders)} times as many tests"
        )
    held = None if facts is None else _representable(facts.inputs[0])
    if held is not None and len(chains) == 1:
        symmetric = facts is not None and facts.inputs[0].dtype == "int16"
        found += _range_flags(held, best, symmetric=symmetric)
    return found


def _range_flags(held: tuple[float, float], asked: Asked, *, symmetric: bool) -> list[str]:
    """Whether a quantised input holds about the numbers that are asked."""
    ends = asked.value_range
    if ends is None:
        ends = float(asked.inputs.min()), float(asked.inputs.max())
    off = max(abs(held[0] - ends[0]), abs(held[1] - ends[1]))
    if symmetric:  # its zero point is always 0, so only the magnitude says something
        off = abs(held[1] - max(abs(ends[0]), abs(ends[1])))
    if off <= _RANGE_TOLERANCE * (ends[1] - ends[0]):
        return []
    from .adapters.suggestion import nearest_range

    return [
        f"the suspect's input holds {held[0]:.4g} to {held[1]:.4g}, the questions lie in "
        f"{ends[0]:.4g} to {ends[1]:.4g}: if it was trained on another range, try --adapter "
        f"{nearest_range(*held)}"
    ]


def _takes(facts: ModelFacts) -> tuple[int, ...]:
    """Shape of one input of the suspect; a free batch axis is one input, any other is refused."""
    takes = facts.inputs[0].shape[1:]
    if min(takes, default=1) < 1:
        raise BadInput(
            f"SUSPECT: the model takes inputs of a free size, {_times(takes)}, expected a fixed one: "
            "give a copy of it whose input shape is fixed"
        )
    return takes


def _representable(tensor: Tensor) -> tuple[float, float] | None:
    """Lowest and highest real value that a whole-number input can hold; None for floats."""
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return None
    span, step = np.iinfo(dtype), tensor.scale or 1.0
    return (span.min - tensor.zero_point) * step, (span.max - tensor.zero_point) * step


def _advice(takes: tuple[int, ...], triggers: Committed) -> str:
    from .adapters.suggestion import suggested

    steps = suggested(takes, triggers.shape)
    if steps is None:
        return "these are not triggers for this model, and no adapter makes them so" + _streamed(
            takes, triggers.shape
        )
    named = " ".join(f"--adapter {name}" for name in steps) or "no adapter"
    return f"these are not triggers for this model, or try {named}" + _streamed(
        takes, triggers.shape
    )


def _streamed(takes: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """How a model that takes a part of an input at a time is asked; empty when it does not."""
    parts = takes[1:] == shape[1:] and len(takes) > 0 and takes[0] < shape[0]
    if not parts or shape[0] % takes[0]:
        return ""
    return (
        f"; if it is a streaming model, name its frames: --on RUNTIME:frames={shape[0] // takes[0]}"
    )


def _times(shape: Sequence[int]) -> str:
    return "x".join(str(d) for d in shape)
