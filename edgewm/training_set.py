"""The samples of a training set in one order, read once and a piece at a time.

Arrays (.npy, or `x_train`, `x` or `inputs` and maybe `y_train`, `y` or `labels` of an .npz), a folder of
files, or a data set by name. A sample is what identifies it, the SHA-256 of its bytes, and its label:

    arrays   "uint8[28x28x1]", the row's bytes in C order, little-endian; the label's bytes likewise
    files    the path below the folder, the file's bytes, no label: folders are often named by class

Arrays are read and not mapped, so that memory stays bounded whatever the file's size.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .errors import BadInput
from .files import NO_ARRAYS

_PIECE_BYTES = 1 << 23
_INPUTS, _LABELS = ("x_train", "x", "inputs"), ("y_train", "y", "labels")
Sample = tuple[bytes, bytes, bytes]
"""Its name, the SHA-256 of its bytes, and its label."""


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """Samples in the order in which they stand in a manifest."""

    kind: str
    """arrays or files."""
    sample: str
    """What one is: "uint8[28x28x1]", or "file"."""
    label: str
    """The same for a label; empty where there are none."""
    count: int
    source: _Arrays | _Folder = field(repr=False)

    def samples(self, first: int = 0) -> Iterator[Sample]:
        """Every sample from `first` on.

        Raises:
            BadInput: the files cannot be read, or are not what they were.
        """
        return self.source.samples(first)

    def content(self, index: int) -> tuple[Sample, bytes]:
        """One sample and its bytes.

        Raises:
            BadInput: as `samples`, or there is no such sample.
        """
        if not 0 <= index < self.count:
            raise BadInput(
                f"SAMPLE: got {index}, the training set has samples 0 to {self.count - 1}"
            )
        return self.source.content(index)

    def index_of(self, name: str) -> int:
        """Where a sample stands, by its number or, of files, its path.

        Raises:
            BadInput: there is none.
        """
        if isinstance(self.source, _Folder) and name in self.source.names:
            return self.source.names.index(name)
        if not name.isdecimal():
            raise BadInput(f"SAMPLE: got {name!r}, expected a number, or a path below the folder")
        return int(name)


def read_training_set(data: str) -> TrainingSet:
    """What `data` names: an .npy, an .npz, a folder of files, or a data set by name.

    Raises:
        BadInput: none of these, or nothing in it.
    """
    path = Path(data)
    if path.suffix in (".npy", ".npz"):
        return _of_arrays(_stored(path))
    if path.is_dir() and not any(path.glob("*-ubyte*")):
        return _of_folder(path)
    from .datasets import load_dataset

    held = load_dataset(data)
    return _of_arrays(
        _Arrays(inputs=_InMemory(array=held.x_train), labels=_InMemory(array=held.y_train))
    )


@dataclass(frozen=True, kw_only=True)
class _Folder:
    folder: Path
    names: Sequence[str]

    def samples(self, first: int) -> Iterator[Sample]:
        for name in self.names[first:]:
            yield name.encode("utf-8", "surrogateescape"), self._digest(name), b""

    def content(self, index: int) -> tuple[Sample, bytes]:
        name = self.names[index]
        try:
            content = (self.folder / name).read_bytes()
        except OSError as error:
            raise self._unreadable(name, error) from None
        digest = hashlib.sha256(content).digest()
        return (name.encode("utf-8", "surrogateescape"), digest, b""), content

    def _digest(self, name: str) -> bytes:
        try:
            with (self.folder / name).open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").digest()
        except OSError as error:
            raise self._unreadable(name, error) from None

    def _unreadable(self, name: str, error: OSError) -> BadInput:
        return BadInput(f"--data: {self.folder / name} cannot be read: {error.strerror}")


@dataclass(frozen=True, kw_only=True)
class _Arrays:
    """Two arrays with one row a sample."""

    inputs: _Stored | _InMemory
    labels: _Stored | _InMemory | None

    def samples(self, first: int) -> Iterator[Sample]:
        name = self.inputs.row.encode("ascii")
        labels = itertools.repeat(b"") if self.labels is None else self.labels.rows(first)
        sha256 = hashlib.sha256
        for row, label in zip(self.inputs.rows(first), labels, strict=False):
            yield name, sha256(row).digest(), label

    def content(self, index: int) -> tuple[Sample, bytes]:
        row = next(self.inputs.rows(index))
        label = b"" if self.labels is None else next(self.labels.rows(index))
        return (self.inputs.row.encode("ascii"), hashlib.sha256(row).digest(), label), row


@dataclass(frozen=True, kw_only=True)
class _InMemory:
    array: npt.NDArray[Any] = field(repr=False)

    @property
    def row(self) -> str:
        return _row(self.array.dtype, self.array.shape)

    @property
    def count(self) -> int:
        return len(self.array)

    def rows(self, first: int) -> Iterator[bytes]:
        little = self.array.dtype.newbyteorder("<")
        for row in self.array[first:]:
            yield np.ascontiguousarray(row, little).tobytes()


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """An array in a file, C order."""

    path: Path
    member: str
    """Of an .npz; empty for an .npy."""
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    """Bytes before the first row."""

    @property
    def row(self) -> str:
        return _row(self.dtype, self.shape)

    @property
    def count(self) -> int:
        return self.shape[0]

    def rows(self, first: int) -> Iterator[bytes]:
        row_bytes = self.dtype.itemsize * math.prod(self.shape[1:])
        rows_a_piece = max(1, _PIECE_BYTES // row_bytes)
        swapped = self.dtype != self.dtype.newbyteorder("<")
        try:
            with _opened(self.path, self.member) as stream:
                stream.seek(self.start + first * row_bytes)
                for at in range(first, self.count, rows_a_piece):
                    wanted = min(rows_a_piece, self.count - at) * row_bytes
                    piece = stream.read(wanted)
                    if len(piece) != wanted:
                        raise EOFError("it ends early")
                    if swapped:
                        piece = np.frombuffer(piece, self.dtype).byteswap().tobytes()
                    for offset in range(0, wanted, row_bytes):
                        yield piece[offset : offset + row_bytes]
        except (KeyError, *NO_ARRAYS) as error:
            raise _unreadable(self.path, error) from None


def _of_arrays(source: _Arrays) -> TrainingSet:
    return TrainingSet(
        kind="arrays",
        sample=source.inputs.row,
        label="" if source.labels is None else source.labels.row,
        count=source.inputs.count,
        source=source,
    )


def _of_folder(folder: Path) -> TrainingSet:
    names = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    if not names:
        raise BadInput(f"--data: {folder} holds no files")
    source = _Folder(folder=folder, names=names)
    return TrainingSet(kind="files", sample="file", label="", count=len(names), source=source)


def _stored(path: Path) -> _Arrays:
    try:
        if path.suffix == ".npy":
            return _Arrays(inputs=_array(path, ""), labels=None)
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
        inputs = next((name for name in _INPUTS if name in names), None)
        labels = next((name for name in _LABELS if name in names), None)
        if inputs is None:
            raise BadInput(
                f"--data: {path} holds {', '.join(names)}, expected {', '.join(_INPUTS)}"
            )
        found = _Arrays(
            inputs=_array(path, inputs), labels=None if labels is None else _array(path, labels)
        )
    except (KeyError, *NO_ARRAYS) as error:
        raise _unreadable(path, error) from None
    if found.labels is not None and found.labels.count != found.inputs.count:
        raise BadInput(
            f"--data: {path} has {found.inputs.count} of {inputs} and {found.labels.count} of {labels}"
        )
    return found


def _array(path: Path, member: str) -> _Stored:
    """The facts of one array, from its header alone."""
    with _opened(path, member) as stream:
        version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
        read: Mapping[tuple[int, int], Any] = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, fortran_order, dtype = read[version](stream)
        start = stream.tell()
    if dtype.kind not in "fiub" or len(shape) < 1 or 0 in shape:
        raise BadInput(f"--data: {path}: got {dtype} {shape}, expected numbers (n, *shape)")
    if fortran_order and len(shape) > 1:
        raise BadInput(
            f"--data: {path} is in Fortran order, save it again with numpy.ascontiguousarray"
        )
    return _Stored(path=path, member=member, dtype=dtype, shape=shape, start=start)


@contextlib.contextmanager
def _opened(path: Path, member: str) -> Iterator[IO[bytes]]:
    if not member:
        with path.open("rb") as stream:
            yield stream
        return
    with zipfile.ZipFile(path) as archive, archive.open(f"{member}.npy") as inside:
        yield inside


def _row(dtype: np.dtype[Any], shape: Sequence[int]) -> str:
    return f"{dtype.name}[{'x'.join(map(str, shape[1:]))}]"


def _unreadable(path: Path, error: Exception) -> BadInput:
    why = getattr(error, "strerror", None) or "it is no whole file of plain arrays"
    return BadInput(f"--data: {path} cannot be read: {why}")
