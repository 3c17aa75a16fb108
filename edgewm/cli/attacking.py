"""``edgewm attack``: what a thief could make of the owner's own file, before a thief does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..errors import BadInput

_IN = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=_IN)
@click.option("--attack", "attack_", required=True, help="name:field=value,... (see edgewm list).")
@click.option("--data", required=True, help="The thief's data: .npz, data set name or IDX folder.")
@click.option("--samples", type=click.IntRange(32), help="Train on so many of it.  [default: all]")
@click.option("-o", "--out", type=_IN, required=True, help="The thief's .tflite to write.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def attack(
    model: Path, *, attack_: str, data: str, samples: int | None, out: Path, as_json: bool
) -> None:
    """Attack MODEL (.tflite) as a thief would, and write what comes of it.

    DATA is the thief's: an .npz with x_train, y_train, x_test and y_test in the range the model takes, or a
    data set by name. Ask the written file with edgewm verify. A filter changes inputs and no file: it is
    for Python, see edgewm.attacks.theft.
    """
    from .. import spec
    from ..artifact import read_model
    from ..attacks import Victim
    from ..datasets import labelled_samples
    from ..files import write_file

    plugin = spec.parse("attacks", attack_)
    if spec.spell(plugin).startswith("filter:"):
        raise BadInput("--attack: filter changes inputs and leaves the file as it is, name another")
    file = read_model(model, "MODEL")
    held = labelled_samples(data)
    victim = Victim(file=file)
    victim.ask(held.x_test[:1])  # another shape is refused before TensorFlow is imported
    theft = _stolen(plugin, victim, held, samples)
    write_file(out, theft.file, argument="--out")
    facts = {
        "out": str(out),
        "attack": theft.attack,
        "bytes": len(theft.file),
        "victim_accuracy": theft.victim_accuracy,
        "accuracy": theft.accuracy,
        "cost_points": theft.cost_points,
        "queries": theft.loot.queries,
        "seconds": theft.seconds,
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(
        f"accuracy {theft.victim_accuracy:.1%} before, {theft.accuracy:.1%} after; the attack cost "
        f"the thief {theft.cost_points:.1f} points"
    )
    click.echo(f"wrote {out}: {len(theft.file)} bytes")


def _stolen(plugin: Any, victim: Any, held: Any, samples: int | None) -> Any:
    from .tour import import_tensorflow_quietly

    import_tensorflow_quietly("attack")
    from ..attacks.theft import run_attack
    from ..conversion import Converter

    with Converter() as converter:
        converter.start()
        return run_attack(
            plugin,
            victim,
            held.x_train[:samples],
            held.y_train[:samples],
            held_out=(held.x_test, held.y_test),
            converter=converter,
        )
