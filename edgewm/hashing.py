"""The two hash functions everything secret or committed goes through, and how their input is spelled.

    encode(p1, p2, ...) = for each part: its length in bytes as 8 bytes little-endian, then the part
    H(tag, parts...)    = SHA-256(encode(tag, parts...))
    SHAKE(tag, parts...) = SHAKE-256(encode(tag, parts...)), as many bytes as asked

A part is bytes, a text (UTF-8) or a whole number (8 bytes little-endian). The length prefix makes the
spelling unambiguous. Both functions are FIPS 180-4 / FIPS 202 and give the same bytes in ten years on
any machine, which no numpy generator promises. Changing this file breaks every mark ever made.
"""

from __future__ import annotations

import hashlib

Part = bytes | str | int


def encode(*parts: Part) -> bytes:
    """Length-prefixed concatenation of `parts`."""
    out = bytearray()
    for part in parts:
        if isinstance(part, int):
            part = part.to_bytes(8, "little")
        elif isinstance(part, str):
            part = part.encode("utf-8")
        out += len(part).to_bytes(8, "little")
        out += part
    return bytes(out)


def H(tag: str, *parts: Part) -> bytes:
    """SHA-256 of the encoded parts, 32 bytes."""
    return hashlib.sha256(encode(tag, *parts)).digest()


def SHAKE(length: int, tag: str, *parts: Part) -> bytes:
    """The first `length` bytes of SHAKE-256 of the encoded parts."""
    return hashlib.shake_256(encode(tag, *parts)).digest(length)


def draw_below(bound: int, tag: str, *parts: Part) -> int:
    """A whole number in [0, bound), exactly uniform if SHAKE-256 is a random oracle.

    Words of 8 bytes are read from the stream until one falls below the largest multiple of `bound`.
    """
    limit = (1 << 64) - (1 << 64) % bound
    words = 4
    while True:
        stream = SHAKE(8 * words, tag, *parts)
        for at in range(0, len(stream), 8):
            word = int.from_bytes(stream[at : at + 8], "little")
            if word < limit:
                return word % bound
        words *= 2
