"""How a model hides in a file: each way is one file here, with one frozen dataclass and one method.

`pieces` is given any bytes and yields what it finds in them: models where they stand (`raw`, `xor`), or
other bytes to be searched again (all others). It sees hostile bytes: it may raise anything, and whoever
calls it makes one line of that. What it unpacks is charged to a `Budget`, so a bomb ends in a line too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from ..content import Content
from ..tflite import Tflite

NOT_PLUGINS = ("unpacking", "text", "addressed")


class BudgetSpent(Exception):
    """A limit was reached; the text says which. Never leaves the package."""


@dataclass(kw_only=True)
class Budget:
    """What unpacking one input file may still cost; shared by everything inside it."""

    unpacked_bytes: int = 4 << 30
    pieces: int = 200_000
    lines: int = 100
    """How many notes are told."""
    notes: list[str] = field(default_factory=list)
    """One line for each thing that was seen and not searched."""

    def charge(self, unpacked_bytes: int) -> None:
        """Take bytes off.

        Raises:
            BudgetSpent: there are none left.
        """
        self.unpacked_bytes -= unpacked_bytes
        if self.unpacked_bytes < 0:
            raise BudgetSpent("the limit of unpacked bytes is reached, the rest is not searched")

    def charge_piece(self) -> None:
        """Count one thing found inside.

        Raises:
            BudgetSpent: there were too many.
        """
        self.pieces -= 1
        if self.pieces < 0:
            raise BudgetSpent("the limit of files inside is reached, the rest is not searched")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Something inside."""

    name: str
    """What stands behind the `!` in its path: a member's name, an address; empty for bytes in place."""
    content: Content
    offset: int = 0
    """Where it begins in the bytes that were given, if it stands there as it is."""
    model: Tflite | None = None
    """Set when these bytes are a model, and need no further search."""
    packed: Content | None = None
    """Where the packed form of `content` begins, if it stands in bytes that are searched for it too."""
    format: str = ""
    """Set when these bytes are known to be a model of another format."""


class Container(Protocol):
    """One way to hold models."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """What is inside `content`; nothing when it is not of this kind.

        Raises:
            BudgetSpent: a limit was reached; what was found before was yielded.
        """
        ...
