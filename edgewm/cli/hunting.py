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

_MIB = 1 << 20


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--extract",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write every model to.",
)
@click.option(
    "--unpack-mib",
    type=click.IntRange(min=0),
    default=4096,
    show_default=True,
    help="What may be unpacked from one file.",
)
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
