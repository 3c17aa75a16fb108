"""What a verification found, as one value: the numbers, how they came about, and reasons to doubt them.

`Verdict.as_dict` is the one object that ``edgewm verify --json`` prints and that a record will sign.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from .stats import forgery_bits

KEPT = "the answers are labels that the owner kept, not drawn by a key: a hit rate is no evidence"
"""Why a set with kept labels has no p-value."""


_LONGEST_REASON = 300


def p_value(log10_p: float) -> float:
    """The p-value as a float that is never below the true one."""
    if log10_p < -307:
        return 1e-307
    return min(1.0, math.nextafter(10.0**log10_p * (1 + 1e-12), 1.0))


def printable(reason: str) -> str:
    """One line of what a stranger's file or board made a runtime say, for a terminal and a record."""
    return "".join(c for c in reason if c.isprintable())[:_LONGEST_REASON]


@dataclass(frozen=True, kw_only=True)
class RuntimeResult:
    """What one runtime answered."""

    spelling: str
    name: str
    version: str
    arithmetic: str
    """One of `edgewm.runtimes.ARITHMETICS`, found by replaying a probe model."""
    groups_asked: int
    groups_hit: int
    groups_silent: int
    queries: int
    failed: int
    """Queries that brought no label; each makes its group a miss."""
    log10_p: float
    latency_ms: float
    """Wall time of the inferences alone."""
    log10_e: float = 0.0
    """The bet after the last group in the sequential form: what a second mark goes on from."""
    reason: str = ""
    """Why the first failed query brought no label, as its runtime says it; a flag of the verdict has it."""


@dataclass(frozen=True, kw_only=True)
class NotRun:
    """A runtime that ``--on all`` could not use, and why."""

    spelling: str
    reason: str
    refused: bool = False
    """It works here and does not run the file; otherwise it is missing or does not work here."""


@dataclass(frozen=True, kw_only=True)
class ChainResult:
    """What one chain of adapters came to on its worst runtime."""

    adapters: tuple[str, ...]
    """Spellings in order; empty for the triggers as they are."""
    groups_hit: int
    log10_p: float


@dataclass(frozen=True, kw_only=True)
class TiltResult:
    """What one runtime's labels of natural inputs came to."""

    spelling: str
    name: str
    version: str
    arithmetic: str
    cells_asked: int
    """Cells of which every question was asked."""
    queries: int
    failed: int
    """Queries that brought no label; they add nothing."""
    z: float
    """Signed sum over the root of the sum of squares."""
    log10_p: float
    log10_p_bound: float
    """The closed bound, for a table of the normal distribution; 0.0 in the sequential form."""
    latency_ms: float


@dataclass(frozen=True, kw_only=True)
class TiltEvidence:
    """The part of a verdict that natural inputs brought."""

    cells: int
    """Cells that were committed to: as many bits as the evidence can reach."""
    tilt_sha256: str
    worst: TiltResult
    runtimes: tuple[TiltResult, ...]

    def as_dict(self) -> dict[str, Any]:
        """The JSON object; field names are the format."""
        return {
            "cells": self.cells,
            "tilt_sha256": self.tilt_sha256,
            **_without_spelling(self.worst),
            "runtimes": [
                {"runtime": result.spelling, **_without_spelling(result)}
                for result in self.runtimes
            ],
        }


def _without_spelling(result: TiltResult) -> dict[str, Any]:
    return {name: value for name, value in asdict(result).items() if name != "spelling"}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict over all runtimes that were asked; the worst of them counts."""

    owned: bool
    p_value: float | None
    """Rounded up; 0.0 never stands for a p-value, see `log10_p` below 1e-308. None: see `no_p_value`."""
    log10_p: float
    """0.0, which shows nothing, where there is no p-value."""
    alpha: float
    sequential: bool
    scores: bool = False
    """Judged by the suspect's output values, not by its labels alone."""
    tests: int
    stamped: bool
    groups: int
    """Groups that were committed to."""
    worst: RuntimeResult
    runtimes: tuple[RuntimeResult, ...]
    not_run: tuple[NotRun, ...]
    artifact_sha256: str | None
    """None where a program or a recording answered."""
    triggers_sha256: str | None
    """None where only a tilt was asked."""
    flags: tuple[str, ...]
    """Reasons to doubt or to read on; empty when there are none."""
    adapters: tuple[str, ...] = ()
    """The chain that all other fields are about: the most favourable of `chains`."""
    chains: tuple[ChainResult, ...] = ()
    """Every chain that was asked, in the order fixed before; `tests` counts each."""
    no_p_value: str | None = None
    """Why there is none: only hits are told, and nothing is `owned`. None where there is a p-value."""
    tilt: TiltEvidence | None = None
    """What natural inputs showed; `log10_p` is then of both marks together."""

    @property
    def forgery_bits(self) -> float:
        """log2(1/p): the work of a forger who tries keys with the suspect in hand."""
        return forgery_bits(self.log10_p)

    @property
    def hit_rate(self) -> float:
        """Share of all committed groups that hit on the worst runtime."""
        return self.worst.groups_hit / self.groups if self.groups else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The JSON object; field names are the format."""

        def evidence(value: float) -> float | None:
            return value if self.no_p_value is None else None

        return {
            "owned": self.owned,
            "p_value": self.p_value,
            "no_p_value": self.no_p_value,
            "log10_p": evidence(self.log10_p),
            "alpha": self.alpha,
            "sequential": self.sequential,
            "scores": self.scores,
            "groups": self.groups,
            "groups_asked": self.worst.groups_asked,
            "groups_hit": self.worst.groups_hit,
            "groups_silent": self.worst.groups_silent,
            "queries": self.worst.queries,
            "tests": self.tests,
            "forgery_bits": evidence(self.forgery_bits),
            "stamped": self.stamped,
            "runtimes": [
                {
                    "runtime": result.spelling,
                    "name": result.name,
                    "version": result.version,
                    "arithmetic": result.arithmetic,
                    "groups_asked": result.groups_asked,
                    "groups_hit": result.groups_hit,
                    "groups_silent": result.groups_silent,
                    "queries": result.queries,
                    "failed": result.failed,
                    "log10_p": evidence(result.log10_p),
                    "latency_ms": result.latency_ms,
                }
                for result in self.runtimes
            ],
            "not_run": [{"runtime": n.spelling, "reason": n.reason} for n in self.not_run],
            "artifact_sha256": self.artifact_sha256,
            "triggers_sha256": self.triggers_sha256,
            "adapters": list(self.adapters),
            "chains": [
                {
                    "adapters": list(chain.adapters),
                    "groups_hit": chain.groups_hit,
                    "log10_p": evidence(chain.log10_p),
                }
                for chain in self.chains
            ],
            "tilt": None if self.tilt is None else self.tilt.as_dict(),
            "flags": list(self.flags),
        }
