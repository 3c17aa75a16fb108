"""Files of arrays whose every byte is under a digest: trigger files and tilt files.

A NumPy .npz (a zip of stored .npy members) whose zip comment is a magic word, ``sha256:`` and the hex
SHA-256 of every byte of the file before the comment: one changed byte anywhere is noticed before anything
is parsed. Reading takes no pickle, inflates nothing and makes no array larger than the file. Members are
dated 1980, so that the same arrays give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import BadInput, DoesNotCheck
from .files import write_file

_LARGEST_FILE_BYTES = 1 << 30
MALFORMED = (EOFError, KeyError, OverflowError, RuntimeError, ValueError, zipfile.BadZipFile)
"""What `members` raises for bytes that are no zip, or members that are no arrays."""
# The header that numpy writes; read by hand, since numpy's own reader evaluates it as Python.
_NPY = re.compile(
    rb"\x93NUMPY\x01\x00(..)"
    rb"\{'descr': '([<>|=]\w+)', 'fortran_order': False, 'shape': \(([0-9, ]*)\), \} *\n",
    re.DOTALL,
)

_OTHER = re.compile(rb"edgewm-([a-z]+)-\d+ sha256:[0-9a-f]{64}$")

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """One kind of file: its magic word, and what to tell who gives another."""

    magic: bytes
    """Begins the comment, such as b"edgewm-triggers-1 sha256:"."""
    name: str
    """In words: "a trigger file"."""
    made_with: str
    """The command that makes one."""

    def write(self, path: Path, arrays: Arrays, *, argument: str = "--out") -> None:
        """Write the arrays in order, mode 0600.

        Raises:
            BadInput: the file cannot be written.
        """
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                npy = io.BytesIO()
                np.save(npy, array, allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), npy.getvalue())
            archive.comment = self.magic + b"0" * 64
        body = buffer.getvalue()[: -len(self.magic) - 64]
        digest = hashlib.sha256(body).hexdigest().encode("ascii")
        write_file(path, body + self.magic + digest, argument=argument, mode=0o600)

    def read(self, path: Path, *, argument: str) -> bytes:
        """The content of a file that is as it was written.

        Raises:
            BadInput: not such a file, or it cannot be read.
            DoesNotCheck: the file was changed after it was written.
        """
        try:
            if path.stat().st_size > _LARGEST_FILE_BYTES:
                raise BadInput(f"{argument}: {path} is above 1 GiB, expected {self.name}")
            content = path.read_bytes()
        except OSError as error:
            raise BadInput(f"{argument}: {path} cannot be read: {error.strerror}") from None
        length = len(self.magic) + 64
        body, comment = content[:-length], content[-length:]
        other = _OTHER.search(content[-160:])
        if other is not None and not comment.startswith(self.magic):
            raise BadInput(
                f"{argument}: {path} is an edgewm file of {other[1].decode()}, expected {self.name}, "
                f"make one with: {self.made_with}"
            )
        if not comment.startswith(self.magic) and not content.startswith(b"PK\x03\x04"):
            raise BadInput(
                f"{argument}: {path} is not {self.in_full}, make one with: {self.made_with}"
            )
        if comment != self.magic + hashlib.sha256(body).hexdigest().encode("ascii"):
            raise DoesNotCheck(
                f"{argument}: {path} is not the file that was written (its digest does not check), "
                "use an unchanged copy"
            )
        return content

    @property
    def in_full(self) -> str:
        """The name with ours in it: "an edgewm trigger file"."""
        return "an edgewm " + self.name.split(" ", 1)[1]


def members(
    content: bytes, dtypes: Mapping[str, np.dtype[Any]], optional: Mapping[str, np.dtype[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """The named arrays of a file's content, and those of the optional ones that are there.

    Raises:
        KeyError, ValueError and the others of `MALFORMED`: anything but arrays as edgewm writes them.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        held = {name: _read_member(archive, name, dtype) for name, dtype in dtypes.items()}
        there = [name for name in optional if f"{name}.npy" in archive.namelist()]
        return held | {name: _read_member(archive, name, optional[name]) for name in there}


def _read_member(archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """One member, never larger than its bytes: a forged file may declare any shape or inflate."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    npy = archive.read(info)
    start = _NPY.match(npy)
    if start is None or start[2].decode() != dtype.str:
        raise ValueError(f"{name} is no array of {dtype} as edgewm writes it")
    shape = [int(length) for length in start[3].split(b",") if length.strip()]
    rest = npy[start.end() :]
    header_bytes = int.from_bytes(start[1], "little")
    if start.end() != 10 + header_bytes or math.prod(shape) * dtype.itemsize != len(rest):
        raise ValueError(f"{name} declares another number of bytes than it has")
    if dtype == np.bool_ and rest.strip(b"\x00\x01"):
        raise ValueError(f"{name} holds something other than true and false")
    return np.frombuffer(rest, dtype).reshape(shape)


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """A header or provenance as it is stored and hashed: sorted, without spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("utf-8")


def json_object(raw: bytes, *, mark: str, name: str) -> dict[str, Any]:
    """The object that a stored header or provenance spells.

    Raises:
        BadInput: it spells none; `mark` and `name` say of what.
    """
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadInput(f"{mark}: got a {name} that is no JSON object")
    return value
