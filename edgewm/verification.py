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

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .artifact import Artifact
from .errors import BadInput
from .fitting import flags as fitting_flags
from .questioning import Heard, Question, Run, hear
from .runtimes import FAILED, Runtime
from .runtimes.begin import Begun
from .suspect import what_to_ask
from .verdict import KEPT, ChainResult, RuntimeResult, Verdict, p_value

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
    scores: bool = False,
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
    `scores` judges the values that the suspect gives instead of its labels alone, which shows far more of a
    copy that was trained on, pruned or rounded: everything is asked, by runtimes that give output values.
    A tilt is asked whole, cell by cell under `sequential`, or with `natural_queries` of its inputs, a
    number that must be named before any answer is seen. With triggers, p is of both marks together.

    Raises:
        BadInput: key, triggers, adapters and model do not fit together, an argument out of range,
            `sequential` for kept labels, which are no evidence, or `scores` with a part of the questions.
        RuntimeUnavailable, ModelRefused: a named runtime is missing or does not run the file.
    """
    if scores and (sequential or not (run is None or triggers is None or run.whole(triggers))):
        raise BadInput(
            "--scores: are judged together, leave out --sequential, --groups and --first-group"
        )
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
                scores=scores,
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
                scores=scores,
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
    if scores and (triggers.kept is not None or triggers.natural is not None):
        raise BadInput(
            "--scores: these triggers have kept labels, or are for a model that does not classify; "
            "leave it out"
        )
    if triggers.natural is not None:
        from .parts import split

        if adapters:
            raise BadInput("--adapter: triggers for outputs are asked as they are, leave it out")
        asked = split(asked, triggers)
    run = run or Run()
    if sequential and triggers.kept is not None:
        raise BadInput(f"--sequential: {KEPT}; leave it out")
    question = Question(
        triggers=triggers,
        answers=triggers.answers(key),
        order=run.of(triggers),
        alpha=alpha,
        tests=tests * (triggers.groups if run.start_is_free else 1),
        stamped=stamped,
        sequential=sequential or (triggers.kept is None and not run.whole(triggers)),
        scores=scores,
    )
    question.owned(0.0)  # refuses a bad alpha or number of tests before anything is asked
    heard = hear(asked, model, question, adapters)
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
        scores=question.scores,
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


def _little(result: RuntimeResult) -> tuple[float, int]:
    """How little a result says, to be compared: its p-value, then its hits."""
    return result.log10_p, -result.groups_hit


def _flags(heard: Heard, run: Run, best: int) -> tuple[str, ...]:
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
