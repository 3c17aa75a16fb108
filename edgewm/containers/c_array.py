"""Arrays of numbers in source code: C and C++ as people write them, Rust, Python lists, JSON.

    const unsigned char model[] PROGMEM = {0x1c, 0x00, 28, -1, ...};      // and alignas, comments, words

Found by what a compiler would read as well: a long run of nothing but numbers, commas and blanks, once
comments are gone. Values above 255 are little-endian words of 2, 4 or 8 bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..content import Content, of_bytes
from . import Budget, Piece
from .text import text_of, without_comments

_RUN = re.compile(rb"[0-9a-fA-FxXuUlL,\s+-]{128,}")
_HINT = re.compile(rb"(?:\d[0-9a-fA-FxX]*[uUlL]*,\s*-?){4}")
_C_NAME = re.compile(rb"([A-Za-z_]\w*)\s*(?:\[[^\[\]]*\]\s*)+[^\[\]=]*=[^=]*$")
_OTHER_NAME = re.compile(rb"([A-Za-z_]\w*)\s*(?::[^=]*)?=[^=]*$")
_FEWEST = 64
_SLAB = 1 << 20
_BLANKS = b" \t\r\n\x0b\x0c"


@dataclass(frozen=True, kw_only=True)
class CArray:
    """Every array of 64 numbers or more, by its name."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """The bytes of each array."""
        if not content.is_text or b"," not in content.head:
            return
        text = text_of(content, budget, "c_array")
        if not _HINT.search(text):  # most texts: taking comments out is what costs
            return
        text = without_comments(text)
        for run in _RUN.finditer(text):
            if run.end() - run.start() < 2 * _FEWEST:
                continue
            for number, held in enumerate(_arrays(text, run.start(), run.end())):
                budget.charge_piece()
                budget.charge(len(held))
                name = _name(text, run.start()) + (f"-{number}" if number else "")
                yield Piece(name=name, content=of_bytes(held))


def _name(text: bytes, at: int) -> str:
    before = text[max(0, at - 160) : at]
    found = _C_NAME.search(before) or _OTHER_NAME.search(before)
    return found.group(1).decode("ascii", "replace") if found else f"numbers-at-{at}"


def _arrays(text: bytes, start: int, end: int) -> Iterator[bytes]:
    """The bytes of each stretch of numbers; a word that is no number ends one."""
    parts: list[npt.NDArray[np.int64] | bytes] = []
    while start < end:
        cut = text.rfind(b",", start, min(start + _SLAB, end)) + 1
        if cut <= start or end - start <= _SLAB:
            cut = end
        for values, broken in _numbers(text[start:cut].translate(None, _BLANKS)):
            parts.append(values)
            if broken:
                yield from _joined(parts)
                parts = []
        start = cut
    yield from _joined(parts)


def _numbers(slab: bytes) -> Iterator[tuple[npt.NDArray[np.int64] | bytes, bool]]:
    """Values of a slab without blanks, and whether the array ends with them."""
    slab = slab.strip(b",")
    tokens = slab.count(b",") + 1
    lower = slab.lower()
    digits = lower.replace(b"0x", b"").replace(b",", b"")
    if lower.count(b"0x") == tokens and len(digits) == 2 * tokens:
        try:
            yield bytes.fromhex(digits.decode("ascii")), False
            return
        except ValueError:
            pass
    values: list[int] = []
    for token in lower.split(b","):
        value = _number(token)
        if value is not None:
            values.append(value)
            continue
        yield np.array(values, np.int64), True
        values = []
    yield np.array(values, np.int64), False


def _number(token: bytes) -> int | None:
    token = token.rstrip(b"ul")
    if not 0 < len(token) <= 20:
        return None
    try:
        octal = token[:1] == b"0" and token.isdigit() and len(token) > 1
        value = int(token, 8) if octal else int(token, 0)
    except ValueError:
        return None
    if not -(2**63) <= value < 2**64:
        return None
    return value - 2**64 if value >= 2**63 else value


def _joined(parts: list[npt.NDArray[np.int64] | bytes]) -> Iterator[bytes]:
    if sum(len(part) for part in parts) < _FEWEST:
        return
    numbers = [part for part in parts if not isinstance(part, bytes) and len(part)]
    largest = max((int(part.max()) for part in numbers), default=0)
    smallest = min((int(part.min()) for part in numbers), default=0)
    words = [
        (bound, dtype) for bound, dtype in ((1 << 8, "u1"), (1 << 16, "<u2"), (1 << 32, "<u4"))
    ]
    fits = [dtype for bound, dtype in words if largest < bound and smallest >= -(bound // 2)]
    dtype = fits[0] if fits else "<u8"
    yield b"".join(
        (np.frombuffer(part, np.uint8) if isinstance(part, bytes) else part).astype(dtype).tobytes()
        for part in parts
    )
