"""Keras 3 on TensorFlow, for `.keras` suspects.

Only on request: importing it takes ten seconds. It loads in safe mode, so a Lambda layer, which holds
Python code, is refused; the process has the restrictions of every worker besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from . import Session
    from .child import Child
    from .nursery import Nursery


@dataclass(frozen=True, kw_only=True)
class Keras:
    """Answers from the package keras."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False
    reads: ClassVar[str] = "keras"

    input: int | None = None
    """Number of the input that takes the questions, of several; the others are held at zero."""
    output: int | None = None
    """Number of the output that has the scores, of several."""
    frames: int = 1
    """Pieces in which a streaming model takes one question, along its first axis."""
    python: str | None = None
    """Another environment's python with numpy and keras; none for this one."""
    memory_mib: int = 16384
    """Address space that it may use."""
    timeout_s: float = 120.0
    """Longest wait for starting, for opening, and for one batch of 64 answers."""

    def start(self, nursery: Nursery | None = None) -> Child:
        """Begin to load it and return at once; not from `nursery`: its threads would not survive a fork."""
        from .child import start_as

        return start_as(self, "keras", {})

    def open(self, model: bytes | None) -> Session:
        """Open a `.keras` file's bytes; errors as `Runtime.open`."""
        return self.start().open(model)
