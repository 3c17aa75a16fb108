"""Models and archives whose every byte was XOR-ed with the same byte, as some apps do.

A model is found at any offset (see `edgewm.signatures`); an archive, a compressed file or a text where
it is the whole of the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..content import Content
from ..flatbuffer import NotFlatbuffer
from ..tflite import read_tflite
from . import Budget, Piece

_WHOLE = (
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"\xfd7zXZ\x00",
    b"BZh",
    b"UF2\n",
    b":1000000",
    b":02000004",
    b"S00",
)


_LETTERS = np.frombuffer(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ,\r\n\\\"'+/=_{}:.-", np.uint8
)
_SHARE_OF_LETTERS = 0.85
_FILL = re.compile(rb"(.)\1{47}", re.DOTALL)
"""No text has this: a block with many zeros is a text under some key, and no text."""
_LEAD = 0.1
"""A text as it is has nearly as good a share under no key."""
_SHORTEST_TEXT = 256


@dataclass(frozen=True, kw_only=True)
class Xor:
    """One key byte, 1 to 255."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """The models of `content` under a key, and the whole of it if it begins as an archive does."""
        end = 0
        for position, key in content.sightings.models:
            start = position - 4
            if not key or start < end:
                continue
            under = content.part(start, content.size - start).under_key(key)
            try:
                model = read_tflite(under)
            except NotFlatbuffer:
                continue
            end = start + model.length
            yield Piece(name=f"xor-{key:02x}", content=model.content, offset=start, model=model)
        if content.key:  # one key undone is enough
            return
        head = content.head[:16]
        for magic in _WHOLE:
            key = head[0] ^ magic[0] if head else 0
            if key and bytes(b ^ key for b in head[: len(magic)]) == magic:
                yield Piece(name=f"xor-{key:02x}", content=content.under_key(key))
                return
        ustar = content.head[257:262]
        key = ustar[0] ^ ord("u") if len(ustar) == 5 else 0
        if not key or ustar != bytes(b ^ key for b in b"ustar"):
            key = _text_key(content)
        if key:
            yield Piece(name=f"xor-{key:02x}", content=content.under_key(key))


def _text_key(content: Content) -> int:
    """The key under which most of the first bytes are what texts are made of; 0 if they are not."""
    if len(content.head) < _SHORTEST_TEXT or _FILL.search(content.head):
        return 0
    counts = np.bincount(np.frombuffer(content.head, np.uint8), minlength=256)
    shares = counts[_LETTERS[None, :] ^ np.arange(256)[:, None]].sum(axis=1) / len(content.head)
    key = int(shares.argmax())
    likely = shares[key] >= _SHARE_OF_LETTERS and shares[key] >= shares[0] + _LEAD
    return key if likely else 0
