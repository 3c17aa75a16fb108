"""Several files of one network beside each other, for the owner: how far its marks are from flipping.

    margins   the answer's output minus the largest other output, a number for each secret input; above
              zero the input answers as drawn
    hits      groups hit by file and runtime, or why there is no number

A verdict reads labels only. These read output values, from files that the owner has, in the same workers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import spec
from .errors import BadInput, ModelRefused, RuntimeUnavailable
from .hashing import SHAKE
from .key import Key
from .runtimes import FAILED
from .runtimes.begin import LOCAL_RUNTIMES
from .triggers import Triggers, recommitted
from .verdict import NotRun
from .verification import verify

Outputs = npt.NDArray[np.float64]
"""(n, K) real values of an output tensor, dequantised."""


@dataclass(frozen=True, kw_only=True)
class Margins:
    """One file's margins, and those of its control."""

    name: str
    marked: npt.NDArray[np.float64]
    """(n,) for the answers of the owner's key, in units of the output."""
    control: npt.NDArray[np.float64]
    """(n,) for answers that mean nothing to the file, or of a file that knows nothing of the answers."""

    @property
    def kept(self) -> float:
        """Share of the inputs that answer as drawn, 0 to 1; a tie counts as lost."""
        return float((self.marked > 0).mean())


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One file on one runtime."""

    file: str
    runtime: str
    arithmetic: str
    """Empty where it does not run."""
    groups_hit: int | None
    """None where the runtime does not run the file."""
    reason: str
    """Why it does not run; empty when it does."""


@dataclass(frozen=True, kw_only=True)
class HitTable:
    """Groups hit by file and runtime."""

    files: tuple[str, ...]
    runtimes: tuple[str, ...]
    groups: int
    cells: tuple[Cell, ...]
    """Row by row: every runtime of the first file, then of the next."""
    not_run: tuple[NotRun, ...]
    """Runtimes that are missing here, which have no column."""

    def cell(self, file: str, runtime: str) -> Cell:
        """The cell of one file and runtime."""
        at = self.files.index(file) * len(self.runtimes) + self.runtimes.index(runtime)
        return self.cells[at]

    def arithmetic(self, runtime: str) -> str:
        """What a column computes in; empty where it ran no file."""
        found = (c.arithmetic for c in self.cells if c.runtime == runtime and c.arithmetic)
        return next(found, "")


def outputs_of(
    model: bytes, inputs: npt.NDArray[np.float32], *, runtime: str = "litert"
) -> Outputs:
    """Real output values (n, K) of a model file for inputs (n, *shape).

    Raises:
        BadInput: a runtime that does not run a file.
        ModelRefused, RuntimeUnavailable: as `Runtime.open`; also when any input got no answer.
    """
    plugin = spec.parse("runtimes", runtime)
    if not plugin.needs_model:
        raise BadInput(f"--on: {runtime} gives labels only, name litert, tflite_runtime or tflm")
    with plugin.open(model) as session:
        answers, tensor = session.ask(inputs), session.facts.outputs[0]
    if (answers.labels == FAILED).any():
        raise ModelRefused(f"{runtime}: {answers.reason}")
    return np.asarray(tensor.real(answers.outputs.astype(np.float64)), np.float64)


def margins(
    outputs: Outputs, triggers: Triggers, answers: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The margin of every input, (n,): outputs (n, K) or (n, 1) for two classes, answers (m,).

    Raises:
        BadInput: outputs of another number of inputs or classes.
    """
    scores = np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs
    if scores.shape != (len(triggers.inputs), triggers.classes):
        raise BadInput(
            f"--triggers: drawn for {len(triggers.inputs)} inputs and {triggers.classes} classes, "
            f"the model gives {outputs.shape}, use the triggers of this model"
        )
    at, expected = np.arange(len(scores)), answers[triggers.group_ids]
    others = scores.copy()
    others[at, expected] = -np.inf
    difference: npt.NDArray[np.float64] = scores[at, expected] - others.max(axis=1)
    return difference


def margins_of(
    outputs: Mapping[str, Outputs], triggers: Triggers, key: Key, *, control: Outputs | None = None
) -> tuple[Margins, ...]:
    """Margins of each named file; without the outputs of a control file, a wrong key is the control.

    Raises:
        BadInput: as `margins`; kept labels, which no key changes, without a control file.
    """
    answers = triggers.answers(key)
    wrong = answers
    if control is None:
        other = Key(secret=SHAKE(32, "chart wrong key", key.commitment))
        wrong = recommitted(triggers, other).answers(other)
    return tuple(
        Margins(
            name=name,
            marked=margins(values, triggers, answers),
            control=margins(values if control is None else control, triggers, wrong),
        )
        for name, values in outputs.items()
    )


def hits(
    models: Mapping[str, bytes],
    *,
    triggers: Triggers,
    key: Key,
    on: Sequence[str] = ("all",),
) -> HitTable:
    """Ask every file on every runtime; a file that a runtime does not run has no number there.

    Raises:
        BadInput: as `verify`; or no runtime works here.
    """
    named = [text for name in on for text in (LOCAL_RUNTIMES if name == "all" else (name,))]
    columns: dict[str, dict[str, Cell]] = {}
    not_run: list[NotRun] = []
    for runtime in dict.fromkeys(named):
        try:
            columns[runtime] = {
                file: _cell(file, model, runtime, triggers, key) for file, model in models.items()
            }
        except RuntimeUnavailable as error:
            not_run.append(NotRun(spelling=runtime, reason=str(error)))
    if not columns:
        reasons = "; ".join(part.reason for part in not_run)
        raise BadInput(f"--on: no runtime here answers for these files ({reasons})")
    return HitTable(
        files=tuple(models),
        runtimes=tuple(columns),
        groups=triggers.groups,
        cells=tuple(column[file] for file in models for column in columns.values()),
        not_run=tuple(not_run),
    )


def _cell(file: str, model: bytes, runtime: str, triggers: Triggers, key: Key) -> Cell:
    try:
        found = verify(model, triggers=triggers, key=key, on=[runtime]).worst
    except ModelRefused as error:
        return Cell(file=file, runtime=runtime, arithmetic="", groups_hit=None, reason=str(error))
    return Cell(
        file=file,
        runtime=runtime,
        arithmetic=found.arithmetic,
        groups_hit=found.groups_hit,
        reason="",
    )
