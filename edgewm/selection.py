"""Inputs that hold, found with a pilot: another key's mark, whose answers are thrown away.

Which inputs a network learns, keeps through a theft and does not answer by itself is seen only by marking
one and asking. Whoever picks groups by the answers of their own mark picks what an innocent model says
anyway: its p is then far too small. So all of this is done under a pilot key:

    pilot's triggers --> pilot's network, its thieves, independent models --> groups that hold
                                   new key, new root, new answers, a network trained anew <--

The new answers are drawn after the choice and do not depend on it, so that p is exact as for inputs that
nobody chose; the pilot's key and every file of the pilot show nothing for the new mark.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from . import stats
from .errors import BadInput
from .key import Key
from .runtimes import Runtime
from .runtimes.begin import begin
from .triggers import Triggers, commit


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Groups that held under the pilot key, without its answers."""

    inputs: npt.NDArray[np.float32] = field(repr=False)
    """(n, *shape)."""
    group_ids: npt.NDArray[np.int32] = field(repr=False)
    """(n,) from 0 to the number kept - 1."""
    excluded: npt.NDArray[np.bool_] = field(repr=False)
    """(m, K), the natural classes of each group."""
    marked_hits: npt.NDArray[np.int64]
    """(m,) of the pilot's own files and thieves, how many hit each group."""
    innocent_hits: npt.NDArray[np.int64]
    """(m,) the same of independent models."""
    pilot: Triggers = field(repr=False)
    pilot_key: str
    """Commitment of the pilot's key, which must not make the mark."""


def select_groups(
    pilot: Triggers,
    *,
    key: Key,
    marked: Sequence[bytes],
    innocent: Sequence[bytes] = (),
    keep: int,
    on: Runtime | str = "litert",
) -> Selection:
    """The `keep` groups that the pilot's files hit most and independent models least.

    Ties go by the pilot's committed order.

    Args:
        pilot: triggers of the pilot key, more groups than are kept.
        key: the pilot key.
        marked: the pilot's int8 file, and what simulated thieves made of it.
        innocent: files of the task that have not seen the pilot.
        keep: number of groups.
        on: who answers.

    Raises:
        BadInput: kept labels, no file, `keep` out of range, another key, files that do not fit.
        RuntimeUnavailable, ModelRefused: the runtime is missing or does not run a file.
    """
    if pilot.kept is not None or pilot.natural is not None:
        raise BadInput(
            "pilot: got triggers without drawn classes, expected answers drawn by the pilot key"
        )
    if not marked or not 1 <= keep <= pilot.groups:
        raise BadInput(
            f"select: got {len(marked)} marked files and keep={keep}, expected a file and "
            f"1 to {pilot.groups} groups"
        )
    answers = pilot.answers(key)
    hits = [
        np.sum([_hits(pilot, answers, file, on) for file in files], axis=0, dtype=np.int64)
        if files
        else np.zeros(pilot.groups, np.int64)
        for files in (marked, innocent)
    ]
    rank = {group: at for at, group in enumerate(pilot.order)}
    best = sorted(range(pilot.groups), key=lambda j: (hits[1][j] - hits[0][j], rank[j]))
    chosen = sorted(best[:keep])
    members = [np.flatnonzero(pilot.group_ids == j) for j in chosen]
    return Selection(
        inputs=pilot.inputs[np.concatenate(members)],
        group_ids=np.repeat(np.arange(keep, dtype=np.int32), [len(m) for m in members]),
        excluded=pilot.excluded[chosen],
        marked_hits=hits[0][chosen],
        innocent_hits=hits[1][chosen],
        pilot=pilot,
        pilot_key=key.commitment,
    )


def commit_selection(
    selection: Selection,
    key: Key,
    *,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Triggers:
    """Triggers of a new key over the inputs that were kept; a network is to be trained for them anew.

    Raises:
        BadInput: the pilot's own key.
    """
    if key.commitment == selection.pilot_key:
        raise BadInput(
            "--key: got the pilot's key, expected another one (edgewm keygen): nobody could tell whose "
            "answers chose these groups"
        )
    told = json.loads(selection.pilot.provenance)
    return commit(
        key,
        selection.inputs,
        selection.group_ids,
        excluded=selection.excluded,
        salt=random(32),
        provenance={
            **told,
            "selected": len(selection.excluded),
            "selected_from": selection.pilot.groups,
            "pilot_sha256": selection.pilot.sha256,
        },
    )


def _hits(
    pilot: Triggers, answers: npt.NDArray[np.int64], file: bytes, on: Runtime | str
) -> npt.NDArray[np.bool_]:
    (begun,) = begin([on])
    with begun.runtime.open(file) as session:
        labels = session.ask(pilot.inputs).labels
    outcomes = stats.choose(labels, pilot.group_ids, excluded=pilot.excluded, answers=answers)
    hit: npt.NDArray[np.bool_] = outcomes == stats.Outcome.HIT
    return hit
