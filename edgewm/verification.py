"""Ask a suspect the secret questions and say how likely an innocent one would answer as it did.

    suspect bytes --> runtimes (one child process each) --> labels --> outcomes --> p --> Verdict

Everything that could be chosen to please is fixed before the first question: the groups and their order
by the commitment, the runtimes, the mode and the number of tests by the caller. All runtimes are asked
the same and the worst counts.

Fixed mode asks every group. Sequential mode stops when the evidence suffices, but only for a claim that
is stamped: without a stamp every group is asked and the bar is 2^64 higher, since a forger may have
chosen the key with the suspect in hand.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import stats
from .artifact import Artifact, read_model
from .errors import BadInput, EdgewmError
from .evidence import EProcess, sequential_log10_p
from .runtimes import FAILED, Engine, Runtime, Session
from .runtimes.begin import Begun, begin, names_a_runtime
from .verdict import NotRun, RuntimeResult, Verdict

if TYPE_CHECKING:
    from .key import Key
    from .triggers import Triggers

Labels = npt.NDArray[np.int64]


def verify(
    suspect: Path | str | bytes | Artifact,
    *,
    triggers: Triggers,
    key: Key,
    on: Sequence[str | Runtime | Begun] = ("litert",),
    alpha: float = 1e-6,
    tests: int = 1,
    sequential: bool = False,
    stamped: bool = False,
    run: Run | None = None,
) -> Verdict:
    """Ask `suspect` the questions of `triggers` and judge the answers.

    `suspect` is a model file, its bytes, an `Artifact`, or the spelling of a runtime that needs no model
    (``answers:file=A.npz``, ``exec:command=...``), which then takes the place of `on`. `tests` is
    suspects x marks x claims x adapters tried. `stamped` says that the caller has checked a timestamp
    that shows the claim to be older than the suspect; nothing here can check that. `run` asks only
    some groups, see `Run`.

    Raises:
        BadInput: key, triggers and model do not fit together, or an argument out of range.
        RuntimeUnavailable, ModelRefused: a named runtime is missing or does not run the file.
    """
    model, asked = _what_to_ask(suspect, on)
    run = run or Run()
    question = _Question(
        triggers=triggers,
        answers=triggers.answers(key),
        order=run.of(triggers),
        alpha=alpha,
        tests=tests * (triggers.groups if run.first_group else 1),
        stamped=stamped,
        sequential=sequential or not run.whole(triggers),
    )
    question.owned(0.0)  # refuses a bad alpha or number of tests before anything is asked
    results: list[RuntimeResult] = []
    not_run: list[NotRun] = []
    labels: list[Labels] = []
    for begun in asked:
        try:
            with begun.runtime.open(model) as session:
                _check_fits(session, triggers)
                answered, latency_ms = _ask(session, question)
                engine = session.engine
        except EdgewmError as error:
            if not begun.optional:
                raise
            not_run.append(NotRun(spelling=begun.spelling, reason=str(error)))
            continue
        results.append(_result(begun, engine, question, answered, latency_ms))
        labels.append(answered)
    if not results:
        reasons = "; ".join(f"{n.spelling}: {n.reason}" for n in not_run)
        raise BadInput(f"--on: no runtime here answers for this suspect ({reasons})")
    worst = max(results, key=lambda result: result.log10_p)
    return Verdict(
        owned=question.owned(worst.log10_p),
        p_value=_p_value(worst.log10_p),
        log10_p=worst.log10_p,
        alpha=alpha,
        sequential=question.sequential,
        tests=question.tests,
        stamped=stamped,
        groups=triggers.groups,
        worst=worst,
        runtimes=tuple(results),
        not_run=tuple(not_run),
        artifact_sha256=None if model is None else hashlib.sha256(model).hexdigest(),
        triggers_sha256=triggers.sha256,
        flags=_flags(question, run, results, labels),
    )


@dataclass(frozen=True, kw_only=True)
class Run:
    """Which groups of the committed order are asked; by default all of them.

    A part of the order is for devices that are not ours: whoever holds one sees the inputs it is asked,
    so the rest is kept for another day. The evidence of a part is the e-process over it, which may end
    anywhere; a start other than the first group is fixed by nothing and multiplies the tests by m.
    """

    first_group: int = 0
    """Position in the order, not a group's number."""
    groups: int | None = None
    """How many to ask from there; None for all that are left."""

    def of(self, triggers: Triggers) -> list[int]:
        """The groups to ask, in order.

        Raises:
            BadInput: the run leaves the committed groups.
        """
        last = triggers.groups if self.groups is None else self.first_group + self.groups
        if not 0 <= self.first_group < last <= triggers.groups:
            raise BadInput(
                f"--groups: got groups {self.first_group} to {last} of the order, "
                f"expected a run within 0 to {triggers.groups}"
            )
        return triggers.order[self.first_group : last]

    def whole(self, triggers: Triggers) -> bool:
        """Whether every committed group is asked."""
        return len(self.of(triggers)) == triggers.groups


def questions(triggers: Triggers, order: Sequence[int]) -> npt.NDArray[np.int64]:
    """Indices into `triggers.inputs` in the order of asking: group after group, (q,)."""
    of_group = [np.flatnonzero(triggers.group_ids == j) for j in order]
    return np.concatenate(of_group).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class _Question:
    """Everything that is fixed before the first runtime is opened."""

    triggers: Triggers
    answers: Labels
    order: list[int]
    alpha: float
    tests: int
    stamped: bool
    sequential: bool

    @property
    def stops_early(self) -> bool:
        """Whether asking ends once the evidence suffices: only for a stamped claim."""
        return self.sequential and self.stamped

    def owned(self, log10_p: float) -> bool:
        return stats.owned(log10_p, alpha=self.alpha, tests=self.tests, stamped=self.stamped)

    def outcomes(self, labels: Labels) -> npt.NDArray[np.int8]:
        """The outcome of every committed group, (m,), from labels in the order of asking."""
        return stats.choose(
            labels, self._group_ids, excluded=self.triggers.excluded, answers=self.answers
        )

    @functools.cached_property
    def queries(self) -> npt.NDArray[np.int64]:
        """Indices into the inputs that are asked, in order, (q,)."""
        return questions(self.triggers, self.order)

    @functools.cached_property
    def _group_ids(self) -> npt.NDArray[np.int32]:
        """Group of every committed input, (n,): those that are asked first, in order."""
        asked = set(self.order)
        rest = [j for j in range(self.triggers.groups) if j not in asked]
        return self.triggers.group_ids[questions(self.triggers, [*self.order, *rest])]

    def log10_p(self, outcomes: npt.NDArray[np.int8]) -> float:
        allowed = self.triggers.allowed
        if self.sequential:
            return sequential_log10_p(
                outcomes[self.order], allowed[self.order], groups=self.triggers.groups
            )
        return stats.log10_fraction(stats.fixed_p(outcomes, allowed))


def _what_to_ask(
    suspect: Path | str | bytes | Artifact, on: Sequence[str | Runtime | Begun]
) -> tuple[bytes | None, tuple[Begun, ...]]:
    if isinstance(suspect, str) and names_a_runtime(suspect):
        return None, begin([suspect])
    model = (
        suspect.model
        if isinstance(suspect, Artifact)
        else suspect
        if isinstance(suspect, bytes)
        else read_model(Path(suspect))
    )
    named = [part for part in on if not isinstance(part, Begun)]
    begun = [part for part in on if isinstance(part, Begun)]
    asked = (*begun, *begin(named)) if named or not begun else tuple(begun)
    for part in asked:
        if not part.runtime.needs_model:
            raise BadInput(
                f"--on: {part.spelling} answers without a model file, give it in place of SUSPECT"
            )
    return model, asked


def _check_fits(session: Session, triggers: Triggers) -> None:
    facts = session.facts
    if facts is None:
        return
    takes, gives = facts.inputs[0].shape[1:], facts.outputs[0].shape[1:]
    fits = len(takes) == len(triggers.shape) and all(
        t in (-1, s) for t, s in zip(takes, triggers.shape, strict=True)
    )
    if not fits:
        raise BadInput(
            f"SUSPECT: the model takes inputs {_times(takes)}, the triggers are "
            f"{_times(triggers.shape)}: these are not triggers for this model"
        )
    scores = math.prod(gives)
    classes = 2 if scores == 1 else scores  # one sigmoid output says two classes
    if min(gives, default=1) > 0 and classes != triggers.classes:
        raise BadInput(
            f"SUSPECT: the model has {classes} classes, the triggers {triggers.classes}: "
            "these are not triggers for this model"
        )


def _times(shape: Sequence[int]) -> str:
    return "x".join(str(d) for d in shape)


def _ask(session: Session, question: _Question) -> tuple[Labels, float]:
    """Labels in the order of asking, and the milliseconds the inferences took."""
    triggers = question.triggers
    if not question.stops_early:
        got = session.ask(triggers.inputs[question.queries])
        return got.labels, got.latency_ms
    process = EProcess(groups=triggers.groups)
    labels = np.empty(0, np.int64)
    latency_ms = 0.0
    for j in question.order:
        inputs = triggers.of_group(j)
        got = session.ask(inputs)
        labels = np.concatenate([labels, got.labels])
        latency_ms += got.latency_ms
        if len(got.labels) == 0:
            break  # a recording that holds no more
        process = process.after(int(question.outcomes(labels)[j]), int(triggers.allowed[j]))
        if len(got.labels) < len(inputs) or question.owned(process.log10_p):
            break
    return labels, latency_ms


def _result(
    begun: Begun, engine: Engine, question: _Question, labels: Labels, latency_ms: float
) -> RuntimeResult:
    outcomes = question.outcomes(labels)
    return RuntimeResult(
        spelling=begun.spelling,
        name=engine.name,
        version=engine.version,
        arithmetic=engine.arithmetic,
        groups_asked=int((outcomes != stats.Outcome.UNASKED).sum()),
        groups_hit=int((outcomes == stats.Outcome.HIT).sum()),
        groups_silent=int((outcomes == stats.Outcome.SILENT).sum()),
        queries=len(labels),
        failed=int((labels == FAILED).sum()),
        log10_p=question.log10_p(outcomes),
        latency_ms=latency_ms,
    )


def _p_value(log10_p: float) -> float:
    """The p-value as a float that is never below the true one."""
    if log10_p < -307:
        return 1e-307
    return min(1.0, float(np.nextafter(10.0**log10_p * (1 + 1e-12), 1.0)))


def _flags(
    question: _Question, run: Run, results: Sequence[RuntimeResult], labels: Sequence[Labels]
) -> tuple[str, ...]:
    flags: list[str] = []
    if not question.stamped:
        flags.append("unstamped: owned needs p below alpha x 2^-64, and every group is asked")
    if run.first_group:
        flags.append(
            f"asked from position {run.first_group} of the order on, which nothing fixes: "
            f"tests x {question.triggers.groups}"
        )
    if any(result.failed for result in results):
        failed = max(result.failed for result in results)
        flags.append(f"{failed} queries failed and count as missed")
    incomplete = any(len(part) < len(question.queries) for part in labels)
    if incomplete and not question.stops_early:
        flags.append("not every group was answered; the others count as missed in the fixed form")
    if any(result.arithmetic == "unknown" for result in results):
        flags.append("a runtime of unknown arithmetic answered")
    shortest = min(len(part) for part in labels)
    differing = max(int((part[:shortest] != labels[0][:shortest]).sum()) for part in labels)
    if differing:
        flags.append(f"runtimes disagree on {differing} of {shortest} labels")
    spoken = [part[part != FAILED] for part in labels]
    if any(len(part) > 1 and len(np.unique(part)) == 1 for part in spoken):
        flags.append("a runtime gave one and the same class to every question")
    return tuple(flags)
