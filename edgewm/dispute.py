"""Two parties claim a model: who was first, and why, or that the evidence does not decide.

This file decides from facts alone; `edgewm.cross_verification` gathers them. Of each party it is known in
which of the two models their mark was shown, and when a third party first saw their claim.

    1  A mark can be added to a copy and not to somebody else's file. So whose mark is in every model in
       which the other's is, and in the other's own model, and in one more, was there first: an overwriter's
       mark is in their copy only. This holds whatever the dates are, since an old claim can be trained into
       a new copy.
    2  Where both marks are in the same models, and one of them is in the other's own, the earlier stamp
       counts: it must be earlier than the accuracies and the clocks of two authorities leave open.
    3  Where nobody's mark is in the other's model, no copying was shown.

A mark is shown by the rules of a verdict: with a stamp older than the model, or with 2^64 more; so a mark
that was made for the model afterwards is not in it. What is not known (None) may be either; a decision
stands only if it is the same for both.
"""

from __future__ import annotations

import datetime as dt
import enum
import itertools
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Dated:
    """The earliest good stamp of a claim."""

    earliest: dt.datetime
    """The authority's time less its accuracy, UTC."""
    latest: dt.datetime
    """The authority's time plus its accuracy."""
    authority: str
    """Its name."""
    certificate: str
    """SHA-256 of the certificate that signed: one certificate is one clock."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """What is known of one party."""

    in_own: bool | None
    """Their mark was shown in the model that they give as theirs; None where that is not known."""
    in_other: bool | None
    """Their mark was shown in the other party's model."""
    stamp: Dated | None = None
    """None for a claim without a good stamp."""
    copied: bool = False
    """Their claim names a commitment that itself names another claimant: it is not theirs."""


class Rule(enum.Enum):
    """Why."""

    OVERWRITTEN = "the mark of the first is in both models, the other's only in one of them"
    ALONE = "the mark of the first is in the other's model, and the other's mark is in none"
    STAMPED_EARLIER = (
        "both marks are in the same models, and the claim of the first was stamped earlier"
    )
    NO_COPYING = "neither mark was shown in the other party's model"
    CROSSED = (
        "each mark was shown in the other party's model only: the models may have been swapped"
    )
    SAME_TIME = (
        "both marks are in the same models, and the stamps are too close to tell which is earlier"
    )
    NO_STAMP = (
        "both marks are in the same models, and nothing shows when one of the claims was made"
    )
    NOT_KNOWN = "what is not known would change the outcome"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The outcome."""

    first: str | None
    """A or B; None where the evidence does not decide."""
    rule: Rule


def decide(a: Side, b: Side, *, clock_skew: dt.timedelta) -> Decision:
    """Who was first.

    Args:
        clock_skew: how far the clocks of two authorities may differ; one authority's do not.
    """
    outcomes = {
        _of_known(one, other, clock_skew) for one in _completed(a) for other in _completed(b)
    }
    if len({outcome.first for outcome in outcomes}) > 1:
        return Decision(first=None, rule=Rule.NOT_KNOWN)
    if len(outcomes) > 1:  # decided, and for a reason that depends on what is not known
        return min(outcomes, key=lambda outcome: outcome.rule.name)
    return outcomes.pop()


def _completed(side: Side) -> list[Side]:
    """The side with everything that is not known filled in, in every way; a copied claim has no mark."""
    if side.copied:
        return [replace(side, in_own=False, in_other=False, stamp=None)]
    own = (True, False) if side.in_own is None else (side.in_own,)
    other = (True, False) if side.in_other is None else (side.in_other,)
    return [replace(side, in_own=x, in_other=y) for x, y in itertools.product(own, other)]


def _of_known(a: Side, b: Side, clock_skew: dt.timedelta) -> Decision:
    marked_by_a = {name for name, there in (("a", a.in_own), ("b", a.in_other)) if there}
    marked_by_b = {name for name, there in (("a", b.in_other), ("b", b.in_own)) if there}
    if not a.in_other and not b.in_other:
        return Decision(first=None, rule=Rule.NO_COPYING)
    if marked_by_a == marked_by_b:
        return _by_dates(a.stamp, b.stamp, clock_skew)
    if marked_by_a > marked_by_b:
        return Decision(first="A", rule=Rule.OVERWRITTEN if marked_by_b else Rule.ALONE)
    if marked_by_b > marked_by_a:
        return Decision(first="B", rule=Rule.OVERWRITTEN if marked_by_a else Rule.ALONE)
    return Decision(first=None, rule=Rule.CROSSED)


def _by_dates(a: Dated | None, b: Dated | None, clock_skew: dt.timedelta) -> Decision:
    if a is None or b is None:
        return Decision(first=None, rule=Rule.NO_STAMP)
    skew = dt.timedelta() if a.certificate == b.certificate else clock_skew
    if b.earliest - a.latest > skew:
        return Decision(first="A", rule=Rule.STAMPED_EARLIER)
    if a.earliest - b.latest > skew:
        return Decision(first="B", rule=Rule.STAMPED_EARLIER)
    return Decision(first=None, rule=Rule.SAME_TIME)
