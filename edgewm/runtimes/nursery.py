"""A fresh worker for every model at the price of a fork.

A worker that answers for one stranger's file must not answer for the next, since the first may have taken
it over. Starting python and an interpreter costs a tenth of a second each time; so one process, the
nursery, imports the interpreter, opens no file but edgewm's own probe, and forks. Each fork is then
restricted and used like any other worker, and ends with its model. The arithmetic is found by the first.

Its stdin is a socket, over which the three pipes of each new worker travel. It reads nothing that a worker
wrote, and a worker has no descriptor of it.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

from ..errors import ModelRefused, RuntimeUnavailable
from . import early, probe
from .child import PROBED, Child, Place
from .process import Process, Spawned

LIFETIMES = 10
"""A worker of a nursery lives at most so many times as long as it may take for one reply."""
START_S = 60.0
"""For what happens before a suspect is there: it must not depend on how patient a scan is with suspects."""
_REQUEST = struct.Struct("<cI")


class Nursery:
    """Workers of one interpreter, with one set of options. Not thread-safe."""

    def __init__(self) -> None:
        self._request: dict[str, Any] = {}
        self._place: Place | None = None
        self._process: Process | None = None
        self._control: socket.socket | None = None
        self._arithmetic: str | None = None

    def child(
        self,
        place: Place,
        request: dict[str, Any],
        timeout_s: float,
        choice: dict[str, Any] | None = None,
    ) -> Child:
        """A worker that nobody has used; `request` is what `child.start` sends to one of its own.

        Raises:
            RuntimeUnavailable: the interpreter is missing, or the machine has no room for a process.
        """
        if self._process is None or (self._request, self._place) != (request, place):
            self._begin(place, request)
        if self._arithmetic is None:
            first = self._fork(START_S)
            try:
                self._arithmetic = first.arithmetic()
            finally:
                first.close()
        return self._fork(timeout_s, choice)

    def take(self) -> tuple[int, list[int]]:
        """As `process.Origin`."""
        assert self._process is not None
        assert self._control is not None
        pipes = [os.pipe(), os.pipe(), os.pipe()]
        theirs, mine = (
            [pipes[0][0], pipes[1][1], pipes[2][1]],
            [pipes[0][1], pipes[1][0], pipes[2][0]],
        )
        try:
            socket.send_fds(self._control, [_REQUEST.pack(b"f", 0)], theirs)
            pid = int(self._process.receive()[0]["pid"])
        except (OSError, ModelRefused, KeyError) as error:
            for end in mine:
                os.close(end)
            self.close()
            raise RuntimeUnavailable(f"the nursery of workers has ended: {error}") from None
        finally:
            for end in theirs:
                os.close(end)
        early.ours(mine)
        return pid, mine

    def wait(self, pid: int, patience_s: float) -> int:
        """As `process.Origin`: its parent, the nursery, is asked; when that has ended, so have they."""
        deadline = time.monotonic() + patience_s
        while self._process is not None and self._control is not None:
            kind = b"w" if time.monotonic() < deadline else b"k"
            try:
                self._control.sendall(_REQUEST.pack(kind, pid))
                status = self._process.receive()[0].get("status")
            except (OSError, ModelRefused):
                self.close()
                break
            if status is not None:
                return int(status)
            time.sleep(0.0005)
        return 0

    def close(self) -> None:
        """End it; workers that it forked and that are in use end too."""
        if self._process is not None:
            self._process.close()
        if self._control is not None:
            self._control.close()
        self._process = self._control = self._arithmetic = None

    def _begin(self, place: Place, request: dict[str, Any]) -> None:
        self.close()
        ours, theirs = socket.socketpair()
        sending = os.dup(ours.fileno())
        origin = _OnSocket(place.command, (theirs.detach(), sending))
        memory_mib = int(request["memory_mib"])
        try:
            process = Process(place.name, origin=origin, memory_mib=memory_mib, timeout_s=START_S)
            ours_first = probe.load().model if request["engine"] in PROBED else b""
            process.send({**request, "nursery": True}, ours_first)
            # refuses what is not installed
            Child(str(request["engine"]), place, process, memory_mib).ready()
        except BaseException:
            ours.close()
            raise
        self._request, self._place = request, place
        self._process, self._control = process, ours

    def _fork(self, timeout_s: float, choice: dict[str, Any] | None = None) -> Child:
        assert self._place is not None
        engine, memory_mib = str(self._request["engine"]), int(self._request["memory_mib"])
        process = Process(self._place.name, origin=self, memory_mib=memory_mib, timeout_s=START_S)
        known = self._arithmetic
        child = Child(engine, self._place, process, memory_mib, arithmetic=known, choice=choice)
        child.ready()
        process.limit(timeout_s, lifetime_s=LIFETIMES * timeout_s)
        return child


@dataclass(frozen=True)
class _OnSocket:
    """The nursery's own origin: a process whose stdin is a socket."""

    command: list[str]
    ends: tuple[int, int]

    def take(self) -> tuple[int, list[int]]:
        """As `process.Origin`."""
        return early.spawn(self.command, self.ends)

    def wait(self, pid: int, patience_s: float) -> int:
        """As every child of this process."""
        return Spawned(self.command).wait(pid, patience_s)
