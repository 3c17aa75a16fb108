"""What a ledger says about one verification, checked and put in order: the substance of a report.

Nothing is taken on the word of the record that is reported on: signatures, links and stamps are checked,
the verdict must follow from its own numbers, and "stamped" needs a stamp in the ledger that is older than
the suspect. A record that says otherwise is refused, whoever signed it.

    claim, its stamps --> the suspect was seen --> verification --> controls, other verifications
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import stats
from .audit import Audit, audit
from .authorities import Trust
from .claims import opened_groups, record_numbered
from .errors import BadInput, DoesNotCheck
from .ledger import Ledger
from .records import Record

CONTROL = "control"
"""Detail of a verification record that says which control it is, such as "unmarked twin"."""
_NUMBER = (int, float)
_FIELDS: Mapping[str, Any] = {
    "owned": bool,
    "alpha": _NUMBER,
    "sequential": bool,
    "groups": int,
    "groups_asked": int,
    "groups_hit": int,
    "queries": int,
    "tests": int,
    "stamped": bool,
    "runtimes": list,
    "flags": list,
}
_LATER: Mapping[str, Any] = {
    "log10_p": None,
    "no_p_value": None,
    "tilt": None,
    "claim": None,
    "triggers_sha256": None,
    "artifact_sha256": None,
    "scores": False,
    "not_run": [],
    "adapters": [],
    "chains": [],
}
"""What a verdict of an earlier version, or of another kind, does not hold."""
_RUNTIME: Mapping[str, Any] = {
    **dict.fromkeys(("runtime", "version", "arithmetic"), str),
    **dict.fromkeys(("groups_asked", "groups_hit", "groups_silent", "queries"), int),
}
_NOT_RUN: Mapping[str, Any] = {"runtime": str, "reason": str}
_TILT: Mapping[str, Any] = {"cells": int, "tilt_sha256": str, "runtimes": list}
_TILT_RUNTIME: Mapping[str, Any] = {
    **dict.fromkeys(("runtime", "version", "arithmetic"), str),
    **dict.fromkeys(("cells_asked", "queries", "failed"), int),
    **dict.fromkeys(("z", "log10_p"), _NUMBER),
}


@dataclass(frozen=True, kw_only=True)
class Asking:
    """One verification record, its verdict checked."""

    record: Record
    verdict: Mapping[str, Any]
    """What ``edgewm verify --json`` printed."""
    control: str
    """Which control it is; empty for a suspect."""

    @property
    def name(self) -> str:
        """What was asked, as the record names it."""
        return self.record.subjects[0].name

    @property
    def log10_p(self) -> float | None:
        """None where a verdict has no p-value."""
        value = self.verdict["log10_p"]
        return None if value is None else float(value)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One date of the chain."""

    time: dt.datetime
    what: str
    vouched_by: str
    """authority (its signature), owner (their own clock), or judge (whoever says when it was seen)."""
    by: str = ""
    """Who said so."""
    record: int | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything that a report on one verification tells."""

    audit: Audit
    claim: Record
    asking: Asking
    controls: tuple[Asking, ...]
    others: tuple[Asking, ...]
    """Verifications of the same ledger that are neither; what else was tried."""
    suspect_seen: dt.datetime | None
    events: tuple[Event, ...]
    opened: tuple[Record, ...]
    """Disclosures of the claimed mark."""

    @property
    def first_group(self) -> int:
        """Where in the order asking began: after the groups opened before the suspect was seen."""
        seen = self.suspect_seen
        return opened_groups([r for r in self.opened if seen is not None and r.time < seen])

    @property
    def bar(self) -> float:
        """log10 of the p-value that was needed."""
        verdict = self.asking.verdict
        return stats.log10_bar(
            alpha=verdict["alpha"], tests=verdict["tests"], stamped=verdict["stamped"]
        )


def read_case(
    ledger: Ledger, *, trust: Trust | None, now: dt.datetime, number: int | None = None
) -> Case:
    """Check a whole ledger and gather what bears on one verification, by default the last of a suspect.

    Raises:
        BadInput: no verification or no claim in it, or stamps and no authority's certificate.
        DoesNotCheck: a record, link or stamp does not check, or the verdict does not follow.
    """
    checked = audit(ledger, trust=trust, now=now)
    records = checked.records
    if number is not None:
        record_numbered(records, number, kind="verification")
    askings = [_asking(record) for record in records if record.kind == "verification"]
    of_suspects = [a for a in askings if not a.control]
    chosen = [a for a in askings if a.record.number == number] if number else of_suspects[-1:]
    if not chosen:
        raise BadInput(
            f"CASE: {ledger.folder} holds no verification: edgewm verify --json > verdict.json, then "
            "edgewm record add verification --verdict verdict.json"
        )
    asking = chosen[0]
    claim = _claim_of(asking, records)
    if trust is None and checked.stamps:
        raise BadInput(
            "--tsa-root: got none, give the root certificates of the authorities that stamped (.pem)"
        )
    seen = _seen(asking)
    if asking.verdict["stamped"]:
        _check_stamped(checked, claim, asking, seen)
    rest = [a for a in askings if a is not asking]
    root = claim.details["trigger_root"]
    return Case(
        audit=checked,
        claim=claim,
        asking=asking,
        controls=tuple(a for a in rest if a.control),
        others=tuple(a for a in rest if not a.control),
        suspect_seen=seen,
        events=_events(checked, claim, asking, seen),
        opened=tuple(
            r for r in records if r.kind == "disclosure" and r.details["trigger_root"] == root
        ),
    )


def _asking(record: Record) -> Asking:
    """A verification record with a verdict of this shape that follows from its own numbers."""
    verdict = {**_LATER, **record.details["verdict"]}
    _check_fields(verdict, _FIELDS, record)
    lists = {"not_run": _NOT_RUN, "runtimes": _RUNTIME}
    if verdict["tilt"] is not None:
        _check_fields(verdict["tilt"], _TILT, record)
    for name, fields in lists.items():
        _check_each(verdict[name], fields, record, name)
    _check_each((verdict["tilt"] or {}).get("runtimes", []), _TILT_RUNTIME, record, "tilt")
    for name in ("flags", "adapters"):
        if not isinstance(verdict[name], list) or any(type(v) is not str for v in verdict[name]):
            raise _no_verdict(record, name)
    for name in ("triggers_sha256", "artifact_sha256"):
        if verdict[name] is not None and type(verdict[name]) is not str:
            raise _no_verdict(record, name)
    log10_p = verdict["log10_p"]
    if log10_p is not None and not (isinstance(log10_p, _NUMBER) and -math.inf < log10_p <= 0):
        raise _no_verdict(record, "log10_p")
    follows = log10_p is not None and stats.owned(
        float(log10_p), alpha=verdict["alpha"], tests=verdict["tests"], stamped=verdict["stamped"]
    )
    if verdict["owned"] != follows:
        raise DoesNotCheck(
            f"verification {record.number}: says owned={verdict['owned']}, its own p-value, alpha and "
            f"tests say {follows}"
        )
    control = record.details.get(CONTROL, "")
    return Asking(record=record, verdict=verdict, control=control if type(control) is str else "")


def _check_fields(held: Any, fields: Mapping[str, Any], record: Record) -> None:
    for name, kind in fields.items():
        value = held.get(name) if isinstance(held, dict) else None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise _no_verdict(record, name)


def _check_each(held: Any, fields: Mapping[str, Any], record: Record, name: str) -> None:
    if not isinstance(held, list):
        raise _no_verdict(record, name)
    for one in held:
        _check_fields(one, fields, record)


def _no_verdict(record: Record, name: str) -> BadInput:
    return BadInput(
        f"verification {record.number}: its verdict has no {name} as edgewm verify --json prints it"
    )


def _claim_of(asking: Asking, records: Sequence[Record]) -> Record:
    """The claim that the verdict names, else the first of the marks that were asked.

    Raises:
        BadInput: there is none.
        DoesNotCheck: the verdict names a claim of another mark.
    """
    verdict = asking.verdict
    tilt = verdict["tilt"] or {}
    marks = {verdict["triggers_sha256"], tilt.get("tilt_sha256")} - {None}
    claims = [r for r in records if r.kind == "claim" and r.details["triggers_sha256"] in marks]
    grounds = verdict["claim"]
    if isinstance(grounds, dict):
        named = [claim for claim in claims if claim.sha256 == grounds.get("sha256")]
        if not named:
            raise DoesNotCheck(
                f"verification {asking.record.number}: names a claim that is not in this ledger, or "
                "is of another mark than the one that was asked"
            )
        return named[0]
    if not claims:
        raise BadInput(
            f"CASE: no claim of the ledger is of the mark that verification {asking.record.number} "
            "asked; edgewm claim makes one, before training"
        )
    return claims[0]


def _seen(asking: Asking) -> dt.datetime | None:
    grounds = asking.verdict["claim"]
    held = grounds.get("suspect_seen") if isinstance(grounds, dict) else None
    if held is None:
        return None
    try:
        found = dt.datetime.fromisoformat(held)
        return found.astimezone(dt.UTC) if found.tzinfo else found.replace(tzinfo=dt.UTC)
    except (TypeError, ValueError, OverflowError):
        raise _no_verdict(asking.record, "suspect_seen") from None


def _check_stamped(checked: Audit, claim: Record, asking: Asking, seen: dt.datetime | None) -> None:
    stamps = [s.stamp for s in checked.stamps if s.record == claim.number and s.stamp is not None]
    if seen is None or not any(stamp.latest < seen for stamp in stamps):
        raise DoesNotCheck(
            f"verification {asking.record.number}: says that claim {claim.number} was stamped before "
            "the suspect was seen, and no stamp in the ledger is older than that"
        )


_TOLD = {
    "claim": "The claim was signed",
    "marked": "Files that carry the mark were recorded",
    "release": "A file was released",
    "disclosure": "Some secret questions were opened",
}


def _of_another_mark(record: Record, claim: Record) -> bool:
    if record.kind == "disclosure":
        return bool(record.details["trigger_root"] != claim.details["trigger_root"])
    return record.kind == "claim" and record is not claim


def _events(
    checked: Audit, claim: Record, asking: Asking, seen: dt.datetime | None
) -> tuple[Event, ...]:
    """In order of time; what happened at the same second, in order of the ledger."""
    events = []
    for record in checked.records:
        told = _TOLD.get(record.kind)
        if record is asking.record:
            told = f"The suspect was asked: {asking.name}"
        elif told is None or _of_another_mark(record, claim):
            continue
        elif record.kind == "release":
            told = f"{told} to {record.details['to']}: {record.subjects[0].name}"
        elif record.kind == "disclosure":
            told = f"{told} to {record.details['to']}"
        elif record.kind == "marked":
            told = f"{told}: {', '.join(subject.name for subject in record.subjects)}"
        events.append(Event(time=record.time, what=told, vouched_by="owner", record=record.number))
    for found in checked.stamps:
        if found.stamp is not None:
            what = "the claim" if found.record == claim.number else f"record {found.record}"
            events.append(
                Event(
                    time=found.stamp.time,
                    what=f"A timestamp authority stamped {what}",
                    vouched_by="authority",
                    by=found.stamp.authority,
                    record=found.record,
                )
            )
    if seen is not None:
        events.append(
            Event(time=seen, what="The suspect was first seen, at the latest", vouched_by="judge")
        )
    seen_before = asking.record.number - 0.5
    return tuple(sorted(events, key=lambda event: (event.time, event.record or seen_before)))
