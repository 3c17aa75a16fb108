"""Adapters in a row: read from their spellings, fixed for one suspect, applied to all inputs.

Nothing here can see an answer. What a chain became for a suspect (its sizes filled in, a file of classes
read) is spelled out, so that the verdict can be repeated from its own text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .. import spec
from ..commitment import Committed
from ..errors import BadInput
from . import Adapter, Questions

Chain = Sequence[str | Adapter]

TRY = "try"
"""In place of chains: the list of `suggestion.plausible` for this suspect."""

_BATCH = 64


def chains_of(
    adapters: Chain | Sequence[Chain],
    *,
    triggers: Committed,
    takes: tuple[int, ...] | None,
    representable: tuple[float, float] | None = None,
) -> list[list[str | Adapter]]:
    """The chains that are asked, each a list of adapters, from what a caller wrote.

    `adapters` is one chain, several chains, or "try". `takes` is the shape of one input of the suspect
    and `representable` the values that its quantised input can hold; None where unknown.

    Raises:
        BadInput: adapters and chains mixed, or "try" for a suspect of which nothing is known.
    """
    if adapters == TRY:
        from .suggestion import plausible

        if takes is None:
            raise BadInput(
                "--try-adapters: nothing says what this suspect takes, name the chain: --adapter NAME"
            )
        return plausible(triggers, takes=takes, representable=representable)
    named: list[str | Adapter] = []
    chains: list[list[str | Adapter]] = []
    for part in [adapters] if isinstance(adapters, str) else adapters:
        if isinstance(part, list | tuple):
            chains.append(list(part))
        else:
            named.append(part)  # type: ignore[arg-type]
    if chains and named:
        raise BadInput("adapters: got adapters beside chains, expected one chain or several")
    return chains or [named]


def adapted(
    chain: Chain, triggers: Committed, *, takes: tuple[int, ...] | None
) -> tuple[tuple[str, ...], Questions]:
    """The spellings of a chain as it became for this suspect, and its questions, inputs in float32.

    Raises:
        BadInput: an adapter that does not exist, does not take what the one before it gives, or makes
            numbers that float32 does not hold.
    """
    steps: list[Adapter] = [
        spec.parse("adapters", part) if isinstance(part, str) else part for part in chain
    ]
    parts: list[Questions] = []
    for at in range(0, len(triggers.inputs), _BATCH):
        questions = Questions(
            inputs=triggers.inputs[at : at + _BATCH].astype(np.float64),
            classes=triggers.classes,
            value_range=value_range(triggers),
            takes=takes,
        )
        steps, questions = _through(steps, questions)
        with np.errstate(over="ignore"):
            parts.append(replace(questions, inputs=questions.inputs.astype(np.float32)))
    inputs = np.concatenate([part.inputs for part in parts])
    if len(inputs) != len(triggers.inputs) or not np.isfinite(inputs).all():
        raise BadInput(
            f"--adapter: {', '.join(map(spec.spell, steps))} gives {len(inputs)} inputs for "
            f"{len(triggers.inputs)}, or numbers that are not finite"
        )
    return tuple(map(spec.spell, steps)), replace(parts[0], inputs=inputs)


def value_range(triggers: Committed) -> tuple[float, float] | None:
    """Lowest and highest value the owner's model takes, as the trigger file says; None if it does not."""
    said = json.loads(triggers.provenance).get("value_range")
    numbers = isinstance(said, list) and all(type(end) in (int, float) for end in said)
    if not numbers or len(said) != 2 or not all(map(math.isfinite, said)) or not said[0] < said[1]:
        return None
    return float(said[0]), float(said[1])


def _through(steps: Sequence[Adapter], questions: Questions) -> tuple[list[Adapter], Questions]:
    """The questions after all steps, and the steps with what they took from the suspect filled in."""
    settled: list[Adapter] = []
    for step in steps:
        fill_in = getattr(step, "settled", None)  # only those that have something to fill in
        settled.append(step if fill_in is None else fill_in(questions))
        questions = settled[-1].adapt(questions)
    return settled, questions
