"""Questions to a model that a worker has opened, and what keeps their answers honest.

Inputs travel in batches, so that a time limit is for a batch and not for ten thousand questions. A model
that cannot be asked one input at a time for one output is refused with the reason, and so is one
for which an interpreter gives the same row whatever it is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import BadInput, ModelRefused
from . import FAILED, Answers, Engine, ModelFacts

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import numpy as np
    import numpy.typing as npt

    from ..artifact import Tensor
    from .child import Child

BATCH = 64
"""Inputs sent at once; the time limit of a runtime is for one such batch."""
NUMBERS = ("int8", "uint8", "int16", "float16", "float32")
"""Tensor types that can be asked."""

_SAME_ROWS = 8


def unsuitable(facts: ModelFacts, engine: str) -> str:
    """Why a model cannot be asked one input at a time for one output; empty when it can.

    `engine` is the runtime that can be told which of several tensors to ask; empty for one that cannot.
    """
    for word, tensors in (("input", facts.inputs), ("output", facts.outputs)):
        if len(tensors) != 1:
            number = {0: "no", 2: "two", 3: "three"}.get(len(tensors), str(len(tensors)))
            return f"has {number} {word}s, expected one{_naming(word, tensors, engine)}"
        if tensors[0].dtype not in NUMBERS:
            return f"has an {word} of {tensors[0].dtype}, expected one of {', '.join(NUMBERS)}"
    if not facts.inputs[0].shape:
        return "takes a single number without a batch axis"
    return ""


def _naming(word: str, tensors: tuple[Tensor, ...], engine: str) -> str:
    """How to choose one of several tensors, by what they are and never by what they answer."""
    if not tensors or not engine:
        return ""
    listed = ", ".join(f"{k} is {_times(one.shape)}" for k, one in enumerate(tensors[:8]))
    what = (
        "takes the questions (the others are held at zero)" if word == "input" else "has the scores"
    )
    return f": name the one that {what}: --on {engine}:{word}=0 ({listed})"


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"


class ChildSession:
    """A model opened by a worker."""

    def __init__(self, child: Child, facts: ModelFacts, engine: Engine) -> None:
        self._child, self._facts, self._engine = child, facts, engine

    @property
    def facts(self) -> ModelFacts:
        """What the interpreter says about the model."""
        return self._facts

    @property
    def engine(self) -> Engine:
        """Name, version and arithmetic of the interpreter."""
        return self._engine

    @property
    def isolation(self) -> tuple[str, ...]:
        """The restrictions that took hold in the worker."""
        return self._child.isolation

    def ask(self, inputs: npt.NDArray[np.float32]) -> Answers:
        """The answers to `inputs` (n, *shape) float32, quantised by the model's own input step.

        Raises:
            BadInput: inputs that are not finite numbers.
            ModelRefused: another input shape, a crash, a limit, or one constant output for everything.
        """
        import numpy as np

        from .label_rule import labels

        values = self._checked(inputs)
        rows, failed, reason, latency_ms = self._run(values)
        self._refuse_constant(values, rows, failed)
        found = labels(rows, self._facts.outputs[0])
        if not reason and (found == FAILED).any():
            reason = "the output holds NaN"
        found[np.array(failed, np.int64)] = FAILED
        return Answers(labels=found, outputs=rows, latency_ms=latency_ms, reason=reason)

    def close(self) -> None:
        """Kill the worker."""
        self._child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _checked(self, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        import numpy as np

        values = np.asarray(inputs)
        if values.dtype.kind not in "fiu" or values.ndim < 1 or not np.isfinite(values).all():
            raise BadInput("inputs: got something else, expected finite numbers (n, *shape)")
        shape = self._facts.inputs[0].shape[1:]
        asked = values.shape[1:]
        fits = len(shape) == len(asked) and all(
            a in (-1, b) for a, b in zip(shape, asked, strict=True)
        )
        if not fits:
            wants, got = _times(shape), _times(asked)
            raise ModelRefused(
                f"{self._engine.name}: the model takes inputs of {wants}, the questions are {got}"
            )
        return values.astype(np.float32, copy=False)

    def _run(
        self, values: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.generic], list[int], str, float]:
        import numpy as np

        parts, failed, reason, latency_ms = [], [], "", 0.0
        for at in range(0, max(len(values), 1), BATCH):
            rows, lost, why, spent_ms = self._child.run(values[at : at + BATCH])
            parts.append(rows)
            failed += [at + index for index in lost]
            reason = reason or why
            latency_ms += spent_ms
        return np.concatenate(parts), failed, reason, latency_ms

    def _refuse_constant(
        self,
        values: npt.NDArray[np.float32],
        rows: npt.NDArray[np.generic],
        failed: list[int],
    ) -> None:
        """An interpreter that gives one row whatever it is asked does not run the file.

        Eight confident answers for one class look the same, so the model is then also asked with flat
        and random inputs as wide as the questions; only if these change nothing is it refused.
        """
        import numpy as np

        if failed or len(rows) < _SAME_ROWS or not (rows == rows[0]).all():
            return
        if len({value.tobytes() for value in values}) < _SAME_ROWS:
            return
        low, high = float(values.min()), float(values.max())
        mix = np.random.default_rng(0).uniform(low, high, (12, *values.shape[1:]))
        flat = [np.full(values.shape[1:], level) for level in (low, high, -high, 0.0)]
        others, *_ = self._child.run(np.concatenate([mix, np.stack(flat)]).astype(np.float32))
        if (others == rows[0]).all():
            raise ModelRefused(
                f"{self._engine.name}: gives one constant output, so it does not run this file"
            )
