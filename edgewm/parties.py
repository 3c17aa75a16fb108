"""A party to a dispute: what they give, and how a model is asked for their mark.

A party gives a disclosure package, which anybody can ask, or is the owner and has a ledger, triggers or
a tilt, and the key.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .claims import Grounds, StampFiles, claims_of, disclosures, grounds, opened_groups, stamps_of
from .disclosed import verify_disclosure
from .disclosure import Package, package_grounds
from .errors import DoesNotCheck
from .questioning import Run
from .tilt import Tilt
from .verification import verify

if TYPE_CHECKING:
    from .authorities import Trust
    from .key import Key
    from .ledger import Ledger
    from .records import Record
    from .runtimes import Runtime
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
    on: Sequence[str | Runtime]
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
    mark: Triggers | Tilt
    key: Key
    number: int | None = None
    """Of the claim; by default every claim of this mark."""

    def claims(self) -> tuple[list[Record], list[StampFiles]]:
        """The claims of the mark, and the stamps over them."""
        records = self.ledger.records()
        named = claims_of(self.ledger, records, self.mark, self.key, number=self.number)
        opened_groups(disclosures(records, self.mark.root.hex()))
        return named, [stamp for claim in named for stamp in stamps_of(self.ledger, records, claim)]

    def ask(self, asked: Asked) -> tuple[Grounds, Verdict]:
        """What the records say for a model, and the verdict on it.

        Raises:
            DoesNotCheck: every group was open before the model was seen.
        """
        found = grounds(
            self.ledger,
            triggers=self.mark,
            key=self.key,
            trust=asked.trust,
            suspect_seen=asked.model.seen,
            now=asked.now,
            number=self.number,
            refuse=False,
        )
        ask = functools.partial(
            verify,
            asked.model.content,
            key=self.key,
            on=asked.on,
            alpha=asked.alpha,
            tests=QUESTIONS * found.claims,
            stamped=found.stamp is not None,
        )
        if isinstance(self.mark, Tilt):
            return found, ask(tilt=self.mark)
        if found.first_group >= self.mark.groups:
            raise DoesNotCheck("every group was opened before the model was seen")
        run = Run(first_group=found.first_group, start_is_recorded=found.start_is_recorded)
        return found, ask(triggers=self.mark, run=run)


@dataclass(frozen=True, kw_only=True)
class CopiedClaim:
    """A party whose claim names a commitment of somebody else."""

    reason: str


Party = ByPackage | ByKey | CopiedClaim
