"""``edgewm trace issue|read``: a copy for each recipient, and whose copy a suspect is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import BadInput
from .recording import now, read_file
from .secrets import passphrase

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..key import Key

_IN = click.Path(path_type=Path)
_KEY = click.option(
    "-k", "--key", "key_path", type=_IN, required=True, help="The owner's key file."
)
_LEDGER = click.option(
    "-l", "--ledger", "folder", type=_IN, required=True, help="Where issues are recorded."
)
_INPUTS = click.option(
    "--calibration",
    "calibration",
    type=_IN,
    help="Ordinary inputs (.npy, n x shape) that say which weights matter; the same for all copies.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(no_args_is_help=False)
def trace() -> None:
    """Issue a copy for each recipient, and read from a leaked one whose it was."""


@trace.command("issue")
@click.argument("model", type=_IN)
@click.option("--to", required=True, help="Who gets it; recorded, and the name that read gives.")
@_KEY
@_LEDGER
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option(
    "-t", "--triggers", "triggers_path", type=_IN, help="Refuse a copy that does not show these."
)
@_INPUTS
@_JSON
def issue_(
    *,
    model: Path,
    to: str,
    key_path: Path,
    folder: Path,
    out: Path,
    triggers_path: Path | None,
    calibration: Path | None,
    as_json: bool,
) -> None:
    """Write the copy of MODEL for one recipient and record it.

    MODEL stays with you: reading needs it. One weight in four at most changes, by one step.
    """
    import hashlib

    from ..files import write_new
    from ..key import load_key
    from ..ledger import Ledger
    from ..records import Subject
    from ..trace.issue import issue
    from ..trace.plan import make_plan

    if out.exists():
        raise BadInput(f"--out: {out} exists, name another file")
    if not out.parent.is_dir():  # before anything is recorded
        raise BadInput(f"--out: there is no folder {out.parent}, make it first")
    content = read_file(model, "MODEL")
    key = load_key(key_path, passphrase=passphrase)
    plan = make_plan(content, key, moments=_moments(content, calibration))
    copy = issue(content, plan, key, to)
    if triggers_path is not None:
        _check_mark(copy, triggers_path, key)
    sha256 = hashlib.sha256(copy).hexdigest()
    details = {"to": to, "copy": out.name, "trace": plan.name, "base_sha256": plan.base_sha256}
    record = Ledger(folder=folder).append(
        "release",
        key,
        now=now(),
        content=lambda: ([Subject(name=out.name, sha256=sha256)], details),
    )
    write_new(out, copy, argument="--out")
    facts = {**details, "sha256": sha256, "record": record.number, "positions": len(plan.positions)}
    click.echo(
        json.dumps(facts)
        if as_json
        else f"wrote {out} for {to}: {len(plan.positions)} weights moved by one step; release {record.number}"
    )


@trace.command("read")
@click.argument("suspect")
@click.option("--own", type=_IN, required=True, help="The file that copies were issued of.")
@_KEY
@_LEDGER
@click.option(
    "--alpha", type=float, default=1e-6, show_default=True, help="Chance of naming any innocent."
)
@_INPUTS
@_JSON
def read_(
    *,
    suspect: str,
    own: Path,
    key_path: Path,
    folder: Path,
    alpha: float,
    calibration: Path | None,
    as_json: bool,
) -> int:
    """Name whose copy SUSPECT is: a .tflite, an app or image with one inside, or bare firmware.

    Exit code 0: somebody is named, 1: nobody. It convinces nobody but you: you could have made any copy.
    """
    from ..key import load_key
    from ..ledger import Ledger
    from ..trace.plan import make_plan
    from ..trace.read import trace as read
    from ..trace.suspects import aligned_suspects

    content = read_file(own, "--own")
    key = load_key(key_path, passphrase=passphrase)
    plan = make_plan(content, key, moments=_moments(content, calibration))
    issued = [r for r in Ledger(folder=folder).records() if r.kind == "release"]
    recipients = sorted({r.details["to"] for r in issued if r.details.get("trace") == plan.name})
    if not recipients:
        raise BadInput(
            f"--ledger: {folder} records no copy of {own} under this key and calibration"
        )
    found = [
        (where, read(plan, key, aligned, recipients, alpha=alpha))
        for where, aligned in aligned_suspects(plan, suspect)
    ]
    if not found:
        raise BadInput(f"SUSPECT: nothing in {suspect} is like the weights of {own}")
    where, best = min(found, key=lambda pair: pair[1].ranking[0].log10_p)
    if as_json:
        click.echo(json.dumps({"suspect": where, **best.as_dict()}))
    else:
        click.echo(f"{where}: {best.positions_read} of {best.positions} positions read")
        for entry in best.ranking:
            word = click.style("LEAKED", bold=True) if entry.named else "not shown"
            click.echo(f"{word}  {entry.recipient}  log10 p {entry.log10_p:.1f}")
    return 0 if best.named else 1


def _moments(model: bytes, calibration: Path | None) -> dict[str, npt.NDArray[np.float64]] | None:
    if calibration is None:
        return None
    import io

    import numpy as np

    from ..files import NO_ARRAYS
    from ..trace.saliency import measure_moments

    try:
        inputs = np.load(io.BytesIO(read_file(calibration, "--calibration")), allow_pickle=False)
    except NO_ARRAYS:
        inputs = None
    if not isinstance(inputs, np.ndarray):
        raise BadInput(f"--calibration: {calibration} is no .npy of numbers")
    return measure_moments(model, inputs)


def _check_mark(copy: bytes, triggers_path: Path, key: Key) -> None:
    """Refuse a copy in which the mark is gone.

    Raises:
        BadInput: the verdict on it is not `owned`.
    """
    from ..triggers import load_triggers
    from ..verification import verify

    verdict = verify(copy, triggers=load_triggers(triggers_path), key=key, stamped=True)
    if not verdict.owned:
        raise BadInput(
            f"--triggers: the copy shows {verdict.worst.groups_hit} of "
            f"{verdict.worst.groups_asked} groups, which is not owned; nothing was written"
        )
