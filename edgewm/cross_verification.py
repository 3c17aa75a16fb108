"""Gather the facts of a dispute: ask both models for both parties' marks, and read both parties' stamps.

A mark counts in a model by the rules of any verdict: with a stamp older than the day on which that model is
known to have existed, or with 2^64 more. What follows from it is decided in `edgewm.dispute`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .claims import check_seen, earliest
from .dispute import Dated, Decision, Side, decide
from .errors import BadInput, DoesNotCheck
from .parties import Asked, ByKey, ByPackage, CopiedClaim, Model, Party

if TYPE_CHECKING:
    from .authorities import Trust
    from .records import Record
    from .runtimes import Runtime
    from .verdict import Verdict


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
    on: Sequence[str | Runtime] = ("litert",),
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
        models = (replace(models[0], seen=since), replace(models[1], seen=since))
    ask_a, ask_b = (
        Asked(model=model, on=on, trust=trust, now=now, alpha=alpha) for model in models
    )
    named = [p.claims()[0][0].claimant for p in parties if not isinstance(p, CopiedClaim)]
    if len(named) == 2 and len(set(named)) == 1:  # refused before any model is asked
        raise BadInput(f"CLAIM_B: both claims are of {named[0][:16]}..., there is no dispute")
    a, b = _standing(parties[0], ask_a, ask_b), _standing(parties[1], ask_b, ask_a)
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
    found, wrong = earliest(stamps, trust=own.trust, before=None, now=own.now, refuse=False)
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
