"""``edgewm device engine``: an int8 model as C."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to write the C files to.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def engine(model: Path, *, out: Path, as_json: bool) -> None:
    """Write MODEL, a full-int8 .tflite, as C that needs no runtime.

    Compile every .c of the folder; edgewm_model.h says how to call it. Its answers equal those of TensorFlow
    Lite Micro bit for bit.
    """
    from ..artifact import read_model
    from ..engine import make_engine, write_engine

    made = make_engine(read_model(model, "MODEL"))
    write_engine(made, out)
    if as_json:
        told = dataclasses.asdict(made) | {"files": sorted(made.files), "out": str(out)}
        click.echo(json.dumps(told))
        return
    click.echo(
        f"{out}: {len(made.files)} C files, {made.operators} operators, {made.macs} MACs; "
        f"constants {made.constant_bytes} bytes (flash), arena {made.arena_bytes} bytes (RAM), "
        f"input {made.input_bytes}, output {made.output_bytes}"
    )
