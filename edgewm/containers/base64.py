"""Base64, plain or for URLs, in one run or in lines, in texts of any kind; a model's own also in binaries.

In a text every run of 200 characters or more is unpacked and searched. In other bytes only what begins
as a model begins is (see `edgewm.signatures`): there, a long run of letters means nothing.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..content import Content, of_bytes
from . import Budget, Piece
from .text import LARGEST_TEXT_BYTES, text_of

_SEPARATOR = rb"(?:[\"'][ \t]*[+,]?)?[ \t]*\\?(?:\\r)?(?:\\n|\r?\n)[ \t]*(?:[bB]?[\"'])?"
_RUN = re.compile(rb"[A-Za-z0-9+/_-]{20,}+(?:" + _SEPARATOR + rb"[A-Za-z0-9+/_-]{1,}+)*+={0,2}")
_SEPARATORS = re.compile(_SEPARATOR)
_FOR_URLS = bytes.maketrans(b"-_", b"+/")
_FEWEST_CHARACTERS = 200
_PREFIX_CHARACTERS = 4
"""What stands before the signature: the first three bytes of a model."""


@dataclass(frozen=True, kw_only=True)
class Base64:
    """Every long run."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """The bytes of each run, named by where it begins."""
        if content.is_text:
            text = text_of(content, budget, "base64")
            for run in _RUN.finditer(text):
                if run.end() - run.start() >= _FEWEST_CHARACTERS:
                    yield from _piece(content, run.group(), run.start(), budget)
            return
        end = 0
        for position in content.sightings.places["base64_model"]:
            start = position - _PREFIX_CHARACTERS
            if start >= end:
                held = _run_at(content, start)
                end = start + len(held)
                yield from _piece(content, held, start, budget)


def _run_at(content: Content, start: int) -> bytes:
    """The run that begins at `start`, at most 64 MiB of it; reads twice as much until it ends."""
    length = 1 << 16
    while True:
        found = _RUN.match(content.read(start, length))
        if found is None:
            return b""
        if found.end() < length - 64 or length >= LARGEST_TEXT_BYTES:
            return found.group()
        length *= 2


def _piece(content: Content, run: bytes, at: int, budget: Budget) -> Iterator[Piece]:
    plain = _SEPARATORS.sub(b"", run).rstrip(b"=").translate(_FOR_URLS)
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        held = binascii.a2b_base64(plain + b"=" * (-len(plain) % 4))
    except binascii.Error:
        return
    budget.charge_piece()
    budget.charge(len(held))
    yield Piece(name=f"base64-at-{at}", content=of_bytes(held), packed=content.part(at, 0))
