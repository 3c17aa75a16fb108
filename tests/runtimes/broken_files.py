"""Broken model files, and what becomes of the worker that opens them; for tests and the benchmark."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgewm.errors import ModelRefused


class BrokenFiles:
    """Opens one broken file after another in a worker, and takes a new worker when one has died."""

    def __init__(self, runtime: Any) -> None:
        self.runtime, self.child = runtime, None
        self.outcomes: dict[str, int] = {"answered": 0, "refused": 0, "crashed": 0}

    def ask(self, model: bytes) -> None:
        if self.child is None:
            self.child = self.runtime.start()
            self.child.ready()
        try:
            facts = self.child.load(model)
            shape = [abs(length) for length in facts.inputs[0].shape[1:]]
            if np.prod(shape) > 1 << 16:
                raise ModelRefused("too large to be worth asking")
            self.child.run(np.zeros((2, *shape), np.float32))
        except ModelRefused as error:
            died = "crashed" in str(error) or "stopped" in str(error) or "ended" in str(error)
            self.outcomes["crashed" if died else "refused"] += 1
            if died:
                self.close()
        else:
            self.outcomes["answered"] += 1

    def close(self) -> None:
        if self.child is not None:
            self.child.close()
            self.child = None


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
