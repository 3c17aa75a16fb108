"""``edgewm chart margins|hits``: what quantisation and runtimes do to a mark, as a picture."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import BadInput
from .secrets import passphrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..comparison import HitTable, Outputs
    from ..triggers import Triggers

_IN = click.Path(path_type=Path)
_TRIGGERS = click.option(
    "-t", "--triggers", "triggers_path", type=_IN, required=True, help="The trigger file."
)
_KEY = click.option(
    "-k", "--key", "key_path", type=_IN, required=True, help="The owner's key file."
)
_OUT = click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Picture to write, .png or .svg.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(no_args_is_help=False)
def chart() -> None:
    """Draw the margins or the hits of the owner's own files."""


@chart.command()
@click.argument("before", type=_IN)
@click.argument("after", type=_IN)
@_TRIGGERS
@_KEY
@click.option(
    "--on", default="litert", show_default=True, help="Runtime that answers for a .tflite."
)
@click.option("--control", type=_IN, help="An unmarked .tflite; without it a wrong key, in grey.")
@_OUT
@_JSON
def margins(
    before: Path,
    after: Path,
    *,
    triggers_path: Path,
    key_path: Path,
    on: str,
    control: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Draw how far the answers are from flipping, BEFORE (.keras or .tflite) and AFTER (.tflite)."""
    import numpy as np

    from ..charts import chart_format, margin_chart
    from ..comparison import margins_of
    from ..files import write_file
    from ..key import load_key
    from ..parts import refuse_parts
    from ..triggers import load_triggers

    format = chart_format(out)
    held = load_triggers(triggers_path)
    refuse_parts(held, by="--triggers", instead="edgewm chart hits draws the others")
    key = load_key(key_path, passphrase=passphrase)
    held.answers(key)  # another key is refused before anything is opened
    outputs = {
        name: _outputs(path, held, on, argument)
        for (name, path), argument in zip(_named([before, after]), ("BEFORE", "AFTER"), strict=True)
    }
    of_control = None if control is None else _outputs(control, held, on, "--control")
    found = margins_of(outputs, held, key, control=of_control)
    grey = "wrong key" if control is None else f"unmarked: {control.stem}"
    write_file(out, margin_chart(found, control=grey, format=format), argument="--out")
    facts = [
        {
            "file": one.name,
            "answer_as_drawn": one.kept,
            "median_margin": float(np.median(one.marked)),
            "least_margin": float(one.marked.min()),
            "control_answer_as_drawn": float((one.control > 0).mean()),
        }
        for one in found
    ]
    if as_json:
        click.echo(json.dumps({"out": str(out), "control": grey, "margins": facts}))
        return
    for one in facts:
        click.echo(
            f"{one['file']}: {one['answer_as_drawn']:.1%} answer as drawn, margin median "
            f"{one['median_margin']:.3f}, least {one['least_margin']:.3f}; "
            f"{grey} {one['control_answer_as_drawn']:.1%}"
        )
    click.echo(f"wrote {out}")


@chart.command()
@click.argument("files", type=_IN, nargs=-1, required=True)
@_TRIGGERS
@_KEY
@click.option("--on", multiple=True, default=["all"], show_default=True, help="Runtime, or all.")
@_OUT
@_JSON
def hits(
    files: tuple[Path, ...],
    *,
    triggers_path: Path,
    key_path: Path,
    on: tuple[str, ...],
    out: Path,
    as_json: bool,
) -> None:
    """Draw the groups hit of FILES (.tflite: formats of one network, or copies) on every runtime."""
    from ..artifact import read_model
    from ..charts import chart_format, hit_chart
    from ..comparison import hits as count_hits
    from ..files import write_file
    from ..key import load_key
    from ..triggers import load_triggers

    format = chart_format(out)
    models = {name: read_model(path, "FILES") for name, path in _named(files)}
    table = count_hits(
        models,
        triggers=load_triggers(triggers_path),
        key=load_key(key_path, passphrase=passphrase),
        on=on,
    )
    write_file(out, hit_chart(table, format=format), argument="--out")
    if as_json:
        click.echo(json.dumps({"out": str(out), **_table_facts(table)}))
        return
    _print_table(table)
    click.echo(f"wrote {out}")


def _named(paths: Sequence[Path]) -> list[tuple[str, Path]]:
    """Files under the name that a chart gives them: without folder and ending where that is enough."""
    short = [path.stem for path in paths]
    if len(set(short)) < len(short):
        short = [str(path) for path in paths]
    if len(set(short)) < len(short):
        raise BadInput("FILES: got a file twice, name each one once")
    return list(zip(short, paths, strict=True))


def _outputs(path: Path, held: Triggers, on: str, argument: str) -> Outputs:
    """Output values for the secret inputs, of a .keras file by Keras in a child, else by a runtime."""
    import numpy as np

    from ..artifact import read_model
    from ..comparison import outputs_of

    if path.suffix != ".keras":
        return outputs_of(read_model(path, argument), held.inputs, runtime=on)
    from ..conversion import Converter

    with Converter() as converter:
        converted = converter.convert(path, format="float32", ask=[held.inputs])
    return converted.float_outputs[0].astype(np.float64)


def _table_facts(table: HitTable) -> dict[str, object]:
    return {
        "groups": table.groups,
        "cells": [asdict(cell) for cell in table.cells],
        "not_run": [{"runtime": n.spelling, "reason": n.reason} for n in table.not_run],
    }


def _print_table(table: HitTable) -> None:
    from .tables import plain_console
    from .tables import table as drawn

    rows = []
    for file in table.files:
        counts = [table.cell(file, runtime).groups_hit for runtime in table.runtimes]
        rows.append([file, *("cannot" if n is None else f"{n}/{table.groups}" for n in counts)])
    console = plain_console()
    console.print(drawn(["file", *table.runtimes], rows, numbers=len(table.runtimes)))
    for cell in table.cells:
        if cell.reason:
            console.print(f"cannot: {cell.file}: {cell.reason}", soft_wrap=True, markup=False)
    for part in table.not_run:
        console.print(f"not run: {part.reason}", soft_wrap=True, markup=False)
