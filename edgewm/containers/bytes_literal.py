r"""Bytes written as a string of escapes: Python's ``b"\x1c\x00..."`` and the same in C, in one or many parts.

Escapes are read here and not by a parser of Python: the text is a stranger's, and may be C.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..content import Content, of_bytes
from . import Budget, Piece
from .text import text_of

_STRING = re.compile(
    rb"(?<![A-Za-z0-9_])[bBrRuU]{0,2}"
    rb'(?:"((?:[^"\\\n]++|\\.)*+)("|)'
    rb"|'((?:[^'\\\n]++|\\.)*+)('|))",
    re.DOTALL,
)
"""One that does not end takes the rest of its line: looking again from each of its quotes would not end."""
_BETWEEN = re.compile(rb"[\s\\+]*")
_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|[0-7]{1,3}|\r?\n|.)", re.DOTALL)
_NAME = re.compile(rb"([A-Za-z_]\w*)\s*(?:\[[^\[\]]*\]\s*)*(?::[^=]*)?=[\s(\\]*$")
_PLAIN = {
    **{b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"},
    **{b"\n": b"", b"\r\n": b"", b"\\": b"\\", b"'": b"'", b'"': b'"', b"?": b"?"},
}
_FEWEST, _FEWEST_PLAIN = 64, 200


@dataclass(frozen=True, kw_only=True)
class BytesLiteral:
    """Every literal with escapes, or of several parts, that gives 64 bytes or more."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """The bytes of each literal."""
        if not content.is_text:
            return
        text = text_of(content, budget, "bytes_literal")
        parts: list[bytes] = []
        start = end = 0
        for found in _STRING.finditer(text):
            if parts and not _BETWEEN.fullmatch(text, end, found.start()):
                yield from _piece(text, start, parts, budget)
                parts = []
            if not parts:
                start = found.start()
            if found.group(2) or found.group(4):
                parts.append(found.group(1) if found.group(3) is None else found.group(3))
            end = found.end()
        yield from _piece(text, start, parts, budget)


def _piece(text: bytes, start: int, parts: list[bytes], budget: Budget) -> Iterator[Piece]:
    written = sum(map(len, parts))
    plain = not any(b"\\" in part for part in parts)
    if written < _FEWEST or (plain and (len(parts) == 1 or written < _FEWEST_PLAIN)):
        return
    held = b"".join(_ESCAPE.sub(_value, part) for part in parts)
    if len(held) < _FEWEST:
        return
    budget.charge_piece()
    budget.charge(len(held))
    name = _NAME.search(text[max(0, start - 120) : start])
    named = name.group(1).decode("ascii", "replace") if name else f"bytes-at-{start}"
    yield Piece(name=named, content=of_bytes(held))


def _value(escape: re.Match[bytes]) -> bytes:
    code = escape.group(1)
    if code[:1] == b"x" and len(code) == 3:
        return bytes([int(code[1:], 16)])
    if code[:1].isdigit() and int(code[:1]) < 8:
        return bytes([int(code, 8) & 0xFF])
    return _PLAIN.get(code, b"\\" + code)
