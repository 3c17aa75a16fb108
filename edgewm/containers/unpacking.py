"""Unpacked bytes: in memory while they are few, in an unnamed temporary file beyond that."""

from __future__ import annotations

import lzma
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any, cast

from ..content import Content, Stream, of_bytes, of_file
from . import Budget, Piece

_IN_MEMORY = 16 << 20
_BLOCK = 1 << 20
_BROKEN = (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)


class _Spill:
    """An unnamed file that is closed with the last content that reads it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - see the class

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, block: bytes | bytearray) -> None:
        view = memoryview(block)
        while view:
            view = view[self._file.write(view) :]

    def __del__(self) -> None:
        self._file.close()


def gathered(blocks: Iterable[bytes | bytearray], budget: Budget) -> Content:
    """All `blocks` as one content, charged as they come.

    Raises:
        BudgetSpent: more bytes than the budget has left.
    """
    held: list[bytes | bytearray] = []
    spill: _Spill | None = None
    total = 0
    for block in blocks:
        budget.charge(len(block))
        total += len(block)
        held.append(block)
        if spill is None and total > _IN_MEMORY:
            spill = _Spill()
        if spill is not None:
            for waiting in held:
                spill.write(waiting)
            held.clear()
    if spill is None:
        return of_bytes(b"".join(held))
    return of_file(cast(IO[bytes], spill))


def read_blocks(stream: Any) -> Iterator[bytes]:
    """A file object's bytes until its end."""
    while block := stream.read(_BLOCK):
        yield block


def decompressed(content: Content, make: Any, errors: type[Exception]) -> Iterator[bytes]:
    """All streams of a compressed file, one behind the other, in blocks of at most about 1 MiB.

    `make()` gives a decompressor with `decompress(data, max_length)`, `eof`, `unused_data` and
    `needs_input`, as in bz2 and lzma. What stands behind the last whole stream is ignored.

    Raises:
        errors: the first stream does not hold; EOFError: a stream ends too early.
    """
    source = Stream(content)
    held = source.read(_BLOCK)
    first = True
    while held:
        machine, empty = make(), True
        while not machine.eof:
            try:
                out = machine.decompress(held, _BLOCK)
            except errors:
                if first:
                    raise
                return  # padding behind the last stream
            held = b""
            if out:
                empty = False
                yield out
            if not machine.eof and machine.needs_input:
                held = source.read(_BLOCK)
                if not held:
                    if empty and not first:
                        return
                    raise EOFError("it ends in the middle of a stream")
        held = machine.unused_data or source.read(_BLOCK)
        first = False


def unpacked(
    blocks: Iterator[bytes],
    name: str,
    budget: Budget,
    *,
    quiet: bool = False,
    packed: Content | None = None,
) -> Iterator[Piece]:
    """One piece of all that `blocks` gives before it ends or fails; a note where it failed."""
    failed: list[str] = []

    def before_an_error() -> Iterator[bytes]:
        try:
            yield from blocks
        except _BROKEN as error:
            failed.append(str(error))

    content = gathered(before_an_error(), budget)
    if failed and not quiet:
        budget.notes.append(f"{name}: {failed[0]}")
    if content.size:
        yield Piece(name=name, content=content, packed=packed)
