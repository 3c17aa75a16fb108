"""What was heard becomes a row: one suspect, one mark, one outcome with its name.

It happens in the process that holds the key; workers only ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput, ModelRefused, RuntimeUnavailable
from ..questioning import Run, questions
from ..runtimes.begin import Begun
from ..triggers import Triggers
from ..verdict import KEPT
from ..verification import verify
from .asking import Heard, Orders, Questions, Repeated

if TYPE_CHECKING:
    from ..key import Key
    from ..tilt import Tilt
    from ..verdict import Verdict

OUTCOMES = {
    "owned": "the mark is in it, after correction for all tests of the scan",
    "not_shown": "it answered, and the answers show nothing",
    "does_not_fit": "it takes other inputs or has other classes than the mark",
    "refused": "the interpreter, or edgewm, does not run it: the reason is in the row",
    "crashed": "it ended the process that ran it",
    "timed_out": "it took longer than the limit",
    "out_of_memory": "it needs more than the limit",
    "bad_reply": "the process that ran it was taken over or broken: it sent what is no reply",
    "unavailable": "the runtime is missing where it was asked",
    "other_format": "a model in a format that no runtime here reads: not asked",
    "too_large": "more than 512 MiB: not asked",
    "changed": "its file was changed or removed during the scan: not asked",
    "worker_lost": "three workers in a row ended while they asked it",
}
"""Every outcome that a row can have."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One mark of the owner, with its secret."""

    name: str
    """The file's path, as it was given."""
    held: Triggers | Tilt
    key: Key
    run: Run
    """Which groups of triggers are asked."""
    stamped: bool = False
    """A stamp shows that its claim is older than the suspects."""
    questions: Questions


def mark_of(
    held: Triggers | Tilt, key: Key, *, name: str, run: Run | None = None, stamped: bool = False
) -> Mark:
    """A mark as a scan takes it; `run` says which groups of triggers are asked, all by default.

    Raises:
        BadInput: the key did not make it, or its labels were kept and are no evidence.
    """
    run = run or Run()
    if isinstance(held, Triggers):
        if held.kept is not None:
            raise BadInput(f"--triggers: {name}: {KEPT}; leave it out")
        if held.natural is not None:
            raise BadInput(
                f"--triggers: {name} is for models that do not classify, which a scan does not ask; "
                "use edgewm verify"
            )
        held.answers(key)
        chosen = questions(held, run.of(held))
    else:
        held.signs(key)
        chosen = np.concatenate(held.questions())
    asked = Questions(sha256=held.sha256, committed=held, chosen=chosen.astype(np.int64))
    return Mark(name=name, held=held, key=key, run=run, stamped=stamped, questions=asked)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """When a suspect counts as owned."""

    alpha: float
    tests: int


def judge(
    model: bytes, mark: Mark, heard: Sequence[Heard], *, orders: Orders, terms: Terms
) -> dict[str, Any]:
    """The fields of a row that say what one suspect showed of one mark."""
    on = [
        Begun(spelling=part.spelling, runtime=Repeated(heard=part), optional=part.optional)
        for part in heard
    ]
    try:
        verdict = verify(
            model,
            key=mark.key,
            triggers=mark.held if isinstance(mark.held, Triggers) else None,
            tilt=None if isinstance(mark.held, Triggers) else mark.held,
            on=on,
            alpha=terms.alpha,
            tests=terms.tests,
            stamped=mark.stamped,
            run=mark.run,
            adapters=orders.adapters,
        )
    except ModelRefused as error:
        return {"outcome": error.how, "reason": str(error)}
    except RuntimeUnavailable as error:
        return {"outcome": "unavailable", "reason": str(error)}
    except BadInput as error:
        return {"outcome": "does_not_fit", "reason": str(error)}
    return _told(verdict)


def _told(verdict: Verdict) -> dict[str, Any]:
    worst = verdict.worst
    return {
        "outcome": "owned" if verdict.owned else "not_shown",
        "reason": "; ".join((*verdict.flags, *(part.reason for part in verdict.not_run))),
        "p_value": verdict.p_value,
        "log10_p": verdict.log10_p,
        "tests": verdict.tests,
        "groups_hit": worst.groups_hit,
        "groups": verdict.groups,
        "queries": worst.queries,
        "failed": worst.failed,
        **({} if verdict.tilt is None else {"tilt_z": round(verdict.tilt.worst.z, 3)}),
        "runtime": worst.spelling,
        "version": worst.version,
        "arithmetic": worst.arithmetic,
        "adapters": list(verdict.adapters),
        "latency_ms": round(sum(part.latency_ms for part in verdict.runtimes), 3),
    }
