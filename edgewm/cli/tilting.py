"""``edgewm tilt make|show|ask``, and what ``edgewm verify --tilt`` does."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadInput
from .secrets import passphrase

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..tilt import Tilt
    from ..verdict import Verdict
    from .proof import Proof

_IN = click.Path(path_type=Path)
_OUT = click.Path(path_type=Path, dir_okay=False)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(no_args_is_help=False)
def tilt() -> None:
    """Make, show or ask a mark without triggers: ordinary inputs that were nearly undecided."""


@tilt.command()
@click.option("-k", "--key", "key_path", type=_IN, required=True, help="The owner's key file.")
@click.option(
    "--reference",
    "references",
    type=_IN,
    multiple=True,
    required=True,
    help="A clean network of the task (.keras or .tflite); several are better.",
)
@click.option(
    "--natural", required=True, help="Ordinary inputs: .npy, .npz, data set name or IDX folder."
)
@click.option("--cells", type=int, default=128, show_default=True, help="Signs to draw.")
@click.option("--questions", type=int, default=4000, show_default=True, help="Inputs to ask.")
@click.option("--out", type=_OUT, required=True, help="Tilt file to write (.npz).")
@_JSON
def make(
    *,
    key_path: Path,
    references: tuple[Path, ...],
    natural: str,
    cells: int,
    questions: int,
    out: Path,
    as_json: bool,
) -> None:
    """Choose the most undecided of the natural inputs, put them in cells and commit to them."""
    from ..datasets import read_samples
    from ..key import load_key
    from ..tilt import save_tilt
    from ..undecided import make_tilt

    if out.exists():
        raise BadInput(f"--out: {out} exists and is never overwritten, name another")
    key = load_key(key_path, passphrase=passphrase)
    inputs = read_samples(natural)[0]
    made = make_tilt(
        key,
        reference=[_reference(path) for path in references],
        natural=inputs,
        cells=cells,
        questions=questions,
    )
    save_tilt(made, out)
    _print_facts(out, made, as_json)


@tilt.command()
@click.argument("path", type=_IN)
@_JSON
def show(path: Path, *, as_json: bool) -> None:
    """Show what a tilt file holds; the signs are never shown."""
    from ..tilt import load_tilt

    _print_facts(path, load_tilt(path, argument="TILT"), as_json)


@tilt.command()
@click.option("--tilt", "tilt_path", type=_IN, required=True, help="The tilt file.")
@click.option("--natural-queries", type=int, help="Only so many, the same share of every cell.")
@click.option("--out", type=_OUT, required=True, help=".npz to write.")
@_JSON
def ask(*, tilt_path: Path, natural_queries: int | None, out: Path, as_json: bool) -> None:
    """Write the inputs in the order of asking, for a device that edgewm cannot reach.

    The .npz holds `inputs` (q, *shape), float32. Whoever asks them returns an .npz with `labels` (q,), or
    a text file with one label a line. They are ordinary inputs: showing them gives nothing away, but
    that somebody asks.
    """
    import io

    import numpy as np

    from ..files import write_new
    from ..tilt import load_tilt

    held = load_tilt(tilt_path)
    chosen = np.concatenate(held.questions(natural_queries))
    buffer = io.BytesIO()
    np.savez(buffer, inputs=held.inputs[chosen])
    write_new(out, buffer.getvalue(), argument="--out", mode=0o600)
    part = "" if natural_queries is None else f" --natural-queries {natural_queries}"
    then = f"edgewm verify answers:file=ANSWERS.npz --tilt {tilt_path} --key KEY{part}"
    if as_json:
        click.echo(json.dumps({"out": str(out), "queries": len(chosen), "then": then}))
    else:
        click.echo(f"wrote {len(chosen)} inputs to {out}; with their labels: {then}")


def verify_tilt(
    suspect: str,
    *,
    tilt_path: Path,
    triggers_path: Path | None,
    key_path: Path | None,
    on: Sequence[str],
    alpha: float,
    tests: int,
    sequential: bool,
    scores: bool,
    natural_queries: int | None,
    adapters: Sequence[str],
    proof: Proof,
    refused: dict[str, bool],
) -> tuple[Verdict, dict[str, Any]]:
    """``edgewm verify --tilt``: the verdict, and what --json prints beside it.

    Raises:
        BadInput: options that a tilt does not take (`refused`: option to whether it was given).
    """
    from ..runtimes.begin import begin, names_a_runtime

    for option, given in refused.items():
        if given:
            raise BadInput(f"{option}: got --tilt too, which is asked whole; leave it out")
    if key_path is None:
        raise BadInput("--key: got nothing, give the key file")
    asked = begin([suspect] if names_a_runtime(suspect) else on)
    import dataclasses

    from .. import stats
    from ..key import load_key
    from ..questioning import Run
    from ..spent import SpentGroups
    from ..tilt import load_tilt
    from ..triggers import load_triggers
    from ..verification import verify
    from .proof import run_after

    held = load_tilt(tilt_path)
    key = load_key(key_path, passphrase=passphrase)
    grounds, triggers, run = [proof.grounds(held, key)], None, None
    if triggers_path is not None:
        triggers = load_triggers(triggers_path)
        grounds.append(proof.grounds(triggers, key))
        run = run_after(grounds[-1], Run(), triggers)
        if any(part.runtime.spends for part in asked):
            triggers.answers(key)  # a wrong key or alpha is refused before groups count as shown
            stats.owned(0.0, alpha=alpha, tests=tests, stamped=False)
            memory = SpentGroups.beside(triggers_path, triggers.sha256)
            memory.mark(run.first_group, len(run.of(triggers)), suspect)
    claimed = [found for found in grounds if found is not None]
    verdict = verify(
        suspect,
        tilt=held,
        triggers=triggers,
        key=key,
        on=asked,
        alpha=alpha,
        tests=tests * max([found.claims for found in claimed], default=1),
        sequential=sequential,
        scores=scores,
        stamped=bool(claimed) and all(found.stamp is not None for found in claimed),
        adapters=adapters,
        natural_queries=natural_queries,
        run=run,
    )
    notes = tuple(note for found in claimed for note in found.notes)
    more = {"claims": [found.as_dict() for found in claimed]} if claimed else {}
    return dataclasses.replace(verdict, flags=(*verdict.flags, *notes)), more


def tilt_lines(verdict: Verdict) -> list[str]:
    """What a verdict prints of its tilt, a line a runtime."""
    if verdict.tilt is None:
        return []
    return [
        f"tilt on {found.spelling} ({found.arithmetic}): {found.cells_asked} of "
        f"{verdict.tilt.cells} cells, {found.queries} natural inputs, z {found.z:.1f}, "
        f"log10 p {found.log10_p:.1f}"
        for found in verdict.tilt.runtimes
    ]


def _reference(path: Path) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]:
    """A function from inputs to the outputs of a .keras or .tflite file."""
    if path.suffix == ".keras":
        from .tour import import_tensorflow_quietly

        import_tensorflow_quietly("tilt")
        import keras

        try:
            model = keras.saving.load_model(path, safe_mode=True)
        except Exception as error:  # whatever a file makes Keras raise
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise BadInput(f"--reference: {path} cannot be loaded: {reason}") from None
        return lambda inputs: model.predict(inputs, batch_size=256, verbose=0)
    return _outputs_of(path)


def _outputs_of(path: Path) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]:
    from .. import spec
    from ..artifact import read_model

    model = read_model(path, "--reference")

    def outputs(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        import numpy as np

        with spec.parse("runtimes", "litert").open(model) as session:
            raw = np.asarray(session.ask(inputs).outputs, np.float64)
            tensor = session.facts.outputs[0]
        real: npt.NDArray[np.float64] = tensor.real(raw)
        return real.reshape(len(real), -1)

    return outputs


def _print_facts(path: Path, held: Tilt, as_json: bool) -> None:
    import numpy as np

    pairs, counts = np.unique(held.pairs, axis=0, return_counts=True)
    facts = {
        "tilt": str(path),
        "tilt_sha256": held.sha256,
        "cells": held.cells,
        "inputs": len(held.inputs),
        "shape": list(held.shape),
        "classes": held.classes,
        "cells_of_pairs": {
            f"{a}-{b}": n for (a, b), n in zip(pairs.tolist(), counts.tolist(), strict=True)
        },
        "header": json.loads(held.header),
        "provenance": json.loads(held.provenance),
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(f"{path}: {held.cells} cells, {len(held.inputs)} inputs of {list(held.shape)}")
    click.echo(
        "cells of each pair of classes: "
        + ", ".join(f"{pair} {n}" for pair, n in facts["cells_of_pairs"].items())
    )
    click.echo(f"sha256 {held.sha256}")
