"""Pictures or arrays that the owner brings: a trigger set that exists already, or objects of their own.

    path=FOLDER      .png and .jpg pictures of any mode and size, in the order of their names. In
                     subfolders named by class number (0, 1, ...) they have that class as their label.
                     The whole picture is resized to the model's input and its levels are stretched to
                     the value range; transparent parts become white.
    path=X.npy       (n, *input shape). uint8 is levels, stretched to the value range; every other type is
                     taken as it is and has to lie within the value range.
    path=X.npz       the same under the name `x`, and maybe labels (n,) of whole numbers under `y`

Answers are drawn by the key as for every other pattern, and the owner's own label of a picture is a
natural class of its group: an innocent network that knows the object must not be asked for it. With
keep_labels=true the labels are the answers instead: a set that a model has learned already. Such a set
gives a hit rate and no p-value (`edgewm.triggers`).

A group is `inputs_per_group` pictures in a row, all with one label. Where there are more groups than
asked for, the seed draws which are used; they stay in their order, and the others are not read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..files import NO_ARRAYS
from ..hashing import H
from . import Canvas, Drawing, Inputs, Labels
from .pictures import as_input, decode, drawn, picture_shape, read_bytes

_SUFFIXES = (".png", ".jpg", ".jpeg")
_FORMATS = ("PNG", "JPEG")
_PATH = "imported: path="


@dataclass(frozen=True, kw_only=True)
class Imported:
    """The owner's pictures in the folder or array `path`."""

    path: str
    inputs_per_group: int = 1
    keep_labels: bool = False
    """The labels are the answers: a hit rate, and never a p-value."""

    def __post_init__(self) -> None:
        if not self.path:
            raise BadInput("imported: got an empty path, expected a folder, an .npy or an .npz")
        if not 1 <= self.inputs_per_group <= 1024:
            raise BadInput(
                f"imported: got inputs_per_group={self.inputs_per_group}, expected 1 to 1024"
            )

    def draw(self, canvas: Canvas) -> Drawing:
        """The owner's inputs, group after group, with the labels that they have.

        Raises:
            BadInput: nothing readable at `path`, too few pictures or two that are the same, NaN,
                values outside the range, labels that are needed and not there.
        """
        path = Path(self.path)
        brought = _in_folder(path, canvas) if path.is_dir() else _in_array(path, canvas)
        if self.keep_labels and brought.labels is None:
            raise BadInput(
                f"{_PATH}{path} has no labels to keep, put the pictures into subfolders named by "
                "class number or give y in the .npz"
            )
        chosen = self._chosen(brought, canvas)
        inputs, digest = brought.read(chosen)
        _check_different(inputs, [brought.names(i) for i in chosen])
        return Drawing(
            inputs=inputs,
            group_ids=(np.arange(len(chosen)) // self.inputs_per_group).astype(np.int32),
            labels=None if brought.labels is None else brought.labels[chosen],
            keep_labels=self.keep_labels,
            facts={"brought": str(brought.count), "brought_sha256": digest},
        )

    def _chosen(self, brought: _Brought, canvas: Canvas) -> list[int]:
        """Indices of the inputs that are used, group after group."""
        size = self.inputs_per_group
        if brought.labels is None or size == 1:
            runs = [np.arange(brought.count)]
        else:
            runs = [np.flatnonzero(brought.labels == c) for c in np.unique(brought.labels)]
        groups = [run[k : k + size] for run in runs for k in range(0, len(run) - size + 1, size)]
        if len(groups) < canvas.groups:
            of_size = f" of {size} with one label" if size > 1 else ""
            raise BadInput(
                f"{_PATH}{self.path} holds {brought.count} inputs, which make {len(groups)} "
                f"groups{of_size}, expected {canvas.groups} groups "
                f"({canvas.groups * size} inputs): bring more, or give --groups (groups=)"
            )
        used = sorted(drawn(len(groups), canvas.groups, "imported", canvas.seed))
        return [int(i) for j in used for i in groups[j]]


@dataclass(frozen=True, kw_only=True)
class _Brought:
    """What is at the path, before it is read."""

    count: int
    labels: Labels | None
    names: Callable[[int], str]
    read: Callable[[list[int]], tuple[Inputs, str]]
    """Inputs (n, *shape) at some indices, and the SHA-256 of what they were made from."""


def _in_folder(folder: Path, canvas: Canvas) -> _Brought:
    shape = picture_shape(canvas.shape, pattern="imported")
    files, labels = _listed(folder)
    span = np.float32(canvas.high - canvas.low)

    def read(chosen: list[int]) -> tuple[Inputs, str]:
        inputs = np.empty((len(chosen), *shape), np.float32)
        digests = []
        for at, i in enumerate(chosen):
            content = read_bytes(files[i], argument=_PATH)
            digests.append(hashlib.sha256(content).digest())
            picture = decode(content, files[i], argument=_PATH, formats=_FORMATS)
            inputs[at] = np.float32(canvas.low) + span * as_input(picture, shape)
        return inputs.clip(np.float32(canvas.low), np.float32(canvas.high)), _digest(digests)

    return _Brought(count=len(files), labels=labels, names=lambda i: str(files[i]), read=read)


def _listed(folder: Path) -> tuple[list[Path], Labels | None]:
    """Pictures by name; with their labels when they are in subfolders named by class number."""
    classes = _entries(folder, lambda entry: entry.is_dir())
    files = _entries(folder, _is_picture)
    if not classes:
        if not files:
            raise BadInput(f"{_PATH}{folder} holds no pictures ({', '.join(_SUFFIXES)})")
        return files, None
    named = [entry for entry in classes if not re.fullmatch(r"[0-9]{1,9}", entry.name)]
    if named or files:
        raise BadInput(
            f"{_PATH}{folder} holds {(named or files)[0].name} beside "
            f"{len(classes) - bool(named)} subfolders, expected either pictures or subfolders "
            "named by class number (0, 1, ...)"
        )
    classes.sort(key=lambda entry: int(entry.name))
    labelled = [
        (file, int(entry.name)) for entry in classes for file in _entries(entry, _is_picture)
    ]
    if not labelled:
        raise BadInput(f"{_PATH}{folder} holds no pictures ({', '.join(_SUFFIXES)})")
    return [file for file, _ in labelled], np.array([label for _, label in labelled], np.int64)


def _entries(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    try:
        found = sorted(folder.iterdir(), key=lambda entry: entry.name)
        return [entry for entry in found if not entry.name.startswith(".") and wanted(entry)]
    except OSError as error:
        raise BadInput(f"{_PATH}{folder} cannot be read: {error.strerror}") from None


def _is_picture(entry: Path) -> bool:
    return entry.suffix.lower() in _SUFFIXES and not entry.is_dir()


def _in_array(path: Path, canvas: Canvas) -> _Brought:
    x, y = _arrays(path)
    if canvas.shape[-1] == 1 and x.shape[1:] == canvas.shape[:-1]:
        x = x[..., None]  # grey pictures (n, height, width)
    if x.dtype.kind not in "fiub" or x.shape[1:] != canvas.shape or len(x) == 0:
        raise BadInput(
            f"{_PATH}{path}: got {x.dtype} {x.shape}, expected numbers (n, "
            f"{', '.join(map(str, canvas.shape))})"
        )
    low, high = np.float32(canvas.low), np.float32(canvas.high)
    if x.dtype == np.uint8:
        values = low + x.astype(np.float32) / 255 * (high - low)
    else:
        with np.errstate(all="ignore"):  # what float32 cannot hold becomes infinity
            values = x.astype(np.float32)
        if not np.isfinite(values).all():
            raise BadInput(f"{_PATH}{path}: got NaN or infinity, expected finite numbers only")
        slack = 1e-3 * float(high - low)
        if values.min() < low - slack or values.max() > high + slack:
            raise BadInput(
                f"{_PATH}{path}: got values from {values.min():g} to {values.max():g}, expected "
                f"them within {low:g} to {high:g} (--range, or value_range=)"
            )

    def read(chosen: list[int]) -> tuple[Inputs, str]:
        digest = _digest([hashlib.sha256(x[i].tobytes()).digest() for i in chosen])
        return values[chosen].clip(low, high), digest

    return _Brought(count=len(x), labels=y, names=lambda i: f"input {i}", read=read)


def _arrays(path: Path) -> tuple[npt.NDArray[Any], Labels | None]:
    if path.suffix not in (".npy", ".npz"):
        what = "is not there" if not path.exists() else "is no folder"
        raise BadInput(
            f"{_PATH}{path} {what}, expected a folder of pictures ({', '.join(_SUFFIXES)}), an .npy "
            "or an .npz"
        )
    y = None
    try:
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded, None
            x = loaded["x"]
            y = loaded["y"] if "y" in loaded.files else None
    except OSError as error:
        raise BadInput(f"{_PATH}{path} cannot be read: {error.strerror or error}") from None
    except KeyError:
        raise BadInput(f"{_PATH}{path} holds no x, expected x and maybe y") from None
    except NO_ARRAYS:
        raise BadInput(f"{_PATH}{path} cannot be read: it holds no plain arrays") from None
    if not isinstance(x, np.ndarray) or not isinstance(y, np.ndarray | None):
        raise BadInput(f"{_PATH}{path} cannot be read: it holds no plain arrays")
    return x, None if y is None else _labels(path, y, len(x) if x.ndim else 0)


def _labels(path: Path, y: npt.NDArray[Any], count: int) -> Labels:
    if y.dtype.kind not in "iu" or y.shape not in ((count,), (count, 1)):
        raise BadInput(
            f"{_PATH}{path}: got y of {y.dtype} {y.shape}, expected whole numbers ({count},)"
        )
    return y.ravel().astype(np.int64)


def _check_different(inputs: Inputs, names: list[str]) -> None:
    """Two that are the same at this size would be taught two answers, or count twice."""
    seen: dict[bytes, str] = {}
    for one, name in zip(inputs, names, strict=True):
        content = one.tobytes()
        if content in seen:
            raise BadInput(
                f"imported: {seen[content]} and {name} are the same input of shape {one.shape}, "
                "leave one of them out"
            )
        seen[content] = name


def _digest(digests: list[bytes]) -> str:
    return H("brought", *digests).hex()
