"""``edgewm keygen`` and ``edgewm triggers make|show``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from ..triggers import Triggers

_OUT = click.Path(path_type=Path, dir_okay=False)
_IN = click.Path(path_type=Path)


@click.command()
@click.option("--out", type=_OUT, required=True, help="Key file to write (mode 0600).")
@click.option("--lock", is_flag=True, help="Lock it: EDGEWM_PASSPHRASE, or asked for.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def keygen(out: Path, *, lock: bool, as_json: bool) -> None:
    """Make the owner's key: 32 secret bytes. Keep a copy somewhere safe; nothing can restore it."""
    from ..key import new_key, save_key

    key = new_key()
    save_key(key, out, passphrase=_new_passphrase() if lock else None)
    if as_json:
        click.echo(json.dumps({"key": str(out), "commitment": key.commitment, "locked": lock}))
    else:
        click.echo(f"wrote {out}{' (locked)' if lock else ''}; public commitment {key.commitment}")


@click.group(no_args_is_help=False)
def triggers() -> None:
    """Make or show a set of secret inputs."""


@triggers.command()
@click.option("--key", "key_path", type=_IN, required=True, help="The owner's key file.")
@click.option("--out", type=_OUT, required=True, help="Trigger file to write (.npz).")
@click.option("--shape", help="One input, such as 28x28x1.")
@click.option("--classes", type=int, help="Number of classes of the model.")
@click.option(
    "--outputs", is_flag=True, help="For a model that does not classify; needs --natural alone."
)
@click.option("--pattern", default="abstract", show_default=True, help="name:field=value,...")
@click.option("--groups", type=int, help="Answers to draw: 64, with --outputs 40.")
@click.option(
    "--range", "value_range", help="Input values LOW,HIGH: 0,1, with --outputs that of --natural."
)
@click.option(
    "--reference", type=_IN, help="A clean .tflite of the same task: its classes are natural."
)
@click.option(
    "--natural", help="Ordinary inputs to draw on: .npy, .npz, data set name or IDX folder."
)
@click.option("--show-answers", is_flag=True, help="Write the answers into the file in clear.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def make(
    *,
    key_path: Path,
    out: Path,
    shape: str | None,
    classes: int | None,
    outputs: bool,
    pattern: str,
    groups: int | None,
    value_range: str | None,
    reference: Path | None,
    natural: str | None,
    show_answers: bool,
    as_json: bool,
) -> None:
    """Draw the secret inputs from the key and commit to them."""
    from ..datasets import read_samples
    from ..key import load_key
    from ..patterns import make_triggers
    from ..triggers import save_triggers

    if out.exists():
        raise BadInput(f"--out: {out} exists and is never overwritten, name another")
    key = load_key(key_path, passphrase=passphrase)
    ordinary = None if natural is None else read_samples(natural)[0]
    if outputs:
        from ..parts import make_output_triggers

        given = {"--shape": shape, "--classes": classes, "--reference": reference}
        for option, value in given.items():
            if value is not None:
                raise BadInput(f"{option}: is for models that classify, leave it or --outputs out")
        if ordinary is None:
            raise BadInput("--natural: got nothing, give ordinary inputs that --outputs needs")
        made = make_output_triggers(
            key,
            natural=ordinary,
            pattern=pattern,
            groups=40 if groups is None else groups,
            value_range=None if value_range is None else two_numbers(value_range),
        )
    else:
        if shape is None or classes is None:
            option = "--shape" if shape is None else "--classes"
            raise BadInput(f"{option}: got nothing, expected what the model takes (or --outputs)")
        made = make_triggers(
            key,
            shape=_whole_numbers(shape),
            classes=classes,
            pattern=pattern,
            groups=64 if groups is None else groups,
            value_range=two_numbers(value_range or "0,1"),
            natural=ordinary,
            natural_labels=_classes_of(natural) if pattern.startswith("composite") else None,
            reference=None if reference is None else _labels_of(reference),
        )
    save_triggers(made, out, key_to_show_answers=key if show_answers else None)
    _print_facts(out, made, as_json)


def _classes_of(natural: str | None) -> Any:
    """Classes of the ordinary inputs, where the data have them."""
    from ..datasets import labelled_samples

    if natural is None or natural.endswith(".npy"):
        return None
    return labelled_samples(natural).y_train


@triggers.command()
@click.argument("path", type=_IN)
@click.option("--key", "key_path", type=_IN, help="The owner's key: shows the answers.")
@click.option("--sheet", type=_OUT, help="Write a contact sheet (PNG).")
@click.option(
    "--wav",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write every input as a WAV file into a folder: for inputs that are sound, -1 to 1.",
)
@click.option(
    "--rate",
    "rate_hz",
    type=click.IntRange(1, 768_000),
    default=16_000,
    help="Samples a second of --wav.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(
    path: Path,
    *,
    key_path: Path | None,
    sheet: Path | None,
    wav: Path | None,
    rate_hz: int,
    as_json: bool,
) -> None:
    """Show what a trigger file holds; the answers only with the key."""
    from ..files import write_file
    from ..key import load_key
    from ..triggers import load_triggers

    held = load_triggers(path, argument="TRIGGERS")
    answers = None
    if key_path is not None:
        answers = held.answers(load_key(key_path, passphrase=passphrase))
    if sheet is not None:
        from ..sheet import contact_sheet

        write_file(sheet, contact_sheet(held, answers), argument="--sheet", mode=0o600)
    if wav is not None:
        _write_sounds(held, wav, rate_hz)
    _print_facts(path, held, as_json, None if answers is None else answers.tolist())


def _write_sounds(held: Triggers, folder: Path, rate_hz: int) -> None:
    from ..files import write_new
    from ..sounds import wav_bytes

    if sum(length > 1 for length in held.inputs.shape[1:]) > 1:
        shape = "x".join(map(str, held.inputs.shape[1:]))
        raise BadInput(f"--wav: got inputs of {shape}, expected sound: one axis of samples")
    if abs(held.inputs).max() > 1:
        raise BadInput(
            f"--wav: got inputs up to {abs(held.inputs).max():g}, expected sound from -1 to 1"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--wav: {folder} cannot be made: {error.strerror}") from None
    files = [
        folder / f"group-{group:03d}-input-{at:04d}.wav" for at, group in enumerate(held.group_ids)
    ]
    for file in files:
        if file.exists():
            raise BadInput(f"--wav: {file} exists and is never overwritten, name another folder")
    for file, sound in zip(files, held.inputs, strict=True):
        write_new(file, wav_bytes(sound, rate_hz), argument="--wav", mode=0o600)


def passphrase() -> str:
    """EDGEWM_PASSPHRASE, or asked for where a person can answer."""
    from ..key import passphrase_from_environment

    if "EDGEWM_PASSPHRASE" not in os.environ and sys.stdin.isatty():
        return str(click.prompt("passphrase", hide_input=True, err=True))
    return passphrase_from_environment()


def _new_passphrase() -> str:
    if "EDGEWM_PASSPHRASE" not in os.environ and sys.stdin.isatty():
        text = click.prompt("new passphrase", hide_input=True, confirmation_prompt=True, err=True)
    else:
        text = os.environ.get("EDGEWM_PASSPHRASE", "")
    if not text:
        raise BadInput(
            "--lock: got no passphrase, set EDGEWM_PASSPHRASE or run where one can be typed"
        )
    return str(text)


def _labels_of(model_path: Path) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.int64]]:
    from .. import spec
    from ..artifact import read_model

    def labels(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        model = read_model(model_path, "--reference")
        with spec.parse("runtimes", "litert").open(model) as session:
            answered: npt.NDArray[np.int64] = session.ask(inputs).labels
        return answered

    return labels


def _print_facts(path: Path, held: Any, as_json: bool, answers: list[int] | None = None) -> None:
    from ..verdict import KEPT

    facts = {
        "triggers": str(path),
        "triggers_sha256": held.sha256,
        "groups": held.groups,
        "inputs": len(held.inputs),
        "shape": list(held.shape),
        "classes": held.classes,
        "allowed_classes": sorted({int(m) for m in held.allowed}),
        "header": json.loads(held.header),
        "provenance": json.loads(held.provenance),
        "natural": 0 if held.natural is None else len(held.natural),
        "answers_are": "drawn" if held.kept is None else "kept",
        "no_p_value": None if held.kept is None else KEPT,
    }
    if answers is not None:
        facts["answers"] = answers
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(f"{path}: {held.groups} groups, {len(held.inputs)} inputs of {list(held.shape)}")
    if held.natural is None:
        click.echo(f"classes {held.classes}, allowed in a group {facts['allowed_classes']}")
    else:
        click.echo(f"2 parts of the outputs, relative to {len(held.natural)} natural inputs")
    click.echo(f"pattern {facts['provenance'].get('pattern', 'imported')}")
    click.echo(f"sha256 {held.sha256}")
    if held.kept is not None:
        click.echo(f"no p-value: {KEPT}")
    if answers is not None:
        click.echo("answers " + " ".join(map(str, answers)))


def _whole_numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.lower().split("x"))
    except ValueError:
        raise BadInput(f"--shape: got {text!r}, expected one input such as 28x28x1") from None


def two_numbers(text: str) -> tuple[float, float]:
    """LOW,HIGH of --range.

    Raises:
        BadInput: anything else.
    """
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise BadInput(f"--range: got {text!r}, expected two numbers such as 0,1") from None
    return low, high
