"""Who asks: worker processes of this machine, or a Dask cluster; both behind `concurrent.futures`.

Workers get the questions and send what they heard; it is judged here, so that the key stays in one process.
A local worker is a python of its own, for workers that do not wait for each other's interpreter lock. It
ends when this process ends, however that ends. One that dies is replaced and its suspect asked again.

A worker of a cluster is given each mark's questions once. Dask itself repeats what a lost worker was doing.
Whoever may connect to a scheduler may run code on its workers, so a cluster is as trusted as its network.

A suspect that takes three workers with it is a row of its own.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any, Protocol

from .. import __version__
from ..errors import BadInput
from .asking import Heard, Orders, Questions, ask, nurseries_end
from .judging import Mark, Terms, judge

Rows = list[dict[str, Any]]
TRIES = 3
CONNECT_S = 10
"""How long a scheduler may take to answer."""
LOST: dict[str, Any] = {
    "outcome": "worker_lost",
    "reason": f"{TRIES} workers in a row ended while they asked it",
}
_FRAME = struct.Struct("<Q")


class Pool(Protocol):
    """Asks suspects, several at a time."""

    @property
    def width(self) -> int:
        """How many may be handed over before the first is back."""

    def submit(self, model: bytes, marks: Sequence[int], format_: str) -> Future[Rows]:
        """The fields of one row for each of the `marks` of the plan."""

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
        code = "from edgewm.scanning.pools import work; work()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
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


class ClusterPool:
    """The workers of a Dask scheduler."""

    def __init__(
        self, scheduler: str, *, marks: Sequence[Mark], orders: Orders, terms: Terms
    ) -> None:
        """Connect.

        Raises:
            BadInput: Dask is not installed, nobody answers at that address, or it has no workers.
        """
        try:
            from distributed import Client
        except ImportError:
            raise BadInput(
                "--scheduler: Dask is not installed: pip install 'edgewm[cluster]'"
            ) from None
        self._marks, self._orders, self._terms = list(marks), orders, terms
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is raised
        try:
            self._client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise BadInput(f"--scheduler: {scheduler} does not answer: {reason}") from None
        threads = sum(self._client.nthreads().values())
        if not threads:
            self._client.close()
            raise BadInput(f"--scheduler: {scheduler} has no workers, start some: dask worker")
        self.width = 2 * threads
        self._executor: Executor = self._client.get_executor(pure=False)
        try:
            version = self._executor.submit(checked_there, orders).result()
        except BaseException:
            self.close()
            raise
        if version != __version__:
            self.close()
            raise BadInput(f"--scheduler: its workers have edgewm {version}, here is {__version__}")
        self._packed = {mark.questions.sha256: pickle.dumps(mark.questions) for mark in marks}

    def submit(self, model: bytes, marks: Sequence[int], format_: str) -> Future[Rows]:
        """As `Pool`."""
        rows: Future[Rows] = Future()
        flight = _Flight(
            rows=rows,
            model=model,
            format=format_,
            marks=[self._marks[place] for place in marks],
        )
        self._try(flight, {}, 1)
        return rows

    def close(self) -> None:
        """As `Pool`; the cluster goes on."""
        self._executor.shutdown(wait=False)
        self._client.close()

    def _try(self, flight: _Flight, packed: dict[str, bytes], times: int) -> None:
        names = [mark.questions.sha256 for mark in flight.marks]
        what = (flight.model, flight.format)
        asked = self._executor.submit(ask_there, what, self._orders, names, packed)
        asked.add_done_callback(lambda done: self._done(done, flight, times))

    def _done(
        self, done: Future[Lacking | list[tuple[Heard, ...]]], flight: _Flight, times: int
    ) -> None:
        """Judge what a worker heard, or hand it the questions that it lacked, or try another one."""
        try:
            heard = done.result()
        except BaseException as error:  # Dask raises what it likes for a lost worker
            if type(error).__name__ == "KilledWorker" or times >= TRIES:
                lost = {**LOST, "reason": f"{LOST['reason']}: {error}"[:500]}
                flight.rows.set_result([dict(lost) for _ in flight.marks])
            else:
                self._again(flight, {}, times + 1)
            return
        if isinstance(heard, Lacking):
            self._again(flight, {name: self._packed[name] for name in heard.marks}, times)
            return
        try:
            flight.rows.set_result(
                judged(flight.model, flight.marks, heard, orders=self._orders, terms=self._terms)
            )
        except BaseException as error:
            flight.rows.set_exception(error)

    def _again(self, flight: _Flight, packed: dict[str, bytes], times: int) -> None:
        try:
            self._try(flight, packed, times)
        except Exception as error:  # the client was closed
            flight.rows.set_exception(error)


@dataclass(frozen=True, kw_only=True)
class _Flight:
    """One suspect on its way through a cluster."""

    rows: Future[Rows]
    model: bytes
    format: str
    marks: list[Mark]


@dataclass(frozen=True, kw_only=True)
class Lacking:
    """A worker's answer when it was never given some mark's questions."""

    marks: list[str]


def checked_there(orders: Orders) -> str:
    """On a worker of a cluster: its version, when every runtime works."""
    orders.check()
    return __version__


_questions: dict[str, Questions] = {}
"""Of this process, when it is a worker of a cluster: what it was given before."""


def ask_there(
    what: tuple[bytes, str], orders: Orders, names: Sequence[str], packed: dict[str, bytes]
) -> Lacking | list[tuple[Heard, ...]]:
    """On a worker of a cluster: what was heard for each mark, or which marks it was never given."""
    for name, held in packed.items():
        _questions[name] = pickle.loads(held)  # noqa: S301 - a cluster runs its owner's code anyway
    lacking = [name for name in names if name not in _questions]
    if lacking:
        return Lacking(marks=lacking)
    model, format_ = what
    return ask(model, orders, [_questions[name] for name in names], format_)


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
