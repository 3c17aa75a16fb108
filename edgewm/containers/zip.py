"""Zip archives: .zip, .apk, .aar, .jar, .keras, at the end of other bytes (a model with a zip appended)
or in the middle of them (an image of a file system).

Found by the record at their end, which names the size and place of the directory. A stored member is
searched where it stands; everything else is unpacked with the standard library, checksums and all, and a
deflated member that it refuses is unpacked as far as it goes.
"""

from __future__ import annotations

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..content import LARGEST_TABLE_BYTES, Content, Stream
from ..model_formats import format_of_members
from . import Budget, BudgetSpent, Piece
from .unpacking import gathered, read_blocks

_END = struct.Struct("<4s4H2IH")
_ZIP64 = 0xFFFFFFFF


@dataclass(frozen=True, kw_only=True)
class Zip:
    """Every member of every archive."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """The members; under the archive's offset too where there is more than one archive."""
        covered: list[tuple[int, int]] = []
        first = True
        for end_at in reversed(content.sightings.places["zip_end"]):
            extent = _extent(content, end_at)
            if extent is None or any(a <= end_at < b for a, b in covered):
                continue  # inside a stored member: found when that is searched
            start, end = extent
            archive = content.part(start, end - start)
            budget.charge_piece()
            budget.charge(_directory_bytes(content, end_at))
            try:
                opened = zipfile.ZipFile(Stream(archive))
            except (zipfile.BadZipFile, ValueError, OSError, struct.error) as error:
                budget.notes.append(f"zip at {start}: {error}")
                continue
            with opened:
                prefix = "" if first else f"{start}!"
                for piece in _members(opened, archive, prefix, budget):
                    at = start + piece.offset
                    if piece.offset:
                        covered.append((at, at + piece.content.size))
                    yield replace(piece, offset=at) if piece.offset else piece
            first = False


def _directory_bytes(content: Content, end_at: int) -> int:
    """What reading the directory takes: many records may name one large directory."""
    return int(_END.unpack(content.read(end_at, _END.size))[5])


def _extent(content: Content, end_at: int) -> tuple[int, int] | None:
    """First and last byte of the archive whose end record stands there; None if it cannot be one."""
    record = content.read(end_at, _END.size)
    if len(record) < _END.size:
        return None
    _, disk, _, _, _, size, offset, comment = _END.unpack(record)
    end = end_at + _END.size + comment
    if disk not in (0, 0xFFFF) or end > content.size:
        return None
    if _ZIP64 in (size, offset):
        return 0, end
    start = end_at - size - offset
    if size > LARGEST_TABLE_BYTES or end_at < size:
        return None
    if start < 0 or content.read(end_at - size, 4) not in (b"PK\x01\x02", b""):
        return None
    return start, end


def _members(
    opened: zipfile.ZipFile, archive: Content, prefix: str, budget: Budget
) -> Iterator[Piece]:
    members = [member for member in opened.infolist() if not member.is_dir()]
    known = format_of_members([member.filename for member in members])
    if known:
        yield Piece(name=prefix.rstrip("!"), content=archive, format=known)
    for member in members:
        budget.charge_piece()
        stored = _stored(archive, member)
        if stored is not None:
            content, offset = stored
            yield Piece(name=prefix + member.filename, content=content, offset=offset)
            continue
        try:
            with opened.open(member) as stream:
                unpacked = gathered(read_blocks(stream), budget)
        except BudgetSpent:
            raise
        except Exception as error:  # encrypted, an unknown method, a wrong checksum, broken streams
            budget.notes.append(f"{prefix}{member.filename}: {error}")
            unpacked = _inflated(archive, member, budget)
        packed = archive.part(member.header_offset, 0)
        yield Piece(name=prefix + member.filename, content=unpacked, packed=packed)


def _inflated(archive: Content, member: zipfile.ZipInfo, budget: Budget) -> Content:
    """What a deflated member gives before it breaks, whatever its headers and checksum say.

    Packages are damaged on purpose so that tools refuse them and devices do not.
    """
    at = _data_at(archive, member)
    if at is None or member.compress_type != zipfile.ZIP_DEFLATED:
        return archive.part(0, 0)
    packed = archive.part(at, member.compress_size)

    def blocks() -> Iterator[bytes]:
        machine = zlib.decompressobj(-15)
        with contextlib.suppress(zlib.error):
            for block in packed.blocks():
                while block and not machine.eof:
                    yield machine.decompress(block, 1 << 20)
                    block = machine.unconsumed_tail

    return gathered(blocks(), budget)


def _stored(archive: Content, member: zipfile.ZipInfo) -> tuple[Content, int] | None:
    """A member that stands in the archive as it is, and where."""
    at = _data_at(archive, member)
    if member.compress_type != zipfile.ZIP_STORED or at is None:
        return None
    if at + member.file_size > archive.size:
        return None
    return archive.part(at, member.file_size), at


def _data_at(archive: Content, member: zipfile.ZipInfo) -> int | None:
    """Where a member's bytes begin, behind its own header; None without one."""
    header = archive.read(member.header_offset, 30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        return None
    name_length, extra_length = struct.unpack_from("<HH", header, 26)
    return int(member.header_offset) + 30 + int(name_length) + int(extra_length)
