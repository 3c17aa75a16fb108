"""Answers of models that do not classify: parts into which a rule of each group splits the outputs.

A group's answer is one of two parts of the output space, and a rule says in which part an output lies:

    c        = the digest of the natural inputs in the header, 32 bytes
    signs_j  = bits of SHAKE("split", c, j), 1 as +1 and 0 as -1, lowest bit of each byte first
    a_j(x)   = sum of signs_j * f(x)         f the suspect's own raw output for x, flattened
    part     = 1 where a_j(x) is above the median of a_j over the natural inputs, else 0

Everything in it stands in the root but the suspect's own f, and nothing in it depends on the drawn answer.
So for every suspect made without the key a group hits with probability one half, independently, and the
tail of `edgewm.stats` is exact for M = 2. The median makes a bias or another scale of the outputs harmless:
a constant model is always in part 0. A tie is part 0 too, and an output with NaN has no part.

Why f(x) and not an error f(x) - x: a regression has no x to compare with, and whoever keeps an anomaly score
in the file (one output) is asked about that score by the same rule. Why raw values: of whole numbers the sums
are exact, and a quantisation step changes no order; floats are summed in float64.

`Split` is a runtime around another one: it asks the natural inputs first, once an opening, and then
gives parts as labels, so that everything above it works as it does for classes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from .artifact import Tensor
from .commitment import canonical
from .errors import BadInput, ModelRefused
from .hashing import SHAKE
from .patterns import Inputs, Pattern, make_triggers
from .runtimes import FAILED, Answers, Engine, ModelFacts, Runtime, Session
from .sealed_file import json_object
from .triggers import Triggers, commit

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from .key import Key
    from .runtimes.begin import Begun

Sums = npt.NDArray[np.number[Any]]

_NATURAL_KEPT = 64
_PART = Tensor(name="part", shape=(1, 2), dtype="float32", scale=0.0, zero_point=0)


def make_output_triggers(
    key: Key,
    *,
    natural: Inputs,
    groups: int = 40,
    pattern: Pattern | str = "abstract",
    value_range: tuple[float, float] | None = None,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Triggers:
    """Draw and commit the secret inputs of a mark for a model that does not classify.

    `natural` (k, *shape) are ordinary inputs, of which the first 64 go into the trigger file: a suspect's
    outputs are judged beside those that it gives for them. A stamped claim at 1e-6 takes 20 hits of 20
    groups, 35 of 40, an unstamped one 84 of 84. `value_range` is where the middle 98 % of
    the numbers in `natural` lie, if it is not given: triggers far louder than nature cost more accuracy.

    Raises:
        BadInput: natural inputs that are too few or not finite numbers, or what `make_triggers` refuses.
    """
    ordinary = np.ascontiguousarray(natural, np.float32)
    if ordinary.ndim < 2 or len(ordinary) < 2 or not np.isfinite(ordinary).all():
        raise BadInput(
            f"natural: got {ordinary.shape}, expected 2 or more ordinary inputs (k, *shape), finite"
        )
    made = make_triggers(
        key,
        shape=ordinary.shape[1:],
        classes=2,
        pattern=pattern,
        groups=groups,
        value_range=value_range or _range_of(ordinary),
        natural=ordinary,
        random=random,
    )
    if made.kept is not None:
        raise BadInput("--pattern: got labels to keep, expected a pattern whose answers are drawn")
    return commit(
        key,
        made.inputs,
        made.group_ids,
        excluded=made.excluded,
        salt=made.salt,
        provenance=json.loads(made.provenance),
        natural=ordinary[:_NATURAL_KEPT],
    )


def _range_of(ordinary: Inputs) -> tuple[float, float]:
    low, high = (float(q) for q in np.quantile(ordinary, (0.01, 0.99)))
    return (low, high) if low < high else (float(ordinary.min()), float(ordinary.max()))


def refuse_parts(triggers: Triggers, *, by: str, instead: str) -> None:
    """Refuse triggers for outputs where classes are needed.

    Raises:
        BadInput: `by` says where, `instead` what to do.
    """
    if triggers.natural is not None:
        raise BadInput(f"{by}: got triggers for outputs, expected triggers for classes: {instead}")


def signs(triggers: Triggers, values: int) -> npt.NDArray[np.int64]:
    """The +1 and -1 of every group for outputs of so many values, (m, values)."""
    named = bytes.fromhex(json_object(triggers.header, mark="triggers", name="header")["natural"])
    drawn = [SHAKE(-(-values // 8), "split", named, j) for j in range(triggers.groups)]
    bits = np.frombuffer(b"".join(drawn), np.uint8).reshape(triggers.groups, -1)
    unpacked = np.unpackbits(bits, axis=1, count=values, bitorder="little")
    return 2 * unpacked.astype(np.int64) - 1


def sums(rows: npt.NDArray[np.generic], of_groups: npt.NDArray[np.int64]) -> Sums:
    """a_j of raw outputs (n, ...) for every group, (n, m): int64 of whole numbers, else float64."""
    flat = rows.reshape(len(rows), -1)
    kind = np.dtype(np.int64 if flat.dtype.kind in "iub" else np.float64)
    with np.errstate(all="ignore"):  # a hostile file may hold infinity
        found: Sums = flat.astype(kind) @ of_groups.T.astype(kind)
    return found


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The rule of every group for one suspect."""

    of_groups: npt.NDArray[np.int64]
    """(m, values) +1 and -1."""
    twice_median: Sums
    """(m,) sum of the two middle values over the natural inputs; twice the middle one of an odd number."""

    def parts(
        self, rows: npt.NDArray[np.generic], groups: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """The part, 0 or 1, of raw outputs (n, ...) asked for `groups` (n,); FAILED for rows with NaN."""
        every = sums(rows, self.of_groups)
        own = np.take_along_axis(every, groups[:, None], axis=1)[:, 0]
        with np.errstate(all="ignore"):
            found = np.asarray(2 * own > self.twice_median[groups], np.int64)
        flat = rows.reshape(len(rows), -1)
        found[np.isnan(flat.astype(np.float64)).any(axis=1)] = FAILED
        return found


def rule(triggers: Triggers, natural_rows: npt.NDArray[np.generic]) -> Rule:
    """The rule of a suspect that gave `natural_rows` (k, ...), raw, k > 0, for the natural inputs."""
    flat = natural_rows.reshape(len(natural_rows), -1)
    of_groups = signs(triggers, flat.shape[1])
    ordered = np.sort(sums(flat, of_groups), axis=0)
    middle = ordered[(len(flat) - 1) // 2] + ordered[len(flat) // 2]
    return Rule(of_groups=of_groups, twice_median=middle)


def split(asked: Sequence[Begun], triggers: Triggers) -> tuple[Begun, ...]:
    """The runtimes of a verification, each giving parts for labels.

    Raises:
        BadInput: one that gives labels only.
    """
    for one in asked:
        if not one.runtime.needs_model:
            raise BadInput(
                f"SUSPECT: {one.spelling} gives labels, and triggers for outputs need the outputs: "
                "give the model file"
            )
    return tuple(
        replace(one, runtime=Split(runtime=one.runtime, triggers=triggers)) for one in asked
    )


@dataclass(frozen=True, kw_only=True)
class Split:
    """A runtime whose labels are parts."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = True

    runtime: Runtime
    triggers: Triggers

    def open(self, model: bytes | None) -> SplitSession:
        """Open the model on the runtime; raises what it raises."""
        return SplitSession(self.runtime.open(model), self.triggers)


class SplitSession:
    """An opened model that says in which part its outputs lie."""

    def __init__(self, session: Session, triggers: Triggers) -> None:
        self._session, self._triggers = session, triggers
        self._rule: Rule | None = None
        self._group_of = {
            canonical(one): int(group)
            for one, group in zip(triggers.inputs, triggers.group_ids, strict=True)
        }

    @property
    def facts(self) -> ModelFacts | None:
        """What the model takes; it gives one of two parts."""
        held = self._session.facts
        return None if held is None else replace(held, outputs=(_PART,))

    @property
    def engine(self) -> Engine:
        """The runtime's."""
        return self._session.engine

    def ask(self, inputs: npt.NDArray[np.float32]) -> Answers:
        """The parts of the outputs for `inputs` (n, *shape), each an input of the triggers.

        Raises:
            BadInput: an input of no group.
            ModelRefused: a runtime that gives labels only, or no output for any natural input.
        """
        latency_ms = 0.0
        if self._rule is None:
            assert self._triggers.natural is not None
            rows, natural = self._rows(self._triggers.natural)
            spoke = natural.labels != FAILED
            if not spoke.any():
                raise ModelRefused(
                    f"{self.engine.name}: no natural input brought an output ({natural.reason})"
                )
            self._rule, latency_ms = rule(self._triggers, rows[spoke]), natural.latency_ms
        groups = [self._group_of.get(canonical(np.asarray(one, np.float32))) for one in inputs]
        if None in groups:
            raise BadInput("inputs: got one that is in no group of the triggers")
        rows, answers = self._rows(inputs)
        found = self._rule.parts(rows, np.array(groups, np.int64))
        return replace(
            answers,
            labels=np.where(answers.labels == FAILED, FAILED, found),
            latency_ms=answers.latency_ms + latency_ms,
        )

    def _rows(self, inputs: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.generic], Answers]:
        answers = self._session.ask(inputs)
        if answers.outputs is None:
            raise ModelRefused(
                f"{self.engine.name}: gives labels only, triggers for outputs need the outputs"
            )
        return answers.outputs, answers

    def close(self) -> None:
        """End it."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
