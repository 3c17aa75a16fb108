"""The demo's papers: a claim that is stamped before training, and at the end a report on a stolen copy.

    claim --> stamp --> training --> marked, release --> a copy turns up --> verification --> report.html

The report shows every secret question: the demo's key is for show too.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .authorities import Trust, read_trust
from .case import CONTROL, read_case
from .claims import add_stamp, grounds, make_claim, request_for
from .errors import BadInput
from .files import write_file
from .hearing import questions_of
from .ledger import Ledger
from .records import Record, Subject
from .report import Names, render
from .show_authority import make_show_authority
from .timestamps import ask_authority
from .verification import verify

if TYPE_CHECKING:
    from .artifact import Artifact
    from .key import Key
    from .triggers import Triggers

Clock = Callable[[], dt.datetime]
REPORT = "report.html"


@dataclass(frozen=True, kw_only=True)
class Authority:
    """Who stamps: somebody on the network, or nobody for one that is made for show."""

    url: str = ""
    roots: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.url) != bool(self.roots):
            raise BadInput("--tsa: expected it together with --tsa-root, its root certificate")


@dataclass(frozen=True, kw_only=True)
class Papers:
    """The owner's ledger once the claim is in it."""

    ledger: Ledger
    key: Key
    triggers: Triggers
    trust: Trust | None
    roots: tuple[Path, ...]
    clock: Clock
    without: str
    """Why there is no stamp; empty where there is one."""

    def note(self, kind: str, name: str, artifact: Artifact, **details: object) -> Record:
        """One more record about one file."""
        subject = Subject(name=name, sha256=artifact.sha256)
        return self.ledger.append(
            kind, self.key, now=self.clock(), content=lambda: ([subject], details)
        )


def claim_before_training(
    folder: Path, key: Key, triggers: Triggers, *, authority: Authority, clock: Clock
) -> Papers:
    """Sign a claim and have it stamped, in a ledger of the folder.

    Raises:
        BadInput: the libraries of the extra `records` are missing, or a named authority gave no reply.
        DoesNotCheck: what it replied is no good stamp.
    """
    ledger = Ledger(folder=folder / "records")
    claim = make_claim(ledger, key, triggers, scheme="robust", now=clock())
    papers = Papers(
        ledger=ledger,
        key=key,
        triggers=triggers,
        trust=None,
        roots=authority.roots,
        clock=clock,
        without="",
    )
    query = request_for(claim, secrets.token_bytes(8))
    if authority.url:
        reply, name = ask_authority(authority.url, query), authority.url
    else:
        try:
            shown = make_show_authority(folder / "authority")
            reply, name = shown.reply(query), "authority for show, made by the demo"
        except BadInput as missing:
            return replace(papers, without=str(missing))
        papers = replace(papers, roots=(shown.root,))
    papers = replace(papers, trust=read_trust(papers.roots, ()))
    assert papers.trust is not None
    add_stamp(
        ledger,
        key,
        claim,
        authority=name,
        request=query,
        reply=reply,
        trust=papers.trust,
        now=clock(),
    )
    return papers


def report_on(
    papers: Papers,
    folder: Path,
    *,
    suspect: tuple[str, Artifact],
    control: tuple[str, Artifact],
    on: Sequence[str],
    seen: dt.datetime,
) -> Path:
    """Record the control and the verification of a suspect, and write the report; its path.

    Args:
        suspect: name and file; `control` likewise, a network that was never marked.
        on: the runtimes to ask.
        seen: when the suspect turned up.
    """
    for (name, artifact), of in ((control, "unmarked twin"), (suspect, "")):
        papers.note(
            "verification",
            f"{name}.tflite",
            artifact,
            verdict=_verdict(papers, artifact, on, seen),
            **({CONTROL: of} if of else {}),
        )
    case = read_case(papers.ledger, trust=papers.trust, now=papers.clock())
    questions = questions_of(
        papers.triggers, papers.key, papers.triggers.order, model=suspect[1].model, on=on[0]
    )
    text = render(
        case,
        now=papers.clock(),
        title="Demonstration: a copy that was trained further",
        names=Names(
            roots=tuple(
                str(root.relative_to(folder)) if root.is_relative_to(folder) else root.name
                for root in papers.roots
            )
        ),
        questions=questions,
        asked_again_on=on[0],
        secret=True,
    )
    path = folder / REPORT
    write_file(path, text.encode("utf-8"), argument="--out", mode=0o600)
    return path


def _verdict(
    papers: Papers, artifact: Artifact, on: Sequence[str], seen: dt.datetime
) -> dict[str, object]:
    """What ``edgewm verify --ledger --json`` prints."""
    found = (
        None
        if papers.trust is None
        else grounds(
            papers.ledger,
            triggers=papers.triggers,
            key=papers.key,
            trust=papers.trust,
            suspect_seen=seen,
            now=papers.clock(),
        )
    )
    verdict = verify(
        artifact,
        triggers=papers.triggers,
        key=papers.key,
        on=on,
        stamped=found is not None and found.stamp is not None,
    )
    return {**verdict.as_dict(), **({} if found is None else {"claim": found.as_dict()})}
