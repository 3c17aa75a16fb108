"""``edgewm mark-data``."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadInput
from .secrets import passphrase, two_numbers

if TYPE_CHECKING:
    import numpy.typing as npt

_IN = click.Path(path_type=Path)
_OUT = click.Path(path_type=Path, dir_okay=False)
_NAMES = (("x", "y"), ("x_train", "y_train"))


@click.command("mark-data")
@click.argument("data", type=_IN)
@click.option("-k", "--key", "key_path", type=_IN, required=True, help="The owner's key file.")
@click.option("--out", type=_OUT, required=True, help="The marked copy to write (.npz).")
@click.option("-t", "--triggers", type=_OUT, required=True, help="Trigger file to write.")
@click.option("--manifest", type=_OUT, required=True, help="What was changed (.json, secret).")
@click.option("--classes", type=int, help="By default one more than the largest label.")
@click.option("--share", type=float, default=0.01, show_default=True, help="Samples replaced.")
@click.option("--groups", type=int, default=16, show_default=True, help="Answers to draw.")
@click.option("--range", "value_range", help="Values LOW,HIGH; by default those of the data.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def mark_data(
    data: Path,
    *,
    key_path: Path,
    out: Path,
    triggers: Path,
    manifest: Path,
    classes: int | None,
    share: float,
    groups: int,
    value_range: str | None,
    as_json: bool,
) -> None:
    """Write a marked copy of the training set DATA, so that whatever is trained on it verifies.

    DATA is an .npz with x and y (or x_train and y_train); other arrays in it are copied as they are.
    Claim the triggers (edgewm claim --artifact COPY) and have it stamped before the copy is given away.
    """
    import numpy as np

    from ..data_marking import mark_data as mark
    from ..files import write_new
    from ..key import load_key
    from ..triggers import save_triggers

    for path, option in ((out, "--out"), (triggers, "--triggers"), (manifest, "--manifest")):
        if path.exists():
            raise BadInput(f"{option}: {path} exists and is never overwritten, name another")
    held = _arrays(data)
    names = next(((x, y) for x, y in _NAMES if x in held and y in held), None)
    if names is None:
        raise BadInput(f"DATA: {data} holds {', '.join(held) or 'nothing'}, expected x and y")
    x, y = held[names[0]], held[names[1]]
    whole = y.dtype.kind in "iu" and y.size > 0
    made = mark(
        load_key(key_path, passphrase=passphrase),
        x,
        y,
        classes=classes or (int(y.max()) + 1 if whole else 0),
        share=share,
        groups=groups,
        value_range=None if value_range is None else two_numbers(value_range),
    )
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{**held, names[0]: made.x, names[1]: made.y})
    save_triggers(made.triggers, triggers)
    write_new(manifest, made.manifest, argument="--manifest", mode=0o600)
    write_new(out, buffer.getvalue(), argument="--out")
    changed = len(json.loads(made.manifest)["changed"])
    facts = {
        "out": str(out),
        "triggers": str(triggers),
        "triggers_sha256": made.triggers.sha256,
        "manifest": str(manifest),
        "samples": len(x),
        "changed": changed,
        "groups": groups,
        "classes": made.triggers.classes,
    }
    told = f"wrote {out}: {changed} of {len(x)} samples changed, in {groups} groups"
    then = f"next: edgewm claim -t {triggers} -k {key_path} --ledger records --artifact {out}"
    click.echo(json.dumps(facts) if as_json else f"{told}\n{then}")


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    import numpy as np

    from ..files import NO_ARRAYS

    try:
        with np.load(path, allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except NO_ARRAYS as error:
        why = getattr(error, "strerror", None) or "it is no .npz of plain arrays"
        raise BadInput(f"DATA: {path} cannot be read: {why}") from None
