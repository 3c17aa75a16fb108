"""``edgewm doctor``: what works here, and which boards it answers like."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import BadInput

if TYPE_CHECKING:
    from ..silicon import Likeness


@click.command()
@click.option(
    "--silicon",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of what boards printed (inputs.npz, outputs.npz): compare every runtime with them.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The .tflite that those boards ran, if it is not beside that folder.",
)
@click.option(
    "--on", multiple=True, help="Runtime to compare with them; without it all local ones."
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def doctor(*, silicon: Path | None, model: Path | None, on: tuple[str, ...], as_json: bool) -> int:
    """Try every runtime on this machine and show version, arithmetic and isolation.

    With --silicon, ask each the inputs that real boards were asked, and say with which it is bit-exact.
    """
    if silicon is not None:
        return _compare(silicon, model, on, as_json=as_json)
    if model is not None or on:
        raise BadInput("doctor: --model and --on go with --silicon DIR")
    from ..doctor import compiler, survey

    runtimes = survey()
    found = (*runtimes, compiler())
    if as_json:
        click.echo(json.dumps([asdict(status) for status in found]))
    else:
        from .tables import doctor_table, plain_console

        console = plain_console()
        console.print(doctor_table(found))
        for status in found:
            if not status.available:
                console.print(f"{status.spec}: {status.reason}", soft_wrap=True, markup=False)
        tried = next((s for s in runtimes if s.available), None)
        if tried is not None:
            denied = ", ".join(name for name, can in tried.can.items() if not can)
            possible = ", ".join(name for name, can in tried.can.items() if can)
            for line in (
                f"isolation of every worker: {', '.join(tried.isolation) or 'none'}",
                f"tried in a worker: cannot {denied or 'be kept from anything here'}",
                f"tried in a worker: can {possible}",
            ):
                console.print(line, soft_wrap=True, markup=False)
    return 0 if any(status.available for status in runtimes) else 1


def _compare(silicon: Path, model: Path | None, on: tuple[str, ...], *, as_json: bool) -> int:
    """Exit code 0 where a runtime is bit-exact with a board, else 1."""
    from dataclasses import replace

    from ..runtimes.begin import begin
    from ..silicon import RUNTIMES, read_recordings, replay
    from .progress import progress

    held = read_recordings(silicon, model=model)
    begun = begin(on or RUNTIMES)
    if not on:
        begun = tuple(replace(part, optional=True) for part in begun)
    with progress(visible=not as_json) as watch:
        found, not_run = replay(held, begun, watch=watch)
    if as_json:
        click.echo(json.dumps([{**asdict(one), "bit_exact": one.bit_exact} for one in found]))
        for part in not_run:
            click.echo(f"note: {part.spelling}: {part.reason}", err=True)
    else:
        _print_likeness(found, len(held.inputs))
        for part in not_run:
            click.echo(f"not run: {part.spelling}: {part.reason}")
    return 0 if any(one.bit_exact for one in found) else 1


def _print_likeness(found: list[Likeness], inputs: int) -> None:
    from .tables import plain_console, silicon_table

    console = plain_console()
    if found:
        console.print(silicon_table(found))
    for runtime in dict.fromkeys(one.runtime for one in found):
        runs = [one for one in found if one.runtime == runtime]
        exact = sum(one.bit_exact for one in runs)
        console.print(
            f"{runtime}: bit-exact with {exact} of {len(runs)} runs on {inputs} inputs "
            f"({runs[0].arithmetic}, {runs[0].version})",
            soft_wrap=True,
            markup=False,
        )
