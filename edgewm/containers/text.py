"""Text that holds bytes: reading a bounded amount of it, and numbers as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..content import Content
from . import Budget

LARGEST_TEXT_BYTES = 64 << 20
_COMMENT = re.compile(rb"//[^\n]*|/\*")


def text_of(content: Content, budget: Budget, kind: str) -> bytes:
    """The whole of a text; empty, with a note, when it is longer than 64 MiB."""
    if content.size > LARGEST_TEXT_BYTES:
        budget.notes.append(f"{kind}: a text of more than 64 MiB is not read")
        return b""
    return content.read(0, content.size)


def without_comments(text: bytes) -> bytes:
    """C and C++ comments as one blank each; time grows with the text alone, whatever is in it."""
    parts: list[bytes] = []
    at = 0
    for begins in _COMMENT.finditer(text):
        if begins.start() < at:
            continue
        end = begins.end()
        if begins.group() == b"/*":
            end = text.find(b"*/", end) + 2
            if end < 2:
                break
        parts.append(text[at : begins.start()])
        at = end
    parts.append(text[at:])
    return b" ".join(parts)


def lines_of(content: Content) -> Iterator[bytes]:
    """Lines without their ends; a line of more than 4 KiB is left out."""
    rest = b""
    for block in content.blocks():
        lines = (rest + block).splitlines(keepends=True)
        rest = b""
        if lines and not lines[-1].endswith((b"\n", b"\r")):
            rest = lines.pop()
            rest = rest if len(rest) <= 4096 else b""
        for line in lines:
            yield line.strip()
    if rest:
        yield rest.strip()
