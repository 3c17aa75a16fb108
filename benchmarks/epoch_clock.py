"""Times every epoch of a Keras training, so that tracing and warm-up can be left out."""

from __future__ import annotations

import time
from typing import Any

import keras


class EpochClock(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Wall seconds of each epoch in `seconds`; list it last, so that other callbacks are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop it."""
        self.seconds.append(time.perf_counter() - self._started)
