"""Who asks: worker processes of this machine, behind `concurrent.futures` as a cluster is (`cluster`).

Workers get the questions and send what they heard; it is judged here, so that the key stays in one process.
A worker is a python of its own, so that none waits for another's interpreter lock. It ends when this process
ends, however that ends. One that dies is replaced and its suspect asked again; a suspect that takes three
workers with it is a row of its own.
"""

from __future__ import annotations

import contextlib
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Protocol

from .asking import Heard, Orders, ask, nurseries_end
from .judging import Mark, Terms, judge

Rows = list[dict[str, Any]]
TRIES = 3
LOST: dict[str, Any] = {
    "outcome": "worker_lost",
    "reason": f"{TRIES} workers in a row ended while they asked it",
}
_FRAME = struct.Struct("<Q")
_ROOT = str(Path(__file__).parents[2])
# The current folder, which -c puts on the path and which may hold anything, comes off before.
_LAUNCH = (
    f"import sys;sys.path[:]=[{_ROOT!r},*filter(None,sys.path)];"
    "from edgewm.scanning.pools import work;work()"
)


class Pool(Protocol):
    """Asks suspects, several at a time."""

    @property
    def width(self) -> int:
        """How many may be handed over before the first is back."""

    def submit(self, model: bytes, marks: Sequence[int], format_: str) -> Future[Rows]:
        """The fields of one row for each of the `marks` of the plan."""

    def check(self) -> None:
        """Called while nothing comes back.

        Raises:
            BadInput: nothing will.
        """

    def close(self) -> None:
        """End it at once; what is in flight is given up."""


class LocalPool:
    """`jobs` worker processes on this machine."""

    def __init__(self, jobs: int, *, marks: Sequence[Mark], orders: Orders, terms: Terms) -> None:
        self._threads = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="scan")
        self._marks, self._orders, self._terms = list(marks), orders, terms
        self._begin = pickle.dumps((orders, [mark.questions for mark in marks]))
        self._of_thread = threading.local()
        self._workers: list[_Worker] = []
        self._closed = False
        self.width = jobs + max(2, jobs // 2)  # a suspect waits for a worker, not a worker for one

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that were started."""
        return [worker.pid for worker in self._workers]

    def submit(self, model: bytes, marks: Sequence[int], format_: str) -> Future[Rows]:
        """As `Pool`."""
        return self._threads.submit(self._ask, model, list(marks), format_)

    def check(self) -> None:
        """As `Pool`; a worker that is lost is replaced."""

    def close(self) -> None:
        """As `Pool`."""
        self._closed = True
        for worker in self._workers:
            worker.hang_up()
        for worker in self._workers:
            worker.close(patience_s=0.5)
        self._threads.shutdown(cancel_futures=True)

    def _ask(self, model: bytes, marks: list[int], format_: str) -> Rows:
        for _ in range(TRIES):
            worker: _Worker | None = getattr(self._of_thread, "worker", None)
            if worker is None:
                worker = self._of_thread.worker = _Worker(self._begin)
                self._workers.append(worker)
            if self._closed:  # while it was started
                worker.close()
                break
            try:
                heard = worker.ask((model, marks, format_))
            except (OSError, EOFError, ValueError):
                worker.close()
                self._of_thread.worker = None
                if self._closed:
                    break
                continue
            asked = [self._marks[place] for place in marks]
            return judged(model, asked, heard, orders=self._orders, terms=self._terms)
        return [dict(LOST) for _ in marks]


class _Worker:
    """One worker process, as a thread sees it."""

    def __init__(self, begin: bytes) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C is for the parent
        )
        self.pid = self._process.pid
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        _send(self._to, begin)

    def ask(self, what: tuple[bytes, list[int], str]) -> list[tuple[Heard, ...]]:
        """Raises OSError, EOFError or ValueError when it has ended."""
        _send(self._to, pickle.dumps(what))
        answer = _receive(self._from)
        if answer is None:
            raise EOFError
        # our own process, which opens no stranger's file
        heard: list[tuple[Heard, ...]] = pickle.loads(answer)  # noqa: S301
        return heard

    def hang_up(self) -> None:
        """Tell it that nothing more comes; one that asks a suspect notices when that is done."""
        with contextlib.suppress(OSError):
            self._to.close()

    def close(self, patience_s: float = 0.0) -> None:
        """End it, at once or after some seconds."""
        self.hang_up()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(OSError):
            self._from.close()


def work() -> None:
    """A local worker: answer requests on stdin until it closes."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    begin = _receive(source)
    if begin is None:
        return
    orders, marks = pickle.loads(begin)  # noqa: S301 - from our own parent
    with nurseries_end():
        while (request := _receive(source)) is not None:
            model, chosen, format_ = pickle.loads(request)  # noqa: S301
            heard = ask(model, orders, [marks[place] for place in chosen], format_)
            _send(target, pickle.dumps(heard))


def judged(
    model: bytes,
    marks: Sequence[Mark],
    heard: Sequence[tuple[Heard, ...]],
    *,
    orders: Orders,
    terms: Terms,
) -> Rows:
    """One row's fields for each mark."""
    return [
        judge(model, mark, of_mark, orders=orders, terms=terms)
        for mark, of_mark in zip(marks, heard, strict=True)
    ]


def _send(target: IO[bytes], message: bytes) -> None:
    target.write(_FRAME.pack(len(message)) + message)
    target.flush()


def _receive(source: IO[bytes]) -> bytes | None:
    """None at the end."""
    start = source.read(_FRAME.size)
    if len(start) < _FRAME.size:
        return None
    (length,) = _FRAME.unpack(start)
    message = source.read(length)
    return message if len(message) == length else None
