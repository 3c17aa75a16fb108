"""``edgewm disclose``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..errors import BadInput
from .recording import now
from .secrets import passphrase

_IN = click.Path(path_type=Path)


@click.command()
@click.option("-t", "--triggers", "triggers_path", type=_IN, required=True, help="Trigger file.")
@click.option("-k", "--key", "key_path", type=_IN, required=True, help="The owner's key file.")
@click.option("-l", "--ledger", "folder", type=_IN, required=True, help="The owner's records.")
@click.option("--groups", type=int, help="How many groups to open, the next ones of the order.")
@click.option("--to", help="Who gets the package; stands in the record.")
@click.option("--again", type=int, help="Write the package of an earlier disclosure, by number.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
@click.option("--seal-for", multiple=True, help="Encrypt for this reader only: age1... (age).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def disclose(
    *,
    triggers_path: Path,
    key_path: Path,
    folder: Path,
    groups: int | None,
    to: str | None,
    again: int | None,
    out: Path,
    seal_for: tuple[str, ...],
    as_json: bool,
) -> None:
    """Open the next groups for a third party, who verifies them without the key.

    Opened groups are spent: they count only against suspects that were seen before. Have the record
    stamped (edgewm record stamp), so that the next disclosure's start is fixed by it.
    """
    from .. import disclosure
    from ..files import write_new
    from ..key import load_key
    from ..ledger import Ledger
    from ..spent import SpentGroups
    from ..triggers import load_triggers

    if (again is None) == (groups is None) or (again is None) != (to is not None):
        raise BadInput("--groups: expected --groups with --to, or --again alone")
    if out.exists():
        raise BadInput(f"--out: {out} exists and is never overwritten, name another")
    if seal_for:
        disclosure.sealed(b"", seal_for)  # refuses a reader before anything is spent
    held, key = load_triggers(triggers_path), load_key(key_path, passphrase=passphrase)
    ledger = Ledger(folder=folder)
    number = again
    if number is None:
        record = disclosure.disclose(ledger, key, held, groups=groups or 0, to=str(to), now=now())
        number = record.number
        first = record.details["first_group"]
        SpentGroups.beside(triggers_path, held.sha256).mark(first, groups or 0, f"opened to {to}")
    package = disclosure.package_of(ledger, key, held, number)
    write_new(
        out,
        disclosure.sealed(package, seal_for) if seal_for else package,
        argument="--out",
        mode=0o600,
    )
    facts = {"out": str(out), "record": number, "sealed": bool(seal_for)}
    then = f"edgewm verify SUSPECT --disclosure {out} --suspect-seen DATE --tsa-root ROOT.pem"
    click.echo(json.dumps(facts) if as_json else f"wrote {out} (record {number}); then: {then}")
