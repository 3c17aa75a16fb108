"""Finds every model in files, folders and archives inside archives, however it is packed.

Each content is given to every container plug-in; what they unpack is searched in turn, at most eight deep.
Deeper places are told first, and bytes that were told once are not told again: a stored member of a zip
is `app.apk!assets/m.tflite` and not also an offset in `app.apk`. Nothing that a file holds can raise:
what cannot be searched is a `Note`.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import spec
from .artifact import Tensor
from .containers import Budget, BudgetSpent, Container, Piece
from .content import Content, of_file
from .errors import BadInput
from .model_formats import format_of, not_unpacked

STANDARD_INPUT = "-"
_DEEPEST = 8
_IN_PLACE = ("raw", "xor")
_WHOLE = ("gzip", "bzip2", "xz")
"""What these unpack may stand in the packed file too, piece by piece, and is told once."""
_LOOSE = ("base64", "embedded")
"""These read in the middle of bytes what another plug-in may have read whole."""
_ORDER = (*_WHOLE, "tar", "zip", "", *_LOOSE, *_IN_PLACE)
"""Deeper places first; "" stands for all others."""
_SMALLEST_MODEL_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class Found:
    """One model."""

    path: str
    """The file, and behind each `!` what it was inside of it."""
    container: str
    """Name of the plug-in that gave the bytes that hold it: `raw` where that is the file itself."""
    offset: int
    """In the bytes that `path` names (for `xor`: in those before the last `!`)."""
    length: int
    """Bytes, exactly."""
    sha256: str
    format: str
    """`tflite`, `tflite-vela`, or the name of a format that edgewm does not read."""
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    operators: tuple[tuple[str, int], ...] = ()
    """Name and how often."""
    macs: int | None = None
    """Multiply-accumulates of one inference; None for a format that edgewm does not read."""
    content: Content = field(repr=False, compare=False)
    """The model's bytes; to be read before `find` is asked for the next one, which closes the file."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **{name: getattr(self, name) for name in ("path", "container", "offset", "length")},
            **{"sha256": self.sha256, "format": self.format},
            "inputs": [_tensor(tensor) for tensor in self.inputs],
            "outputs": [_tensor(tensor) for tensor in self.outputs],
            "operators": dict(self.operators),
            "macs": self.macs,
        }


@dataclass(frozen=True, kw_only=True)
class Note:
    """One line about something that was not searched, or not whole."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Bytes that are searched: a file, or something inside one."""

    path: str
    container: str
    """Name of the plug-in that gave them; empty for a file."""
    content: Content
    depth: int


def find(
    paths: Iterable[str | Path],
    *,
    containers: Sequence[str] | None = None,
    unpacked_bytes: int = 4 << 30,
    watch: Callable[[str], None] = lambda path: None,
) -> Iterator[Found | Note]:
    """Every model in `paths`: files, folders, and `-` for standard input.

    `containers` are spellings of plug-ins (all of ours by default), `unpacked_bytes` is what may be
    unpacked from one file, `watch` is told of each file before it is read.

    Raises:
        BadInput: a path that cannot be read, or a container that is not there.
    """
    plugins = plugins_of(containers)
    for whole in each_file(paths, watch):
        if isinstance(whole, Note):
            yield whole
            continue
        yield from _search(whole, plugins, Budget(unpacked_bytes=unpacked_bytes), set())


def contents(
    paths: Iterable[str | Path],
    *,
    containers: Sequence[str] | None = None,
    unpacked_bytes: int = 4 << 30,
    watch: Callable[[str], None] = lambda path: None,
) -> Iterator[Opened | Note]:
    """Every file of `paths` and everything that is unpacked from it, for those who search other things.

    What stands in its container as it is, is left out: whoever searches the container has searched it.

    Raises:
        BadInput: as in `find`.
    """
    plugins = {name: p for name, p in plugins_of(containers).items() if name not in _IN_PLACE}
    for whole in each_file(paths, watch):
        if isinstance(whole, Note):
            yield whole
            continue
        yield from _unpack(whole, plugins, Budget(unpacked_bytes=unpacked_bytes))


def plugins_of(containers: Sequence[str] | None) -> dict[str, Container]:
    """Name and plug-in, in the order of use: those that read in place come last.

    Raises:
        BadInput: a spelling that is none.
    """
    listed = spec.names("containers") if containers is None else containers
    found = {spelled.partition(":")[0]: spec.parse("containers", spelled) for spelled in listed}
    others = _ORDER.index("")
    rank = {name: place for place, name in enumerate(_ORDER)}
    return dict(sorted(found.items(), key=lambda item: rank.get(item[0], others)))


def each_file(paths: Iterable[str | Path], watch: Callable[[str], None]) -> Iterator[Opened | Note]:
    """Every file as it is, open until the next one is asked for; `watch` is told of each before.

    Raises:
        BadInput: as in `find`.
    """
    for path, opened in _open_files(paths):
        if isinstance(opened, Note):
            yield opened
            continue
        watch(path)
        with opened:
            yield Opened(path=path, container="", content=of_file(opened), depth=0)


def _open_files(paths: Iterable[str | Path]) -> Iterator[tuple[str, Any]]:
    """Name and opened file (or a Note) of each file; folders in the order of names, links not followed.

    Raises:
        BadInput: a path that is not there or cannot be read.
    """
    for path in paths:
        if str(path) == STANDARD_INPUT:
            yield "-", _standard_input()
            continue
        try:
            mode = os.stat(path).st_mode
            if not stat.S_ISDIR(mode):
                if not stat.S_ISREG(mode):
                    raise BadInput(f"PATH: {path} is neither a file nor a folder, give one of them")
                yield str(path), open(path, "rb", buffering=0)  # noqa: SIM115 - closed by the caller
                continue
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BadInput(f"PATH: {path} cannot be read: {reason}") from None
        yield from _open_folder(str(path))


def _open_folder(folder: str) -> Iterator[tuple[str, Any]]:
    for inner, folders, files in os.walk(folder, onerror=None):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(inner, name)
            try:
                if stat.S_ISREG(os.lstat(path).st_mode):
                    yield path, open(path, "rb", buffering=0)  # noqa: SIM115 - closed by the caller
            except OSError as error:
                yield path, Note(text=f"{path}: not read: {error.strerror}")


def _standard_input() -> Any:
    import tempfile

    held = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the caller
    while block := sys.stdin.buffer.read(1 << 20):
        held.write(block)
    held.flush()
    return held


def _search(
    opened: Opened, plugins: dict[str, Container], budget: Budget, told: set[tuple[str | int, ...]]
) -> Iterator[Found | Note]:
    if opened.content.size < _SMALLEST_MODEL_BYTES:
        return
    packed = not_unpacked(opened.content)
    if packed:
        yield Note(text=f"{opened.path}: {packed} is not unpacked, unpack it first")
    named = format_of(opened.content)
    if named:
        yield _other(opened, named, opened.container or "raw", opened.content)
    whole: set[str] = set()
    others: set[str] = set()
    for name, plugin in plugins.items():
        before = whole | others if name in _LOOSE else whole
        for item in _found(opened, name, plugin, budget=budget, plugins=plugins, told=told):
            if isinstance(item, Found):
                if item.sha256 in before and name not in _WHOLE:
                    continue
                if name not in (*_LOOSE, *_IN_PLACE):
                    (whole if name in _WHOLE else others).add(item.sha256)
            yield item


def _found(
    opened: Opened,
    name: str,
    plugin: Container,
    *,
    budget: Budget,
    plugins: dict[str, Container],
    told: set[tuple[str | int, ...]],
) -> Iterator[Found | Note]:
    """Models of one plug-in, and of everything inside what it gives; places in `told` are left out."""
    for item in _pieces(opened, name, plugin, budget):
        if isinstance(item, Note):
            yield item
            continue
        kind = "model" if item.model is not None else item.format
        place = (kind, *(item.packed or item.content).place)
        if place in told:
            continue
        told.add(place)
        if item.model is not None:
            yield _model(opened, name, item)
        elif item.format:
            yield _other(opened, item.format, name, item.content)
        else:
            yield from _search(_inside(opened, name, item), plugins, budget, told)


def _unpack(
    opened: Opened, plugins: dict[str, Container], budget: Budget
) -> Iterator[Opened | Note]:
    yield opened
    for name, plugin in plugins.items():
        for item in _pieces(opened, name, plugin, budget):
            if isinstance(item, Note):
                yield item
            elif not item.format and item.content.size:
                inside = _unpack(_inside(opened, name, item), plugins, budget)
                if item.content.serial == opened.content.serial:
                    next(inside)  # stands in `opened` as it is
                yield from inside


def _pieces(opened: Opened, name: str, plugin: Container, budget: Budget) -> Iterator[Piece | Note]:
    """What one plug-in gives, and a note for everything that went wrong in it."""
    if opened.depth >= _DEEPEST and name not in _IN_PLACE:
        return
    try:
        for piece in plugin.pieces(opened.content, budget):
            yield from _notes(opened, budget)
            if opened.depth == _DEEPEST - 1 and piece.model is None and not piece.format:
                budget.notes.append(
                    f"{_clean(piece.name)} is {_DEEPEST} deep, nothing inside it is"
                )
            yield piece
    except BudgetSpent as error:
        budget.notes.append(f"{name}: {error}")
    except (
        Exception
    ) as error:  # parsers of the standard library may raise anything on hostile bytes
        budget.notes.append(f"{name}: {type(error).__name__}: {error}")
    yield from _notes(opened, budget)


def _notes(opened: Opened, budget: Budget) -> Iterator[Note]:
    for text in dict.fromkeys(budget.notes):
        budget.lines -= 1
        if budget.lines >= 0:
            more = " (and more that is not told)" if budget.lines == 0 else ""
            yield Note(text=_clean(f"{opened.path}: {text}{more}"))
    budget.notes.clear()


def _inside(opened: Opened, container: str, piece: Piece) -> Opened:
    path = f"{opened.path}!{_clean(piece.name)}"
    return Opened(path=path, container=container, content=piece.content, depth=opened.depth + 1)


def _model(opened: Opened, container: str, piece: Piece) -> Found:
    model = piece.model
    assert model is not None
    path = f"{opened.path}!{_clean(piece.name)}" if piece.name else opened.path
    return Found(
        path=path,
        container=container if container != "raw" else opened.container or "raw",
        offset=piece.offset,
        length=model.length,
        sha256=model.content.sha256,
        format=model.format,
        inputs=model.inputs,
        outputs=model.outputs,
        operators=model.operators,
        macs=model.macs,
        content=model.content,
    )


def _other(opened: Opened, named: str, container: str, content: Content) -> Found:
    return Found(
        path=opened.path,
        container=container,
        offset=0,
        length=content.size,
        sha256=content.sha256,
        format=named,
        content=content,
    )


def _clean(name: str) -> str:
    """A stranger's file name, without what a terminal or a line would obey."""
    return "".join(c if c.isprintable() else "?" for c in name[:1000])


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": tensor.scale,
        "zero_point": tensor.zero_point,
    }
