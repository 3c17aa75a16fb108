"""What a verification found, as one value: the numbers, how they came about, and reasons to doubt them.

`Verdict.as_dict` is the one object that ``edgewm verify --json`` prints and that a record will sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .stats import forgery_bits

KEPT = "the answers are labels that the owner kept, not drawn by a key: a hit rate is no evidence"
"""Why a set with kept labels has no p-value."""


@dataclass(frozen=True, kw_only=True)
class RuntimeResult:
    """What one runtime answered."""

    spelling: str
    name: str
    version: str
    arithmetic: str
    """xnnpack, tflm, builtin, reference or unknown, found by replaying a probe model."""
    groups_asked: int
    groups_hit: int
    groups_silent: int
    queries: int
    failed: int
    """Queries that brought no label; each makes its group a miss."""
    log10_p: float
    latency_ms: float
    """Wall time of the inferences alone."""


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
class Verdict:
    """The verdict over all runtimes that were asked; the worst of them counts."""

    owned: bool
    p_value: float | None
    """Rounded up; 0.0 never stands for a p-value, see `log10_p` below 1e-308. None: see `no_p_value`."""
    log10_p: float
    """0.0, which shows nothing, where there is no p-value."""
    alpha: float
    sequential: bool
    tests: int
    stamped: bool
    groups: int
    """Groups that were committed to."""
    worst: RuntimeResult
    runtimes: tuple[RuntimeResult, ...]
    not_run: tuple[NotRun, ...]
    artifact_sha256: str | None
    """None where a program or a recording answered."""
    triggers_sha256: str
    flags: tuple[str, ...]
    """Reasons to doubt or to read on; empty when there are none."""
    adapters: tuple[str, ...] = ()
    """The chain that all other fields are about: the most favourable of `chains`."""
    chains: tuple[ChainResult, ...] = ()
    """Every chain that was asked, in the order fixed before; `tests` counts each."""
    no_p_value: str | None = None
    """Why there is none: only hits are told, and nothing is `owned`. None where there is a p-value."""

    @property
    def forgery_bits(self) -> float:
        """log2(1/p): the work of a forger who tries keys with the suspect in hand."""
        return forgery_bits(self.log10_p)

    @property
    def hit_rate(self) -> float:
        """Share of all committed groups that hit on the worst runtime."""
        return self.worst.groups_hit / self.groups

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
            "flags": list(self.flags),
        }
