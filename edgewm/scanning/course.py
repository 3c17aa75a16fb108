"""Drives a scan: hands suspects to the pool, a few ahead, and writes rows as they come back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

from .plan import Plan
from .pools import Pool, Rows
from .suspects import Suspect
from .table import Table

_LOOK_S = 1.0
"""How often to look whether anything can still come back."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A finished scan."""

    plan: str
    tests: int
    suspects: int
    asked: int
    marks: int
    outcomes: dict[str, int]
    """How many rows of each."""
    rows: int
    resumed: int
    """Rows that an earlier run had written."""
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))


def run(
    plan: Plan,
    *,
    pool: Pool,
    table: Table,
    watch: Callable[[int, int], None] = lambda done, rows: None,
) -> Summary:
    """Ask every suspect that has no row yet; `watch` is told how many rows there are, and will be.

    Whatever ends it (Ctrl-C, a full disk), rows that were written stay, and the same scan goes on later.
    """
    started = time.monotonic()
    flying: dict[Future[Rows], tuple[Suspect, list[int], float]] = {}
    for suspect in plan.suspects:
        outcome = plan.not_asked(suspect)
        if outcome:
            table.append([_row(suspect, plan, None, {"outcome": outcome})])
            continue
        missing = [
            place
            for place, mark in enumerate(plan.marks)
            if (suspect.sha256, mark.questions.sha256) not in table.done
        ]
        if not missing:
            continue
        model = suspect.read()
        if model is None:
            table.append([_row(suspect, plan, k, {"outcome": "changed"}) for k in missing])
            continue
        flying[pool.submit(model, missing, suspect.format)] = (suspect, missing, time.monotonic())
        while len(flying) >= pool.width:
            _land(flying, plan, table, pool)
            watch(len(table.done), plan.rows)
    while flying:
        _land(flying, plan, table, pool)
        watch(len(table.done), plan.rows)
    return Summary(
        plan=plan.digest,
        tests=plan.terms.tests,
        suspects=len(plan.suspects),
        asked=plan.asked,
        marks=len(plan.marks),
        outcomes=dict(sorted(Counter(table.done.values()).items())),
        rows=len(table.done),
        resumed=table.resumed,
        seconds=time.monotonic() - started,
    )


def _land(
    flying: dict[Future[Rows], tuple[Suspect, list[int], float]],
    plan: Plan,
    table: Table,
    pool: Pool,
) -> None:
    """Wait for some suspect's answers and write its rows."""
    landed = wait(flying, timeout=_LOOK_S, return_when=FIRST_COMPLETED).done
    if not landed:
        pool.check()
    for done in landed:
        suspect, places, since = flying.pop(done)
        seconds = round(time.monotonic() - since, 3)
        table.append(
            [
                _row(suspect, plan, place, {**told, "seconds": seconds})
                for place, told in zip(places, done.result(), strict=True)
            ]
        )


def _row(suspect: Suspect, plan: Plan, place: int | None, told: dict[str, Any]) -> dict[str, Any]:
    mark = None if place is None else plan.marks[place]
    return {
        "suspect": suspect.sha256,
        "mark": "" if mark is None else mark.questions.sha256,
        "mark_name": "" if mark is None else mark.name,
        "format": suspect.format,
        "length": suspect.length,
        "seen": suspect.seen,
        **told,
    }
