"""Walks a flatbuffer that may be hostile: reads every object once, checks every offset, finds its end.

A flatbuffer does not say how long it is. Its objects are reached by offsets from its root, so the end of
the last one that can be reached is its length, plus the zeros that its writer put behind it. Nothing is
trusted: what lies outside, is not aligned, or is more than a model can need is a `NotFlatbuffer`.

Format: https://flatbuffers.dev/internals ; only offsets that the tables of a schema name are followed.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .content import Content

Tables = Mapping[str, Mapping[int, tuple[str, str]]]
"""Table name -> slot -> (field name, kind). A kind is a `struct` letter for a scalar, `*4` for a vector of
4-byte scalars, `*1@16` for one whose first byte is aligned to 16, `str`, `[Table]`, `Table`, or `?Union`
for a union whose type stands in the slot before."""
Unions = Mapping[str, Mapping[int, str]]
"""Union name -> type -> table name; another type is a table whose fields are not looked at."""
Node = dict[str, Any]
"""A table: field name -> value, absent fields left out. A vector of scalars is a `Span`."""

_MOST_OBJECTS = 500_000
_BARE: Mapping[int, tuple[str, str]] = {}


class NotFlatbuffer(Exception):
    """These bytes are not a whole flatbuffer; the text says why. Never leaves the package."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """A vector of scalars: `count` items of `width` bytes from `offset` on."""

    offset: int
    count: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Walked:
    """What a walk found."""

    root: Node
    end: int
    """Bytes from the start to the end of the last object and the padding behind it."""


def walk(
    content: Content, *, identifier: bytes, root: str, tables: Tables, unions: Unions
) -> Walked:
    """The tree of a flatbuffer that begins with the first byte of `content`.

    Raises:
        NotFlatbuffer: any offset, size or alignment that does not hold, or more than 500,000 objects.
    """
    head = content.read(0, 8)
    if len(head) < 8 or head[4:] != identifier:
        raise NotFlatbuffer("no identifier")
    walker = _Walker(content, tables, unions)
    node = walker.table(root, struct.unpack_from("<I", head)[0])
    return Walked(root=node, end=walker.padded_end())


class _Walker:
    """Objects seen so far and the furthest end of one."""

    def __init__(self, content: Content, tables: Tables, unions: Unions) -> None:
        self._content = content
        self._tables, self._unions = tables, unions
        self._seen: dict[tuple[str, int], Node] = {}
        self._left = _MOST_OBJECTS
        self._end = 8
        self._pad = 1
        self._forced = True
        """Whether every vector so far that asks for an alignment has it: some writers force none."""

    def table(self, name: str, at: int) -> Node:
        """The table at `at`; the same node each time it is asked for."""
        known = self._seen.get((name, at))
        if known is not None:
            return known
        node: Node = {}
        self._seen[name, at] = node
        slots, inline = self._slots(at)
        for slot, (field, kind) in self._tables.get(name, _BARE).items():
            where = slots[slot] if slot < len(slots) else 0
            if where:
                before = slots[slot - 1] if slot else 0
                kind = self._member(kind, inline, before)
                value = self._field(kind, at, where, inline) if kind else None
                if value is not None:
                    node[field] = value
        return node

    def _slots(self, at: int) -> tuple[tuple[int, ...], bytes]:
        """Where each field stands in the table (0: absent), and the table's own bytes."""
        self._spend(1)
        if at % 4 or at < 8:
            raise NotFlatbuffer(f"a table at {at}")
        (back,) = struct.unpack("<i", self._bytes(at, 4))
        start = at - back
        if start < 0 or start % 2:
            raise NotFlatbuffer(f"a table at {at} without description")
        length, size = struct.unpack("<HH", self._bytes(start, 4))
        if length < 4 or length % 2 or size < 4:
            raise NotFlatbuffer(f"a table at {at} with a description of {length} bytes")
        slots = struct.unpack(f"<{length // 2}H", self._bytes(start, length))[2:]
        inline = self._bytes(at, size)
        if slots and max(slots) >= size:
            raise NotFlatbuffer(f"a table at {at} with a field outside it")
        self._reach(start + length, 1)
        self._reach(at + size, 1)
        return slots, inline

    def _member(self, kind: str, inline: bytes, typed: int) -> str:
        """For a union the table that its type names, empty without one; other kinds as they are."""
        if not kind.startswith("?"):
            return kind
        number = inline[typed] if typed else 0
        return self._unions[kind[1:]].get(number, "options") if number else ""

    def _field(self, kind: str, at: int, where: int, inline: bytes) -> Any:
        if len(kind) == 1:
            try:
                return struct.unpack_from("<" + kind, inline, where)[0]
            except struct.error:
                raise NotFlatbuffer(f"a table at {at} with half a field") from None
        if where + 4 > len(inline) or where % 4:
            raise NotFlatbuffer(f"a table at {at} with half an offset")
        target = at + where + int(struct.unpack_from("<I", inline, where)[0])
        if kind.startswith("["):
            return self._vector_of_tables(kind[1:-1], target)
        if kind == "str":
            return self._string(target)
        if kind.startswith("*"):
            return self._span(kind, target)
        return self.table(kind, target)

    def _vector_of_tables(self, name: str, at: int) -> list[Node]:
        count = self._count(at, 4)
        offsets = struct.unpack(f"<{count}I", self._bytes(at + 4, 4 * count))
        self._reach(at + 4 + 4 * count, 4)
        return [self.table(name, at + 4 + 4 * i + offset) for i, offset in enumerate(offsets)]

    def _string(self, at: int) -> bytes:
        count = self._count(at, 1)
        text = self._bytes(at + 4, count + 1)
        if text[-1]:
            raise NotFlatbuffer(f"a string at {at} without end")
        self._reach(at + 4 + count + 1, 4)
        return text[:-1]

    def _span(self, kind: str, at: int) -> Span:
        width, _, alignment = kind[1:].partition("@")
        span = Span(offset=at + 4, count=self._count(at, 0), width=int(width))
        end = span.offset + span.count * span.width
        if end > self._content.size:
            raise NotFlatbuffer(f"a vector at {at} that ends outside")
        if alignment and span.count and span.offset % int(alignment):
            self._forced = False
        self._reach(end, int(alignment) if alignment else 4)
        return span

    def _count(self, at: int, cost: int) -> int:
        """Length of the vector at `at`; `cost` objects of the limit for each item."""
        if at % 4:
            raise NotFlatbuffer(f"a vector at {at}")
        count = int(struct.unpack("<I", self._bytes(at, 4))[0])
        if at + 4 + count > self._content.size:
            raise NotFlatbuffer(f"a vector at {at} of {count} items")
        self._spend(1 + (count * cost) // 4)
        return count

    def _bytes(self, at: int, length: int) -> bytes:
        got = self._content.read(at, length) if at >= 0 else b""
        if len(got) < length:
            raise NotFlatbuffer(f"it points to {at}, behind its end")
        return got

    def _spend(self, objects: int) -> None:
        self._left -= objects
        if self._left < 0:
            raise NotFlatbuffer("more objects than a model can need")

    def _reach(self, end: int, pad: int) -> None:
        if end > self._end:
            self._end, self._pad = end, pad

    def padded_end(self) -> int:
        """The end with the zeros behind it that fill the last vector or string up to its alignment."""
        pad = 4 if self._pad > 4 and not self._forced else self._pad
        fill = -self._end % pad
        if fill and any(self._content.read(self._end, fill)):
            fill = 0
        return min(self._end + fill, self._content.size)
