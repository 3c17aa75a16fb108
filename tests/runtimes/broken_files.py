"""Broken model files, and what becomes of the worker that opens them; for tests and the benchmark."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgewm.errors import ModelRefused

KINDS = ("answered", "refused_by_edgewm", "refused_by_runtime", "crashed", "timed_out")
"""What becomes of a file: each ends in exactly one of these."""


class BrokenFiles:
    """Opens one broken file after another in a worker, and takes a new worker when one has died."""

    def __init__(self, runtime: Any) -> None:
        self.runtime, self.child = runtime, None
        self.outcomes: dict[str, int] = dict.fromkeys(KINDS, 0)

    @property
    def refused(self) -> int:
        """Files that were not answered while the worker went on."""
        return self.outcomes["refused_by_edgewm"] + self.outcomes["refused_by_runtime"]

    @property
    def died(self) -> int:
        """Files that ended their worker."""
        return self.outcomes["crashed"] + self.outcomes["timed_out"]

    def ask(self, model: bytes) -> None:
        if self.child is None:
            self.child = self.runtime.start()
            self.child.ready()
        try:
            facts = self.child.load(model)
            shape = [abs(length) for length in facts.inputs[0].shape[1:]]
            if np.prod(shape) > 1 << 16:
                raise ModelRefused("the model is too large to be worth asking")
            self.child.run(np.zeros((2, *shape), np.float32))
        except ModelRefused as error:
            kind = kind_of(str(error))
            self.outcomes[kind] += 1
            if kind in ("crashed", "timed_out"):
                self.close()
        else:
            self.outcomes["answered"] += 1

    def close(self) -> None:
        if self.child is not None:
            self.child.close()
            self.child = None


def kind_of(refusal: str) -> str:
    """Who refused, from the line that a user reads."""
    if "took longer than timeout_s" in refusal:
        return "timed_out"
    if any(word in refusal for word in ("crashed", "was stopped", "ended by itself", "has ended")):
        return "crashed"
    reason = refusal.partition(": ")[2] or refusal
    ours = reason.startswith(("the model ", "needs more than memory_mib"))
    return "refused_by_edgewm" if ours else "refused_by_runtime"


def corrupted(model: bytes, rng: np.random.Generator) -> bytes:
    """The model with one byte changed, half of the time in its structure rather than its weights."""
    broken = bytearray(model)
    place = int(rng.integers(len(model))) if rng.random() < 0.5 else _structure(rng, model)
    broken[place] ^= int(rng.integers(1, 256))
    return bytes(broken)


def _structure(rng: np.random.Generator, model: bytes) -> int:
    """A byte whose neighbourhood holds many zeros, as offsets and tables do."""
    while True:
        place = int(rng.integers(8, len(model) - 8))
        if model[place - 8 : place + 8].count(0) >= 8:
            return place
