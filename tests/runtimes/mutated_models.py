"""Models as an attacker or a bad disk leaves them, for tests and the benchmark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.runtimes.broken_files import corrupted


def mutated(models: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """One of `models` with bytes changed, cut, doubled, zeroed, filled or taken from another one."""
    model = models[int(rng.integers(len(models)))]
    kind = int(rng.integers(8))
    if kind < 3:
        for _ in range(int(rng.integers(1, 1 + (1, 4, 64)[kind]))):
            model = corrupted(model, rng)
        return model
    at, length = int(rng.integers(len(model))), int(rng.integers(1, 4096))
    other = models[int(rng.integers(len(models)))]
    start = int(rng.integers(len(other)))
    middle = {
        3: b"",  # cut out
        4: model[at : at + length] * 2,  # doubled
        5: bytes([int(rng.integers(256))]) * len(model[at : at + length]),
        6: other[start : start + len(model[at : at + length])],
        7: rng.bytes(len(model[at : at + length])),
    }[kind]
    whole = model[:at] + middle + model[at + length :]
    return whole if rng.random() < 0.8 else whole[: int(rng.integers(1, len(whole) + 1))]
