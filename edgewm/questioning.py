"""What is asked of a suspect and what its runtimes answer: a run of the committed order, put to each in turn.

Everything here is fixed before the first runtime is opened, or follows from labels alone; what it all comes
to is `verification`'s matter.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import stats
from .errors import BadInput, ModelRefused, RuntimeUnavailable
from .evidence import EProcess, e_process, sequential_log10_p
from .fitting import Asked, Labels, Scores, chains_for, check_fits
from .runtimes import FAILED, Engine, ModelFacts, Session
from .runtimes.begin import Begun
from .verdict import NotRun, RuntimeResult, printable

if TYPE_CHECKING:
    from .adapters import Adapter
    from .triggers import Triggers


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
    start_is_recorded: bool = False
    """Stamped records, older than the suspect, say that the groups before were opened."""

    @property
    def start_is_free(self) -> bool:
        """Whether the start could have been chosen by the answers."""
        return self.first_group > 0 and not self.start_is_recorded

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
    place = np.full(triggers.groups, -1)
    place[list(order)] = np.arange(len(order))
    places = place[triggers.group_ids]
    asked = np.flatnonzero(places >= 0)
    return asked[np.argsort(places[asked], kind="stable")].astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Question:
    """Everything that is fixed before the first runtime is opened."""

    triggers: Triggers
    answers: Labels
    order: list[int]
    alpha: float
    tests: int
    stamped: bool
    sequential: bool
    scores: bool = False
    """Judge the suspect's output values; the hits are told, too, and count for nothing more."""

    @property
    def stops_early(self) -> bool:
        """Whether asking ends once the evidence suffices: only for a stamped claim."""
        return self.sequential and self.stamped

    def owned(self, log10_p: float) -> bool:
        enough = stats.owned(log10_p, alpha=self.alpha, tests=self.tests, stamped=self.stamped)
        return enough and self.triggers.kept is None

    def outcomes(self, labels: Labels) -> npt.NDArray[np.int8]:
        """The outcome of every committed group, (m,), from labels in the order of asking."""
        return stats.choose(labels, self._group_ids, excluded=self._excluded, answers=self.answers)

    @functools.cached_property
    def queries(self) -> npt.NDArray[np.int64]:
        """Indices into the inputs that are asked, in order, (q,)."""
        return questions(self.triggers, self.order)

    @functools.cached_property
    def _excluded(self) -> npt.NDArray[np.bool_]:
        """(m, K + 1): a class that the owner does not have has no vote, as a natural one."""
        return np.pad(self.triggers.excluded, ((0, 0), (0, 1)), constant_values=True)

    @functools.cached_property
    def _group_ids(self) -> npt.NDArray[np.int32]:
        """Group of every committed input, (n,): those that are asked first, in order."""
        asked = set(self.order)
        rest = [j for j in range(self.triggers.groups) if j not in asked]
        return self.triggers.group_ids[questions(self.triggers, [*self.order, *rest])]

    def log10_e(self, outcomes: npt.NDArray[np.int8]) -> float:
        """The bet after the last group that was asked; 0 in the fixed form."""
        if not self.sequential:
            return 0.0
        values = e_process(
            outcomes[self.order], self.triggers.allowed[self.order], groups=self.triggers.groups
        )
        return float(values[-1])

    def log10_p(self, outcomes: npt.NDArray[np.int8], scores: Scores | None) -> float:
        allowed = self.triggers.allowed
        if self.triggers.kept is not None:
            return 0.0  # p = 1, which is true of whatever is asked
        if scores is not None:
            from .drawn_sum import drawn_log10_p  # most verdicts are on labels, and start faster
            from .output_scores import levels

            found, failed = levels(scores, self._group_ids, groups=self.triggers.groups)
            return drawn_log10_p(
                found, excluded=self.triggers.excluded, answers=self.answers, failed=failed
            )
        if self.sequential:
            return sequential_log10_p(
                outcomes[self.order], allowed[self.order], groups=self.triggers.groups
            )
        return stats.log10_fraction(stats.fixed_p(outcomes, allowed))


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What every runtime said through every chain of adapters."""

    question: Question
    """With the chains counted in its tests."""
    facts: ModelFacts | None
    chains: tuple[Asked, ...]
    results: list[list[RuntimeResult]]
    """By runtime, then by chain, as are the labels."""
    labels: list[list[Labels]]
    not_run: tuple[NotRun, ...]


def hear(
    asked: Sequence[Begun],
    model: bytes | None,
    question: Question,
    adapters: Sequence[str | Adapter] | Sequence[Sequence[str | Adapter]],
) -> Heard:
    """Ask every runtime everything; the chains are made from what the first one says of the file."""
    triggers = question.triggers
    heard: Heard | None = None
    not_run: list[NotRun] = []
    for begun in asked:
        try:
            with begun.runtime.open(model) as session:
                facts = session.facts
                if heard is None:
                    chains = chains_for(
                        adapters, triggers=triggers, facts=facts, single=model is None
                    )
                    heard = Heard(
                        question=replace(question, tests=question.tests * len(chains)),
                        facts=facts,
                        chains=chains,
                        results=[],
                        labels=[],
                        not_run=(),
                    )
                for chain in heard.chains:
                    check_fits(facts, triggers, chain)
                said = [_ask(session, heard.question, chain) for chain in heard.chains]
                engine = session.engine
        except (ModelRefused, RuntimeUnavailable) as error:
            not_run.append(left_out(begun, error))
            continue
        heard.results.append([_result(begun, engine, heard.question, part) for part in said])
        heard.labels.append([part.labels for part in said])
    if heard is None or not heard.results:
        raise nobody_answers(not_run)
    return replace(heard, not_run=tuple(not_run))


def left_out(begun: Begun, error: ModelRefused | RuntimeUnavailable) -> NotRun:
    """A runtime that need not answer and does not; one that was named raises its error."""
    if not begun.optional:
        raise error
    refused = isinstance(error, ModelRefused)
    return NotRun(spelling=begun.spelling, reason=str(error), refused=refused)


def nobody_answers(not_run: Sequence[NotRun]) -> ModelRefused | BadInput:
    """The error of a verification without an answer: of the suspect, where a working runtime refused it."""
    reasons = "; ".join(f"{n.spelling}: {n.reason}" for n in not_run)
    kind = ModelRefused if any(n.refused for n in not_run) else BadInput
    return kind(f"--on: no runtime here answers for this suspect ({reasons})")


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What one runtime said through one chain."""

    labels: Labels
    """In the order of asking."""
    latency_ms: float
    reason: str
    """Why the first question that failed did."""
    scores: Scores | None = None
    """The output values behind the labels, where they are what is judged."""


def _ask(session: Session, question: Question, chain: Asked) -> _Said:
    """Every answer that is wanted."""
    triggers = question.triggers
    if not question.stops_early:
        got = session.ask(chain.inputs[question.queries])
        labels = chain.meant(got.labels, triggers.classes)
        scores = None
        if question.scores:
            from .output_scores import said_by

            scores = chain.meant_scores(said_by(got, session.facts), triggers.classes)
        return _Said(labels=labels, latency_ms=got.latency_ms, reason=got.reason, scores=scores)
    process = EProcess(groups=triggers.groups)
    labels = np.empty(0, np.int64)
    latency_ms, reason = 0.0, ""
    for j in question.order:
        inputs = chain.inputs[triggers.group_ids == j]
        got = session.ask(inputs)
        labels = np.concatenate([labels, chain.meant(got.labels, triggers.classes)])
        latency_ms, reason = latency_ms + got.latency_ms, reason or got.reason
        if len(got.labels) == 0:
            break  # a recording that holds no more
        process = process.after(int(question.outcomes(labels)[j]), int(triggers.allowed[j]))
        if len(got.labels) < len(inputs) or question.owned(process.log10_p):
            break
    return _Said(labels=labels, latency_ms=latency_ms, reason=reason)


def _result(begun: Begun, engine: Engine, question: Question, said: _Said) -> RuntimeResult:
    outcomes = question.outcomes(said.labels)
    return RuntimeResult(
        spelling=begun.spelling,
        name=engine.name,
        version=engine.version,
        arithmetic=engine.arithmetic,
        groups_asked=int((outcomes != stats.Outcome.UNASKED).sum()),
        groups_hit=int((outcomes == stats.Outcome.HIT).sum()),
        groups_silent=int((outcomes == stats.Outcome.SILENT).sum()),
        queries=len(said.labels),
        failed=int((said.labels == FAILED).sum()),
        log10_p=question.log10_p(outcomes, said.scores),
        latency_ms=said.latency_ms,
        log10_e=question.log10_e(outcomes),
        reason=printable(said.reason),
    )
