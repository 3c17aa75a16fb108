"""The check before a model ships: did its mark survive the export, on every runtime that is asked?

One case a runtime. A case passes when its answers show ownership on their own and enough of the committed
groups hit; one that does not run the file fails the release, since on that engine nothing was shown. The
report is JUnit XML, which GitLab, Jenkins and the usual GitHub actions read: counts and digests, never
an input, an answer or a key.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from . import stats
from .errors import BadInput
from .verdict import NotRun, RuntimeResult, Verdict

State = Literal["passed", "failed", "error", "skipped"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One runtime of a release check."""

    runtime: str
    """As `--on` spells it."""
    state: State
    """error: it does not run the file, or is missing though it was named; skipped: missing here."""
    reason: str
    """Why it did not pass; empty when it did."""
    figures: str
    """What was counted; empty where nothing answered."""
    hit_rate: float
    """Share of all committed groups that hit, 0 to 1; 0 where nothing answered."""
    seconds: float
    """Wall time of the inferences."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """Whether a model ships, and what the report says."""

    artifact: str
    """Name of the file that was asked."""
    min_hit_rate: float
    cases: tuple[Case, ...]
    properties: tuple[tuple[str, str], ...]

    @property
    def ships(self) -> bool:
        """Whether at least one runtime passed, and none failed or broke."""
        states = {case.state for case in self.cases}
        return "passed" in states and not states & {"failed", "error"}

    @property
    def worst(self) -> Case:
        """The case that decides: of those that fail, or else of those that pass, the fewest hits."""
        ranked = {"error": 0, "failed": 0, "passed": 1, "skipped": 2}
        return min(self.cases, key=lambda case: (ranked[case.state], case.hit_rate))

    @property
    def summary(self) -> str:
        """One line: ships or refused, the runtime that decides, and by how much."""
        worst = self.worst
        if self.ships:
            return f"RELEASE  worst runtime {worst.runtime}: {worst.figures}"
        failing = sum(case.state in ("failed", "error") for case in self.cases) - 1
        more = f" (and {failing} more)" if failing > 0 else ""
        reason = worst.reason.removeprefix(f"{worst.runtime.partition(':')[0]}: ")
        return f"REFUSED  {worst.runtime}: {reason}{more}"

    def as_dict(self) -> dict[str, Any]:
        """What ``edgewm verify --json`` adds under "release"."""
        return {
            "ships": self.ships,
            "min_hit_rate": self.min_hit_rate,
            "worst_runtime": self.worst.runtime,
            "reason": "" if self.ships else self.worst.reason,
            "cases": [
                {"runtime": case.runtime, "state": case.state, "reason": case.reason}
                for case in self.cases
            ],
        }


def check_min_hit_rate(min_hit_rate: float) -> None:
    """Refuse what is no share of the groups.

    Raises:
        BadInput: not within 0 to 1.
    """
    if not 0.0 <= min_hit_rate <= 1.0:
        raise BadInput(
            f"--min-hit-rate: got {min_hit_rate:g}, expected a share of the groups from 0 to 1, "
            "such as 0.95"
        )


def check_release(
    verdict: Verdict, *, artifact: str, min_hit_rate: float, named: Iterable[str] = ()
) -> Release:
    """Judge a verdict over every committed group, runtime by runtime.

    `named` are the runtimes that were asked for one by one: for these a missing interpreter is an error,
    where under "all" it is skipped.

    Raises:
        BadInput: a share outside 0 to 1.
    """
    check_min_hit_rate(min_hit_rate)
    wanted = set(named)
    answered = (_answered(verdict, result, min_hit_rate) for result in verdict.runtimes)
    silent = (_silent(part, named=part.spelling in wanted) for part in verdict.not_run)
    return Release(
        artifact=artifact,
        min_hit_rate=min_hit_rate,
        cases=(*answered, *silent),
        properties=_properties(verdict, min_hit_rate),
    )


def broken(
    error: Exception, *, artifact: str, min_hit_rate: float, runtimes: Sequence[str]
) -> Release:
    """The release check that ended in an error: every runtime says so, lest an older report stand."""
    cases = [
        Case(runtime=name, state="error", reason=str(error), figures="", hit_rate=0.0, seconds=0.0)
        for name in runtimes
    ]
    return Release(
        artifact=artifact,
        min_hit_rate=min_hit_rate,
        cases=tuple(cases),
        properties=(("min_hit_rate", f"{min_hit_rate:g}"),),
    )


def junit(release: Release, *, version: str) -> bytes:
    """The report as JUnit XML, UTF-8; `version` is edgewm's. The same release gives the same bytes."""
    from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

    kinds = {"failed": Failure, "error": Error, "skipped": Skipped}
    suite = TestSuite("edgewm release")
    for name, value in (("edgewm", version), *release.properties):
        suite.add_property(name, _xml_text(value))
    for case in release.cases:
        written = TestCase(_xml_text(case.runtime), _xml_text(release.artifact), case.seconds)
        kind = kinds.get(case.state)
        if kind is not None:
            result = kind(_xml_text(case.reason), f"edgewm.{case.state}")
            result.text = _xml_text(case.figures or case.reason)
            written.result = [result]
        if case.figures:
            written.system_out = _xml_text(case.figures)
        suite.add_testcase(written)
    report = JUnitXml("edgewm")
    report.add_testsuite(suite)
    report.update_statistics()  # type: ignore[no-untyped-call]
    stream = io.BytesIO()
    report.write(stream, pretty=True)
    return stream.getvalue()


def _answered(verdict: Verdict, result: RuntimeResult, min_hit_rate: float) -> Case:
    groups, hit = verdict.groups, result.groups_hit
    needed = next(count for count in range(groups + 1) if count / groups >= min_hit_rate)
    shown = verdict.no_p_value is None and stats.owned(
        result.log10_p, alpha=verdict.alpha, tests=verdict.tests, stamped=verdict.stamped
    )
    counted = f"{hit} of {groups} groups hit ({hit / groups:.1%})"
    evidence = f"log10 p {result.log10_p:.1f}" if verdict.no_p_value is None else "no p-value"
    reasons = []
    if hit < needed:
        reasons.append(f"{needed - hit} fewer than the {needed} of --min-hit-rate {min_hit_rate:g}")
    if not shown:
        bar = f"{evidence} at alpha {verdict.alpha:g}, tests {verdict.tests}"
        stamp = "" if verdict.stamped else ", unstamped"
        reasons.append(f"not owned: {verdict.no_p_value or bar + stamp}")
    return Case(
        runtime=result.spelling,
        state="failed" if reasons else "passed",
        reason="; ".join([counted, *reasons]) if reasons else "",
        figures=(
            f"{counted}, {result.groups_silent} silent, {result.queries} queries, {evidence}, "
            f"arithmetic {result.arithmetic}, {result.name} {result.version}"
        ),
        hit_rate=hit / groups,
        seconds=round(result.latency_ms / 1000, 6),
    )


def _silent(part: NotRun, *, named: bool) -> Case:
    return Case(
        runtime=part.spelling,
        state="error" if part.refused or named else "skipped",
        reason=part.reason,
        figures="",
        hit_rate=0.0,
        seconds=0.0,
    )


def _properties(verdict: Verdict, min_hit_rate: float) -> tuple[tuple[str, str], ...]:
    held: dict[str, object] = {
        "artifact_sha256": verdict.artifact_sha256,
        "triggers_sha256": verdict.triggers_sha256,
        "owned": verdict.owned,
        "p_value": verdict.p_value,
        "log10_p": None if verdict.p_value is None else verdict.log10_p,
        "alpha": verdict.alpha,
        "tests": verdict.tests,
        "stamped": verdict.stamped,
        "groups": verdict.groups,
        "hit_rate": verdict.hit_rate,
        "min_hit_rate": min_hit_rate,
        "adapters": " ".join(verdict.adapters),
        "notes": "; ".join(verdict.flags),
    }
    return tuple((name, _spell(value)) for name, value in held.items() if value not in (None, ""))


def _spell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _xml_text(text: str) -> str:
    """Without the control characters that XML has no way to write."""
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)
