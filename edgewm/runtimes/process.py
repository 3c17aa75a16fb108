"""One worker process seen from the parent: frames in and out, a limit on every wait, and how it ended.

posix_spawn and pipes without blocking, because starting must cost the parent almost nothing and waiting
must never hang: while a reply is awaited, queued bytes are written and whatever the interpreter prints is
drained. A reply is input from outside, since the file that the worker opened may have taken it over.
"""

from __future__ import annotations

import json
import math
import os
import select
import signal
import struct
import time
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import ModelRefused, RuntimeUnavailable
from . import early

_MAGIC = b"EWM1"
_LARGEST_HEADER, _LARGEST_PAYLOAD = 1 << 20, 256 << 20
_NOISE_KEPT = 4096
_READ_BYTES = 1 << 20


class Origin(Protocol):
    """Where worker processes come from: `early.Spawned`, or a `Nursery`, which forks them."""

    def take(self) -> tuple[int, list[int]]:
        """A new worker: its process id, and our ends of its stdin, stdout and stderr, which do not block.

        Raises:
            OSError: none can be started.
        """

    def wait(self, pid: int, patience_s: float) -> int:
        """Exit code of one, negative for a signal; it is killed when `patience_s` has run out."""


@dataclass(frozen=True)
class Spawned:
    """Workers that are processes of their own from the first byte."""

    command: list[str]

    def take(self) -> tuple[int, list[int]]:
        """One that was prepared, or a new one."""
        try:
            return early.take(self.command)
        except OSError as error:
            raise OSError(error.errno, f"got python={self.command[0]}: {error.strerror}") from None

    def wait(self, pid: int, patience_s: float) -> int:
        """As every child of this process."""
        return _wait(pid, patience_s)


class Process:
    """A running worker. Not thread-safe."""

    def __init__(
        self,
        name: str,
        *,
        origin: Origin,
        memory_mib: int,
        timeout_s: float,
    ) -> None:
        """Start it; `name` stands in front of every message.

        Raises:
            RuntimeUnavailable: `origin` cannot start one.
        """
        self._name, self._memory_mib, self._timeout_s = name, memory_mib, timeout_s
        self._origin, self._ends_s = origin, math.inf
        self._unsent: list[memoryview] = []
        self._received, self._noise = bytearray(), bytearray()
        self._spoke, self._closed = False, True
        try:
            self._pid, self._descriptors = origin.take()
        except OSError as error:
            raise RuntimeUnavailable(f"{name}: cannot be started: {error.strerror}") from None
        self._closed = False

    def __del__(self) -> None:
        self.close()

    def limit(self, timeout_s: float, *, lifetime_s: float) -> None:
        """From now on, seconds that one reply and all replies together may take."""
        self._timeout_s, self._ends_s = timeout_s, time.monotonic() + lifetime_s

    def send(self, header: dict[str, Any], payload: bytes = b"") -> None:
        """Queue a request and write as much of it as the pipe takes now.

        Raises:
            ModelRefused: the worker has ended.
        """
        if self._closed:
            raise ModelRefused(f"{self._name}: its process has ended, open the model again")
        text = json.dumps(header).encode()
        self._unsent.append(
            memoryview(struct.pack("<4sIQ", _MAGIC, len(text), len(payload)) + text)
        )
        if payload:
            self._unsent.append(memoryview(payload))
        self._write()

    def send_ahead(self, raw: bytes) -> None:
        """Queue bytes that whatever runs before the worker takes: no frame, and no reply."""
        self._unsent.append(memoryview(raw))

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """The next reply: header and payload.

        Raises:
            ModelRefused: it crashed, passed the time limit or sent something else; it is closed then.
        """
        if self._closed:
            raise ModelRefused(f"{self._name}: its process has ended, open the model again")
        deadline = min(time.monotonic() + self._timeout_s, self._ends_s)
        while True:
            frame = self._frame()
            if frame is not None:
                self._drain()
                return frame
            left = deadline - time.monotonic()
            if left <= 0:
                raise self.lost(f"took longer than timeout_s={self._timeout_s:g}", "timed_out")
            poll = select.poll()
            if self._unsent:
                poll.register(self._descriptors[0], select.POLLOUT)
            poll.register(self._descriptors[1], select.POLLIN)
            poll.register(self._descriptors[2], select.POLLIN)
            poll.poll(left * 1000)
            self._write()
            self._drain()
            if _read(self._descriptors[1], self._received) == 0 and self._end() is None:
                raise self._ended()

    def lost(self, what: str, how: str = "bad_reply") -> ModelRefused:
        """Stop the worker; the error to raise, saying that it did `what`."""
        self.close()
        return ModelRefused(f"{self._name}: {what}, and was stopped", how=how)

    def said(self, lines: int = 1) -> str:
        """The last telling lines that the interpreter printed since the last call, as one."""
        printed = clean(self._noise.decode("utf-8", "replace"), keep="\n").splitlines()
        self._noise.clear()
        telling = [line.strip() for line in printed if line.strip() and "INFO:" not in line]
        return " ".join(line[:300] for line in telling[-lines:])

    def close(self) -> None:
        """Kill the worker and take its descriptors back; harmless when done already."""
        if self._closed:
            return
        self._closed = True
        for descriptor in self._descriptors:
            os.close(descriptor)
        if self._pid:
            self._origin.wait(self._pid, patience_s=0.0)

    def _write(self) -> None:
        while self._unsent:
            try:
                count = os.write(self._descriptors[0], self._unsent[0])
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._unsent.clear()  # it has ended; `receive` says how
                return
            rest = self._unsent[0][count:]
            self._unsent[:1] = [rest] if rest else []

    def _drain(self) -> None:
        while _read(self._descriptors[2], self._noise):
            del self._noise[:-_NOISE_KEPT]

    def _end(self) -> tuple[int, int] | None:
        """Where the header and the payload of the first frame end; None while it is incomplete."""
        if not self._spoke:  # a python may greet on stdout before worker.py takes it over
            del self._received[: max(self._received.find(_MAGIC), 0)]
            self._spoke = self._received.startswith(_MAGIC)
        if len(self._received) < 16 or (not self._spoke and len(self._received) < _READ_BYTES):
            return None
        magic, header, payload = struct.unpack_from("<4sIQ", self._received)
        if magic != _MAGIC or header > _LARGEST_HEADER or payload > _LARGEST_PAYLOAD:
            raise self.lost("sent a reply that is not one")
        end = 16 + header + payload
        return (16 + header, end) if len(self._received) >= end else None

    def _frame(self) -> tuple[dict[str, Any], bytes] | None:
        ends = self._end()
        if ends is None:
            return None
        try:
            header = json.loads(bytes(self._received[16 : ends[0]]))
        except (ValueError, RecursionError):
            header = None
        payload = bytes(self._received[ends[0] : ends[1]])
        del self._received[: ends[1]]
        if not isinstance(header, dict):
            raise self.lost("sent a reply that is not one")
        return header, payload

    def _ended(self) -> ModelRefused:
        """How the worker died, in words."""
        pid, self._pid = self._pid, 0
        status = self._origin.wait(pid, patience_s=2.0)
        self._drain()
        printed = self.said()
        self.close()
        if status < 0:
            how = f"crashed ({signal.Signals(-status).name})"
        else:
            how = f"ended by itself (exit code {status})"
        memory = "bad_alloc" in printed or "MemoryError" in printed
        if memory:
            how += f", out of memory at memory_mib={self._memory_mib}"
        return ModelRefused(
            f"{self._name}: {how}" + (f": {printed}" if printed else ""),
            how="out_of_memory" if memory else "crashed",
        )


def clean(text: object, keep: str = "") -> str:
    """Text from outside without control characters, on one line, of bounded length."""
    return "".join(c if c.isprintable() or c in keep else " " for c in str(text)[:4096]).strip()


def _read(descriptor: int, into: bytearray) -> int | None:
    """Bytes added to `into`; 0 at the end of the pipe, None when there is nothing yet."""
    try:
        got = os.read(descriptor, _READ_BYTES)
    except BlockingIOError:
        return None
    into += got
    return len(got)


def _kill(pid: int) -> None:
    """End a process that nobody has waited for."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # ended by itself


def _wait(pid: int, patience_s: float) -> int:
    """Exit code of a child, negative for a signal; killed when `patience_s` has run out."""
    deadline = time.monotonic() + patience_s
    try:
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() >= deadline:
                _kill(pid)
                break
            time.sleep(0.001)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return 0  # somebody else in this process waited for it
