"""Who is named by a suspect file.

Every recipient is a test: p is the exact tail of their score given what was read, times the number of
recipients, and a recipient is named at alpha or below. An innocent one is named with probability at most
alpha in all, whatever the suspect is and whoever colluded to make it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import BadInput
from ..key import Key
from . import code
from .align import Values, read_values
from .plan import Plan

_ALSO_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Named:
    """One recipient, and how well the suspect fits their copy."""

    recipient: str
    score: int
    log10_p: float
    """Of one innocent recipient scoring as much, times the number of recipients; at most 0."""
    named: bool

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return vars(self).copy()


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What a suspect says of every recipient."""

    plan: str
    base_sha256: str
    positions: int
    positions_read: int
    """Those at which something was left to read."""
    recipients: int
    alpha: float
    ranking: tuple[Named, ...]
    """Highest first: all who are named and the next three."""

    @property
    def named(self) -> tuple[str, ...]:
        """Recipients whose copy is in the suspect."""
        return tuple(entry.recipient for entry in self.ranking if entry.named)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **{name: value for name, value in vars(self).items() if name != "ranking"},
            "named": list(self.named),
            "ranking": [entry.as_dict() for entry in self.ranking],
        }


def trace(
    plan: Plan,
    key: Key,
    aligned: Sequence[Values | None],
    recipients: Sequence[str],
    *,
    alpha: float = 1e-6,
) -> Trace:
    """Score every recipient of a plan.

    Args:
        plan: from `make_plan`, as when the copies were issued.
        key: the owner's.
        aligned: from `align.counterparts` or `image.counterparts`.
        recipients: everybody who got a copy, each once.
        alpha: how probable it may be that anybody innocent is named.

    Raises:
        BadInput: no recipients, one named twice, or an alpha outside (0, 1).
    """
    if not recipients or len(set(recipients)) < len(recipients):
        raise BadInput("trace: expected the recipients of copies, each once, got none or one twice")
    if not 0.0 < alpha < 1.0:
        raise BadInput(f"--alpha: got {alpha:g}, expected above 0 and below 1")
    read = read_values(plan, aligned)
    null = code.null_of(read, plan.biased)
    scores = code.scores(key, plan.name, recipients, read, plan.biased)
    ranking: list[Named] = []
    shown = 0
    for name, score in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])):
        log10_p = min(0.0, null.log10_tail(score) + math.log10(len(recipients)))
        named = log10_p <= math.log10(alpha)
        shown += not named
        if shown > _ALSO_SHOWN:
            break
        ranking.append(Named(recipient=name, score=score, log10_p=log10_p, named=named))
    return Trace(
        plan=plan.name,
        base_sha256=plan.base_sha256,
        positions=len(plan.positions),
        positions_read=int(np.count_nonzero(read)),
        recipients=len(recipients),
        alpha=alpha,
        ranking=tuple(ranking),
    )
