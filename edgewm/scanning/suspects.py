"""Every different model in some paths, where its bytes are, and every place where it was seen.

A model that stands in a file as it is, is read from there when its turn comes; what had to be unpacked is
written once to a folder, under its digest. Its bytes are checked against the digest when they are read, so
that a file that changes during a scan is an outcome and not another suspect.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..artifact import LARGEST_MODEL_BYTES
from ..content import of_file
from ..files import write_file
from ..finding import Found, Note, each_file, find
from ..model_formats import format_of
from .asking import TFLITE


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the bytes of a suspect are."""

    path: str
    start: int
    key: int = 0
    """Each byte is XOR-ed with it."""


@dataclass(kw_only=True)
class Suspect:
    """One model, however often it was found."""

    sha256: str
    length: int
    format: str
    place: Place
    seen: list[str] = field(default_factory=list)
    """Container paths of every copy, in the order found."""

    def read(self) -> bytes | None:
        """Its bytes; None when they are no longer there."""
        try:
            with open(self.place.path, "rb", buffering=0) as opened:
                whole = of_file(opened).part(self.place.start, self.length)
                model = whole.under_key(self.place.key).read(0, self.length)
        except OSError:
            return None
        return model if hashlib.sha256(model).hexdigest() == self.sha256 else None


def suspects_in(
    paths: Iterable[str | Path],
    *,
    folder: Path,
    whole_files: bool = False,
    unpacked_bytes: int = 4 << 30,
    watch: Callable[[str], None] = lambda path: None,
    note: Callable[[str], None] = lambda text: None,
) -> list[Suspect]:
    """Every different model, in the order found; `folder` is made for what must be unpacked.

    `whole_files` takes every file as a suspect, as it is, also one that does not look like a model.

    Raises:
        BadInput: a path that cannot be read, or the folder cannot be written.
    """
    known: dict[str, Suspect] = {}
    told: set[tuple[str, str]] = set()
    found = (
        _files(paths, watch)
        if whole_files
        else find(paths, unpacked_bytes=unpacked_bytes, watch=watch)
    )
    for item in found:
        if isinstance(item, Note):
            note(item.text)
            continue
        suspect = known.get(item.sha256)
        if suspect is None:
            suspect = known[item.sha256] = Suspect(
                sha256=item.sha256,
                length=item.length,
                format=item.format,
                place=_place(item, folder),
            )
        where = item.path + (f" at {item.offset}" if item.offset else "")
        if (item.sha256, where) not in told:
            told.add((item.sha256, where))
            suspect.seen.append(where)
    return list(known.values())


def _place(item: Found, folder: Path) -> Place:
    content, named = item.content, getattr(item.content.source, "name", None)
    if isinstance(named, str):
        return Place(path=named, start=content.start, key=content.key)
    path = folder / item.sha256
    if item.length <= LARGEST_MODEL_BYTES and not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_file(path, content.read(0, item.length), argument="--out", mode=0o600)
    return Place(path=str(path), start=0)


def _files(paths: Iterable[str | Path], watch: Callable[[str], None]) -> Iterator[Found | Note]:
    for whole in each_file(paths, watch):
        if isinstance(whole, Note):
            yield whole
        elif whole.content.size:
            yield Found(
                path=whole.path,
                container="raw",
                offset=0,
                length=whole.content.size,
                sha256=whole.content.sha256,
                format=format_of(whole.content) or TFLITE,
                content=whole.content,
            )
