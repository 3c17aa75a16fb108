"""What a worker does: open one suspect on every runtime and put every mark's questions to it.

No secret is needed for that, so this half also runs on machines of others. What was heard is judged
elsewhere (`judging`), by the same `verify` as always, over a runtime that repeats it.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import spec
from ..errors import BadInput, ModelRefused, RuntimeUnavailable
from ..fitting import chains_for, check_fits
from ..runtimes import Answers, Engine, ModelFacts
from ..runtimes.nursery import Nursery

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from ..commitment import Committed
    from ..runtimes import Session


TFLITE = "tflite"


@dataclass(frozen=True, kw_only=True)
class Questions:
    """One mark as a worker knows it: nothing here tells an answer."""

    sha256: str
    """Of the trigger or tilt file's content, which names the mark."""
    committed: Committed
    chosen: npt.NDArray[np.int64]
    """Indices of the inputs that are asked, in order."""


@dataclass(frozen=True, kw_only=True)
class Orders:
    """How every suspect is asked."""

    on: tuple[tuple[str, bool], ...]
    """Spelling of each runtime, and whether it may be missing."""
    adapters: tuple[str, ...] | str
    """One chain, or "try"."""
    memory_mib: int
    timeout_s: float

    def runtime(self, spelling: str) -> Any:
        """The runtime with this scan's limits, unless its spelling sets its own."""
        held = spec.parse("runtimes", spelling)
        limits = {"memory_mib": self.memory_mib, "timeout_s": self.timeout_s}
        ours = {
            name: value
            for name, value in limits.items()
            if hasattr(held, name) and f"{name}=" not in spelling
        }
        return replace(held, **ours)

    @functools.cached_property
    def formats(self) -> dict[str, str]:
        """Format that each runtime reads, by its spelling."""
        return {text: getattr(self.runtime(text), "reads", TFLITE) for text, _ in self.on}

    def check(self) -> None:
        """Try every runtime that may not be missing; on the machine that will ask.

        Raises:
            BadInput: one that does not exist, or answers without a model file.
            RuntimeUnavailable: one that is not installed or does not work here.
        """
        for spelling, optional in self.on:
            runtime = self.runtime(spelling)
            if not runtime.needs_model:
                raise BadInput(f"--on: {spelling} answers without a model file, use edgewm verify")
            start = getattr(runtime, "start", None)
            if start is not None and not optional:
                begun = start()
                try:
                    begun.arithmetic()
                finally:
                    begun.close()


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What one suspect said to one mark's questions on one runtime."""

    spelling: str
    optional: bool
    facts: ModelFacts | None = None
    engine: Engine | None = None
    labels: npt.NDArray[np.int64] | None = None
    """Of all chains of adapters, one after the other; empty where the questions do not fit."""
    latency_ms: float = 0.0
    error: ModelRefused | RuntimeUnavailable | None = None
    """Why there are no labels."""


def ask(
    model: bytes, orders: Orders, marks: Sequence[Questions], format_: str = TFLITE
) -> list[tuple[Heard, ...]]:
    """For each mark, what was heard on each runtime of the format; never raises for what a suspect does."""
    heard: list[list[Heard]] = [[] for _ in marks]
    for spelling, optional in orders.on:
        if orders.formats[spelling] != format_:
            continue
        one = _Suspect(model, orders, spelling)
        try:
            for place, mark in enumerate(marks):
                of_mark = one.hear(mark)
                heard[place].append(replace(of_mark, spelling=spelling, optional=optional))
        finally:
            one.close()
    return [tuple(of_mark) for of_mark in heard]


class _Suspect:
    """One model on one runtime; opened again for the next mark when its process has ended."""

    def __init__(self, model: bytes, orders: Orders, spelling: str) -> None:
        self._model, self._orders, self._spelling = model, orders, spelling
        self._session: Session | None = None
        self._refused: ModelRefused | RuntimeUnavailable | None = None

    def hear(self, mark: Questions) -> Heard:
        """The labels for one mark, or why there are none."""
        said = Heard(spelling=self._spelling, optional=False)
        session = self._opened()
        if session is None:
            return replace(said, error=self._refused)
        said = replace(said, facts=session.facts, engine=session.engine)
        labels, latency_ms = [np.empty(0, np.int64)], 0.0
        try:
            chains = chains_for(
                self._orders.adapters, triggers=mark.committed, facts=session.facts, single=False
            )
            for chain in chains:
                check_fits(session.facts, mark.committed, chain)
            for chain in chains:
                answers = session.ask(chain.inputs[mark.chosen])
                labels.append(answers.labels)
                latency_ms += answers.latency_ms
        except BadInput:
            return replace(said, labels=labels[0])  # whoever judges it comes to the same reason
        except (ModelRefused, RuntimeUnavailable) as error:
            self.close()
            return replace(said, error=error)
        return replace(said, labels=np.concatenate(labels), latency_ms=latency_ms)

    def close(self) -> None:
        """End the process."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _opened(self) -> Session | None:
        if self._session is None and self._refused is None:
            runtime = self._orders.runtime(self._spelling)
            try:
                start = getattr(runtime, "start", None)
                begun = runtime if start is None else start(_nursery(self._spelling))
                self._session = begun.open(self._model)
            except (ModelRefused, RuntimeUnavailable) as error:
                self._refused = error
        return self._session


_of_thread = threading.local()


def _nursery(spelling: str) -> Nursery:
    """This thread's own, kept from one suspect to the next."""
    held: dict[str, Nursery] = _of_thread.__dict__.setdefault("nurseries", {})
    return held.setdefault(spelling, Nursery())


@contextmanager
def nurseries_end() -> Iterator[None]:
    """End this thread's nurseries afterwards."""
    try:
        yield
    finally:
        for nursery in _of_thread.__dict__.pop("nurseries", {}).values():
            nursery.close()


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """A runtime that repeats what was heard."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False

    heard: Heard

    def open(self, model: bytes | None) -> _Repetition:
        """Raises what the suspect's own runtime raised."""
        if self.heard.error is not None:
            raise self.heard.error
        return _Repetition(self.heard)


class _Repetition:
    """Hands out labels in the order in which the questions were asked."""

    def __init__(self, heard: Heard) -> None:
        assert heard.engine is not None
        assert heard.labels is not None
        self.facts, self.engine = heard.facts, heard.engine
        self._labels, self._latency_ms = heard.labels, heard.latency_ms

    def ask(self, inputs: npt.NDArray[np.float32]) -> Answers:
        """The next labels, one an input."""
        labels, self._labels = self._labels[: len(inputs)], self._labels[len(inputs) :]
        latency_ms, self._latency_ms = self._latency_ms, 0.0
        return Answers(labels=labels, outputs=None, latency_ms=latency_ms, reason="")

    def close(self) -> None:
        """Nothing to end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
