"""The verdict on a tilt, alone or together with triggers.

    suspect bytes --> runtimes --> labels of natural inputs --> scores of cells --> p --> Verdict

Fixed form: every question is asked, and p is the exact tail of the signed sum. Sequential form: cell by
cell in the committed order, stopped as soon as a stamped claim has its evidence. All runtimes are asked the
same and the worst counts.

Both marks: fixed, p = 2 min(p_triggers, p_tilt); sequential, the product of two bets of which each stakes
half its capital. Triggers are asked first, so that a copied file is known after a few inputs and only a
clone costs the natural ones.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from . import stats
from .artifact import Artifact
from .errors import BadInput, ModelRefused, RuntimeUnavailable
from .fitting import Asked, chains_for, check_fits
from .fitting import flags as fitting_flags
from .questioning import left_out, nobody_answers
from .runtimes import FAILED, Runtime, Session
from .runtimes.begin import Begun
from .signed_evidence import SignedProcess, two_marks_log10_e, two_marks_log10_p
from .signed_sum import bound_log10_p, fixed_log10_p, signed_sum
from .suspect import begun_again, what_to_ask
from .verdict import NotRun, RuntimeResult, TiltEvidence, TiltResult, Verdict, p_value, printable

if TYPE_CHECKING:
    from .adapters import Adapter
    from .tilt import Tilt

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Leaning:
    """Everything that is fixed before the first natural input is asked."""

    tilt: Tilt
    signs: npt.NDArray[np.int64]
    alpha: float
    tests: int
    stamped: bool
    sequential: bool
    scores: bool = False
    """Judge how far the suspect's output values lean, not its labels alone."""
    queries: int | None = None
    """Natural inputs to ask, a share of every cell; None for all."""

    def owned(self, log10_p: float) -> bool:
        """Whether this p-value suffices."""
        return stats.owned(log10_p, alpha=self.alpha, tests=self.tests, stamped=self.stamped)

    @property
    def stops_early(self) -> bool:
        """Whether asking ends once the evidence suffices: only for a stamped claim."""
        return self.sequential and self.stamped


def verify_with_tilt(
    suspect: Path | str | bytes | Artifact,
    leaning: Leaning,
    *,
    ask_triggers: Callable[[], Verdict] | None,
    on: Sequence[str | Runtime | Begun],
    adapters: Sequence[str | Adapter] | Sequence[Sequence[str | Adapter]],
) -> Verdict:
    """The verdict on a tilt, and on triggers where there are some, which `ask_triggers` asks first.

    Raises:
        BadInput: several chains of adapters, kept labels, a recording for both marks, a suspect that
            takes other inputs.
        RuntimeUnavailable, ModelRefused: a named runtime is missing or does not run the file.
    """
    if adapters == "try" or any(isinstance(part, list | tuple) for part in adapters):
        raise BadInput("adapters: got several chains with a tilt, name one")
    leaning.owned(0.0)  # refuses a bad alpha or number of tests before anything is asked
    model, asked = what_to_ask(suspect, on)
    found: Verdict | None = None
    if ask_triggers is not None:
        if any(part.spelling.startswith("answers:") for part in asked):
            raise BadInput(
                "SUSPECT: a recording holds the answers to one mark, give --triggers or --tilt"
            )
        found = ask_triggers()
        if found.no_p_value is not None:
            raise BadInput(f"--triggers: {found.no_p_value}; ask the tilt without them")
        asked = begun_again(asked)
    heard = _hear(leaning, asked, model, cast("Sequence[str | Adapter]", adapters), found)
    digest = None if model is None else hashlib.sha256(model).hexdigest()
    return replace(_verdict(leaning, heard, found), artifact_sha256=digest)


@dataclass(frozen=True, kw_only=True)
class _Heard:
    """What every runtime said."""

    results: tuple[tuple[RuntimeResult, TiltResult], ...]
    """Both marks together, and the tilt."""
    not_run: tuple[NotRun, ...]
    flags: tuple[str, ...]
    adapters: tuple[str, ...]


def _hear(
    leaning: Leaning,
    asked: Sequence[Begun],
    model: bytes | None,
    adapters: Sequence[str | Adapter],
    triggers: Verdict | None,
) -> _Heard:
    """Ask every runtime the natural inputs, and join what the triggers showed on it."""
    of_triggers = {r.spelling: r for r in triggers.runtimes} if triggers is not None else {}
    results: list[tuple[RuntimeResult, TiltResult]] = []
    not_run: list[NotRun] = []
    flags: tuple[str, ...] = ()
    spelled: tuple[str, ...] = ()
    for begun in asked:
        try:
            with begun.runtime.open(model) as session:
                (chain,) = chains_for(
                    adapters, triggers=leaning.tilt, facts=session.facts, single=True
                )
                check_fits(session.facts, leaning.tilt, chain)
                found = of_triggers.get(begun.spelling)
                if triggers is not None and found is None:
                    continue  # it could not answer the triggers, which are listed as not run
                result = _ask(session, begun, leaning, chain, found)
                flags = tuple(fitting_flags(session.facts, leaning.tilt, [chain], chain))
        except (ModelRefused, RuntimeUnavailable) as error:
            not_run.append(left_out(begun, error))
            continue
        spelled = chain.adapters
        results.append(result)
    if not results:
        raise nobody_answers(not_run)
    return _Heard(
        results=tuple(results),
        not_run=tuple(not_run),
        flags=(*flags, *_flags(leaning, results)),
        adapters=spelled,
    )


def _ask(
    session: Session, begun: Begun, leaning: Leaning, chain: Asked, triggers: RuntimeResult | None
) -> tuple[RuntimeResult, TiltResult]:
    """What one runtime came to: both marks together, and the tilt."""
    tilt, engine = leaning.tilt, session.engine
    course = _Course(triggers=triggers, leaning=leaning, process=SignedProcess(cells=tilt.cells))
    labels = np.full(len(tilt.inputs), FAILED, np.int64)
    logs = np.full((len(tilt.inputs), tilt.classes), np.nan)
    queries, latency_ms, complete, reason = 0, 0.0, 0, ""
    questions = tilt.questions(leaning.queries)
    steps = [[k] for k in range(tilt.cells)] if leaning.stops_early else [[*range(tilt.cells)]]
    for step in steps if not course.suffices else []:
        chosen = np.concatenate([questions[k] for k in step])
        got = session.ask(chain.inputs[chosen])
        labels[chosen[: len(got.labels)]] = chain.meant(got.labels, tilt.classes)
        if leaning.scores:
            from .output_scores import said_by

            said = chain.meant_scores(said_by(got, session.facts), tilt.classes)
            logs[chosen[: len(said)]] = said
        queries, latency_ms = queries + len(got.labels), latency_ms + got.latency_ms
        reason = reason or printable(got.reason)
        ends = np.cumsum([len(questions[k]) for k in step])
        complete += int((ends <= len(got.labels)).sum())
        if len(got.labels) < len(chosen):
            break  # a recording that holds no more
        if leaning.stops_early:
            cell = tilt.order[step[0]]
            course.add(int(tilt.scores(labels)[cell]), int(leaning.signs[cell]))
            if course.suffices:
                break
    if leaning.scores:
        from .output_scores import cell_scores

        scores = cell_scores(tilt, logs)
    else:
        scores = tilt.scores(labels)
    of_tilt = course.of_tilt(scores, complete)
    squares = float((scores.astype(np.float64) ** 2).sum())
    total = signed_sum(scores, leaning.signs)
    whole = complete == tilt.cells and not leaning.sequential
    result = TiltResult(
        spelling=begun.spelling,
        name=engine.name,
        version=engine.version,
        arithmetic=engine.arithmetic,
        cells_asked=complete,
        queries=queries,
        failed=int((labels[np.concatenate(questions)[:queries]] == FAILED).sum()),
        z=total / math.sqrt(squares) if squares else 0.0,
        log10_p=of_tilt,
        log10_p_bound=bound_log10_p(scores, total) if whole else 0.0,
        latency_ms=latency_ms,
    )
    return _together(result, triggers, course.log10_p(of_tilt), reason), result


@dataclass(kw_only=True)
class _Course:
    """The evidence of one runtime as cells come in."""

    triggers: RuntimeResult | None
    leaning: Leaning
    process: SignedProcess
    highest: float = 0.0
    """Of the bet on both marks, or on the tilt alone."""

    def __post_init__(self) -> None:
        if self.triggers is not None and self.leaning.sequential:
            self.highest = two_marks_log10_e(-self.triggers.log10_p, 0.0)

    @property
    def suffices(self) -> bool:
        """Whether nothing more need be asked."""
        return self.leaning.stops_early and self.leaning.owned(-self.highest)

    def add(self, score: int, sign: int) -> None:
        """One more complete cell."""
        self.process = self.process.after(score, sign)
        value = self.process.log10_e
        if self.triggers is not None:
            value = two_marks_log10_e(self.triggers.log10_e, value)
        self.highest = max(self.highest, value)

    def of_tilt(self, scores: npt.NDArray[np.int64], complete: int) -> float:
        """log10 p of the tilt alone."""
        leaning = self.leaning
        if not leaning.sequential:
            if complete < leaning.tilt.cells:
                return 0.0  # whoever stopped asking may have known the signs
            return fixed_log10_p(scores, signed_sum(scores, leaning.signs))
        if not leaning.stops_early:
            for cell in leaning.tilt.order[:complete]:
                self.add(int(scores[cell]), int(leaning.signs[cell]))
        return self.process.log10_p

    def log10_p(self, of_tilt: float) -> float:
        """log10 p of all that was asked."""
        if self.leaning.sequential:
            return 0.0 - self.highest
        return (
            of_tilt if self.triggers is None else two_marks_log10_p(self.triggers.log10_p, of_tilt)
        )


def _together(
    result: TiltResult, triggers: RuntimeResult | None, log10_p: float, reason: str
) -> RuntimeResult:
    """The runtime's line in the verdict: all its queries, and p of both marks."""
    if triggers is not None:
        return replace(
            triggers,
            queries=triggers.queries + result.queries,
            failed=triggers.failed + result.failed,
            latency_ms=triggers.latency_ms + result.latency_ms,
            log10_p=log10_p,
            reason=triggers.reason or reason,
        )
    return RuntimeResult(
        spelling=result.spelling,
        name=result.name,
        version=result.version,
        arithmetic=result.arithmetic,
        groups_asked=0,
        groups_hit=0,
        groups_silent=0,
        queries=result.queries,
        failed=result.failed,
        log10_p=log10_p,
        latency_ms=result.latency_ms,
        reason=reason,
    )


def _verdict(leaning: Leaning, heard: _Heard, triggers: Verdict | None) -> Verdict:
    worst, worst_tilt = max(heard.results, key=lambda pair: (pair[0].log10_p, pair[1].log10_p))
    alone = Verdict(
        owned=leaning.owned(worst.log10_p),
        p_value=p_value(worst.log10_p),
        log10_p=worst.log10_p,
        alpha=leaning.alpha,
        sequential=leaning.sequential,
        scores=leaning.scores,
        tests=leaning.tests,
        stamped=leaning.stamped,
        groups=0,
        worst=worst,
        runtimes=tuple(both for both, _ in heard.results),
        not_run=heard.not_run,
        artifact_sha256=None,
        triggers_sha256=None,
        flags=heard.flags,
        adapters=heard.adapters,
        tilt=TiltEvidence(
            cells=leaning.tilt.cells,
            tilt_sha256=leaning.tilt.sha256,
            worst=worst_tilt,
            runtimes=tuple(of_tilt for _, of_tilt in heard.results),
        ),
    )
    if triggers is None:
        return alone
    new = tuple(flag for flag in heard.flags if flag not in triggers.flags)
    return replace(
        alone,
        groups=triggers.groups,
        sequential=triggers.sequential,
        not_run=(*triggers.not_run, *heard.not_run),
        triggers_sha256=triggers.triggers_sha256,
        flags=(*triggers.flags, *new),
        chains=triggers.chains,
    )


def _flags(
    leaning: Leaning, results: Sequence[tuple[RuntimeResult, TiltResult]]
) -> tuple[str, ...]:
    flags: list[str] = []
    if not leaning.stamped:
        flags.append("unstamped: owned needs p below alpha x 2^-64, and every group is asked")
    of_tilt = [result for _, result in results]
    both, worst = max(results, key=lambda pair: pair[1].failed)
    if worst.failed:
        why = f": {both.reason}" if both.reason else ""
        flags.append(f"{worst.failed} natural inputs brought no label and add nothing{why}")
    short = any(result.cells_asked < leaning.tilt.cells for result in of_tilt)
    if short and not leaning.sequential:
        flags.append("not every natural input was answered: the fixed form shows nothing then")
    if any(result.arithmetic == "unknown" for result in of_tilt):
        flags.append("a runtime of unknown arithmetic answered")
    return tuple(flags)
