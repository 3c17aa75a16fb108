"""``edgewm find`` and ``edgewm match``: models and weights in other people's files."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..finding import Found
    from ..matching import Match

_MIB = 1 << 20
unpack_option = click.option(
    "--unpack-mib",
    type=click.IntRange(min=0),
    default=4096,
    show_default=True,
    help="What may be unpacked from one file.",
)
"""Of every verb that looks into containers."""


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--extract",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write every model to.",
)
@unpack_option
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def find(paths: tuple[str, ...], *, extract: Path | None, unpack_mib: int, as_json: bool) -> int:
    """Find every model in PATH...: files, folders, archives inside archives, - for standard input.

    Exit code 0: a model was found, 1: none. What was seen and not searched is told on stderr.
    """
    from ..finding import Note
    from ..finding import find as find_in

    found: list[dict[str, object]] = []
    with watching(visible=not as_json) as watch:
        for item in find_in(paths, unpacked_bytes=unpack_mib * _MIB, watch=watch):
            if isinstance(item, Note):
                click.echo(f"note: {item.text}", err=True)
                continue
            told = item.as_dict()
            if extract is not None:
                told["extracted"] = str(_extract(item, extract))
            found.append(told)
            if not as_json:
                click.echo(_line(item))
    if as_json:
        click.echo(json.dumps(found))
    elif not found:
        click.echo("no model found")
    return 0 if found else 1


@contextmanager
def watching(*, visible: bool) -> Iterator[Callable[[str], None]]:
    """A line on stderr with the file that is read, where a person waits more than two seconds."""
    if not (visible and sys.stderr.isatty()):
        yield lambda path: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    started = time.monotonic()
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    task = progress.add_task("start")

    def watch(path: str) -> None:
        progress.update(task, description=path[-60:].replace("[", "\\["))
        if time.monotonic() - started > 2:
            progress.start()

    try:
        yield watch
    finally:
        progress.stop()


def _extract(item: Found, folder: Path) -> Path:
    """Write one model, under a name that no member's name can lead out of the folder."""
    from ..errors import BadInput
    from ..files import write_file

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--extract: {folder} cannot be made: {error.strerror}") from None
    last = re.split(r"[!/\\]", item.path)[-1]
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", last.rsplit(".", 1)[0]).strip("-")[:40] or "model"
    ending = "tflite" if item.format.startswith("tflite") else item.format
    path = folder / f"{stem}-{item.sha256[:12]}.{ending}"
    if not path.exists():
        write_file(path, item.content.read(0, item.length), argument="--extract")
    return path


def _line(item: Found) -> str:
    """One model on one line."""
    parts = [item.path]
    if item.offset:
        parts.append(f"at {item.offset}")
    parts += [item.format, f"{item.length} bytes", f"sha256 {item.sha256[:12]}"]
    if item.macs is not None:
        shapes = [
            " ".join(f"{t.dtype}[{'x'.join(map(str, t.shape))}]" for t in side)
            for side in (item.inputs, item.outputs)
        ]
        operators = sum(count for _, count in item.operators)
        parts += [f"{shapes[0]} -> {shapes[1]}", f"{operators} operators, {item.macs} MACs"]
    return "  ".join(parts)


@click.command()
@click.argument("own", metavar="OWN")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@unpack_option
@click.option("--json", "as_json", is_flag=True, help="Print one object (a list for a folder).")
def match(own: str, paths: tuple[str, ...], *, unpack_mib: int, as_json: bool) -> int:
    """Look for the weights of OWN in PATH...: firmware images, objects, archives, anything.

    OWN is the .tflite that you ship, or a folder of them. Weights are found in any of the layouts that code
    generators use, where no model can be found or run. Exit code 0: found, 1: not.
    """
    from ..matching import match_weights, read_owned

    owned = read_owned(own)
    with watching(visible=not as_json) as watch:
        matches = match_weights(
            owned,
            paths,
            unpacked_bytes=unpack_mib * _MIB,
            watch=watch,
            note=lambda text: click.echo(f"note: {text}", err=True),
        )
    if as_json:
        told = [match.as_dict() for match in matches]
        click.echo(json.dumps(told if Path(own).is_dir() else told[0]))
    else:
        for held in matches:
            _print_match(held)
    return 0 if any(match.found for match in matches) else 1


def _print_match(held: Match) -> None:
    """One line a tensor, one a place, and what it amounts to."""
    rows = [
        (
            _short(tensor.name, 40),
            "x".join(map(str, tensor.shape)),
            f"{tensor.windows_found}/{tensor.windows}",
            tensor.layout if tensor.windows_found else "-",
        )
        for tensor in held.tensors
        if tensor.windows
    ]
    columns = ("tensor", "shape", "windows", "layout")
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())
    for place in held.places[:10]:
        click.echo(f"{place.windows_found}/{place.windows} in {place.path}")
    word = click.style("WEIGHTS FOUND" if held.found else "NOT FOUND", bold=True)
    click.echo(
        f"{word}  {held.coverage:.1%} of {held.own}, {held.windows_found} of {held.windows} windows; "
        f"by chance one with log10 p <= {held.log10_chance_weights:.1f}"
    )


def _short(text: str, longest: int) -> str:
    """The end of a name, which says more than its beginning."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= longest else "..." + clean[3 - longest :]
