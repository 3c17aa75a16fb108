"""Ask a suspect the secret questions and say how likely an innocent one would answer as it did.

    suspect bytes --> runtimes (one child process each) --> labels --> outcomes --> p --> Verdict

Everything that could be chosen to please is fixed before the first question: the groups and their order
by the commitment, the runtimes, the mode and the number of tests by the caller. All runtimes are asked
the same and the worst counts. A suspect that takes other inputs is asked through adapters; each chain
of them that is tried is one more test, and their number follows from what the file declares.

Fixed mode asks every group. Sequential mode stops when the evidence suffices, but only for a claim that
is stamped: without a stamp every group is asked and the bar is 2^64 higher, since a forger may have
chosen the key with the suspect in hand.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import stats
from .artifact import Artifact
from .errors import BadInput, ModelRefused, RuntimeUnavailable
from .evidence import EProcess, e_process, sequential_log10_p
from .fitting import Asked, Labels, chains_for, check_fits
from .fitting import flags as fitting_flags
from .runtimes import FAILED, Engine, ModelFacts, Runtime, Session
from .runtimes.begin import Begun
from .suspect import what_to_ask
from .verdict import KEPT, ChainResult, NotRun, RuntimeResult, Verdict, p_value, printable

if TYPE_CHECKING:
    from .adapters import Adapter
    from .key import Key
    from .tilt import Tilt
    from .triggers import Triggers


def verify(
    suspect: Path | str | bytes | Artifact,
    *,
    key: Key,
    triggers: Triggers | None = None,
    tilt: Tilt | None = None,
    on: Sequence[str | Runtime | Begun] = ("litert",),
    alpha: float = 1e-6,
    tests: int = 1,
    sequential: bool = False,
    stamped: bool = False,
    run: Run | None = None,
    adapters: Sequence[str | Adapter] | Sequence[Sequence[str | Adapter]] = (),
    natural_queries: int | None = None,
) -> Verdict:
    """Ask `suspect` the questions of `triggers`, of `tilt`, or of both, and judge the answers.

    `suspect` is a model file, its bytes, an `Artifact`, or the spelling of a runtime that needs no model
    (``answers:file=A.npz``, ``exec:command=...``), which then takes the place of `on`. `tests` is
    suspects x marks x claims; the number of chains in `adapters` multiplies it. `stamped` says that the
    caller has checked a timestamp that shows the claim to be older than the suspect; nothing here can
    check that. `run` asks only some groups, see `Run`. `adapters` is one chain
    (``["grey_to_rgb", "resize"]``), several chains, of which the most favourable counts, or "try" for
    the fixed list of `edgewm.adapters.suggestion`.

    Triggers with kept labels give a hit rate, p_value None and never `owned`: `Verdict.no_p_value`.
    Triggers with natural inputs are for models that do not classify: the parts of `edgewm.parts`.
    A tilt is asked whole, cell by cell under `sequential`, or with `natural_queries` of its inputs, a
    number that must be named before any answer is seen. With triggers, p is of both marks together.

    Raises:
        BadInput: key, triggers, adapters and model do not fit together, an argument out of range, or
            `sequential` for kept labels, which are no evidence.
        RuntimeUnavailable, ModelRefused: a named runtime is missing or does not run the file.
    """
    if tilt is not None:
        from .tilt_verification import Leaning, verify_with_tilt

        return verify_with_tilt(
            suspect,
            Leaning(
                tilt=tilt,
                signs=tilt.signs(key),
                alpha=alpha,
                tests=tests,
                stamped=stamped,
                sequential=sequential,
                queries=natural_queries,
            ),
            ask_triggers=None
            if triggers is None
            else lambda: verify(
                suspect,
                triggers=triggers,
                key=key,
                on=on,
                alpha=alpha,
                tests=2 * tests,  # half the capital is staked on the tilt
                sequential=sequential,
                stamped=stamped,
                run=run,
                adapters=adapters,
            ),
            on=on,
            adapters=adapters,
        )
    if triggers is None:
        raise BadInput("triggers: got neither triggers nor a tilt, expected one of them or both")
    model, asked = what_to_ask(suspect, on)
    if triggers.natural is not None:
        from .parts import split

        if adapters:
            raise BadInput("--adapter: triggers for outputs are asked as they are, leave it out")
        asked = split(asked, triggers)
    run = run or Run()
    if sequential and triggers.kept is not None:
        raise BadInput(f"--sequential: {KEPT}; leave it out")
    question = _Question(
        triggers=triggers,
        answers=triggers.answers(key),
        order=run.of(triggers),
        alpha=alpha,
        tests=tests * (triggers.groups if run.start_is_free else 1),
        stamped=stamped,
        sequential=sequential or (triggers.kept is None and not run.whole(triggers)),
    )
    question.owned(0.0)  # refuses a bad alpha or number of tests before anything is asked
    heard = _hear(asked, model, question, adapters)
    worsts = [max(results, key=_little) for results in zip(*heard.results, strict=True)]
    best = min(range(len(worsts)), key=lambda chain: _little(worsts[chain]))
    question, worst = heard.question, worsts[best]
    return Verdict(
        owned=question.owned(worst.log10_p),
        p_value=p_value(worst.log10_p) if triggers.kept is None else None,
        no_p_value=None if triggers.kept is None else KEPT,
        log10_p=worst.log10_p,
        alpha=alpha,
        sequential=question.sequential,
        tests=question.tests,
        stamped=stamped,
        groups=triggers.groups,
        worst=worst,
        runtimes=tuple(of_chains[best] for of_chains in heard.results),
        not_run=heard.not_run,
        artifact_sha256=None if model is None else hashlib.sha256(model).hexdigest(),
        triggers_sha256=triggers.sha256,
        flags=_flags(heard, run, best),
        adapters=heard.chains[best].adapters,
        chains=tuple(
            ChainResult(adapters=chain.adapters, groups_hit=of.groups_hit, log10_p=of.log10_p)
            for chain, of in zip(heard.chains, worsts, strict=True)
        ),
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

    def log10_p(self, outcomes: npt.NDArray[np.int8]) -> float:
        allowed = self.triggers.allowed
        if self.triggers.kept is not None:
            return 0.0  # p = 1, which is true of whatever is asked
        if self.sequential:
            return sequential_log10_p(
                outcomes[self.order], allowed[self.order], groups=self.triggers.groups
            )
        return stats.log10_fraction(stats.fixed_p(outcomes, allowed))


@dataclass(frozen=True, kw_only=True)
class _Heard:
    """What every runtime said through every chain of adapters."""

    question: _Question
    """With the chains counted in its tests."""
    facts: ModelFacts | None
    chains: tuple[Asked, ...]
    results: list[list[RuntimeResult]]
    """By runtime, then by chain, as are the labels."""
    labels: list[list[Labels]]
    not_run: tuple[NotRun, ...]


def _hear(
    asked: Sequence[Begun],
    model: bytes | None,
    question: _Question,
    adapters: Sequence[str | Adapter] | Sequence[Sequence[str | Adapter]],
) -> _Heard:
    """Ask every runtime everything; the chains are made from what the first one says of the file."""
    triggers = question.triggers
    heard: _Heard | None = None
    not_run: list[NotRun] = []
    for begun in asked:
        try:
            with begun.runtime.open(model) as session:
                facts = session.facts
                if heard is None:
                    chains = chains_for(
                        adapters, triggers=triggers, facts=facts, single=model is None
                    )
                    heard = _Heard(
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
            if not begun.optional:
                raise
            refused = isinstance(error, ModelRefused)
            not_run.append(NotRun(spelling=begun.spelling, reason=str(error), refused=refused))
            continue
        heard.results.append([_result(begun, engine, heard.question, part) for part in said])
        heard.labels.append([part.labels for part in said])
    if heard is None or not heard.results:
        reasons = "; ".join(f"{n.spelling}: {n.reason}" for n in not_run)
        kind = ModelRefused if any(n.refused for n in not_run) else BadInput
        raise kind(f"--on: no runtime here answers for this suspect ({reasons})")
    return replace(heard, not_run=tuple(not_run))


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What one runtime said through one chain."""

    labels: Labels
    """In the order of asking."""
    latency_ms: float
    reason: str
    """Why the first question that failed did."""


def _ask(session: Session, question: _Question, chain: Asked) -> _Said:
    """Every answer that is wanted."""
    triggers = question.triggers
    if not question.stops_early:
        got = session.ask(chain.inputs[question.queries])
        labels = chain.meant(got.labels, triggers.classes)
        return _Said(labels=labels, latency_ms=got.latency_ms, reason=got.reason)
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


def _result(begun: Begun, engine: Engine, question: _Question, said: _Said) -> RuntimeResult:
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
        log10_p=question.log10_p(outcomes),
        latency_ms=said.latency_ms,
        log10_e=question.log10_e(outcomes),
        reason=printable(said.reason),
    )


def _little(result: RuntimeResult) -> tuple[float, int]:
    """How little a result says, to be compared: its p-value, then its hits."""
    return result.log10_p, -result.groups_hit


def _flags(heard: _Heard, run: Run, best: int) -> tuple[str, ...]:
    question = heard.question
    results = [of_chains[best] for of_chains in heard.results]
    labels = [of_chains[best] for of_chains in heard.labels]
    flags: list[str] = []
    kept = question.triggers.kept is not None
    if kept:
        flags.append(KEPT)
    elif not question.stamped:
        flags.append("unstamped: owned needs p below alpha x 2^-64, and every group is asked")
    if run.start_is_free and not kept:
        flags.append(
            f"asked from position {run.first_group} of the order on, which nothing fixes: "
            f"tests x {question.triggers.groups}"
        )
    if any(result.failed for result in results):
        worst = max(results, key=lambda result: result.failed)
        why = f": {worst.reason}" if worst.reason else ""
        flags.append(f"{worst.failed} queries failed and count as missed{why}")
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
    return (
        *flags,
        *fitting_flags(heard.facts, question.triggers, heard.chains, heard.chains[best]),
    )
