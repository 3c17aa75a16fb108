"""Text that holds bytes: reading a bounded amount of it, and numbers as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..content import LARGEST_READ_BYTES, Content
from . import Budget

_COMMENT = re.compile(rb"//[^\n]*|/\*.*?\*/", re.DOTALL)


def text_of(content: Content, budget: Budget, kind: str) -> bytes:
    """The whole of a text; empty, with a note, when it is longer than 64 MiB."""
    if content.size > LARGEST_READ_BYTES:
        budget.notes.append(f"{kind}: a text of more than 64 MiB is not read")
        return b""
    return content.read(0, content.size)


def without_comments(text: bytes) -> bytes:
    """C and C++ comments as one blank each."""
    return _COMMENT.sub(b" ", text) if b"/" in text else text


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
