"""LiteRT, the interpreter of phones and single-board computers, in three configurations.

`xnnpack` is what applications get by default and rounds once, as X-CUBE-AI does on STM32; `none` takes the
built-in kernels, `reference` the plain C++ ones that define each operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from . import Session
    from .child import Child
    from .nursery import Nursery


@dataclass(frozen=True, kw_only=True)
class LiteRT:
    """Answers from the package ai-edge-litert."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False
    reads: ClassVar[str] = "tflite"

    threads: int = 1
    """Threads of one inference."""
    delegate: Literal["xnnpack", "none", "reference"] = "xnnpack"
    input: int | None = None
    """Number of the input that takes the questions, of several; the others are held at zero."""
    output: int | None = None
    """Number of the output that has the scores, of several."""
    frames: int = 1
    """Pieces in which a streaming model takes one question, along its first axis."""
    python: str | None = None
    """Another environment's python with numpy and ai-edge-litert; none for this one."""
    memory_mib: int = 2048
    """Address space that the interpreter may use."""
    timeout_s: float = 60.0
    """Longest wait for starting, for opening, and for one batch of 64 answers."""

    def start(self, nursery: Nursery | None = None) -> Child:
        """Begin to load the interpreter and return at once; `start().open(model)` opens a model."""
        from .child import start_as

        return start_as(
            self, "litert", {"threads": self.threads, "delegate": self.delegate}, nursery
        )

    def open(self, model: bytes | None) -> Session:
        """Open a `.tflite` file's bytes; errors as `Runtime.open`."""
        return self.start().open(model)
