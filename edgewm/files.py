"""Writing files so that a full disk, a crash or Ctrl-C never leaves half of one under its final name.

Bytes go to a temporary file in the same folder, are flushed to the disk, and are then linked or renamed
to the final name in one step. A file system without links (FAT) has no such step for a name that must
not exist yet: there the name is taken first, empty, and renamed over.
"""

from __future__ import annotations

import errno
import os
import zipfile
import zlib
from pathlib import Path

from .errors import BadInput

NO_ARRAYS = (
    *(AttributeError, EOFError, MemoryError, OSError, RuntimeError, SyntaxError),
    *(TypeError, ValueError, zipfile.BadZipFile, zlib.error),
)
"""What numpy.load raises for files that are no .npy or .npz of plain arrays, or damaged ones."""


def write_new(path: Path, content: bytes, *, argument: str, mode: int = 0o644) -> None:
    """Write a file that must not exist yet.

    Raises:
        BadInput: it exists, or the folder cannot be written.
    """
    _write(path, content, argument, mode, overwrite=False)


def write_file(path: Path, content: bytes, *, argument: str, mode: int = 0o644) -> None:
    """Write or replace a file.

    Raises:
        BadInput: the folder does not exist or cannot be written, or the disk is full.
    """
    _write(path, content, argument, mode, overwrite=True)


def _write(path: Path, content: bytes, argument: str, mode: int, *, overwrite: bool) -> None:
    if path.name in ("", "..") or os.path.isdir(path):
        raise BadInput(f"{argument}: {path} is a folder, expected the name of a file")
    # a random name: a process killed earlier may have had this one's number
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}.part")
    made = False
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        made = True
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if overwrite:
            temporary.replace(path)
        else:
            _move_new(temporary, path, mode)
    except FileExistsError:
        raise BadInput(
            f"{argument}: {path} exists and is never overwritten, name another"
        ) from None
    except OSError as error:
        raise BadInput(f"{argument}: {path} cannot be written: {error.strerror}") from None
    finally:
        if made:
            temporary.unlink(missing_ok=True)


def _move_new(temporary: Path, path: Path, mode: int) -> None:
    try:
        os.link(temporary, path)  # unlike a rename, fails when the name is taken
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        temporary.replace(path)
