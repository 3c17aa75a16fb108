"""``edgewm device build`` and ``device run``: firmware for a Cortex-M board, and the board emulated."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from ..errors import BadInput
from .secrets import passphrase

_BOARD = click.option("--board", required=True, help="an385, an386, an500, an505 or an547.")


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@_BOARD
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder."
)
@click.option(
    "-t",
    "--triggers",
    "triggers_path",
    type=click.Path(path_type=Path),
    help="A set whose inputs the board draws by itself, and looks for.",
)
@click.option(
    "-k", "--key", "key_path", type=click.Path(path_type=Path), help="The key that made it."
)
@click.option("--stored", is_flag=True, help="Store its inputs instead of a seed of them.")
@click.option("--optimise", type=click.Choice(["-O2", "-O3", "-Os"]), default="-O2")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def build(
    *,
    model: Path,
    board: str,
    out: Path,
    triggers_path: Path | None,
    key_path: Path | None,
    stored: bool,
    optimise: str,
    as_json: bool,
) -> None:
    """Write MODEL, a full-int8 .tflite, as C with firmware around it, and compile it.

    The firmware speaks MLPerf Tiny's verbs on the board's first serial line: edgewm verify serial:port=...
    asks it. OUT/firmware.elf is the program. With a set and its key the board draws inputs from a seed
    (edgewm draw) and tests itself (edgewm check): the program then holds secrets of that set.
    """
    from ..artifact import read_model
    from ..firmware import build_firmware

    content, mark = read_model(model, "MODEL"), None
    if (triggers_path is None) != (key_path is None) or (stored and key_path is None):
        raise BadInput("--triggers: give --triggers and --key together, --stored only with them")
    if triggers_path is not None and key_path is not None:
        from ..device_mark import make_device_mark
        from ..key import load_key
        from ..triggers import load_triggers

        key = load_key(key_path, passphrase=passphrase)
        mark = make_device_mark(content, load_triggers(triggers_path), key, stored=stored)
    made = build_firmware(content, board, out, mark=mark, optimise=optimise)
    if as_json:
        click.echo(json.dumps(asdict(made) | {"path": str(made.path)}))
        return
    click.echo(
        f"wrote {made.path} for {board}: {made.text_bytes + made.data_bytes} bytes of flash, "
        f"{made.data_bytes + made.bss_bytes} bytes of RAM, {made.arena_bytes} of them arena"
    )


@click.command()
@click.argument("program", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_BOARD
def run(*, program: Path, board: str) -> None:
    """Run PROGRAM on an emulated board, print the port of its serial line, and stay until Ctrl-C."""
    import signal

    from ..firmware import running

    with running(program, board) as port:
        click.echo(f"serial:port={port}")
        signal.pause()
