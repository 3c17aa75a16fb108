"""Check a whole ledger: signatures, links, files, stamps, and that disclosures follow the order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .authorities import Trust
from .claims import disclosures, opened_groups, stamps_of
from .errors import DoesNotCheck
from .ledger import Ledger
from .records import BEFORE_THE_FIRST, Record
from .timestamps import Stamp


@dataclass(frozen=True, kw_only=True)
class FoundStamp:
    """A stamp in a ledger."""

    record: int
    """Number of the record that is stamped."""
    authority: str
    stamp: Stamp | None
    """None where no authority's certificate was given to check it with."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """A ledger that checks."""

    records: tuple[Record, ...]
    stamps: tuple[FoundStamp, ...]

    @property
    def head(self) -> str:
        """SHA-256 of the last record; kept elsewhere, it shows whether records were cut off."""
        return self.records[-1].sha256 if self.records else BEFORE_THE_FIRST

    def as_dict(self) -> dict[str, Any]:
        """What ``edgewm record check --json`` prints."""
        kinds: dict[str, int] = {}
        for record in self.records:
            kinds[record.kind] = kinds.get(record.kind, 0) + 1
        return {
            "records": len(self.records),
            "kinds": kinds,
            "claimant": self.records[0].claimant if self.records else None,
            "head": self.head,
            "stamps": [
                {
                    "record": found.record,
                    "authority": found.authority,
                    "checked": found.stamp is not None,
                    "time": None if found.stamp is None else found.stamp.time.isoformat(),
                    "signer": None if found.stamp is None else found.stamp.authority,
                }
                for found in self.stamps
            ],
        }


def audit(
    ledger: Ledger, *, trust: Trust | None, now: dt.datetime, head: str | None = None
) -> Audit:
    """Check every record and every file that one names.

    Args:
        trust: with None, stamps are only compared with the digests in the signed records.
        head: SHA-256 of a record that must be in the ledger, known from elsewhere.

    Raises:
        BadInput: no ledger there.
        DoesNotCheck: the first thing that does not check, and where.
    """
    records = ledger.records()
    by_sha256 = {record.sha256: record for record in records}
    if head is not None and head not in {*by_sha256, BEFORE_THE_FIRST}:
        raise DoesNotCheck(
            f"--head: no record of {ledger.folder} is {head[:16]}...: records were cut off, or it is "
            "another ledger"
        )
    for root in {r.details["trigger_root"] for r in records if r.kind == "disclosure"}:
        opened_groups(disclosures(records, root))
    return Audit(
        records=tuple(records), stamps=tuple(_stamps(ledger, records, by_sha256, trust, now))
    )


def _stamps(
    ledger: Ledger,
    records: Sequence[Record],
    by_sha256: dict[str, Record],
    trust: Trust | None,
    now: dt.datetime,
) -> list[FoundStamp]:
    found = []
    for record in records:
        if record.kind != "stamp":
            continue
        stamped = by_sha256.get(record.details["record"])
        if stamped is None or stamped.number >= record.number:
            raise DoesNotCheck(f"record {record.number}: stamps a record that is not before it")
        for files in stamps_of(ledger, [record], stamped):
            stamp = None if trust is None else files.check(trust, now)
            found.append(FoundStamp(record=stamped.number, authority=files.authority, stamp=stamp))
    return found
