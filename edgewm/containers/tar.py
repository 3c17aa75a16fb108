"""Tar archives, read in place; what compresses them is unpacked before (`gzip`, `bzip2`, `xz`)."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from ..content import Content, Stream
from . import Budget, Piece


@dataclass(frozen=True, kw_only=True)
class Tar:
    """Every regular file of the archive."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """The members, where they stand; the whole archive must be the content."""
        if content.head[257:262] != b"ustar" and not _is_old_tar(content):
            return
        with tarfile.TarFile(fileobj=Stream(content)) as opened:
            try:
                for member in opened:
                    budget.charge_piece()
                    opened.members = []  # type: ignore[attr-defined] # it keeps all it has seen
                    if member.isreg() and not member.issparse() and member.size:
                        part = content.part(member.offset_data, member.size)
                        yield Piece(name=member.name, content=part, offset=member.offset_data)
            except tarfile.TarError as error:
                budget.notes.append(f"tar: {error}")


def _is_old_tar(content: Content) -> bool:
    """Before POSIX there was no magic; the checksum of the header is one."""
    head = content.head[:512]
    if len(head) < 512 or not head[0]:
        return False
    try:
        declared = int(head[148:156].strip(b" \x00"), 8)
    except ValueError:
        return False
    return declared == sum(head[:148]) + 8 * 32 + sum(head[156:])
