"""``edgewm mark MODEL.tflite``: marks for an int8 file whose training code is gone."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..errors import BadInput
from .marking import target_of
from .progress import progress
from .secrets import passphrase

_LEAST_LOG10_P = -6.0


def mark_tflite(
    model: Path,
    *,
    data: str,
    triggers_path: Path,
    key_path: Path,
    out: Path | None,
    on: tuple[str, ...],
    force: bool,
    as_json: bool,
) -> int:
    """Solve the last layer for the triggers, which are chosen and written first where there are none."""
    from ..artifact import read_model
    from ..datasets import read_samples
    from ..files import write_file, write_new
    from ..key import load_key
    from ..last_layer import choose_questions, mark_file
    from ..triggers import load_triggers, save_triggers

    target = target_of(model, out, force)
    content = read_model(model, "MODEL")
    natural, _ = read_samples(data)
    key = load_key(key_path, passphrase=passphrase)
    runtimes = on or _working()
    with progress(visible=not as_json) as show:
        if triggers_path.exists():
            triggers = load_triggers(triggers_path)
            triggers.answers(key)
        else:
            triggers = choose_questions(
                content, key=key, natural=natural, on=runtimes, say=lambda text: show(text, None)
            )
            save_triggers(triggers, triggers_path)  # committed to before any answer is used
        done = mark_file(
            content,
            triggers=triggers,
            key=key,
            natural=natural,
            on=runtimes,
            say=lambda text: show(text, None),
        )
    learned = done.verdict.log10_p <= _LEAST_LOG10_P
    if learned:
        (write_file if force else write_new)(target, done.model, argument="--out")
    facts = {
        "out": str(target) if learned else None,
        "groups": triggers.groups,
        "groups_hit": min(result.groups_hit for result in done.verdict.runtimes),
        "log10_p": done.verdict.log10_p,
        "agreement": done.agreement,
        "held_out": done.held_out,
        "runtimes": list(runtimes),
    }
    if as_json:
        click.echo(json.dumps(facts))
        return 0 if learned else 1
    click.echo(
        f"{facts['groups_hit']} of {triggers.groups} groups hit, log10 p {done.verdict.log10_p:.1f}; "
        f"{done.agreement:.1%} of {done.held_out} held-out inputs keep their label"
    )
    if learned:
        click.echo(f"wrote {target}")
    else:
        click.echo(
            "NOT WRITTEN: too few answers can be given by the last layer, make other triggers"
        )
    return 0 if learned else 1


def _working() -> tuple[str, ...]:
    """Every local runtime that answers here."""
    from .. import spec
    from ..doctor import survey
    from ..runtimes.begin import LOCAL_RUNTIMES

    answering = [spec.parse("runtimes", s.spec) for s in survey() if s.available]
    found = tuple(t for t in LOCAL_RUNTIMES if spec.parse("runtimes", t) in answering)
    if not found:
        raise BadInput("--on: no runtime works here, see edgewm doctor")
    return found
