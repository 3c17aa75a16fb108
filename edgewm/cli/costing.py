"""``edgewm inspect``: what a model file costs, layer by layer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..inspection import Inspection


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def inspect(model: Path, *, as_json: bool) -> None:
    """Show MACs, arena, weights and quantisation of MODEL (.tflite), layer by layer.

    No triggers and no key. The arena is what TFLM reports where it is installed, else a plan of the tensors.
    """
    from ..inspection import inspect_model

    found = inspect_model(model)
    if as_json:
        click.echo(json.dumps(found.as_dict()))
    else:
        _print(found)


def _print(found: Inspection) -> None:
    from .tables import plain_console
    from .tables import table as drawn

    rows = [
        (
            str(layer.index),
            layer.operator,
            _shape(layer.input_shape),
            _shape(layer.weights_shape),
            _shape(layer.output_shape),
            layer.quantisation,
            f"{layer.macs:,}",
            f"{layer.constant_bytes:,}",
            f"{layer.activation_bytes:,}",
        )
        for layer in found.layers
    ]
    columns = (
        *("", "operator", "input", "weights", "output", "quantised"),
        *("MACs", "constants, B", "activations, B"),
    )
    console = plain_console()
    console.print(drawn(columns, rows, numbers=3))
    tensors = " -> ".join(
        ", ".join(f"{t.dtype}[{_shape(t.shape)}] step {t.scale:.6g} zero {t.zero_point}" for t in s)
        for s in (found.inputs, found.outputs)
    )
    kinds = ", ".join(f"{kind} {macs:,}" for kind, macs in found.mix.macs.items() if macs)
    live = sum(found.mix.live_macs.values())
    dropped = f", {live:,} without all-zero channels" if live < found.macs else ""
    arena = found.arena
    lines = (
        f"{found.format}, {found.file_bytes:,} bytes, sha256 {found.sha256}",
        tensors,
        f"MACs: {found.macs:,} ({kinds or 'none'}){dropped}; constants {found.weight_bytes:,} bytes",
        f"arena: {_count(arena.non_persistent_bytes)} bytes for one inference, "
        f"{_count(arena.persistent_bytes)} persistent; {arena.origin}",
    )
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
