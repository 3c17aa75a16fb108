"""Partial disclosure: open the next groups of the order, and keep the rest for the next case.

A package is one file (`edgewm.archive`) from which a third party verifies a suspect without the key:

    opened.json, inputs.f4        the groups (`edgewm.opened`)
    claim.json                    the claim that names their root: the envelope as the ledger holds it
    disclosure.json               the signed record of this opening, which names the digest of opened.json
    earlier/NNNNNNNN.json         every earlier disclosure of the same root: why this one starts where it does
    stamps/NNNNNNNN-I.tsq, .tsr   timestamps of those records; I counts from 1

The groups are the first that no recorded disclosure opened, hits and misses alike; which they are follows
from the root, so none can be left out. Opening is recorded before the package is written. Opened groups
count only against suspects that were seen before: a later one could have been made with the answers.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .archive import pack, unpack
from .authorities import Trust
from .claims import (
    Grounds,
    StampFiles,
    all_stamped,
    check_seen,
    disclosures,
    earliest,
    opened_groups,
    stamps_of,
)
from .errors import BadInput, Copied, DoesNotCheck
from .ledger import Ledger
from .opened import OpenedGroups, open_groups, read_opened
from .packed_stamps import packed_stamps, unpacked_stamps
from .records import Record, Subject, read_record

if TYPE_CHECKING:
    from .key import Key
    from .triggers import Triggers

FORMAT = "edgewm-disclosure-1"


@dataclass(frozen=True, kw_only=True)
class Package:
    """A disclosure that checks: signatures, digests, Merkle paths, and that no group was left out."""

    claim: Record
    disclosure: Record
    earlier: tuple[Record, ...]
    stamps: tuple[StampFiles, ...]
    groups: OpenedGroups


def disclose(
    ledger: Ledger, key: Key, triggers: Triggers, *, groups: int, to: str, now: dt.datetime
) -> Record:
    """Record that the next groups are opened; the package is then made by `package_of`.

    Raises:
        BadInput: no claim in the ledger, or fewer closed groups than asked for.
        DoesNotCheck: the ledger does not check.
    """
    root = triggers.root.hex()

    def content() -> tuple[Sequence[Subject], Mapping[str, Any]]:
        records = ledger.records()
        claim = _claim_of(ledger, records, root)
        first = opened_groups(disclosures(records, root))
        if not 0 < groups <= triggers.groups - first:
            raise BadInput(
                f"--groups: got {groups}, expected 1 to {triggers.groups - first}: {first} of "
                f"{triggers.groups} groups are open already"
            )
        opened, _ = open_groups(triggers, key, first, groups)
        sha256 = hashlib.sha256(opened).hexdigest()
        details = {
            "claim": claim.sha256,
            "trigger_root": root,
            "first_group": first,
            "groups": groups,
            "claims": len({r.details["trigger_root"] for r in records if r.kind == "claim"}),
            "opened_sha256": sha256,
            "to": to,
        }
        return [Subject(name="opened.json", sha256=sha256)], details

    if not ledger.folder.is_dir():
        raise BadInput(f"--ledger: {ledger.folder} is no folder of records: edgewm claim makes one")
    return ledger.append("disclosure", key, now=now, content=content)


def package_of(ledger: Ledger, key: Key, triggers: Triggers, number: int) -> bytes:
    """The package of a recorded disclosure, with the stamps that there are by now.

    Raises:
        BadInput: that record is no disclosure of these triggers.
        DoesNotCheck: the ledger does not check.
    """
    records = ledger.records()
    known = disclosures(records, triggers.root.hex())
    opened_groups(known)
    found = [record for record in known if record.number == number]
    if not found:
        raise BadInput(f"--again: record {number} is no disclosure of these triggers")
    record = found[0]
    opened, inputs = open_groups(
        triggers, key, record.details["first_group"], record.details["groups"]
    )
    if hashlib.sha256(opened).hexdigest() != record.details["opened_sha256"]:
        raise DoesNotCheck(f"record {number}: names other opened groups than these triggers have")
    claim = next(r for r in records if r.sha256 == record.details["claim"])
    earlier = [r for r in known if r.number < number]
    members = {
        "opened.json": opened,
        "inputs.f4": inputs,
        "claim.json": claim.content,
        "disclosure.json": record.content,
    }
    for one in earlier:
        members[f"earlier/{one.number:08d}.json"] = one.content
    members |= packed_stamps(ledger, records, (claim, record, *earlier))
    return pack(members, format=FORMAT)


def read_package(content: bytes, *, argument: str = "--disclosure") -> Package:
    """Check a package as far as it can be without a suspect and without a trusted authority.

    Raises:
        BadInput: another kind of file.
        DoesNotCheck: what does not check, and where.
    """
    members = unpack(content, format=FORMAT, argument=argument)
    try:
        claim = read_record(members.pop("claim.json"), argument=f"{argument}: claim.json")
        disclosure = read_record(
            members.pop("disclosure.json"), argument=f"{argument}: disclosure.json"
        )
        opened, inputs = members.pop("opened.json"), members.pop("inputs.f4")
    except KeyError as missing:
        raise DoesNotCheck(f"{argument}: {missing} is missing") from None
    earlier = tuple(
        read_record(members.pop(name), argument=f"{argument}: {name}")
        for name in sorted(members)
        if name.startswith("earlier/")
    )
    _check_belong_together(claim, disclosure, earlier, argument)
    if hashlib.sha256(opened).hexdigest() != disclosure.details["opened_sha256"]:
        raise DoesNotCheck(f"{argument}: the signed record names another opened.json")
    groups = read_opened(
        opened,
        inputs,
        root=claim.details["trigger_root"],
        groups=claim.details["groups"],
        sha256=claim.details["triggers_sha256"],
        argument=argument,
    )
    run = (groups.first_group, len(groups.opened))
    if run != (disclosure.details["first_group"], disclosure.details["groups"]):
        raise DoesNotCheck(f"{argument}: opens other groups than the signed record says")
    if json.loads(groups.header)["claimant"] != claim.claimant:
        raise Copied(f"{argument}: the triggers name another claimant's key")
    return Package(
        claim=claim,
        disclosure=disclosure,
        earlier=earlier,
        stamps=unpacked_stamps(members, (claim, disclosure, *earlier), argument),
        groups=groups,
    )


def package_grounds(
    package: Package,
    *,
    trust: Trust,
    suspect_seen: dt.datetime,
    now: dt.datetime,
    refuse: bool = True,
) -> Grounds:
    """What the records in a package say for a suspect that was first seen then.

    Args:
        refuse: without it, a claim whose every stamp is late or bad counts as one without, with notes.

    Raises:
        BadInput: a date to come, or stamps and no root certificate to check them with.
        DoesNotCheck: no stamp of the claim is good, or the groups were open before the suspect was seen.
    """
    check_seen(suspect_seen, now)
    disclosure = package.disclosure
    if disclosure.time < suspect_seen:
        raise DoesNotCheck(
            f"--suspect-seen: these groups were opened on {disclosure.time:%Y-%m-%d %H:%M:%S} UTC, and "
            "the suspect was seen later: opened groups count only against older suspects"
        )
    stamps = [stamp for stamp in package.stamps if stamp.record == package.claim]
    found, notes = earliest(stamps, trust=trust, before=suspect_seen, now=now, refuse=refuse)
    if not stamps:
        notes = ("the claim has no stamp",)
    fixed = all_stamped(package.earlier, package.stamps, trust=trust, before=suspect_seen, now=now)
    return Grounds(
        claim=package.claim,
        stamp=None if found is None else found[1],
        suspect_seen=suspect_seen,
        claims=max(1, disclosure.details["claims"]),
        first_group=package.groups.first_group,
        start_is_recorded=bool(package.earlier) and fixed,
        notes=notes,
    )


def sealed(package: bytes, recipients: Sequence[str]) -> bytes:
    """A package encrypted (age, age-encryption.org/v1) for the named readers (age1...).

    Raises:
        BadInput: pyrage is not installed, or no such recipient.
    """
    pyrage = _pyrage()
    try:
        named = [pyrage.x25519.Recipient.from_str(text) for text in recipients]
    except pyrage.RecipientError as error:
        raise BadInput(f"--seal-for: {error}, expected age1...") from None
    encrypted: bytes = pyrage.encrypt(package, named)
    return encrypted


def unsealed(content: bytes, identity: str) -> bytes:
    """A sealed package opened with the reader's identity (AGE-SECRET-KEY-1...).

    Raises:
        BadInput: pyrage is not installed, or no such identity.
        DoesNotCheck: sealed for another reader, or changed.
    """
    pyrage = _pyrage()
    lines = [line for line in identity.split() if line.startswith("AGE-SECRET-KEY-")]
    try:
        keys = [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError as error:
        raise BadInput(f"--identity: {error}, expected AGE-SECRET-KEY-1...") from None
    if not keys:
        raise BadInput("--identity: got no AGE-SECRET-KEY-1... line")
    try:
        opened: bytes = pyrage.decrypt(content, keys)
    except pyrage.DecryptError as error:
        raise DoesNotCheck(
            f"--disclosure: sealed for another reader, or changed: {error}"
        ) from None
    return opened


def is_sealed(content: bytes) -> bool:
    """Whether these bytes are an age file."""
    return content.startswith(b"age-encryption.org/v1")


def _pyrage() -> Any:
    try:
        import pyrage
    except ImportError:
        raise BadInput("sealed packages need pyrage: pip install 'edgewm[records]'") from None
    return pyrage


def _claim_of(ledger: Ledger, records: Sequence[Record], root: str) -> Record:
    """The claim of a root; the first that has a stamp, or the first."""
    claims = [r for r in records if r.kind == "claim" and r.details["trigger_root"] == root]
    if not claims:
        raise BadInput(f"--ledger: no claim of {ledger.folder} names these triggers: edgewm claim")
    return next((c for c in claims if stamps_of(ledger, records, c)), claims[0])


def _check_belong_together(
    claim: Record, disclosure: Record, earlier: Sequence[Record], argument: str
) -> None:
    root = claim.details.get("trigger_root")
    kinds = [claim.kind, disclosure.kind, *(record.kind for record in earlier)]
    if kinds != ["claim", *["disclosure"] * (1 + len(earlier))]:
        raise DoesNotCheck(f"{argument}: holds records of other kinds than a claim and disclosures")
    for record in (disclosure, *earlier):
        if record.claimant != claim.claimant or record.details["trigger_root"] != root:
            raise DoesNotCheck(f"{argument}: record {record.number} is of another claim")
    if disclosure.details["claim"] != claim.sha256:
        raise DoesNotCheck(f"{argument}: the disclosure names another claim")
    run = [*earlier, disclosure]
    if [record.number for record in run] != sorted({record.number for record in run}):
        raise DoesNotCheck(f"{argument}: the disclosures are not in the order of the ledger")
    try:
        opened_groups(run)
    except DoesNotCheck as error:
        raise DoesNotCheck(f"{argument}: {error}") from None
