"""``edgewm dispute``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import BadInput
from .proof import day_or_time
from .recording import now, read_file
from .secrets import passphrase

if TYPE_CHECKING:
    from ..cross_verification import Mark, Settled, Standing
    from ..parties import Party

_IN = click.Path(path_type=Path)


@click.command()
@click.argument("claim_a", type=_IN)
@click.argument("claim_b", type=_IN)
@click.option("--model-a", type=_IN, required=True, help="The model that A gives as theirs.")
@click.option("--model-b", type=_IN, required=True, help="The model that B gives as theirs.")
@click.option("--seen-a", required=True, help="Since when model A is known: YYYY-MM-DD or a time.")
@click.option("--seen-b", required=True, help="Since when model B is known.")
@click.option("--triggers-a", type=_IN, help="Where CLAIM_A is a ledger: A's triggers ...")
@click.option("--tilt-a", type=_IN, help="... or A's tilt ...")
@click.option("--key-a", type=_IN, help="... and A's key.")
@click.option("--triggers-b", type=_IN, help="Where CLAIM_B is a ledger: B's triggers ...")
@click.option("--tilt-b", type=_IN, help="... or B's tilt ...")
@click.option("--key-b", type=_IN, help="... and B's key.")
@click.option("--identity", type=_IN, help="age identity file, for sealed packages.")
@click.option(
    "--tsa-root", "roots", type=_IN, multiple=True, help="Authority's root certificate (.pem)."
)
@click.option("--crl", "crls", type=_IN, multiple=True, help="Revocation list of an issuer.")
@click.option(
    "--clock-skew",
    type=click.FloatRange(0),
    default=600.0,
    show_default=True,
    help="Seconds by which the clocks of two authorities may differ.",
)
@click.option("--on", multiple=True, default=["litert"], show_default=True, help="Runtime, or all.")
@click.option(
    "--alpha", type=float, default=1e-6, show_default=True, help="Accepted false marks, in all."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def dispute(
    claim_a: Path,
    claim_b: Path,
    *,
    model_a: Path,
    model_b: Path,
    seen_a: str,
    seen_b: str,
    triggers_a: Path | None,
    tilt_a: Path | None,
    key_a: Path | None,
    triggers_b: Path | None,
    tilt_b: Path | None,
    key_b: Path | None,
    identity: Path | None,
    roots: tuple[Path, ...],
    crls: tuple[Path, ...],
    clock_skew: float,
    on: tuple[str, ...],
    alpha: float,
    as_json: bool,
) -> int:
    """Ask both models for both parties' marks, compare the stamps, and say who was first, if it can be said.

    A claim is a disclosure package (edgewm disclose), or the folder of a ledger with triggers or a tilt, and
    the key. Exit code 0: decided, 1: the evidence does not decide, 3: a record does not check.
    """
    import datetime as dt

    from ..artifact import read_model
    from ..authorities import read_trust
    from ..cross_verification import settle
    from ..parties import Model

    models = tuple(
        Model(content=read_model(path, option), seen=day_or_time(text, seen))
        for path, option, text, seen in (
            (model_a, "--model-a", seen_a, "--seen-a"),
            (model_b, "--model-b", seen_b, "--seen-b"),
        )
    )
    a = _party(claim_a, "a", (triggers_a, tilt_a, key_a), identity)
    b = _party(claim_b, "b", (triggers_b, tilt_b, key_b), identity)
    settled = settle(
        (a, b),
        (models[0], models[1]),
        trust=read_trust(roots, crls),
        now=now(),
        clock_skew=dt.timedelta(seconds=clock_skew),
        on=on,
        alpha=alpha,
    )
    if as_json:
        click.echo(json.dumps(settled.as_dict()))
    else:
        _print(settled)
    return 1 if settled.decision.first is None else 0


def _party(
    path: Path, name: str, own: tuple[Path | None, Path | None, Path | None], identity: Path | None
) -> Party:
    """`own` are the files of triggers, of a tilt and of the key, which go with a ledger."""
    from ..errors import Copied
    from ..parties import ByKey, ByPackage, CopiedClaim

    argument, (triggers, tilt, key) = f"CLAIM_{name.upper()}", own
    if path.is_dir():
        marks = [file for file in (triggers, tilt) if file is not None]
        if len(marks) != 1 or key is None:
            raise BadInput(
                f"{argument}: {path} is a ledger, give --key-{name} and --triggers-{name} or "
                f"--tilt-{name}, or a package (edgewm disclose)"
            )
        from ..key import load_key
        from ..ledger import Ledger
        from ..tilt import load_tilt
        from ..triggers import load_triggers

        return ByKey(
            ledger=Ledger(folder=path),
            mark=load_triggers(marks[0], argument=f"--triggers-{name}")
            if tilt is None
            else load_tilt(tilt, argument=f"--tilt-{name}"),
            key=load_key(key, passphrase=passphrase),
        )
    if any(file is not None for file in own):
        raise BadInput(f"--triggers-{name}: got a package too, which brings its own questions")
    from ..disclosure import is_sealed, read_package, unsealed

    content = read_file(path, argument)
    if is_sealed(content):
        if identity is None:
            raise BadInput(f"--identity: {path} is sealed, give your age identity file")
        content = unsealed(content, read_file(identity, "--identity").decode("utf-8", "replace"))
    try:
        return ByPackage(package=read_package(content, argument=argument))
    except Copied as error:
        return CopiedClaim(reason=str(error))


def _print(settled: Settled) -> None:
    for name, standing in (("A", settled.a), ("B", settled.b)):
        for line in _lines(name, standing):
            click.echo(line)
    first = settled.decision.first
    word = "NOT DECIDED" if first is None else f"{first} WAS FIRST"
    click.echo(f"{click.style(word, bold=True)}  {settled.decision.rule.value}")
    for note in settled.notes:
        click.echo(f"note: {note}")


def _lines(name: str, standing: Standing) -> list[str]:
    other = "B" if name == "A" else "A"
    claim, stamp = standing.claim, standing.side.stamp
    if claim is None:
        lines = [f"{name}  a copied claim"]
    else:
        dated = "without a good stamp"
        if stamp is not None:
            dated = (
                f"stamped between {stamp.earliest:%Y-%m-%d %H:%M:%S} and {stamp.latest:%H:%M:%S} UTC "
                f"by {stamp.authority}"
            )
        lines = [f"{name}  claim {claim.number} of {claim.claimant[:16]}..., {dated}"]
    lines.append(f"   its mark in model {name}: {_said(standing.in_own)}")
    lines.append(f"   its mark in model {other}: {_said(standing.in_other)}")
    told = dict.fromkeys((*standing.notes, *standing.in_own.notes, *standing.in_other.notes))
    return [*lines, *(f"   note: {note}" for note in told)]


def _said(mark: Mark) -> str:
    verdict = mark.verdict
    if verdict is None:
        return "not known" if mark.shown is None else "not shown"
    word = "shown" if mark.shown else "not shown"
    hits = f"{verdict.worst.groups_hit} of {verdict.worst.groups_asked} groups"
    return f"{word}, {hits}, log10 p {verdict.log10_p:.1f}"
