"""``edgewm device export``: what the checker on a device is told of a mark."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .secrets import passphrase

_IN = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=_IN)
@click.option("-t", "--triggers", "triggers_path", type=_IN, required=True, help="Trigger file.")
@click.option("-k", "--key", "key_path", type=_IN, required=True, help="The key that made them.")
@click.option("-o", "--out", type=_IN, required=True, help="Header to write: edgewm_device.h.")
@click.option("--stored", is_flag=True, help="Store the inputs instead of a seed of them.")
@click.option("--groups", type=int, help="Only the first of the committed order; all by default.")
@click.option("--alpha", type=float, default=1e-6, show_default=True, help="False alarms.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def export(
    model: Path,
    *,
    triggers_path: Path,
    key_path: Path,
    out: Path,
    stored: bool,
    groups: int | None,
    alpha: float,
    as_json: bool,
) -> None:
    """Write what targets/cortex_m/edgewm_check.c is told to find the mark in MODEL on the device itself.

    The header holds the answers and the inputs or their seed: what a device is told is open to whoever
    reads its flash. What a device says of itself is a self-test and no evidence.
    """
    from ..artifact import read_model
    from ..device_header import flash_bytes, header
    from ..device_mark import make_device_mark
    from ..files import write_file
    from ..key import load_key
    from ..triggers import load_triggers

    mark = make_device_mark(
        read_model(model, "MODEL"),
        load_triggers(triggers_path),
        load_key(key_path, passphrase=passphrase),
        alpha=alpha,
        stored=stored,
        groups=groups,
    )
    write_file(out, header(mark).encode(), argument="--out", mode=0o600)
    told = {
        "out": str(out),
        "flash_bytes": flash_bytes(mark),
        "groups": len(mark.groups),
        "input_bytes": mark.pattern.bytes,
        "stored": stored,
    }
    if as_json:
        click.echo(json.dumps(told))
        return
    held = "inputs" if stored else "the inputs' seed"
    click.echo(
        f"wrote {out}: {len(mark.groups)} groups, {told['flash_bytes']} bytes of flash with {held}; "
        "secret, as are the answers in it"
    )
