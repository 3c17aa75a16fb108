"""``edgewm verify`` and ``edgewm ask``."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadInput
from .proof import Proof, proof_options, run_after, verify_package, with_grounds
from .secrets import passphrase
from .tilting import tilt_lines, verify_tilt

if TYPE_CHECKING:
    from ..release import Release
    from ..verdict import Verdict

_IN = click.Path(path_type=Path)
_ADAPTER = click.option(
    "--adapter", "adapters", multiple=True, help="A step to the suspect's inputs; in this order."
)


@click.command()
@click.argument("suspect")
@click.option("-t", "--triggers", "triggers_path", type=_IN, help="The trigger file.")
@click.option("-k", "--key", "key_path", type=_IN, help="The owner's key file.")
@click.option("--tilt", "tilt_path", type=_IN, help="A tilt file: ordinary inputs are asked.")
@click.option(
    "--natural-queries", type=int, help="Ask only so many inputs of the tilt; name it beforehand."
)
@click.option("--on", multiple=True, default=["litert"], show_default=True, help="Runtime, or all.")
@click.option(
    "--alpha", type=float, default=1e-6, show_default=True, help="Accepted false accusations."
)
@click.option("--tests", type=int, default=1, show_default=True, help="Suspects x marks x claims.")
@click.option(
    "--sequential", is_flag=True, help="Evidence that may be looked at after every group."
)
@click.option(
    "--scores",
    is_flag=True,
    help="Judge output values, not labels alone: more is seen of a changed copy.",
)
@click.option(
    "--groups", type=int, help="Ask only so many groups of the order, unspent ones first."
)
@click.option("--first-group", type=int, help="Where in the order to start (see edgewm ask).")
@_ADAPTER
@click.option(
    "--try-adapters", is_flag=True, help="Try the usual chains of adapters; each is a test more."
)
@click.option(
    "--min-hit-rate", type=float, help="Release gate: share of the groups that must hit, 0 to 1."
)
@click.option("--junit", type=_IN, help="Release gate: write a JUnit report (.xml).")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as one JSON object.")
@proof_options
def verify(
    suspect: str,
    *,
    triggers_path: Path | None,
    key_path: Path | None,
    tilt_path: Path | None,
    natural_queries: int | None,
    on: tuple[str, ...],
    alpha: float,
    tests: int,
    sequential: bool,
    scores: bool,
    groups: int | None,
    first_group: int | None,
    adapters: tuple[str, ...],
    try_adapters: bool,
    min_hit_rate: float | None,
    junit: Path | None,
    as_json: bool,
    proof: Proof,
) -> int:
    """Ask SUSPECT the secret questions and give a verdict.

    With --tilt ordinary inputs are asked too, or alone: they tell a clone from an innocent model. With
    --scores the verdict is on the values that the suspect gives, where its runtime gives any: much more is
    left in them than in labels once a copy was trained on, pruned or rounded to 4 bits.
    SUSPECT is a .tflite file, an ONNX or .keras file or a SavedModel folder (--on onnxruntime, keras,
    savedmodel), answers:file=A.npz (labels collected elsewhere, see edgewm ask) or exec:command=... (a
    program that reads inputs and prints labels). Exit code 0: owned, 1: not shown.

    As a release gate (--min-hit-rate, --junit) it also exits with 1 when any runtime that was asked hits
    fewer groups than that share, or does not run the file.
    """
    from ..runtimes.begin import begin, names_a_runtime
    from .gate import gate_of

    if adapters and try_adapters:
        raise BadInput("--try-adapters: got --adapter too, give one of them")
    chains = "try" if try_adapters else adapters
    part = sequential or groups is not None or first_group is not None
    if proof.disclosure is not None:
        refused = {
            "--triggers": triggers_path is not None,
            "--key": key_path is not None,
            "--sequential, --groups, --first-group, --scores": part or scores,
            "--tilt": tilt_path is not None,
            "--min-hit-rate, --junit": min_hit_rate is not None or junit is not None,
        }
        verdict, more = verify_package(
            proof, suspect, on=on, alpha=alpha, tests=tests, chains=chains, refused=refused
        )
        return _told(verdict, None, as_json=as_json, more=more)
    if tilt_path is not None:
        verdict, more = verify_tilt(
            suspect,
            tilt_path=tilt_path,
            triggers_path=triggers_path,
            key_path=key_path,
            on=on,
            alpha=alpha,
            tests=tests,
            sequential=sequential,
            scores=scores,
            natural_queries=natural_queries,
            adapters=adapters,
            proof=proof,
            refused={
                "--try-adapters": try_adapters,
                "--groups, --first-group": groups is not None or first_group is not None,
                "--min-hit-rate, --junit": min_hit_rate is not None or junit is not None,
            },
        )
        return _told(verdict, None, as_json=as_json, more=more)
    if natural_queries is not None:
        raise BadInput("--natural-queries: says how a tilt is asked, give --tilt too")
    if triggers_path is None or key_path is None:
        option = "--triggers" if triggers_path is None else "--key"
        raise BadInput(f"{option}: got nothing, give the file (or a --disclosure)")
    gate = gate_of(suspect, on=on, min_hit_rate=min_hit_rate, junit=junit, part=part)
    with nullcontext() if gate is None else gate.reporting():
        # children load their interpreters while this process loads numpy
        asked = begin([suspect] if names_a_runtime(suspect) else on)
        asked = asked if gate is None else gate.tolerant(asked)
        from .. import fitting, stats, verification
        from ..key import load_key
        from ..questioning import Run
        from ..spent import SpentGroups
        from ..triggers import load_triggers

        held = load_triggers(triggers_path)
        key = load_key(key_path, passphrase=passphrase)
        spends = any(part.runtime.spends for part in asked)
        memory = SpentGroups.beside(triggers_path, held.sha256)
        if first_group is None:
            first_group = memory.first_unspent() if groups is not None and spends else 0
        grounds = proof.grounds(held, key)
        asked_run = Run(first_group=first_group, groups=groups)
        asked_run = run_after(grounds, asked_run, held)
        if spends:  # a wrong key or alpha is refused before groups count as shown
            held.answers(key)
            stats.owned(0.0, alpha=alpha, tests=tests, stamped=False)
            fitting.chains_for(chains, triggers=held, facts=None, single=True)
            memory.mark(asked_run.first_group, len(asked_run.of(held)), suspect)
        verdict = verification.verify(
            suspect,
            triggers=held,
            key=key,
            on=asked,
            alpha=alpha,
            tests=tests if grounds is None else tests * grounds.claims,
            sequential=sequential,
            scores=scores,
            stamped=grounds is not None and grounds.stamp is not None,
            run=asked_run,
            adapters=chains,
        )
        verdict, more = with_grounds(verdict, grounds)
        release = None if gate is None else gate.judge(verdict)
    return _told(verdict, release, as_json=as_json, more=more)


@click.command()
@click.option("--triggers", "triggers_path", type=_IN, required=True, help="The trigger file.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help=".npz to write."
)
@click.option(
    "--groups", type=int, help="Only so many groups, the first unspent ones of the order."
)
@_ADAPTER
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def ask(
    *,
    triggers_path: Path,
    out: Path,
    groups: int | None,
    adapters: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write the secret inputs in the order of asking, for a device that edgewm cannot reach.

    The .npz holds `inputs` (q, *shape), float32 in the range the Keras model takes, or as the adapters
    make them. Whoever asks them returns an .npz with `labels` (q,), or a text file with one label a
    line, for ``edgewm verify answers:file=...``. The key is not needed. What is written counts as shown.
    """
    import io
    import shlex

    import numpy as np

    from ..files import write_new
    from ..fitting import chains_for
    from ..parts import refuse_parts
    from ..questioning import Run, questions
    from ..spent import SpentGroups
    from ..triggers import load_triggers

    held = load_triggers(triggers_path)
    refuse_parts(held, by="--triggers", instead="labels do not tell outputs, verify the model file")
    memory = SpentGroups.beside(triggers_path, held.sha256)
    first = memory.first_unspent() if groups is not None else 0
    if first >= held.groups:
        raise BadInput(f"--groups: all {held.groups} groups were shown before, leave --groups out")
    asked = Run(first_group=first, groups=groups)
    (chain,) = chains_for(adapters, triggers=held, facts=None, single=True)
    chosen = questions(held, asked.of(held))
    buffer = io.BytesIO()
    np.savez(buffer, inputs=chain.inputs[chosen], first_group=np.int64(first))
    write_new(out, buffer.getvalue(), argument="--out", mode=0o600)
    try:
        memory.mark(first, len(asked.of(held)), f"ask {out}")
    except BaseException:
        out.unlink(missing_ok=True)  # nothing leaves that is not remembered
        raise
    part = f" --groups {groups} --first-group {first}" if groups is not None else ""
    part += "".join(f" --adapter {shlex.quote(spelled)}" for spelled in chain.adapters)
    then = f"edgewm verify answers:file=ANSWERS.npz --triggers {triggers_path} --key KEY{part}"
    if as_json:
        facts = {"out": str(out), "queries": len(chosen), "first_group": first, "then": then}
        click.echo(json.dumps(facts))
    else:
        click.echo(f"wrote {len(chosen)} inputs to {out}; with their labels: {then}")


def _told(verdict: Verdict, release: Release | None, *, as_json: bool, more: dict[str, Any]) -> int:
    """Print the verdict, and what the release gate and records say of it; the exit code."""
    if as_json:
        more = more if release is None else {**more, "release": release.as_dict()}
        click.echo(json.dumps({**verdict.as_dict(), **more}))
    else:
        _print_verdict(verdict)
        if release is not None:
            click.echo(release.summary)
    return 0 if (verdict.owned if release is None else release.ships) else 1


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
            "none" if verdict.no_p_value else f"{result.log10_p:.1f}",
        )
        for result in verdict.runtimes
    ]
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows) if verdict.groups else ():
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)))
    for line in tilt_lines(verdict):
        click.echo(line)
    word = click.style("OWNED" if verdict.owned else "NOT SHOWN", bold=True)
    if verdict.p_value is None:
        worst = verdict.worst
        click.echo(f"{word}  no p-value, {worst.groups_hit} of {worst.groups_asked} groups hit")
    else:
        click.echo(
            f"{word}  p = {verdict.p_value:.2g} (log10 {verdict.log10_p:.1f}), "
            f"{verdict.forgery_bits:.0f} forgery bits, alpha {verdict.alpha:g}, tests {verdict.tests}"
        )
    if verdict.adapters:
        click.echo(f"adapters: {' '.join(verdict.adapters)}")
    if verdict.scores:
        click.echo("judged by output values; hits are told beside them")
    if verdict.stamped:
        click.echo("the claim was stamped before the suspect was seen")
    for flag in verdict.flags:
        click.echo(f"note: {flag}")
    for part in verdict.not_run:
        click.echo(f"not run: {part.spelling}: {part.reason}")
