"""``edgewm demo`` and ``edgewm list``: what there is to see."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import BadInput, RuntimeUnavailable

if TYPE_CHECKING:
    from ..demo import Story


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("edgewm-demo")
)
@click.option(
    "--data", default="digits", show_default=True, help="digits, fashion_mnist, .npz, IDX folder."
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Of training; the key is always fresh."
)
@click.option("--tsa", "url", default="", help="Authority that stamps; by default one for show.")
@click.option(
    "--tsa-root",
    "roots",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Its root certificate (.pem).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the content of demo.json.")
def demo(
    *, out: Path, data: str, seed: int, url: str, roots: tuple[Path, ...], as_json: bool
) -> int:
    """Claim, mark a network, export int8, verify it on every runtime, then let a thief try.

    Leaves models, key, triggers, contact sheet, chart, the ledger, report.html and demo.json in the folder
    of --out. The claim is stamped before training, by --tsa or by an authority that is made for show.
    """
    started = time.monotonic()
    with steps(visible=not as_json) as say:
        say("import TensorFlow")
        import_tensorflow_quietly("demo")
        from ..demo import run_demo
        from ..demo_records import Authority
        from ..key import new_key

        authority = Authority(url=url, roots=roots) if url or roots else None
        story = run_demo(
            data=data, folder=out, key=new_key(), seed=seed, authority=authority, say=say
        )
    if as_json:
        click.echo((out / "demo.json").read_text(encoding="utf-8"), nl=False)
    else:
        from .tables import clone_table, demo_table, plain_console

        console = plain_console()
        console.print(demo_table(story))
        console.print("\nA network with triggers and a tilt, and a clone trained on its answers:\n")
        console.print(clone_table(story))
        for part in story.not_run:
            console.print(f"not run: {part.spelling}: {part.reason}", soft_wrap=True, markup=False)
        for line in _papers_told(story, url):
            console.print(line, soft_wrap=True, markup=False)
        console.print(
            f"{story.dataset}, full int8, {time.monotonic() - started:.0f} s; "
            f"models, key, triggers, pictures and demo.json are in {out}/",
            soft_wrap=True,
            markup=False,
        )
    shown = all(row.owned for row in story.rows if row.suspect == "marked")
    controls = ("unmarked", "wrong-key", "clean")
    accused = any(row.owned for row in story.rows if row.suspect in controls)
    accused |= any(row.owned_if_stamped for row in story.clone_rows if row.suspect in controls)
    return 0 if shown and not accused else 1


@click.command("list")
@click.argument("kind", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_(kind: str | None, *, as_json: bool) -> None:
    """List the plug-ins of KIND (patterns, schemes, runtimes, containers, ...) or the targets."""
    from .. import spec, targets

    listed = {name: spec.names(name) for name in spec.KINDS if spec.names(name)}
    listed["targets"] = targets.names()
    if kind is not None and kind not in listed:
        raise BadInput(f"KIND: got {kind!r}, expected one of {', '.join(listed)}")
    chosen = listed if kind is None else {kind: listed[kind]}
    if as_json:
        click.echo(json.dumps(chosen))
        return
    if kind == "targets":
        from .tables import plain_console, target_table

        console = plain_console()
        console.print(target_table([targets.load_target(name) for name in chosen[kind]]))
        console.print(
            "?  from memory of a data sheet, or assumed: unchecked (sources: targets/*.toml)"
        )
        return
    for name, found in chosen.items():
        click.echo(f"{name}: {', '.join(found)}")


def _papers_told(story: Story, url: str) -> Iterator[str]:
    if story.report is not None:
        by = url or "an authority that this demo made for show, whose stamp proves nothing"
        if not story.papers:
            yield f"The claim was signed before training and stamped by {by}."
        yield f"{story.report} is what a lawyer reads about the fine-tuned copy."
    if story.papers:
        yield f"note: {story.papers}"
    elif story.report is None:
        yield "note: no report: pip install 'edgewm[report]'"


@contextmanager
def steps(*, visible: bool) -> Iterator[Callable[[str], None]]:
    """A progress line on stderr where a person watches a terminal, nothing elsewhere."""
    if not (visible and sys.stderr.isatty()):
        yield lambda step: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("start")
        yield lambda step: progress.update(task, description=step)


def import_tensorflow_quietly(verb: str) -> None:
    """Import TensorFlow with its C++ start-up lines sent away: they are no news to the reader."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise BadInput(
            f"{verb}: got KERAS_BACKEND={backend}, expected tensorflow, or leave it unset"
        )
    pressed: list[int] = []

    def interrupt(number: int, _: object) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import keras  # noqa: F401
        import tensorflow as tf

        tf.constant(0)
    except Exception as error:
        if pressed:  # C code that is interrupted while it imports says something else
            raise KeyboardInterrupt from None
        if not isinstance(error, ImportError):
            raise
        raise RuntimeUnavailable(
            f"{verb}: TensorFlow is missing: pip install 'edgewm[train]'"
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
