"""Asks on the workers of a Dask scheduler, through the executor that Dask gives.

A worker is given each mark's questions once, and sends labels; the key stays here. Dask itself repeats what a
lost worker was doing. When the scheduler is gone the scan ends, and goes on when it is there again. Whoever
may connect to a scheduler may run code on its workers, so a cluster is as trusted as its network.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from .. import __version__
from ..errors import BadInput
from .asking import Heard, Orders, Questions, ask
from .judging import Mark, Terms
from .pools import LOST, TRIES, Rows, judged

CONNECT_S = 10
"""How long a scheduler may take to answer."""


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
        self._scheduler = scheduler
        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is raised
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

    def check(self) -> None:
        """As `Pool`."""
        if self._client.status in ("closing", "closed"):  # it tries for a while to connect again
            raise self._gone()

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
            if self._client.status != "running":
                flight.rows.set_exception(self._gone())
            elif type(error).__name__ == "KilledWorker" or times >= TRIES:
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
        except Exception:  # the client was closed
            flight.rows.set_exception(self._gone())

    def _gone(self) -> BadInput:
        return BadInput(
            f"--scheduler: {self._scheduler} is gone; rows that were written stay, and the same command "
            "goes on when it is there"
        )


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
