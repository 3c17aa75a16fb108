"""Gather the facts of a dispute: ask both models for both parties' marks, and read both parties' stamps.

A party gives a disclosure package, which anybody can ask, or is the owner and has ledger, triggers and key.
A mark counts in a model by the rules of any verdict: with a stamp older than the day on which that model is
known to have existed, or with 2^64 more. What follows from it is decided in `edgewm.dispute`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .claims import (
    Grounds,
    StampFiles,
    check_seen,
    claims_of,
    disclosures,
    earliest,
    grounds,
    opened_groups,
    stamps_of,
)
from .disclosed import verify_disclosure
from .disclosure import Package, package_grounds
from .dispute import Dated, Decision, Side, decide
from .errors import BadInput, DoesNotCheck
from .verification import Run, verify

if TYPE_CHECKING:
    from .authorities import Trust
    from .key import Key
    from .ledger import Ledger
    from .records import Record
    from .triggers import Triggers
    from .verdict import Verdict

QUESTIONS = 4
"""Two marks in two models: each is a test."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """One of the two models."""

    content: bytes = field(repr=False)
    seen: dt.datetime
    """The earliest time at which it is known to have existed, UTC."""

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One of the models, and how it is asked."""

    model: Model
    on: Sequence[str]
    trust: Trust
    now: dt.datetime
    alpha: float


@dataclass(frozen=True, kw_only=True)
class ByPackage:
    """A party who opened some groups."""

    package: Package

    def claims(self) -> tuple[list[Record], list[StampFiles]]:
        """The claim, and the stamps over it."""
        claim = self.package.claim
        return [claim], [stamp for stamp in self.package.stamps if stamp.record == claim]

    def ask(self, asked: Asked) -> tuple[Grounds, Verdict]:
        """What the records say for a model, and the verdict on it.

        Raises:
            DoesNotCheck: the groups were open before the model was seen.
        """
        found = package_grounds(
            self.package,
            trust=asked.trust,
            suspect_seen=asked.model.seen,
            now=asked.now,
            refuse=False,
        )
        verdict = verify_disclosure(
            asked.model.content,
            package=self.package,
            grounds=found,
            on=asked.on,
            alpha=asked.alpha,
            tests=QUESTIONS,
        )
        return found, verdict


@dataclass(frozen=True, kw_only=True)
class ByKey:
    """A party who is here with everything."""

    ledger: Ledger
    triggers: Triggers
    key: Key
    number: int | None = None
    """Of the claim; by default every claim of these triggers."""

    def claims(self) -> tuple[list[Record], list[StampFiles]]:
        """The claims of the triggers, and the stamps over them."""
        records = self.ledger.records()
        named = claims_of(self.ledger, records, self.triggers, self.key, number=self.number)
        opened_groups(disclosures(records, self.triggers.root.hex()))
        return named, [stamp for claim in named for stamp in stamps_of(self.ledger, records, claim)]

    def ask(self, asked: Asked) -> tuple[Grounds, Verdict]:
        """What the records say for a model, and the verdict on it.

        Raises:
            DoesNotCheck: every group was open before the model was seen.
        """
        found = grounds(
            self.ledger,
            triggers=self.triggers,
            key=self.key,
            trust=asked.trust,
            suspect_seen=asked.model.seen,
            now=asked.now,
            number=self.number,
            refuse=False,
        )
        if found.first_group >= self.triggers.groups:
            raise DoesNotCheck("every group was opened before the model was seen")
        verdict = verify(
            asked.model.content,
            triggers=self.triggers,
            key=self.key,
            on=asked.on,
            alpha=asked.alpha,
            tests=QUESTIONS * found.claims,
            stamped=found.stamp is not None,
            run=Run(first_group=found.first_group, start_is_recorded=found.start_is_recorded),
        )
        return found, verdict


@dataclass(frozen=True, kw_only=True)
class CopiedClaim:
    """A party whose claim names a commitment of somebody else."""

    reason: str


Party = ByPackage | ByKey | CopiedClaim


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One party's mark in one model."""

    shown: bool | None
    """None where it cannot be asked."""
    verdict: Verdict | None
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """What ``edgewm dispute --json`` prints of it."""
        verdict = None if self.verdict is None else self.verdict.as_dict()
        return {"shown": self.shown, "notes": list(self.notes), "verdict": verdict}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One party, with all that was found of them."""

    claim: Record | None
    """None for a copied claim."""
    side: Side
    in_own: Mark
    in_other: Mark
    notes: tuple[str, ...]
    """What is wrong with stamps, or with the claim."""

    def as_dict(self) -> dict[str, Any]:
        """What ``edgewm dispute --json`` prints of it."""
        stamp = self.side.stamp
        return {
            "claimant": None if self.claim is None else self.claim.claimant,
            "record": None if self.claim is None else self.claim.number,
            "claim_sha256": None if self.claim is None else self.claim.sha256,
            "copied": self.side.copied,
            "stamped": None
            if stamp is None
            else {
                "earliest": stamp.earliest.isoformat(),
                "latest": stamp.latest.isoformat(),
                "authority": stamp.authority,
                "certificate_sha256": stamp.certificate,
            },
            "mark_in_own_model": self.in_own.as_dict(),
            "mark_in_other_model": self.in_other.as_dict(),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True)
class Settled:
    """A dispute, with its outcome."""

    a: Standing
    b: Standing
    models: tuple[Model, Model]
    clock_skew: dt.timedelta
    decision: Decision
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """What ``edgewm dispute --json`` prints."""
        return {
            "first": self.decision.first,
            "rule": self.decision.rule.name.lower(),
            "because": self.decision.rule.value,
            "a": self.a.as_dict(),
            "b": self.b.as_dict(),
            "models": [{"sha256": m.sha256, "seen": m.seen.isoformat()} for m in self.models],
            "clock_skew_s": self.clock_skew.total_seconds(),
            "notes": list(self.notes),
        }


def settle(
    parties: tuple[Party, Party],
    models: tuple[Model, Model],
    *,
    trust: Trust,
    now: dt.datetime,
    clock_skew: dt.timedelta,
    on: Sequence[str] = ("litert",),
    alpha: float = 1e-6,
) -> Settled:
    """Ask everything and decide.

    Args:
        models: that of the first party, and that of the second.
        clock_skew: how far the clocks of two authorities may differ.
        alpha: accepted chance of one false mark in the whole dispute.

    Raises:
        BadInput: both claims are of one claimant, a date to come, or what `verify` refuses.
        DoesNotCheck: a record, or every stamp of it, was changed.
        RuntimeUnavailable, ModelRefused: as `edgewm.verify`.
    """
    for model in models:
        check_seen(model.seen, now)
    if models[0].sha256 == models[1].sha256:  # the same file is as old as its older sighting
        since = min(model.seen for model in models)
        models = tuple(Model(content=m.content, seen=since) for m in models)  # type: ignore[assignment]
    ask_a, ask_b = (
        Asked(model=model, on=on, trust=trust, now=now, alpha=alpha) for model in models
    )
    a, b = _standing(parties[0], ask_a, ask_b), _standing(parties[1], ask_b, ask_a)
    if a.claim is not None and b.claim is not None and a.claim.claimant == b.claim.claimant:
        raise BadInput(
            f"CLAIM_B: both claims are of {a.claim.claimant[:16]}..., there is no dispute"
        )
    decision = decide(a.side, b.side, clock_skew=clock_skew)
    return Settled(
        a=a,
        b=b,
        models=models,
        clock_skew=clock_skew,
        decision=decision,
        notes=_notes(a, b, models, decision),
    )


def _standing(party: Party, own: Asked, other: Asked) -> Standing:
    if isinstance(party, CopiedClaim):
        none = Mark(shown=False, verdict=None, notes=())
        side = Side(in_own=False, in_other=False, copied=True)
        return Standing(claim=None, side=side, in_own=none, in_other=none, notes=(party.reason,))
    claims, stamps = party.claims()
    ever = dt.datetime.max.replace(tzinfo=dt.UTC)
    found, wrong = earliest(stamps, trust=own.trust, before=ever, now=own.now, refuse=False)
    in_own, in_other = _mark(party, own), _mark(party, other)
    dated = None
    if found is not None:
        stamp = found[1]
        dated = Dated(
            earliest=stamp.earliest,
            latest=stamp.latest,
            authority=stamp.authority,
            certificate=stamp.certificate_sha256,
        )
    return Standing(
        claim=claims[0] if found is None else found[0],
        side=Side(in_own=in_own.shown, in_other=in_other.shown, stamp=dated),
        in_own=in_own,
        in_other=in_other,
        notes=wrong if stamps else ("the claim has no stamp",),
    )


def _mark(party: ByPackage | ByKey, asked: Asked) -> Mark:
    try:
        found, verdict = party.ask(asked)
    except DoesNotCheck as error:  # the records themselves were checked before
        return Mark(shown=None, verdict=None, notes=(str(error),))
    return Mark(shown=verdict.owned, verdict=verdict, notes=(*found.notes, *verdict.flags))


def _notes(
    a: Standing, b: Standing, models: tuple[Model, Model], decision: Decision
) -> tuple[str, ...]:
    notes = []
    if models[0].sha256 == models[1].sha256:
        notes.append("both models are the same file")
    stamps = {"A": a.side.stamp, "B": b.side.stamp}
    for first, second in (("A", "B"), ("B", "A")):
        later, earlier = stamps[first], stamps[second]
        if decision.first == first and later and earlier and earlier.latest < later.earliest:
            notes.append(
                f"{second}'s claim was stamped earlier; a claim can be older than the copy that its "
                "mark was added to"
            )
    for name, side in (("A", a), ("B", b)):
        if side.in_own.shown is False and not side.side.copied:
            notes.append(f"{name}'s mark is not shown in {name}'s own model")
    return tuple(notes)
