"""``edgewm inspect`` and ``edgewm bench verify``: what a model and a verification cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..cost import VerificationCost
    from ..inspection import Inspection
    from ..targets import Target
    from ..triggers import Triggers
    from ..verdict import NotRun


_COLUMNS = 4
"""Targets side by side."""


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


@click.group(no_args_is_help=False)
def bench() -> None:
    """Say what a verification costs on a device, before anything is built."""


@bench.command("verify")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("more", nargs=-1, metavar="[TARGET]...")
@click.option(
    "-t",
    "--triggers",
    "triggers_path",
    type=click.Path(path_type=Path),
    required=True,
    help="The trigger file; no key is needed.",
)
@click.option(
    "--on",
    multiple=True,
    default=["host"],
    show_default=True,
    help="Target (edgewm list targets), all, or a .toml of your own.",
)
@click.option(
    "--alpha", type=float, default=1e-6, show_default=True, help="Chance of a false accusation."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Picture to write, .png or .svg.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def bench_verify(
    model: Path,
    more: tuple[str, ...],
    *,
    triggers_path: Path,
    on: tuple[str, ...],
    alpha: float,
    out: Path | None,
    as_json: bool,
) -> int:
    """Show what verifying MODEL (.tflite) costs on each target, every number with its origin.

    Several targets: --on ONE --on OTHER, or --on ONE OTHER.

    Exit code 0: it fits on every target, 1: something does not, and the number that does not is named.
    """
    from ..artifact import read_model
    from ..charts import chart_format, cost_chart
    from ..files import write_file
    from ..inspection import inspect_bytes
    from ..targets import load_target, names
    from ..triggers import load_triggers

    format = "png" if out is None else chart_format(out)
    wanted = [name for text in (*on, *more) for name in (names() if text == "all" else [text])]
    targets = [load_target(name) for name in dict.fromkeys(wanted)]
    content = read_model(model, "MODEL")
    inspected = inspect_bytes(content, argument=f"MODEL: {model}")
    triggers = load_triggers(triggers_path)
    costs, not_run = _costs(inspected, content, triggers, targets, alpha)
    if out is not None:
        write_file(out, cost_chart(costs, format=format), argument="--out")
    if as_json:
        click.echo(json.dumps([cost.as_dict() for cost in costs]))
    else:
        _print_costs(costs)
        if out is not None:
            click.echo(f"wrote {out}")
    for part in not_run:
        click.echo(f"not run: {part.spelling}: {part.reason}", err=as_json)
    return 0 if all(cost.fits for cost in costs) else 1


def _costs(
    inspected: Inspection,
    model: bytes,
    triggers: Triggers,
    targets: list[Target],
    alpha: float,
) -> tuple[list[VerificationCost], list[NotRun]]:
    """One a target, and one a runtime that works here for a target that is this machine."""
    from ..cost import verification_cost
    from ..host_timing import measure
    from ..runtimes.begin import begin

    costs, not_run = [], []
    for target in targets:
        if target.clock_hz is not None:
            costs.append(verification_cost(inspected, model, triggers, target, alpha=alpha))
            continue
        found, missing = measure(model, triggers, begin(target.runtimes))
        not_run += missing
        costs += [
            verification_cost(inspected, model, triggers, target, alpha=alpha, measured=one)
            for one in found
        ]
    return costs, not_run


def _print_costs(costs: list[VerificationCost]) -> None:
    """Targets side by side; a letter behind each number leads to its origin."""
    from .tables import cost_table, plain_console

    console = plain_console()
    letters: dict[str, str] = {}
    for at in range(0, len(costs), _COLUMNS):
        console.print(cost_table(costs[at : at + _COLUMNS], letters))
        console.print()
    for origin, letter in letters.items():
        console.print(f"{letter}  {origin}", soft_wrap=True, markup=False)
    for cost in costs:
        for misfit in cost.misfits:
            console.print(f"{cost.target}: does not fit: {misfit}", soft_wrap=True, markup=False)


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
