"""``edgewm claim`` and ``edgewm record add|check|show|stamp``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadInput
from .secrets import passphrase

if TYPE_CHECKING:
    import datetime as dt

    from ..records import Record, Subject
    from ..tilt import Tilt
    from ..triggers import Triggers

_IN = click.Path(path_type=Path)
_LEDGER = click.option("-l", "--ledger", "folder", type=_IN, required=True, help="Its folder.")
_KEY = click.option(
    "-k", "--key", "key_path", type=_IN, required=True, help="The owner's key file."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_ROOTS = click.option(
    "--tsa-root", "roots", type=_IN, multiple=True, help="Root certificate of an authority (.pem)."
)
_CRLS = click.option(
    "--crl", "crls", type=_IN, multiple=True, help="Revocation list of the authority's issuer."
)


@click.command()
@click.option("-t", "--triggers", "triggers_path", type=_IN, help="Trigger file.")
@click.option("--tilt", "tilt_path", type=_IN, help="Tilt file, in place of triggers.")
@_KEY
@_LEDGER
@click.option("--scheme", default="robust", show_default=True, help="How it will be trained in.")
@click.option(
    "--artifact", "artifacts", type=_IN, multiple=True, help="A file to bind by its digest."
)
@click.option(
    "--dossier", "dossier_path", type=_IN, help="A dossier to bind (edgewm dossier make)."
)
@click.option("--note", default="", help="Anything else to be signed.")
@_JSON
def claim(
    *,
    triggers_path: Path | None,
    tilt_path: Path | None,
    key_path: Path,
    folder: Path,
    scheme: str,
    artifacts: tuple[Path, ...],
    dossier_path: Path | None,
    note: str,
    as_json: bool,
) -> None:
    """Sign that this key committed to these triggers, or to this tilt; before training.

    Then have it stamped (edgewm record stamp) before the model leaves the house.
    """
    from ..claims import make_claim
    from ..dossier import read_dossier
    from ..key import load_key
    from ..ledger import Ledger
    from ..tilt import load_tilt
    from ..triggers import load_triggers

    if triggers_path is not None and tilt_path is None:
        mark: Triggers | Tilt = load_triggers(triggers_path)
    elif tilt_path is not None and triggers_path is None:
        mark = load_tilt(tilt_path)
    else:
        raise BadInput("--triggers: expected it or --tilt, one mark a claim")
    more = {"note": note} if note else {}
    if dossier_path is not None:
        held = read_dossier(read_file(dossier_path, "--dossier"), argument="--dossier")
        more["dossier"] = held.digest
    record = make_claim(
        Ledger(folder=folder),
        load_key(key_path, passphrase=passphrase),
        mark,
        scheme=scheme,
        now=now(),
        more=more,
        subjects=[_subject(path) for path in artifacts],
    )
    _told(record, folder, as_json)


@click.group(no_args_is_help=False)
def record() -> None:
    """Add to, check, show or stamp the owner's records."""


@record.command()
@click.argument("kind", type=click.Choice(["marked", "release", "verification"]))
@_KEY
@_LEDGER
@click.option(
    "--artifact", "artifacts", type=_IN, multiple=True, help="A file that it is about: its digest."
)
@click.option(
    "--metric", "metrics", multiple=True, help="marked: NAME=NUMBER, such as accuracy=0.9."
)
@click.option("--to", help="release: to whom.")
@click.option("--copy", help="release: which copy.")
@click.option(
    "--verdict", "verdict_path", type=_IN, help="verification: what edgewm verify --json printed."
)
@click.option("--control", help='verification: which control it is, such as "unmarked twin".')
@click.option("--note", default="", help="Anything else to be signed.")
@_JSON
def add(
    kind: str,
    *,
    key_path: Path,
    folder: Path,
    artifacts: tuple[Path, ...],
    metrics: tuple[str, ...],
    to: str | None,
    copy: str | None,
    verdict_path: Path | None,
    control: str | None,
    note: str,
    as_json: bool,
) -> None:
    """Sign and add a record of KIND: marked, release or verification."""
    from ..key import load_key
    from ..ledger import Ledger

    details = _details(
        kind, metrics=metrics, to=to, copy=copy, verdict_path=verdict_path, control=control
    )
    if note:
        details["note"] = note
    if not artifacts:
        raise BadInput("--artifact: got none, name the file or files that the record is about")
    subjects = [_subject(path) for path in artifacts]
    key = load_key(key_path, passphrase=passphrase)
    made = Ledger(folder=folder).append(kind, key, now=now(), content=lambda: (subjects, details))
    _told(made, folder, as_json)


@record.command()
@_LEDGER
@_ROOTS
@_CRLS
@click.option("--head", help="SHA-256 of a record that must be there, known from elsewhere.")
@_JSON
def check(
    *,
    folder: Path,
    roots: tuple[Path, ...],
    crls: tuple[Path, ...],
    head: str | None,
    as_json: bool,
) -> None:
    """Check every signature, link, file and stamp. Exit code 3 and the reason if one is wrong.

    Without --tsa-root, stamps are compared with the digests that were signed, and no more.
    """
    from ..audit import audit
    from ..authorities import read_trust
    from ..ledger import Ledger

    trust = read_trust(roots, crls) if roots or crls else None
    found = audit(Ledger(folder=folder), trust=trust, now=now(), head=head)
    if as_json:
        click.echo(json.dumps(found.as_dict()))
        return
    facts = found.as_dict()
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(facts["kinds"].items()))
    click.echo(f"{folder}: {facts['records']} records check ({kinds or 'none'})")
    for stamp in facts["stamps"]:
        when = f"{stamp['time']} by {stamp['signer']}" if stamp["checked"] else "not checked"
        click.echo(f"stamp of record {stamp['record']} by {stamp['authority']}: {when}")
    if any(not stamp["checked"] for stamp in facts["stamps"]):
        click.echo("note: give --tsa-root to check what the authorities signed")
    click.echo(f"claimant {facts['claimant']}\nhead {facts['head']}")


@record.command()
@_LEDGER
@click.argument("number", type=int, required=False)
@_JSON
def show(number: int | None, *, folder: Path, as_json: bool) -> None:
    """List the records, or print one in full."""
    from ..claims import record_numbered
    from ..ledger import Ledger

    records = Ledger(folder=folder).records()
    if number is not None:
        held = record_numbered(records, number).as_dict()
        click.echo(json.dumps(held, indent=None if as_json else 1))
    elif as_json:
        click.echo(json.dumps({"records": [one.as_dict() for one in records]}))
    else:
        for one in records:
            about = ", ".join(subject.name for subject in one.subjects)
            click.echo(f"{one.number:>5}  {one.time:%Y-%m-%d %H:%M:%S}  {one.kind:<12}  {about}")


@record.command()
@click.argument("number", type=int)
@_LEDGER
@_KEY
@_ROOTS
@_CRLS
@click.option("--tsa", "url", help="Address of the authority.")
@click.option("--authority", help="A name for it in the record; by default its address.")
@click.option("--request-out", type=_IN, help="Without a network: write the query (.tsq).")
@click.option("--request", "request_path", type=_IN, help="The query that was sent ...")
@click.option("--reply", "reply_path", type=_IN, help="... and what came back (.tsr).")
@_JSON
def stamp(
    number: int,
    *,
    folder: Path,
    key_path: Path,
    roots: tuple[Path, ...],
    crls: tuple[Path, ...],
    url: str | None,
    authority: str | None,
    request_out: Path | None,
    request_path: Path | None,
    reply_path: Path | None,
    as_json: bool,
) -> None:
    """Have record NUMBER stamped (RFC 3161): online with --tsa, or by files.

    By files: --request-out q.tsq, carry it to an authority, then --request q.tsq --reply r.tsr. Only a
    digest and a random number are sent. The reply is checked before it is kept.
    """
    import secrets

    from ..authorities import read_trust
    from ..claims import add_stamp, record_numbered, request_for
    from ..files import write_new
    from ..key import load_key
    from ..ledger import Ledger
    from ..timestamps import ask_authority

    ways = (url is not None, request_out is not None, reply_path is not None)
    if sum(ways) != 1 or (request_path is None) == (reply_path is not None):
        raise BadInput("--tsa: expected one of --tsa, --request-out, or --request with --reply")
    ledger = Ledger(folder=folder)
    record = record_numbered(ledger.records(), number)
    request = (
        request_for(record, secrets.token_bytes(8))
        if request_path is None
        else read_file(request_path, "--request")
    )
    if request_out is not None:
        write_new(request_out, request, argument="--request-out")
        facts = {"request": str(request_out), "record": number, "sha256": record.sha256}
        click.echo(
            json.dumps(facts) if as_json else f"wrote {request_out}, a query for an authority"
        )
        return
    trust = read_trust(roots, crls)
    key = load_key(key_path, passphrase=passphrase)
    reply = ask_authority(str(url), request) if url else read_file(reply_path, "--reply")
    kept, made = add_stamp(
        ledger,
        key,
        record,
        authority=authority or url or "by file",
        request=request,
        reply=reply,
        trust=trust,
        now=now(),
    )
    facts = {**kept.as_dict(), "stamped_at": made.time.isoformat(), "signer": made.authority}
    told = f"record {number} stamped at {made.time:%Y-%m-%d %H:%M:%S} UTC by {made.authority}"
    click.echo(json.dumps(facts) if as_json else told)


def now() -> dt.datetime:
    """The clock, read here and passed on."""
    import datetime as dt

    return dt.datetime.now(dt.UTC)


def _details(
    kind: str,
    *,
    metrics: tuple[str, ...],
    to: str | None,
    copy: str | None,
    verdict_path: Path | None,
    control: str | None,
) -> dict[str, Any]:
    given = {
        "--metric": metrics,
        "--to": to,
        "--copy": copy,
        "--verdict": verdict_path,
        "--control": control,
    }
    takes = {
        "marked": {"--metric"},
        "release": {"--to", "--copy"},
        "verification": {"--verdict", "--control"},
    }
    for option, value in given.items():
        if value and option not in takes[kind]:
            raise BadInput(f"{option}: a {kind} record has none, leave it out")
    if kind == "marked":
        return {"metrics": dict(_metric(text) for text in metrics)}
    if kind == "release":
        if not to:
            raise BadInput("--to: got nothing, say to whom it was released")
        return {"to": to, **({"copy": copy} if copy else {})}
    if verdict_path is None:
        raise BadInput("--verdict: got nothing, give what edgewm verify --json printed")
    try:
        verdict = json.loads(read_file(verdict_path, "--verdict"))
    except (ValueError, RecursionError):
        verdict = None
    if not isinstance(verdict, dict) or "triggers_sha256" not in verdict:
        raise BadInput(f"--verdict: {verdict_path} is not what edgewm verify --json printed")
    return {"verdict": verdict, **({"control": control} if control else {})}


def _metric(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        if not name or not equals:
            raise ValueError
        return name, float(value)
    except ValueError:
        raise BadInput(f"--metric: got {text!r}, expected NAME=NUMBER") from None


def _subject(path: Path) -> Subject:
    import hashlib

    from ..records import Subject

    return Subject(name=path.name, sha256=hashlib.sha256(read_file(path, "--artifact")).hexdigest())


def read_file(path: Path | None, option: str) -> bytes:
    """The bytes of a file that an option names.

    Raises:
        BadInput: none was given, or it cannot be read.
    """
    if path is None:
        raise BadInput(f"{option}: got nothing, expected a file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{option}: {path} cannot be read: {error.strerror}") from None


def _told(record: Record, folder: Path, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(record.as_dict()))
    else:
        click.echo(f"added {record.kind} {record.number} to {folder}; sha256 {record.sha256}")
