"""What a suspect said to each question, for people to look at; evidence is `edgewm.verification`'s matter.

The suspect is asked once more on one runtime, in the order of asking, and every question comes back with
its picture, the drawn answer and what was said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import spec, stats
from .fitting import chains_for, check_fits
from .parts import Split
from .questioning import questions
from .runtimes import FAILED
from .sheet import picture_of

if TYPE_CHECKING:
    from PIL import Image

    from .key import Key
    from .opened import OpenedGroups
    from .triggers import Triggers


@dataclass(frozen=True, kw_only=True)
class Question:
    """One group of secret inputs."""

    group: int
    picture: Image.Image = field(repr=False)
    """Its first input."""
    inputs: int
    drawn: int
    """The answer, a class."""
    said: tuple[int, ...] = ()
    """The class given to each input; -1 for none. Empty where the suspect was not asked."""
    outcome: str = ""
    """hit, miss or silent; empty where the suspect was not asked."""


def questions_of(
    held: Triggers | OpenedGroups,
    keys: Key | Mapping[int, bytes],
    order: Sequence[int],
    *,
    model: bytes | None = None,
    on: str = "litert",
    adapters: Sequence[str] = (),
) -> list[Question]:
    """The groups of `order` with their drawn answers and, where a model is given, what it says.

    Raises:
        BadInput, RuntimeUnavailable, ModelRefused: the key is another one, or the model cannot be asked.
    """
    drawn = held.answers(keys)  # type: ignore[arg-type]  # each takes its own kind of key
    labels = None if model is None else _labels(held, order, model, on, adapters)
    low, high = float(held.inputs.min()), float(held.inputs.max())
    at = 0
    found = []
    for j in order:
        inputs = held.inputs[held.group_ids == j]
        said = None if labels is None else labels[at : at + len(inputs)]
        at += len(inputs)
        found.append(
            Question(
                group=j,
                picture=picture_of(inputs[0], low, high),
                inputs=len(inputs),
                drawn=int(drawn[j]),
                said=() if said is None else tuple(said.tolist()),
                outcome="" if said is None else _outcome(said, held.excluded[j], int(drawn[j])),
            )
        )
    return found


def _labels(
    held: Triggers | OpenedGroups,
    order: Sequence[int],
    model: bytes,
    on: str,
    adapters: Sequence[str],
) -> npt.NDArray[np.int64]:
    """Classes of the owner in the order of asking; -1 where none came, or one that the owner has not."""
    runtime = spec.parse("runtimes", on)
    if getattr(held, "natural", None) is not None:  # opened groups have none
        runtime = Split(runtime=runtime, triggers=held)  # type: ignore[arg-type]
    with runtime.open(model) as session:
        (chain,) = chains_for(adapters, triggers=held, facts=session.facts, single=True)
        check_fits(session.facts, held, chain)
        asked = chain.inputs[questions(held, order)]  # type: ignore[arg-type]
        labels = chain.meant(session.ask(asked).labels, held.classes)
    padded = np.full(len(asked), FAILED, np.int64)
    padded[: len(labels)] = np.where(labels == held.classes, FAILED, labels)
    return padded


def _outcome(said: npt.NDArray[np.int64], excluded: npt.NDArray[np.bool_], drawn: int) -> str:
    (outcome,) = stats.choose(
        said,
        np.zeros(len(said), np.int32),
        excluded=excluded[None],
        answers=np.array([drawn], np.int64),
    )
    return stats.Outcome(outcome).name.lower()
