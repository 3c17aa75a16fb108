"""The owner's records in one folder: append-only, each naming the one before, one file a record.

    FOLDER/00000001-claim.json      the envelope, byte for byte as it was signed
    FOLDER/00000002-stamp.json
    FOLDER/attachments/SHA256.tsr   bytes that a record names by digest, as they were received
    FOLDER/lock                     held by whoever appends; empty

A writer holds the lock, signs what names the last record, writes it beside, flushes it to the disk and
links it to its name: a process killed at any byte leaves the ledger as it was or one record longer, and
what `append` has returned is on the disk. Every record of a ledger is signed by the key of the first.

What a chain cannot show is that its last records were cut off: keep the digest of the last record
elsewhere (`head`), or have records stamped.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .envelope import check_installed
from .errors import BadInput, DoesNotCheck
from .files import write_new
from .records import BEFORE_THE_FIRST, Record, Subject, make_record, read_record

if TYPE_CHECKING:
    from .key import Key

_NAME = re.compile(r"(\d{8})-([a-z]+)\.json")
_LARGEST_RECORD_BYTES = 1 << 24
_LARGEST_ATTACHMENT_BYTES = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """A folder of records; nothing is kept in memory between calls."""

    folder: Path

    def append(
        self,
        kind: str,
        key: Key,
        *,
        now: dt.datetime,
        content: Callable[[], tuple[Sequence[Subject], Mapping[str, Any]]],
        attachments: Mapping[str, bytes] | None = None,
    ) -> Record:
        """Sign and add one record; on return it is on the disk.

        `content` is called under the lock, when no other record can be added, and gives subjects and
        details. `attachments` (ending to bytes) are kept by digest, under SHA256.ENDING. Only the last
        record is checked; `records` checks them all.

        Raises:
            BadInput: the folder cannot be written, details that are no record's, another owner's key.
            DoesNotCheck: the last record does not check.
        """
        check_installed()
        self._make()
        with self._locked():
            last = self._last()
            if last is not None and last.claimant != key.public_key.hex():
                raise BadInput(
                    f"--key: {self.folder} holds records of key {last.claimant[:16]}..., "
                    "use that key or another ledger"
                )
            subjects, details = content()
            record = make_record(
                kind,
                key,
                number=1 if last is None else last.number + 1,
                previous=BEFORE_THE_FIRST if last is None else last.sha256,
                now=now,
                subjects=subjects,
                details=details,
            )
            for ending, attached in (attachments or {}).items():
                self._attach(attached, ending)
            path = self.folder / f"{record.number:08d}-{kind}.json"
            write_new(path, record.content, argument="--ledger")
            _flush(self.folder)
        return record

    def records(self) -> list[Record]:
        """Every record in order: signatures, numbers, links and the one key checked.

        Raises:
            BadInput: no such folder, or it cannot be read.
            DoesNotCheck: a record was changed, removed from the middle, or is another owner's.
        """
        found: list[Record] = []
        previous = BEFORE_THE_FIRST
        for path in self._paths():
            record = _record_of(path)
            number = len(found) + 1
            if record.number != number:
                raise DoesNotCheck(
                    f"{path}: expected record {number} here: a record was removed, added or renamed"
                )
            if record.previous != previous:
                raise DoesNotCheck(
                    f"{path}: does not follow record {number - 1}, one of the two was replaced"
                )
            if found and record.claimant != found[0].claimant:
                raise DoesNotCheck(
                    f"{path}: signed by key {record.claimant[:16]}..., the ledger is "
                    f"{found[0].claimant[:16]}...'s"
                )
            found.append(record)
            previous = record.sha256
        return found

    def attachment(self, sha256: str, ending: str) -> bytes:
        """The bytes that a record names.

        Raises:
            DoesNotCheck: they are gone or are others.
        """
        path = self.folder / "attachments" / f"{sha256}.{ending}"
        try:
            content = _read(path, _LARGEST_ATTACHMENT_BYTES)
        except BadInput:
            raise DoesNotCheck(f"{path}: a record names this file and it is gone") from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DoesNotCheck(f"{path}: its digest does not check, use an unchanged copy")
        return content

    def _paths(self) -> list[Path]:
        if not self.folder.is_dir():
            raise BadInput(
                f"--ledger: {self.folder} is no folder of records: edgewm claim makes one"
            )
        paths = _named(self.folder)
        if [int(p.name[:8]) for p in paths] != list(range(1, len(paths) + 1)):
            paths = _named(self.folder)  # a folder that grows may be listed with a gap
        if paths and paths[-1].stat().st_size == 0:
            paths.pop()  # a name taken on a file system without links, by a writer killed just then
        return paths

    def _last(self) -> Record | None:
        paths = self._paths()
        return _record_of(paths[-1]) if paths else None

    def _make(self) -> None:
        try:
            (self.folder / "attachments").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"--ledger: {self.folder} cannot be made: {error.strerror}, name another folder"
            ) from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the ledger; what killed writers left half written is cleared away."""
        try:
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise BadInput(f"--ledger: {self.folder} cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            for left in (*self.folder.glob(".*.part"), *self.folder.glob("attachments/.*.part")):
                left.unlink()
            for path in _named(self.folder)[-1:]:
                if path.stat().st_size == 0:
                    path.unlink()
            yield
        finally:
            os.close(handle)

    def _attach(self, content: bytes, ending: str) -> None:
        path = self.folder / "attachments" / f"{hashlib.sha256(content).hexdigest()}.{ending}"
        if not path.exists() or path.read_bytes() != content:
            path.unlink(missing_ok=True)
            write_new(path, content, argument="--ledger")
        _flush(path.parent)


def _named(folder: Path) -> list[Path]:
    return sorted(folder / name for name in os.listdir(folder) if _NAME.fullmatch(name))


def _record_of(path: Path) -> Record:
    record = read_record(_read(path, _LARGEST_RECORD_BYTES), argument=str(path))
    if path.name != f"{record.number:08d}-{record.kind}.json":
        raise DoesNotCheck(
            f"{path}: holds {record.kind} {record.number}: it was renamed, or put here from elsewhere"
        )
    return record


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise BadInput(f"--ledger: {path} cannot be read: {error.strerror}") from None
    if len(content) > most:
        raise DoesNotCheck(f"{path}: above {most} bytes, edgewm writes none as long")
    return content


def _flush(folder: Path) -> None:
    """A new name is on the disk only when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
