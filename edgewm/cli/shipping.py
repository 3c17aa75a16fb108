"""``edgewm export``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..errors import BadInput
from .secrets import passphrase

_IN = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=_IN)
@click.option(
    "--data", required=True, help="Representative data: .npy, .npz, data set name or IDX folder."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The .tflite to write.")
@click.option(
    "--format", "format_", default="int8", show_default=True, help="How numbers are stored."
)
@click.option("--triggers", "triggers_path", type=_IN, help="Count the marks before and after.")
@click.option("--key", "key_path", type=_IN, help="The key of the triggers.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def export(
    model: Path,
    *,
    data: str,
    out: Path,
    format_: str,
    triggers_path: Path | None,
    key_path: Path | None,
    as_json: bool,
) -> None:
    """Convert MODEL (.keras) to full-int8 TFLite, and measure what that changed.

    An .npz with x_test and y_test, or a data set, also gives the accuracy before and after.
    """
    from ..datasets import read_samples
    from ..exporting import export as export_model
    from ..key import load_key
    from ..triggers import load_triggers

    if model.suffix != ".keras" or not model.is_file():
        raise BadInput(f"MODEL: got {model}, expected a .keras file")
    if (triggers_path is None) != (key_path is None):
        raise BadInput("--key: triggers and key go together, give both or neither")
    representative, held_out = read_samples(data)
    artifact = export_model(
        model,
        representative,
        path=out,
        held_out=held_out,
        triggers=None if triggers_path is None else load_triggers(triggers_path),
        key=None if key_path is None else load_key(key_path, passphrase=passphrase),
        format=format_,
    )
    facts = {
        "out": str(out),
        "format": artifact.format,
        "bytes": len(artifact.model),
        "sha256": artifact.sha256,
        "float_accuracy": artifact.float_accuracy,
        "accuracy": artifact.accuracy,
        "float_groups_hit": artifact.float_groups_hit,
        "groups_hit": artifact.groups_hit,
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(
        f"wrote {out}: {artifact.format}, {len(artifact.model)} bytes, sha256 {artifact.sha256}"
    )
    if artifact.accuracy is not None and artifact.float_accuracy is not None:
        click.echo(
            f"accuracy {artifact.float_accuracy:.1%} float, {artifact.accuracy:.1%} exported"
        )
    if artifact.groups_hit is not None:
        click.echo(f"groups hit {artifact.float_groups_hit} float, {artifact.groups_hit} exported")
