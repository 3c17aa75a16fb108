"""What works here: every interpreter that can answer on this machine, tried rather than looked up.

Each is started, isolated and given the probe network, so "available" means that it has just answered, and
its arithmetic is the one that it has just shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import spec, vela
from .errors import EdgewmError
from .runtimes.litert import LiteRT
from .runtimes.onnxruntime import ONNXRuntime
from .runtimes.tflite_runtime import TFLiteRuntime
from .runtimes.tflm import TFLM

if TYPE_CHECKING:
    from .runtimes.child import Child

LOCAL: tuple[LiteRT | TFLiteRuntime | TFLM | ONNXRuntime, ...] = (
    LiteRT(),
    LiteRT(delegate="none"),
    LiteRT(delegate="reference"),
    TFLiteRuntime(),
    TFLM(),
    ONNXRuntime(),
)
"""The configurations that run a file on this machine, but for those that take TensorFlow to start."""


@dataclass(frozen=True, kw_only=True)
class RuntimeStatus:
    """One interpreter, tried."""

    spec: str
    """As `--runtime` takes it."""
    available: bool
    version: str
    arithmetic: str
    """What the probe showed, one of ARITHMETICS; none for a compiler."""
    reason: str
    """Why it is not available and what to install; empty when it is."""
    isolation: tuple[str, ...]
    """The restrictions that took hold in its process before any file was opened."""
    can: dict[str, bool]
    """What its process tried to do afterwards, and whether it could."""


def survey(
    runtimes: tuple[LiteRT | TFLiteRuntime | TFLM | ONNXRuntime, ...] = LOCAL,
) -> tuple[RuntimeStatus, ...]:
    """Try every local interpreter, at most seconds each; never raises for one that is missing."""
    return tuple(_try(runtime) for runtime in runtimes)


def compiler() -> RuntimeStatus:
    """Arm's compiler for Ethos-U: it answers nothing, and estimates what an inference costs."""
    there = vela.installed()
    return RuntimeStatus(
        spec="vela",
        available=there,
        version=vela.vela_version() if there else "",
        arithmetic="none",
        reason="" if there else f"estimates for Ethos-U need it: {vela.INSTALL}",
        isolation=(),
        can={},
    )


def _try(runtime: LiteRT | TFLiteRuntime | TFLM | ONNXRuntime) -> RuntimeStatus:
    child: Child | None = None
    arithmetic, reason = "unknown", ""
    can: dict[str, bool] = {}
    try:
        child = runtime.start()
        arithmetic = child.arithmetic()
        can = child.trial()
    except EdgewmError as error:
        reason = str(error)
    status = RuntimeStatus(
        spec=spec.brief(runtime),
        available=not reason,
        version=child.version if child else "",
        arithmetic=arithmetic,
        reason=reason,
        isolation=child.isolation if child else (),
        can=can,
    )
    if child is not None:
        child.close()
    return status
