"""``edgewm report``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import BadInput, DoesNotCheck
from .secrets import passphrase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..case import Case
    from ..hearing import Question
    from ..key import Key
    from ..opened import OpenedGroups
    from ..triggers import Triggers

_IN = click.Path(path_type=Path)


@click.command()
@click.argument("case", type=_IN)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File to write (.html).",
)
@click.option("--verification", type=int, help="Number of the record; by default the last one.")
@click.option("--title", default="", help="Of the case, on the first page.")
@click.option("-t", "--triggers", "triggers_path", type=_IN, help="Show these questions: secret!")
@click.option("-k", "--key", "key_path", type=_IN, help="The owner's key: their answers.")
@click.option("--disclosure", type=_IN, help="Show the opened questions of this package instead.")
@click.option("--suspect", type=_IN, help="Ask it once more and show what it says.")
@click.option("--tsa-root", "roots", type=_IN, multiple=True, help="Authority's root (.pem).")
@click.option("--crl", "crls", type=_IN, multiple=True, help="Revocation list of its issuer.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def report(
    case: Path,
    *,
    out: Path,
    verification: int | None,
    title: str,
    triggers_path: Path | None,
    key_path: Path | None,
    disclosure: Path | None,
    suspect: Path | None,
    roots: tuple[Path, ...],
    crls: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Write a report on a verification in the ledger CASE: one HTML file, to read, print and repeat.

    Every record and stamp is checked first; exit code 3 and the reason if one is wrong. Pictures of the
    questions come from a --disclosure (opened ones) or from --triggers and --key; the report is then as
    secret as these. Exit code 0: the report says shown, 1: not shown.
    """
    from ..authorities import read_trust
    from ..case import read_case
    from ..files import write_file
    from ..ledger import Ledger
    from ..report import Names, render
    from .recording import now

    if (triggers_path is None) != (key_path is None):
        raise BadInput("--triggers: expected it together with --key")
    if triggers_path is not None and disclosure is not None:
        raise BadInput("--disclosure: got --triggers too, give one of them")
    if suspect is not None and triggers_path is None and disclosure is None:
        raise BadInput(
            "--suspect: says what pictures show, give --disclosure, or --triggers and --key"
        )
    held = read_case(
        Ledger(folder=case),
        trust=read_trust(roots, crls) if roots else None,
        now=now(),
        number=verification,
    )
    questions = _questions(held, triggers_path, key_path, disclosure, suspect)
    text = render(
        held,
        now=now(),
        title=title,
        names=Names(
            ledger=case.name or "records",
            triggers="triggers.npz" if triggers_path is None else triggers_path.name,
            key="owner.key" if key_path is None else key_path.name,
            roots=tuple(root.name for root in roots),
        ),
        questions=questions,
        asked_again_on="" if suspect is None else _runtime_of(held),
        secret=triggers_path is not None,
    )
    mode = 0o644 if triggers_path is None else 0o600
    write_file(out, text.encode("utf-8"), argument="--out", mode=mode)
    verdict = held.asking.verdict
    facts = {
        "out": str(out),
        "verification": held.asking.record.number,
        "owned": verdict["owned"],
        "log10_p": held.asking.log10_p,
        "records": len(held.audit.records),
        "controls": len(held.controls),
        "questions": len(questions),
        "secret": triggers_path is not None,
    }
    said = "SHOWN" if verdict["owned"] else "NOT SHOWN"
    told = f"wrote {out} on verification {facts['verification']}: {said}"
    told += (
        "; it shows secret questions, keep it as safe as the triggers" if facts["secret"] else ""
    )
    click.echo(json.dumps(facts) if as_json else told)
    return 0 if verdict["owned"] else 1


def _questions(
    case: Case,
    triggers_path: Path | None,
    key_path: Path | None,
    disclosure: Path | None,
    suspect: Path | None,
) -> list[Question]:
    """The pictures to show: of every group that was asked, or of the opened ones."""
    from ..artifact import read_model
    from ..hearing import questions_of

    held: Triggers | OpenedGroups
    keys: Key | Mapping[int, bytes]
    if triggers_path is not None and key_path is not None:
        from ..key import load_key
        from ..triggers import load_triggers

        held = load_triggers(triggers_path)
        keys = load_key(key_path, passphrase=passphrase)
        first = case.first_group
        order: Sequence[int] = held.order[first : first + case.asking.verdict["groups_asked"]]
        argument = "--triggers"
    elif disclosure is not None:
        from ..disclosure import read_package
        from .recording import read_file

        held = read_package(read_file(disclosure, "--disclosure")).groups
        keys, order, argument = held.keys, held.opened, "--disclosure"
    else:
        return []
    if held.sha256 != case.asking.verdict["triggers_sha256"]:
        raise DoesNotCheck(
            f"{argument}: of the set {held.sha256[:16]}..., verification {case.asking.record.number} "
            f"asked {str(case.asking.verdict.get('triggers_sha256'))[:16]}..."
        )
    model = None if suspect is None else read_model(suspect, "--suspect")
    if model is not None:
        _check_same(case, model)
    return questions_of(
        held,
        keys,
        order,
        model=model,
        on=_runtime_of(case),
        adapters=case.asking.verdict["adapters"],
    )


def _check_same(case: Case, model: bytes) -> None:
    import hashlib

    sha256 = hashlib.sha256(model).hexdigest()
    named = case.asking.verdict["artifact_sha256"]
    if sha256 != named:
        raise DoesNotCheck(
            f"--suspect: sha256 {sha256[:16]}..., verification {case.asking.record.number} is about "
            f"{str(named)[:16]}...: give the file that was asked"
        )


def _runtime_of(case: Case) -> str:
    """The runtime that was worst, and so counted."""
    runtimes = case.asking.verdict["runtimes"]
    if not runtimes:
        raise BadInput("--suspect: no runtime was asked secret questions in that verification")
    return str(min(runtimes, key=lambda held: held["groups_hit"])["runtime"])
