"""Groups chosen with a pilot: what is chosen holds better, and an innocent's p-value stays what it was."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from edgewm import stats
from edgewm.datasets import load_dataset
from edgewm.errors import BadInput
from edgewm.hashing import SHAKE, H
from edgewm.key import Key
from edgewm.patterns import make_triggers
from edgewm.runtimes import Session
from edgewm.runtimes.litert import LiteRT
from edgewm.runtimes.nursery import Nursery
from edgewm.selection import Selection, commit_selection, select_groups
from edgewm.triggers import Triggers
from tests import golden
from tests.needs import needs
from tests.runtimes import models

pytestmark = [needs("litert"), needs("sklearn")]

PIPELINES, CANDIDATES, KEPT = 200, 40, 20
NURSERY = Nursery()


@dataclass(frozen=True, kw_only=True)
class Forked:
    """LiteRT in a fresh fork for every file, as scans use it: 600 files in seconds."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False

    def open(self, model: bytes | None) -> Session:
        return LiteRT().start(NURSERY).open(model)


@pytest.fixture(scope="module", autouse=True)
def _close() -> Any:
    yield
    NURSERY.close()


def key_of(*named: Any) -> Key:
    return Key(secret=H("selection test", *named))


def candidates(key: Key, at: int) -> Triggers:
    """Halves of digits of two classes, for one pilot."""
    held = load_dataset("digits")
    return make_triggers(
        key,
        shape=(8, 8, 1),
        classes=10,
        pattern="composite:inputs_per_group=2",
        groups=CANDIDATES,
        natural=held.x_train,
        natural_labels=held.y_train,
        random=lambda count: SHAKE(count, "selection salt", at),
    )


def linear(triggers: Triggers | None, key: Key, part: slice) -> bytes:
    """A linear network of the digits, solved: with the mark of `triggers` taught beside the task, if any."""
    held = load_dataset("digits")
    x, y = held.x_train[part].reshape(-1, 64), held.y_train[part]
    weight = np.ones(len(x))
    if triggers is not None:
        x = np.concatenate([x, triggers.inputs.reshape(-1, 64)])
        y = np.concatenate([y, triggers.answers(key)[triggers.group_ids]])
        weight = np.concatenate([weight, np.full(len(triggers.inputs), 8.0)])
    ones = np.hstack([x, np.ones((len(x), 1))]) * weight[:, None]
    solved = np.linalg.lstsq(ones, np.eye(10)[y] * weight[:, None], rcond=None)[0].T
    return models.dense(solved[:, :-1], solved[:, -1], (8, 8, 1))


def innocents() -> list[bytes]:
    """Files that know none of the keys: convolutions, one marked by somebody else, two linear ones."""
    nobody = key_of("nobody")
    return [
        golden.UNMARKED.read_bytes(),
        golden.MARKED.read_bytes(),
        linear(None, nobody, slice(0, 600)),
        linear(None, nobody, slice(600, None)),
    ]


def labels_of(file: bytes, inputs: np.ndarray) -> np.ndarray:
    with Forked().open(file) as session:
        return session.ask(inputs).labels


def log10_p(
    triggers: Triggers, key: Key, labels: np.ndarray, groups: list[int] | None = None
) -> float:
    """Of all groups, or of some."""
    outcomes = stats.choose(
        labels,
        triggers.group_ids,
        excluded=triggers.excluded,
        answers=triggers.answers(key),
    )
    chosen = list(range(triggers.groups)) if groups is None else groups
    return stats.log10_fraction(stats.fixed_p(outcomes[chosen], triggers.allowed[chosen]))


def bound(alpha: float) -> float:
    """Of a share among the pipelines, at 4 sigma."""
    return alpha + 4 * math.sqrt(alpha * (1 - alpha) / PIPELINES)


def selected(at: int) -> tuple[Triggers, Key, Selection]:
    """One pilot: its candidates, its network, what an innocent says, and the groups that are kept."""
    key = key_of("pilot", at)
    pilot = candidates(key, at)
    file = linear(pilot, key, slice(None))
    kept = select_groups(
        pilot,
        key=key,
        marked=[file],
        innocent=[golden.UNMARKED.read_bytes()],
        keep=KEPT,
        on=Forked(),
    )
    return pilot, key, kept


def test_what_is_kept_held_and_was_not_said_by_innocents() -> None:
    """Groups the pilot's network hits go before others, those that innocents hit too after them."""
    pilot, key, kept = selected(0)
    file = linear(pilot, key, slice(None))
    labels = labels_of(file, pilot.inputs)
    outcomes = stats.choose(
        labels, pilot.group_ids, excluded=pilot.excluded, answers=pilot.answers(key)
    )
    hits = int((outcomes == stats.Outcome.HIT).sum())
    assert 0 < hits < CANDIDATES
    assert kept.marked_hits.sum() == min(hits, KEPT)
    assert kept.inputs.shape == (2 * KEPT, 8, 8, 1)
    assert (kept.excluded.sum(axis=1) == 2).all()


def test_a_new_key_draws_new_answers_and_says_where_inputs_come_from() -> None:
    """Other answers than the pilot's; the pilot's own key is refused."""
    pilot, key, kept = selected(1)
    new = key_of("owner", 1)
    made = commit_selection(kept, new, random=lambda count: b"n" * count)
    told = json.loads(made.provenance)
    assert (told["selected"], told["selected_from"]) == (KEPT, CANDIDATES)
    assert told["pilot_sha256"] == pilot.sha256
    assert told["value_range"] == [0.0, 1.0]
    assert made.root != pilot.root
    assert (made.answers(new) < 10).all()
    with pytest.raises(BadInput, match="got the pilot's key"):
        commit_selection(kept, key)


def test_innocents_of_200_whole_pipelines_have_uniform_p_values() -> None:
    """Pilot, selection, new key, for fresh keys each time: shares of small p are at most alpha, within
    4 sigma of so many keys. Beside it what the rule forbids: groups chosen by what an innocent answers to the
    key itself break that bound."""
    made, forbidden = [], []
    suspects = innocents()
    for at in range(PIPELINES):
        pilot, key, kept = selected(at)
        new = key_of("owner", at)
        made.append((commit_selection(kept, new, random=lambda n, at=at: SHAKE(n, "new", at)), new))
        forbidden.append((pilot, key))
    together = np.concatenate([triggers.inputs for triggers, _ in made])
    found = np.zeros((PIPELINES, len(suspects)))
    for column, suspect in enumerate(suspects):
        labels = labels_of(suspect, together).reshape(PIPELINES, -1)
        found[:, column] = [log10_p(*one, said) for one, said in zip(made, labels, strict=True)]
    for alpha in (0.2, 0.05, 0.01):
        assert (found <= math.log10(alpha)).mean(axis=0).max() <= bound(alpha)
    assert found.min() > -6
    assert (found < 0).mean() > 0.5  # not merely p = 1 for everybody

    said = labels_of(suspects[0], np.concatenate([pilot.inputs for pilot, _ in forbidden]))
    accused = 0
    for (pilot, key), labels in zip(forbidden, said.reshape(PIPELINES, -1), strict=True):
        outcomes = stats.choose(
            labels, pilot.group_ids, excluded=pilot.excluded, answers=pilot.answers(key)
        )
        hit = np.argsort(outcomes != stats.Outcome.HIT, kind="stable")[: KEPT // 2]
        accused += log10_p(pilot, key, labels, hit.tolist()) <= math.log10(0.05)
    assert accused / PIPELINES > bound(0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keep": CANDIDATES + 1}, "1 to 40 groups"),
        ({"keep": 0}, "1 to 40 groups"),
        ({"marked": []}, "got 0 marked files"),
        ({"key": key_of("somebody else")}, "did not make these triggers"),
    ],
)
def test_what_cannot_be_selected_is_refused(change: dict[str, Any], message: str) -> None:
    """Counts out of range, nothing to select by, another key."""
    key = key_of("pilot", 3)
    given: dict[str, Any] = {"key": key, "marked": [b"x"], "keep": 5, "on": Forked(), **change}
    with pytest.raises(BadInput, match=message):
        select_groups(candidates(key, 3), **given)
