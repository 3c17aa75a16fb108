"""What a scan fixes before the first question, and the digest by which it is recognised when it goes on.

The number of tests is suspects x marks x whatever the caller says that they try besides (claims, earlier
scans): a union bound (Bonferroni), so that the chance of one false accusation in the whole scan stays below
alpha, however the suspects are related. Chains of adapters multiply it further for each suspect, by a
number that follows from what its file declares. Suspects that cannot be asked count too: nothing that
happens during the scan changes the number.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .. import __version__
from ..artifact import LARGEST_MODEL_BYTES
from .asking import Orders
from .judging import Mark, Terms
from .suspects import Suspect

FORMAT = "edgewm-scan-1"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A scan, before it starts."""

    suspects: tuple[Suspect, ...]
    marks: tuple[Mark, ...]
    orders: Orders
    alpha: float
    more_tests: int = 1

    def not_asked(self, suspect: Suspect) -> str:
        """The outcome of one that is never asked; empty for one that is."""
        if suspect.format not in self.orders.formats.values():
            return "other_format"
        return "too_large" if suspect.length > LARGEST_MODEL_BYTES else ""

    @functools.cached_property
    def asked(self) -> int:
        """Suspects that are asked."""
        return sum(not self.not_asked(suspect) for suspect in self.suspects)

    @property
    def terms(self) -> Terms:
        """With the number of tests, before chains of adapters multiply it."""
        tests = max(self.asked, 1) * len(self.marks) * self.more_tests
        return Terms(alpha=self.alpha, tests=tests)

    @property
    def rows(self) -> int:
        """Rows of the finished table."""
        return self.asked * len(self.marks) + len(self.suspects) - self.asked

    def as_dict(self) -> dict[str, Any]:
        """What is kept beside the table, and what the digest is of."""
        listed = sorted((suspect.sha256, suspect.format) for suspect in self.suspects)
        return {
            "format": FORMAT,
            "edgewm": __version__,
            "suspects": len(self.suspects),
            "suspects_asked": self.asked,
            "suspects_sha256": _digest(listed),
            "marks": [
                {
                    "name": mark.name,
                    "sha256": mark.questions.sha256,
                    "stamped": mark.stamped,
                    "questions": len(mark.questions.chosen),
                    "first_group": mark.run.first_group,
                }
                for mark in self.marks
            ],
            "alpha": self.alpha,
            "tests": self.terms.tests,
            "tests_are": "suspects x marks x more_tests, and x chains of adapters for each suspect",
            "more_tests": self.more_tests,
            **asdict(self.orders),
        }

    @property
    def digest(self) -> str:
        """16 hex digits that stand in every row."""
        told = self.as_dict()
        for mark in told["marks"]:
            del mark["name"]  # a mark may be moved
        return _digest(told)[:16]


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of the parts in which two plans differ."""
    names = {*one, *other} - {"format"}
    return sorted(name for name in names if one.get(name) != other.get(name))


def _digest(value: Sequence[Any] | dict[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
