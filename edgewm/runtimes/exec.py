"""A program of the user's that answers: a client of a web service, a script that drives a test bench.

It runs once for a batch, gets the inputs on stdin and prints one label a line. It is trusted, unlike a
model file: it runs as the user, without a sandbox, through no shell.
"""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, ModelRefused
from . import FAILED, Answers, Engine

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


@dataclass(frozen=True, kw_only=True)
class Program:
    """Answers from a command.

    stdin is one .npy of float32 (n, *shape), or with `input=raw` the same numbers alone, little-endian.
    stdout is n lines, each a class index from 0, or -1 for a question that failed.
    """

    needs_model: ClassVar[bool] = False
    spends: ClassVar[bool] = True

    command: str
    """Program and arguments, split as a shell would but run without one."""
    timeout_s: float = 600.0
    """Longest wait for one batch."""
    input: Literal["npy", "raw"] = "npy"

    def open(self, model: bytes | None) -> _Asking:
        """Check the command; it runs when asked.

        Raises:
            BadInput: a model was given too, or the command cannot be split.
        """
        if model is not None:
            raise BadInput("exec: got a model too, expected none: the program answers, not a file")
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise BadInput(f"exec: got command={self.command!r}: {error}") from None
        if not words or self.timeout_s <= 0:
            raise BadInput("exec: expected command=PROGRAM ARGUMENTS and timeout_s above 0")
        return _Asking(words, self.timeout_s, self.input)


class _Asking:
    """Runs the program for every batch."""

    facts = None
    engine = Engine(name="exec", version="", arithmetic="unknown")

    def __init__(self, words: list[str], timeout_s: float, form: str) -> None:
        self._words, self._timeout_s, self._form = words, timeout_s, form

    def ask(self, inputs: npt.NDArray[np.float32]) -> Answers:
        """What the program prints for `inputs` (n, *shape).

        Raises:
            BadInput: the program cannot be started.
            ModelRefused: it fails, takes too long, or prints something other than n labels.
        """
        values = np.ascontiguousarray(inputs, np.dtype("<f4"))
        started = time.perf_counter()
        printed = self._run(_spell(values, self._form))
        latency_ms = (time.perf_counter() - started) * 1000
        labels = self._labels(printed, len(values))
        reason = "the program printed -1" if (labels == FAILED).any() else ""
        return Answers(labels=labels, outputs=None, latency_ms=latency_ms, reason=reason)

    def close(self) -> None:
        """Nothing to end: the program ended with its batch."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, question: bytes) -> bytes:
        name, pipe = self._words[0], subprocess.PIPE
        try:
            process = subprocess.Popen(
                self._words, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise BadInput(f"exec: {name} cannot be started: {why}") from None
        with process:
            try:
                printed, complaint = process.communicate(question, timeout=self._timeout_s)
            except subprocess.TimeoutExpired:
                raise ModelRefused(f"exec: {name} took longer than {self._timeout_s:g} s") from None
            finally:
                if process.poll() is None:  # a time limit or Ctrl-C: what it started goes too
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode != 0:
            last = (complaint.decode("utf-8", "replace").strip().splitlines() or [""])[-1][:300]
            raise ModelRefused(f"exec: {name} ended with exit code {process.returncode}: {last}")
        return printed

    def _labels(self, printed: bytes, expected: int) -> npt.NDArray[np.int64]:
        name = self._words[0]
        lines = printed.decode("utf-8", "replace").split()
        if len(lines) != expected:
            raise ModelRefused(f"exec: {name} printed {len(lines)} labels for {expected} inputs")
        try:
            labels = np.array([int(line) for line in lines], np.int64)
        except (ValueError, OverflowError):
            raise ModelRefused(f"exec: {name} printed something other than whole numbers") from None
        if (labels < FAILED).any():
            raise ModelRefused(
                f"exec: {name} printed {labels.min()}, expected a class from 0 or -1"
            )
        return labels


def _spell(values: npt.NDArray[np.float32], form: str) -> bytes:
    if form == "raw":
        return values.tobytes()
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()
