"""Suspects that give recorded labels, where a test needs a certain number of hits."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from edgewm.errors import RuntimeUnavailable
from edgewm.key import load_key
from edgewm.runtimes import Answers, Engine
from edgewm.triggers import Triggers, commit, load_triggers
from edgewm.verdict import Verdict
from edgewm.verification import verify
from tests import golden

TRIGGERS, KEY = load_triggers(golden.TRIGGERS), load_key(golden.KEY)
ANSWERS = TRIGGERS.answers(KEY)
IN_ORDER = ANSWERS[TRIGGERS.order]
UNSTAMPED = "unstamped: owned needs p below alpha x 2^-64, and every group is asked"


@dataclass
class Recording:
    """A session that gives recorded labels in the order of asking and remembers what it was asked."""

    labels: np.ndarray
    asked: list[np.ndarray]
    facts: None = None
    engine: Engine = dataclasses.field(
        default_factory=lambda: Engine(name="recording", version="1", arithmetic="reference")
    )

    def ask(self, inputs: np.ndarray) -> Answers:
        at = sum(map(len, self.asked))
        self.asked.append(inputs)
        labels = self.labels[at : at + len(inputs)].astype(np.int64)
        return Answers(labels=labels, outputs=None, latency_ms=1.0, reason="")

    def close(self) -> None:
        """Nothing to end."""

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, kw_only=True)
class Says:
    """A runtime that gives these labels, whatever the model is."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False

    labels: tuple[int, ...]
    name: str = "a"
    asked: list[np.ndarray] = dataclasses.field(default_factory=list, compare=False)

    def open(self, model: bytes | None) -> Recording:
        self.asked.clear()
        return Recording(np.array(self.labels, np.int64), self.asked)


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A runtime that is not installed."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False

    def open(self, model: bytes | None) -> Recording:
        raise RuntimeUnavailable("missing: not installed: pip install something")


def saying(hits: int, *, of: int = 64, name: str = "a") -> Says:
    """A runtime that hits the first so many groups of the order and misses the others."""
    labels = np.where(np.arange(of) < hits, IN_ORDER[:of], (IN_ORDER[:of] + 1) % 10)
    return Says(labels=tuple(labels.tolist()), name=name)


def verdict_on(*on: Any, **more: Any) -> Verdict:
    """The verdict on the marked file."""
    return verify(golden.MARKED, triggers=TRIGGERS, key=KEY, on=on or ("litert",), **more)


def set_of(classes: int, shape: tuple[int, ...], groups: int = 70, each: int = 1) -> Triggers:
    """Triggers of any shape and number of classes, of the golden key."""
    count = groups * each
    inputs = np.random.default_rng(2).uniform(-1, 1, (count, *shape)).astype(np.float32)
    return commit(
        KEY,
        inputs,
        np.arange(count, dtype=np.int32) // each,
        excluded=np.zeros((groups, classes), bool),
        salt=b"s" * 32,
        provenance={},
    )
