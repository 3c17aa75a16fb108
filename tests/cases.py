"""A ledger as an owner leaves it: stamped claim, control, verification, and a package of opened groups."""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewm.claims import grounds, make_claim
from edgewm.cli.proof import with_grounds
from edgewm.disclosure import disclose, package_of
from edgewm.ledger import Ledger
from edgewm.records import Record, Subject
from edgewm.verification import verify
from tests import golden
from tests.authority import Authority, make_authority
from tests.ledgers import KEY, TRIGGERS, clock, stamp

HOSTILE = (
    '<img src="http://thief.example/x.png" onerror="console.log(1)">\u202e\x1b[31m & "model".tflite'
)
"""A file name that a thief could choose."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """What an owner left in a folder."""

    folder: Path
    authority: Authority
    seen: dt.datetime

    @property
    def ledger(self) -> Ledger:
        return Ledger(folder=self.folder / "records")

    @property
    def package(self) -> Path:
        return self.folder / "package"


def left(folder: Path) -> Left:
    """Claim, stamp, release, the unmarked twin as a control, a suspect of a hostile name, a disclosure."""
    authority = make_authority(folder / "authority", now=clock())
    ledger = Ledger(folder=folder / "records")
    claim = make_claim(ledger, KEY, TRIGGERS, scheme="robust", now=clock())
    stamp(ledger, claim, authority, reply=lambda q: authority.reply(q, accuracy_s=0))
    add(
        ledger, "release", golden.MARKED.name, golden.MARKED.read_bytes(), {"to": "<b>customer</b>"}
    )
    made = Left(
        folder=folder,
        authority=authority,
        seen=(clock() + dt.timedelta(seconds=1)).replace(microsecond=0),
    )
    while clock() < made.seen:
        time.sleep(0.05)
    verified(made, golden.UNMARKED.name, golden.UNMARKED.read_bytes(), control="unmarked twin")
    verified(made, HOSTILE, golden.MARKED.read_bytes())
    opened = disclose(ledger, KEY, TRIGGERS, groups=12, to="the court", now=clock())
    made.package.write_bytes(package_of(ledger, KEY, TRIGGERS, opened.number))
    return made


def verified(made: Left, name: str, model: bytes, *, control: str = "", **more: Any) -> Record:
    """Ask a model and record the verdict; `more` replaces fields of it."""
    held = grounds(
        made.ledger,
        triggers=TRIGGERS,
        key=KEY,
        trust=made.authority.trust(),
        suspect_seen=made.seen,
        now=clock(),
    )
    found = verify(model, triggers=TRIGGERS, key=KEY, stamped=True)
    verdict, beside = with_grounds(found, held)
    details: dict[str, Any] = {"verdict": {**verdict.as_dict(), **beside, **more}}
    if control:
        details["control"] = control
    return add(made.ledger, "verification", name, model, details)


def add(ledger: Ledger, kind: str, name: str, content: bytes, details: dict[str, Any]) -> Record:
    """One more record about one file."""
    subject = Subject(name=name, sha256=hashlib.sha256(content).hexdigest())
    return ledger.append(kind, KEY, now=clock(), content=lambda: ([subject], details))
