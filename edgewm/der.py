"""Just enough DER (ITU-T X.690) for time stamps: read a tree, write a request, sort a set.

rfc3161-client does the cryptography. It refuses a reply whose certificates do not stand in the order
that DER wants for a SET OF, and OpenSSL 3.0 writes them in the order of the chain. Certificates are not
under the signature, so a sorted copy is parsed, and the bytes that are kept stay as they were received.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

INTEGER, OCTET_STRING, NULL, OID = 0x02, 0x04, 0x05, 0x06
BOOLEAN, SEQUENCE, SET, FIRST, SECOND = 0x01, 0x30, 0x31, 0xA0, 0xA1
"""Tag bytes; FIRST and SECOND are the constructed context tags [0] and [1]."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One value: its tag byte, its content, and all its bytes."""

    tag: int
    content: bytes
    encoded: bytes

    @property
    def parts(self) -> list[Node]:
        """The values inside a constructed one; none in a primitive one.

        Raises:
            ValueError: the content is no sequence of DER values.
        """
        found, rest = [], self.content if self.tag & 0x20 else b""
        while rest:
            node = _first(rest)
            found.append(node)
            rest = rest[len(node.encoded) :]
        return found


def read(encoded: bytes) -> Node:
    """The one value that these bytes are.

    Raises:
        ValueError: cut short, longer than one value, or not DER.
    """
    node = _first(encoded)
    if len(node.encoded) != len(encoded):
        raise ValueError(f"{len(encoded) - len(node.encoded)} bytes follow the end")
    return node


def write(tag: int, *contents: bytes) -> bytes:
    """One value around its contents."""
    content = b"".join(contents)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def whole_number(value: int) -> bytes:
    """A non-negative INTEGER."""
    return write(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def dotted(node: Node) -> str:
    """An OBJECT IDENTIFIER as text.

    Raises:
        ValueError: it is none.
    """
    if node.tag != OID or not node.content or node.content[-1] & 0x80:
        raise ValueError("an object identifier was expected")
    arcs, value = [], 0
    for byte in node.content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    top = min(arcs[0] // 40, 2)
    return ".".join(map(str, [top, arcs[0] - 40 * top, *arcs[1:]]))


def with_sorted_certificates(reply: bytes) -> bytes:
    """An RFC 3161 reply with the certificates of its CMS token in DER order; nothing else changes.

    Raises:
        ValueError: these bytes are no such reply.
    """
    response = read(reply)
    if len(response.parts) < 2:
        return reply  # a refusal carries no token
    status, token = response.parts
    content_type, wrapped = token.parts
    (signed,) = wrapped.parts
    fields = [
        write(FIRST, *_in_order(field.parts)) if field.tag == FIRST else field.encoded
        for field in signed.parts
    ]
    content = write(FIRST, write(SEQUENCE, *fields))
    return write(SEQUENCE, status.encoded, write(SEQUENCE, content_type.encoded, content))


def _in_order(nodes: Sequence[Node]) -> list[bytes]:
    return sorted(node.encoded for node in nodes)


def _first(encoded: bytes) -> Node:
    if len(encoded) < 2 or encoded[0] & 0x1F == 0x1F:
        raise ValueError("cut short, or a tag of several bytes")
    length, start = encoded[1], 2
    if length >= 0x80:
        start += length & 0x7F
        length = int.from_bytes(encoded[2:start], "big")
        if not 2 < start <= 6 or len(encoded) < start or length < 128 or encoded[2] == 0:
            raise ValueError("a length that is not DER")
    if len(encoded) < start + length:
        raise ValueError(f"cut short: {len(encoded)} of {start + length} bytes are there")
    end = start + length
    return Node(tag=encoded[0], content=encoded[start:end], encoded=encoded[:end])
