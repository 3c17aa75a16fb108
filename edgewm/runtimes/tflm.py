"""TensorFlow Lite Micro, the interpreter of microcontrollers, built for this machine.

Its answers on the MLPerf Tiny models equal, row for row, those that Cortex-M4, M33 and M85 boards printed.
The arena that a model needs is not in its file, so it is doubled from `arena_kib` up to 64 MiB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from . import Session
    from .child import Child
    from .nursery import Nursery


@dataclass(frozen=True, kw_only=True)
class TFLM:
    """Answers from the package tflite-micro."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False
    reads: ClassVar[str] = "tflite"

    arena_kib: int = 256
    """First arena tried, in KiB; what a model took is in the session's facts."""
    input: int | None = None
    """Number of the input that takes the questions, of several; the others are held at zero."""
    output: int | None = None
    """Number of the output that has the scores, of several."""
    frames: int = 1
    """Pieces in which a streaming model takes one question, along its first axis."""
    python: str | None = None
    """Another environment's python with numpy and tflite-micro; none for this one."""
    memory_mib: int = 2048
    """Address space that the interpreter may use."""
    timeout_s: float = 60.0
    """Longest wait for starting, for opening, and for one batch of 64 answers."""

    def start(self, nursery: Nursery | None = None) -> Child:
        """Begin to load the interpreter and return at once; `start().open(model)` opens a model."""
        from .child import start_as

        return start_as(self, "tflm", {"arena_kib": self.arena_kib}, nursery)

    def open(self, model: bytes | None) -> Session:
        """Open a `.tflite` file's bytes; errors as `Runtime.open`."""
        return self.start().open(model)
