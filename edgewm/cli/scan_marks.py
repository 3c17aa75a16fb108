"""What ``edgewm scan`` is given: several marks, several keys, and which made which."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import BadInput
from .proof import Proof, run_after
from .secrets import passphrase

if TYPE_CHECKING:
    from ..key import Key
    from ..scanning.judging import Mark
    from ..tilt import Tilt
    from ..triggers import Triggers

_SEVERAL = ("-t", "--triggers", "--tilt", "-k", "--key")


class SeveralValues(click.Command):
    """``--triggers A B C`` is ``--triggers A --triggers B --triggers C``, up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        option, given = "", 0
        for place, word in enumerate(args):
            if word == "--":
                spread += args[place:]
                break
            if word.startswith("-") and word != "-":
                option, given = (word if word in _SEVERAL else ""), 0
                spread.append(word)
                continue
            if option and given:
                spread.append(option)
            spread.append(word)
            given += 1
        return super().parse_args(ctx, spread)


def marks_of(
    triggers_paths: tuple[Path, ...],
    tilt_paths: tuple[Path, ...],
    key_paths: tuple[Path, ...],
    proof: Proof,
) -> tuple[tuple[Mark, ...], int]:
    """Every mark with the key that made it, and the claims in the ledger."""
    from ..key import load_key
    from ..questioning import Run
    from ..scanning.judging import mark_of
    from ..tilt import load_tilt
    from ..triggers import Triggers, load_triggers

    if not triggers_paths and not tilt_paths:
        raise BadInput("--triggers: got nothing, give trigger files (or tilt files by --tilt)")
    if not key_paths:
        raise BadInput("--key: got nothing, give the key file")
    keys = [load_key(path, passphrase=passphrase) for path in key_paths]
    marks: list[Mark] = []
    claims = 1
    held: Triggers | Tilt
    for path, is_tilt in [(p, False) for p in triggers_paths] + [(p, True) for p in tilt_paths]:
        held = load_tilt(path) if is_tilt else load_triggers(path)
        key = _key_of(held, keys)
        grounds = proof.grounds(held, key)
        claims = max(claims, grounds.claims if grounds is not None else 1)
        marks.append(
            mark_of(
                held,
                key,
                name=str(path),
                run=run_after(grounds, Run(), held) if isinstance(held, Triggers) else Run(),
                stamped=grounds is not None and grounds.stamp is not None,
            )
        )
    if len({mark.questions.sha256 for mark in marks}) < len(marks):
        raise BadInput("--triggers: got one mark twice, name each once")
    return tuple(marks), claims


def _key_of(held: Triggers | Tilt, keys: list[Key]) -> Key:
    """The key that made a mark.

    Raises:
        BadInput: none of them did.
    """
    from ..tilt import Tilt

    for place, key in enumerate(keys, 1):
        try:
            held.signs(key) if isinstance(held, Tilt) else held.answers(key)
        except BadInput:
            if place == len(keys):
                raise
            continue
        return key
    raise AssertionError
