"""How long an inference takes on the runtimes of this machine, in the questions' own inputs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from .cost_figures import Measured
from .errors import ModelRefused, RuntimeUnavailable
from .runtimes.begin import Begun
from .triggers import Triggers
from .verdict import NotRun

_INPUTS, _ROUNDS = 64, 3


def measure(
    model: bytes, triggers: Triggers, on: Sequence[Begun]
) -> tuple[list[Measured], list[NotRun]]:
    """The median of three rounds of at most 64 inferences on each runtime, after one to warm up.

    Starting an interpreter and opening the file are not in it. What cannot run is listed with its reason.
    """
    found, not_run = [], []
    inputs = triggers.inputs[:_INPUTS]
    for part in on:
        try:
            with part.runtime.open(model) as session:
                session.ask(inputs[:1])
                times = [session.ask(inputs).latency_ms / len(inputs) for _ in range(_ROUNDS)]
                engine = session.engine
        except (RuntimeUnavailable, ModelRefused) as error:
            not_run.append(NotRun(spelling=part.spelling, reason=str(error)))
            continue
        found.append(
            Measured(
                runtime=part.spelling,
                inference_ms=statistics.median(times),
                origin=f"measured on this host: {engine.name} {engine.version}, "
                f"median of {_ROUNDS} rounds of {len(inputs)} inferences",
            )
        )
    return found, not_run
