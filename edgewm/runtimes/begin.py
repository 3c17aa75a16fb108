"""Which runtimes a verification asks, and their early start.

Nothing here imports numpy: the command line calls `begin` first, so that every child process loads its
interpreter while this process still loads its own libraries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import spec
from ..errors import BadInput
from . import Runtime

LOCAL_RUNTIMES = (
    "litert:delegate=xnnpack",
    "litert:delegate=none",
    "tflite_runtime",
    "tflm",
)
"""What ``--on all`` asks: every interpreter and arithmetic that can run here."""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A runtime that was named for a verification, perhaps already loading its interpreter."""

    spelling: str
    runtime: Runtime
    optional: bool = False
    """True under ``--on all``: what cannot run is listed with its reason instead of refused."""


def begin(on: Sequence[str | Runtime]) -> tuple[Begun, ...]:
    """The runtimes to ask, their child processes started; "all" stands for every local one.

    Raises:
        BadInput: a name or field that does not exist, or a runtime named twice.
    """
    texts = [text if isinstance(text, str) else spec.spell(text) for text in on]
    given = {spec.spell(runtime): runtime for runtime in on if not isinstance(runtime, str)}
    begun: list[Begun] = []
    for text, optional in spelled(texts):
        runtime = given.get(text) or spec.parse("runtimes", text)
        start = getattr(runtime, "start", None)
        started = runtime if start is None else start()
        begun.append(Begun(spelling=text, runtime=started, optional=optional))
    return tuple(begun)


def spelled(on: Sequence[str]) -> tuple[tuple[str, bool], ...]:
    """The spelling of every runtime, and whether it may be missing; "all" stands for every local one.

    Raises:
        BadInput: a runtime named twice, or none.
    """
    texts = [
        (text, named == "all")
        for named in on
        for text in (LOCAL_RUNTIMES if named == "all" else (named,))
    ]
    if len({text for text, _ in texts}) < len(texts):
        raise BadInput("--on: got a runtime twice, name each one once")
    if not texts:
        raise BadInput("--on: got no runtime, expected at least one, such as litert")
    return tuple(texts)


def names_a_runtime(suspect: str) -> bool:
    """Whether a suspect is the spelling of something that answers without a model file."""
    name = suspect.partition(":")[0]
    return name in ("answers", "exec", "serial") and ":" in suspect and not Path(suspect).exists()
