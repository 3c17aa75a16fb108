"""What an owner states, and when: one signed in-toto statement a record.

    payload = {"_type": "https://in-toto.io/Statement/v1",
               "subject": [{"name": TEXT, "digest": {"sha256": HEX}}, ...],
               "predicateType": "edgewm:record/KIND/v1",
               "predicate": {"claimant": HEX, "number": N, "previous": HEX, "time": "...Z",
                             "details": {...}}}

It is spelled once, sealed (`edgewm.envelope`) and kept as bytes. `claimant` is the signing key's public
half, `number` counts from 1, `previous` is the SHA-256 of the record before (64 zeros for the first), and
`time` is the owner's own clock, which proves nothing: dates that others believe come from stamps.

    claim         made before training: trigger root, key commitment, what pattern and scheme
    marked        digests of the files that carry the mark, and how good they are
    release       which file went to whom, and when
    verification  a verdict, and the suspect it is about
    disclosure    which groups were opened, to whom
    stamp         a timestamp authority's reply over one earlier record (the bytes lie beside the ledger)
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .envelope import seal, unseal
from .errors import BadInput, DoesNotCheck

if TYPE_CHECKING:
    from .key import Key

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
BEFORE_THE_FIRST = "0" * 64
HEX64 = re.compile(r"[0-9a-f]{64}")
KINDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "claim": {
        "trigger_root": str,
        "triggers_sha256": str,
        "key_commitment": str,
        "groups": int,
        "classes": int,
        "pattern": str,
        "scheme": str,
    },
    "marked": {"metrics": dict},
    "release": {"to": str},
    "verification": {"verdict": dict},
    "disclosure": {
        "claim": str,
        "trigger_root": str,
        "first_group": int,
        "groups": int,
        "claims": int,
        "opened_sha256": str,
        "to": str,
    },
    "stamp": {"record": str, "authority": str, "reply_sha256": str, "request_sha256": str},
}
"""The details that every record of a kind has; it may have more."""
_PREDICATE = {"claimant": str, "number": int, "previous": str, "time": str, "details": dict}
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A thing that a record is about."""

    name: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record whose signature was checked."""

    kind: str
    claimant: str
    """Ed25519 public key, 64 hex digits."""
    number: int
    previous: str
    """SHA-256 of the record before, 64 hex digits."""
    time: dt.datetime
    """The owner's clock, UTC."""
    subjects: tuple[Subject, ...]
    details: Mapping[str, Any]
    content: bytes = field(repr=False)
    """The envelope, as it is kept."""

    @functools.cached_property
    def sha256(self) -> str:
        """Digest of the envelope's bytes: what the next record and a stamp name."""
        return hashlib.sha256(self.content).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """The JSON object that ``edgewm record show --json`` prints."""
        return {
            "number": self.number,
            "kind": self.kind,
            "sha256": self.sha256,
            "time": self.time.strftime(_TIME),
            "claimant": self.claimant,
            "previous": self.previous,
            "subjects": [{"name": s.name, "sha256": s.sha256} for s in self.subjects],
            "details": dict(self.details),
        }


def make_record(
    kind: str,
    key: Key,
    *,
    number: int,
    previous: str,
    now: dt.datetime,
    subjects: Sequence[Subject],
    details: Mapping[str, Any],
) -> Record:
    """Sign one record.

    Raises:
        BadInput: an unknown kind, missing details, no subject, or a time without a zone.
    """
    if now.tzinfo is None:
        raise BadInput(f"now: got {now} without a time zone, expected one such as UTC")
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": s.name, "digest": {"sha256": s.sha256}} for s in subjects],
        "predicateType": f"edgewm:record/{kind}/v1",
        "predicate": {
            "claimant": key.public_key.hex(),
            "number": number,
            "previous": previous,
            "time": now.astimezone(dt.UTC).strftime(_TIME),
            "details": dict(details),
        },
    }
    try:
        payload = json.dumps(statement, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadInput(f"record: the details cannot be written as JSON: {error}") from None
    try:
        return read_record(seal(payload.encode("utf-8"), key), argument="record")
    except DoesNotCheck as error:
        raise BadInput(str(error)) from None


def read_record(content: bytes, *, argument: str) -> Record:
    """The record in an envelope, its signature checked.

    Raises:
        DoesNotCheck: a signature that does not check, or a payload that is no record of this version.
    """
    opened = unseal(content, argument=argument)
    try:
        record = _record(json.loads(opened.payload, object_pairs_hook=no_name_twice), content)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DoesNotCheck(
            f"{argument}: the signed statement is no edgewm record of version 1: {error}"
        ) from None
    if record.claimant != opened.signer:
        raise DoesNotCheck(
            f"{argument}: signed by key {opened.signer[:16]}..., and names "
            f"{record.claimant[:16]}... as the claimant"
        )
    return record


def _record(statement: Any, content: bytes) -> Record:
    if set(statement) != {"_type", "subject", "predicateType", "predicate"}:
        raise ValueError("expected _type, subject, predicateType and predicate")
    if statement["_type"] != STATEMENT_TYPE:
        raise ValueError("expected an in-toto statement of version 1")
    kind = re.fullmatch(r"edgewm:record/([a-z]+)/v1", statement["predicateType"])
    if kind is None or kind[1] not in KINDS:
        raise ValueError(
            f"kind {statement['predicateType']}, expected one of {', '.join(sorted(KINDS))}"
        )
    predicate = statement["predicate"]
    _check_fields(predicate, _PREDICATE, "predicate")
    _check_fields(predicate["details"], KINDS[kind[1]], f"details of a {kind[1]}")
    for name, value in (("claimant", predicate["claimant"]), ("previous", predicate["previous"])):
        _digest(value, name)
    if predicate["number"] < 1:
        raise ValueError(f"number {predicate['number']}, expected 1 or more")
    return Record(
        kind=kind[1],
        claimant=predicate["claimant"],
        number=predicate["number"],
        previous=predicate["previous"],
        time=dt.datetime.strptime(predicate["time"], _TIME).replace(tzinfo=dt.UTC),
        subjects=_subjects(statement["subject"]),
        details=predicate["details"],
        content=content,
    )


def _subjects(held: Any) -> tuple[Subject, ...]:
    if not isinstance(held, list) or not held:
        raise ValueError("expected one subject or more")
    found = []
    for one in held:
        if set(one) != {"name", "digest"} or set(one["digest"]) != {"sha256"}:
            raise ValueError("expected subjects with a name and a sha256")
        if not isinstance(one["name"], str):
            raise ValueError("expected subjects with a name")
        sha256 = _digest(one["digest"]["sha256"], "subject")
        found.append(Subject(name=one["name"], sha256=sha256))
    return tuple(found)


def _check_fields(held: Any, expected: Mapping[str, Any], where: str) -> None:
    if not isinstance(held, dict):
        raise ValueError(f"{where}: expected an object")
    for name, kind in expected.items():
        if not isinstance(held.get(name), kind) or isinstance(held[name], bool):
            raise ValueError(f"{where}: {name} is missing or of another type")


def _digest(value: Any, name: str) -> str:
    if not isinstance(value, str) or not HEX64.fullmatch(value):
        raise ValueError(f"{name}: expected 64 hex digits")
    return value


def no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An `object_pairs_hook`: two readers would take different ones of two values under one name.

    Raises:
        ValueError: a name stands twice.
    """
    held = dict(pairs)
    if len(held) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return held
