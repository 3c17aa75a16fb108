"""The claim: this key committed to these triggers or this tilt before a date that others vouch for.

A claim names one trigger root and one key commitment, and a stamp covers the bytes of that one record.
A stamp on a later record covers earlier ones by the chain, and does not count for them: else one stamp
would buy a forger as many tries as the ledger has claims. A stamp counts when it is older than the
suspect; whoever judges names that date and the authorities that they trust.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .authorities import Trust
from .errors import BadInput, Copied, DoesNotCheck
from .ledger import Ledger
from .records import Record, Subject
from .timestamps import Stamp, check_reply, make_request

if TYPE_CHECKING:
    from .key import Key
    from .tilt import Tilt
    from .triggers import Triggers


@dataclass(frozen=True, kw_only=True)
class StampFiles:
    """One authority's reply over one record, as the ledger holds it; not checked."""

    record: Record
    """The record that is stamped."""
    authority: str
    """The name that the owner gave it."""
    request: bytes
    reply: bytes
    argument: str
    """How an error names it."""

    def check(self, trust: Trust, now: dt.datetime) -> Stamp:
        """The stamp, checked.

        Raises:
            DoesNotCheck: see `edgewm.timestamps.check_reply`.
        """
        return check_reply(
            self.reply,
            self.request,
            sha256=bytes.fromhex(self.record.sha256),
            trust=trust,
            now=now,
            argument=self.argument,
        )


@dataclass(frozen=True, kw_only=True)
class Grounds:
    """What the records say for a verification."""

    claim: Record
    stamp: Stamp | None
    """The earliest stamp of the claim that is older than the suspect; None for an unstamped claim."""
    suspect_seen: dt.datetime
    """Since when the suspect is known to have existed, as whoever judges says; UTC."""
    claims: int
    """Different trigger roots that the ledger claims: each is a test."""
    first_group: int
    """Where in the order to start: groups opened before the suspect was seen do not count."""
    start_is_recorded: bool
    """Stamps older than the suspect fix that start."""
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """What ``edgewm verify --json`` prints of it under "claim"."""
        stamp = self.stamp
        return {
            "record": self.claim.number,
            "sha256": self.claim.sha256,
            "claims": self.claims,
            "suspect_seen": self.suspect_seen.isoformat(),
            "stamped_at": None if stamp is None else stamp.time.isoformat(),
            "authority": None if stamp is None else stamp.authority,
            "notes": list(self.notes),
        }


def make_claim(
    ledger: Ledger,
    key: Key,
    triggers: Triggers | Tilt,
    *,
    scheme: str,
    now: dt.datetime,
    more: Mapping[str, Any] | None = None,
    subjects: Sequence[Subject] = (),
) -> Record:
    """Add a claim to a ledger: before training, and to be stamped before the model leaves the house.

    `subjects` are digests of what else shall be bound to it (data, drawings, code).

    Raises:
        BadInput: the key did not make the triggers, a set with kept labels, or the ledger is another's.
    """
    details = {
        **_facts(triggers, key),
        "pattern": str(json.loads(triggers.provenance).get("pattern", "")),
        "scheme": scheme,
        **(more or {}),
    }
    named = (
        Subject(name="trigger root", sha256=triggers.root.hex()),
        Subject(name="key commitment", sha256=key.commitment),
        *subjects,
    )
    return ledger.append("claim", key, now=now, content=lambda: (named, details))


def record_numbered(records: Sequence[Record], number: int, *, kind: str | None = None) -> Record:
    """One record by its number.

    Raises:
        BadInput: there is none, or it is of another kind.
    """
    if not 1 <= number <= len(records):
        raise BadInput(f"record: got {number}, the ledger has records 1 to {len(records)}")
    record = records[number - 1]
    if kind is not None and record.kind != kind:
        raise BadInput(f"record: got {number}, which is a {record.kind}, expected a {kind}")
    return record


def add_stamp(
    ledger: Ledger,
    key: Key,
    record: Record,
    *,
    authority: str,
    request: bytes,
    reply: bytes,
    trust: Trust,
    now: dt.datetime,
) -> tuple[Record, Stamp]:
    """Check a reply and keep it, as received, beside the ledger.

    Raises:
        DoesNotCheck: the reply is no good stamp of that record; nothing is kept.
    """
    stamp = check_reply(
        reply,
        request,
        sha256=bytes.fromhex(record.sha256),
        trust=trust,
        now=now,
        argument=f"stamp of record {record.number} by {authority}",
    )
    details = {
        "record": record.sha256,
        "authority": authority,
        "reply_sha256": hashlib.sha256(reply).hexdigest(),
        "request_sha256": hashlib.sha256(request).hexdigest(),
    }
    subject = Subject(name=f"record {record.number}", sha256=record.sha256)
    kept = ledger.append(
        "stamp",
        key,
        now=now,
        content=lambda: ([subject], details),
        attachments={"tsr": reply, "tsq": request},
    )
    return kept, stamp


def request_for(record: Record, nonce: bytes) -> bytes:
    """The query (.tsq) to send to an authority for a record; nonce is 8 random bytes."""
    return make_request(bytes.fromhex(record.sha256), nonce)


def stamps_of(ledger: Ledger, records: Sequence[Record], stamped: Record) -> list[StampFiles]:
    """Every stamp that the ledger holds of one record, not checked against any authority.

    Raises:
        DoesNotCheck: a file that a record names is gone or was changed.
    """
    found = []
    for record in records:
        if record.kind != "stamp" or record.details["record"] != stamped.sha256:
            continue
        authority = record.details["authority"]
        found.append(
            StampFiles(
                record=stamped,
                authority=authority,
                request=ledger.attachment(record.details["request_sha256"], "tsq"),
                reply=ledger.attachment(record.details["reply_sha256"], "tsr"),
                argument=f"stamp {record.number} of record {stamped.number} by {authority}",
            )
        )
    return found


def earliest(
    stamps: Sequence[StampFiles],
    *,
    trust: Trust,
    before: dt.datetime | None,
    now: dt.datetime,
    refuse: bool = True,
) -> tuple[tuple[Record, Stamp] | None, tuple[str, ...]]:
    """The earliest good stamp older than a date, if one is given, and what is wrong with the others.

    Raises:
        DoesNotCheck: there are stamps, and none is good and old enough; not raised without `refuse`.
    """
    good, wrong = [], []
    for files in stamps:
        try:
            stamp = files.check(trust, now)
        except DoesNotCheck as error:
            wrong.append(str(error))
            continue
        if before is None or stamp.latest < before:
            good.append((files.record, stamp))
        else:
            wrong.append(
                f"{files.argument}: made at {stamp.latest:%Y-%m-%d %H:%M:%S} UTC, not before the "
                f"suspect was seen ({before:%Y-%m-%d %H:%M:%S} UTC)"
            )
    if wrong and not good and refuse:
        raise DoesNotCheck("; ".join(wrong))
    return min(good, key=lambda pair: pair[1].latest, default=None), tuple(wrong)


def check_seen(suspect_seen: dt.datetime, now: dt.datetime) -> None:
    """Refuse a day to come: it would make any stamp of today old enough.

    Raises:
        BadInput: the suspect was seen later than now.
    """
    if suspect_seen > now:
        raise BadInput(
            f"--suspect-seen: got {suspect_seen:%Y-%m-%d %H:%M:%S} UTC, which is not yet; expected "
            "the first day on which the suspect is known to have been there"
        )


def grounds(
    ledger: Ledger,
    *,
    triggers: Triggers | Tilt,
    key: Key,
    trust: Trust,
    suspect_seen: dt.datetime,
    now: dt.datetime,
    number: int | None = None,
    refuse: bool = True,
) -> Grounds:
    """What a ledger says for a verification of these triggers under this key.

    Args:
        suspect_seen: the earliest time at which the suspect is known to have existed, UTC.
        number: the claim to use; by default every claim of these triggers, the earliest stamp counts.
        refuse: without it, a claim whose every stamp is late or bad counts as one without, with notes.

    Raises:
        BadInput: no claim names these triggers, or a date to come.
        DoesNotCheck: the ledger, the claim or every one of its stamps does not check.
    """
    check_seen(suspect_seen, now)
    records = ledger.records()
    root = triggers.root.hex()
    named = claims_of(ledger, records, triggers, key, number=number)
    files = [stamp for claim in named for stamp in stamps_of(ledger, records, claim)]
    found, wrong = earliest(files, trust=trust, before=suspect_seen, now=now, refuse=refuse)
    notes = list(wrong)
    if not files:
        notes.append(f"claim {named[0].number} has no stamp: edgewm record stamp")
    opened = [record for record in disclosures(records, root) if record.time < suspect_seen]
    fixed = all_stamped(
        opened,
        [stamp for record in opened for stamp in stamps_of(ledger, records, record)],
        trust=trust,
        before=suspect_seen,
        now=now,
    )
    return Grounds(
        claim=named[0] if found is None else found[0],
        stamp=None if found is None else found[1],
        suspect_seen=suspect_seen,
        claims=len({r.details["trigger_root"] for r in records if r.kind == "claim"}),
        first_group=opened_groups(opened),
        start_is_recorded=bool(opened) and fixed,
        notes=tuple(notes),
    )


def claims_of(
    ledger: Ledger,
    records: Sequence[Record],
    triggers: Triggers | Tilt,
    key: Key,
    *,
    number: int | None = None,
) -> list[Record]:
    """The claims of these triggers under this key, or the one of that number.

    Raises:
        BadInput: there is none.
        DoesNotCheck: one names something else of the triggers or the key than they have.
    """
    root = triggers.root.hex()
    named = [r for r in records if r.kind == "claim" and r.details["trigger_root"] == root]
    if number is not None:
        named = [record_numbered(records, number, kind="claim")]
    if not named:
        raise BadInput(
            f"--ledger: no claim of {ledger.folder} names these triggers ({root[:16]}...): "
            "another ledger, or edgewm claim was not run"
        )
    for claim in named:
        _check_names(claim, triggers, key)
    return named


def disclosures(records: Sequence[Record], root: str) -> list[Record]:
    """The disclosures of one trigger set, in the order of the ledger; root is 64 hex digits."""
    return [
        record
        for record in records
        if record.kind == "disclosure" and record.details["trigger_root"] == root
    ]


def opened_groups(opened: Sequence[Record]) -> int:
    """How many groups disclosures of one set have opened, from the first of the order on.

    Raises:
        DoesNotCheck: they leave a gap or overlap: each must start where the one before ended.
    """
    end = 0
    for record in opened:
        first, groups = record.details["first_group"], record.details["groups"]
        if first != end or groups < 1:
            raise DoesNotCheck(
                f"disclosure {record.number}: opens {groups} groups from {first}, expected the next "
                f"ones from {end}: disclosures follow the order without gaps"
            )
        end += groups
    return end


def all_stamped(
    records: Sequence[Record],
    stamps: Sequence[StampFiles],
    *,
    trust: Trust,
    before: dt.datetime,
    now: dt.datetime,
) -> bool:
    """Whether each record has a good stamp older than a date; stamps of others are passed over."""
    for record in records:
        own = [stamp for stamp in stamps if stamp.record == record]
        try:
            if earliest(own, trust=trust, before=before, now=now)[0] is None:
                return False
        except DoesNotCheck:
            return False
    return True


def _facts(mark: Triggers | Tilt, key: Key) -> dict[str, Any]:
    """What a claim names of a mark; a tilt's cells are its groups.

    Raises:
        BadInput: the key did not make the mark, or a set with kept labels.
    """
    from .tilt import Tilt

    if isinstance(mark, Tilt):
        mark.signs(key)
    elif mark.kept is not None:
        raise BadInput("--triggers: got kept labels, expected answers that were drawn by the key")
    else:
        mark.answers(key)
    return {
        "trigger_root": mark.root.hex(),
        "triggers_sha256": mark.sha256,
        "key_commitment": key.commitment,
        "groups": mark.cells if isinstance(mark, Tilt) else mark.groups,
        "classes": mark.classes,
    }


def _check_names(claim: Record, triggers: Triggers | Tilt, key: Key) -> None:
    for name, value in _facts(triggers, key).items():
        if claim.details[name] != value:
            raise DoesNotCheck(
                f"claim {claim.number}: names {name} {str(claim.details[name])[:16]}, the triggers "
                f"and the key have {str(value)[:16]}"
            )
    if claim.claimant != json.loads(triggers.header)["claimant"]:
        raise Copied(f"claim {claim.number}: the triggers name another claimant's key")
