"""tflite-runtime, LiteRT's predecessor, still on many boards; the last release is 2.14, for NumPy 1.

Its built-in kernels round as LiteRT does without a delegate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from . import Session
    from .child import Child
    from .nursery import Nursery


@dataclass(frozen=True, kw_only=True)
class TFLiteRuntime:
    """Answers from the package tflite-runtime."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False
    reads: ClassVar[str] = "tflite"

    threads: int = 1
    """Threads of one inference."""
    input: int | None = None
    """Number of the input that takes the questions, of several; the others are held at zero."""
    output: int | None = None
    """Number of the output that has the scores, of several."""
    frames: int = 1
    """Pieces in which a streaming model takes one question, along its first axis."""
    python: str | None = None
    """Another environment's python with numpy and tflite-runtime; none for this one."""
    memory_mib: int = 2048
    """Address space that the interpreter may use."""
    timeout_s: float = 60.0
    """Longest wait for starting, for opening, and for one batch of 64 answers."""

    def start(self, nursery: Nursery | None = None) -> Child:
        """Begin to load the interpreter and return at once; `start().open(model)` opens a model."""
        from .child import start_as

        return start_as(self, "tflite_runtime", {"threads": self.threads}, nursery)

    def open(self, model: bytes | None) -> Session:
        """Open a `.tflite` file's bytes; errors as `Runtime.open`."""
        return self.start().open(model)
