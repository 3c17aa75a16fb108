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
    begun: list[Begun] = []
    for named in on:
        texts = LOCAL_RUNTIMES if named == "all" else (named,)
        for text in texts:
            runtime = spec.parse("runtimes", text) if isinstance(text, str) else text
            start = getattr(runtime, "start", None)
            begun.append(
                Begun(
                    spelling=text if isinstance(text, str) else spec.spell(runtime),
                    runtime=runtime if start is None else start(),
                    optional=named == "all",
                )
            )
    if len({b.spelling for b in begun}) < len(begun):
        raise BadInput("--on: got a runtime twice, name each one once")
    if not begun:
        raise BadInput("--on: got no runtime, expected at least one, such as litert")
    return tuple(begun)


def names_a_runtime(suspect: str) -> bool:
    """Whether a suspect is the spelling of something that answers without a model file."""
    name = suspect.partition(":")[0]
    return name in ("answers", "exec") and ":" in suspect and not Path(suspect).exists()
