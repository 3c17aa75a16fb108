"""``edgewm verify`` and ``edgewm ask``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import BadInput
from .secrets import passphrase

if TYPE_CHECKING:
    from ..verdict import Verdict

_IN = click.Path(path_type=Path)


@click.command()
@click.argument("suspect")
@click.option("--triggers", "triggers_path", type=_IN, required=True, help="The trigger file.")
@click.option("--key", "key_path", type=_IN, required=True, help="The owner's key file.")
@click.option("--on", multiple=True, default=["litert"], show_default=True, help="Runtime, or all.")
@click.option(
    "--alpha", type=float, default=1e-6, show_default=True, help="Accepted false accusations."
)
@click.option("--tests", type=int, default=1, show_default=True, help="Suspects x marks x claims.")
@click.option(
    "--sequential", is_flag=True, help="Evidence that may be looked at after every group."
)
@click.option(
    "--groups", type=int, help="Ask only so many groups of the order, unspent ones first."
)
@click.option("--first-group", type=int, help="Where in the order to start (see edgewm ask).")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as one JSON object.")
def verify(
    suspect: str,
    *,
    triggers_path: Path,
    key_path: Path,
    on: tuple[str, ...],
    alpha: float,
    tests: int,
    sequential: bool,
    groups: int | None,
    first_group: int | None,
    as_json: bool,
) -> int:
    """Ask SUSPECT the secret questions and give a verdict.

    SUSPECT is a .tflite file, answers:file=A.npz (labels collected elsewhere, see edgewm ask) or
    exec:command=... (a program that reads inputs and prints labels). Exit code 0: owned, 1: not shown.
    """
    from ..runtimes.begin import begin, names_a_runtime

    # children load their interpreters while this process loads numpy
    asked = begin([suspect] if names_a_runtime(suspect) else on)
    from .. import stats, verification
    from ..key import load_key
    from ..spent import SpentGroups
    from ..triggers import load_triggers

    held = load_triggers(triggers_path)
    key = load_key(key_path, passphrase=passphrase)
    spends = any(part.runtime.spends for part in asked)
    memory = SpentGroups.beside(triggers_path, held.sha256)
    if first_group is None:
        first_group = memory.first_unspent() if groups is not None and spends else 0
    asked_run = verification.Run(first_group=first_group, groups=groups)
    if spends:  # a wrong key or alpha is refused before groups count as shown
        held.answers(key)
        stats.owned(0.0, alpha=alpha, tests=tests, stamped=False)
        memory.mark(first_group, len(asked_run.of(held)), suspect)
    verdict = verification.verify(
        suspect,
        triggers=held,
        key=key,
        on=asked,
        alpha=alpha,
        tests=tests,
        sequential=sequential,
        run=asked_run,
    )
    if as_json:
        click.echo(json.dumps(verdict.as_dict()))
    else:
        _print_verdict(verdict)
    return 0 if verdict.owned else 1


@click.command()
@click.option("--triggers", "triggers_path", type=_IN, required=True, help="The trigger file.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help=".npz to write."
)
@click.option(
    "--groups", type=int, help="Only so many groups, the first unspent ones of the order."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def ask(*, triggers_path: Path, out: Path, groups: int | None, as_json: bool) -> None:
    """Write the secret inputs in the order of asking, for a device that edgewm cannot reach.

    The .npz holds `inputs` (q, *shape), float32 in the range the Keras model takes. Whoever asks them
    returns an .npz with `labels` (q,), or a text file with one label a line, for
    ``edgewm verify answers:file=...``. The key is not needed. What is written counts as shown.
    """
    import io

    import numpy as np

    from ..files import write_new
    from ..spent import SpentGroups
    from ..triggers import load_triggers
    from ..verification import Run, questions

    held = load_triggers(triggers_path)
    memory = SpentGroups.beside(triggers_path, held.sha256)
    first = memory.first_unspent() if groups is not None else 0
    if first >= held.groups:
        raise BadInput(f"--groups: all {held.groups} groups were shown before, leave --groups out")
    asked = Run(first_group=first, groups=groups)
    chosen = questions(held, asked.of(held))
    buffer = io.BytesIO()
    np.savez(buffer, inputs=held.inputs[chosen], first_group=np.int64(first))
    write_new(out, buffer.getvalue(), argument="--out", mode=0o600)
    try:
        memory.mark(first, len(asked.of(held)), f"ask {out}")
    except BaseException:
        out.unlink(missing_ok=True)  # nothing leaves that is not remembered
        raise
    part = f" --groups {groups} --first-group {first}" if groups is not None else ""
    then = f"edgewm verify answers:file=ANSWERS.npz --triggers {triggers_path} --key KEY{part}"
    if as_json:
        facts = {"out": str(out), "queries": len(chosen), "first_group": first, "then": then}
        click.echo(json.dumps(facts))
    else:
        click.echo(f"wrote {len(chosen)} inputs to {out}; with their labels: {then}")


def _print_verdict(verdict: Verdict) -> None:
    """One line a runtime, then the verdict and the reasons to doubt it. No rich here: it is slow."""
    columns = ("runtime", "version", "arithmetic", "groups hit", "silent", "queries", "log10 p")
    rows = [
        (
            result.spelling,
            result.version,
            result.arithmetic,
            f"{result.groups_hit}/{verdict.groups}",
            str(result.groups_silent),
            str(result.queries),
            f"{result.log10_p:.1f}",
        )
        for result in verdict.runtimes
    ]
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)))
    word = click.style("OWNED" if verdict.owned else "NOT SHOWN", bold=True)
    click.echo(
        f"{word}  p = {verdict.p_value:.2g} (log10 {verdict.log10_p:.1f}), "
        f"{verdict.forgery_bits:.0f} forgery bits, alpha {verdict.alpha:g}, tests {verdict.tests}"
    )
    for flag in verdict.flags:
        click.echo(f"note: {flag}")
    for part in verdict.not_run:
        click.echo(f"not run: {part.spelling}: {part.reason}")
