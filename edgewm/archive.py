"""Several named byte strings in one file that notices every changed byte.

A zip of stored members (any unzip reads it) whose comment is a format name, `` sha256:`` and the digest of
every byte before the comment. Members are dated 1980, so that the same content is the same file.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping

from .errors import BadInput, DoesNotCheck

_MALFORMED = (EOFError, KeyError, OverflowError, RuntimeError, ValueError, zipfile.BadZipFile)


def pack(members: Mapping[str, bytes], *, format: str) -> bytes:
    """The bytes of such a file; members in their order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
        archive.comment = _comment(format, b"0" * 64)
    body = buffer.getvalue()[: -len(archive.comment)]
    return body + _comment(format, hashlib.sha256(body).hexdigest().encode("ascii"))


def unpack(content: bytes, *, format: str, argument: str) -> dict[str, bytes]:
    """The members of such a file.

    Raises:
        BadInput: a file of another kind.
        DoesNotCheck: a byte was changed, or the file was not written by `pack`.
    """
    length = len(_comment(format, b"0" * 64))
    body, comment = content[:-length], content[-length:]
    if not content.startswith(b"PK\x03\x04") and not comment.startswith(_comment(format, b"")):
        raise BadInput(f"{argument}: not a file of format {format}")
    if comment != _comment(format, hashlib.sha256(body).hexdigest().encode("ascii")):
        raise DoesNotCheck(f"{argument}: its digest does not check, use an unchanged copy")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise ValueError("a member is compressed")  # and could be larger than memory
            if sum(entry.file_size for entry in entries) > len(content):
                raise ValueError("members overlap")
            if len({entry.filename for entry in entries}) != len(entries):
                raise ValueError("two members have one name")
            return {entry.filename: archive.read(entry) for entry in entries}
    except _MALFORMED as error:
        raise DoesNotCheck(f"{argument}: not as edgewm writes it: {error}") from None


def _comment(format: str, digest: bytes) -> bytes:
    return format.encode("ascii") + b" sha256:" + digest
