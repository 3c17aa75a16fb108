"""A device under test on a pty: MLPerf Tiny's verbs as its reference firmware answers them, and its faults.

It lives in a thread and answers real bytes over a real terminal line. Its network is any function from
input bytes to a row of numbers.
"""

from __future__ import annotations

import os
import pty
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Network = Callable[[bytes], list[float]]
_LONGEST_COMMAND = 80


@dataclass
class Device:
    """One board; `faults` maps the number of an inference (from 0) to what goes wrong in it."""

    network: Network
    input_bytes: int
    faults: dict[int, str] = field(default_factory=dict)
    banner: bytes = b"m-timestamp-mode-performance\r\nm-lap-us-12\r\nm-init-done\r\nm-ready\r\n"
    seen: list[bytes] = field(default_factory=list)
    longest: int = 0

    def __post_init__(self) -> None:
        self._buffer, self._wanted, self._count = bytearray(), 0, 0
        self._clock_us = 1000

    def answer(self, command: str) -> bytes:
        """What the firmware prints for one command, "m-ready" and all."""
        self.longest = max(self.longest, len(command) + 1)
        words = command[: _LONGEST_COMMAND - 1].split()
        if not words:
            return b"m-ready\r\n"
        fault = self.faults.get(self._count, "")
        if words[0] == "name":
            return b"m-name-dut-[unspecified]\r\nm-ready\r\n"
        if words[:2] == ["db", "load"]:
            self._buffer, self._wanted = bytearray(), int(words[2])
            if self._wanted > self.input_bytes:
                self._wanted = 0
                return b"m-[Supplied buffer size exceeds maximum]\r\nm-ready\r\n"
            return f"m-[Expecting {self._wanted} bytes]\r\nm-ready\r\n".encode()
        if words[0] == "db":
            if not self._wanted:
                return b"e-[Buffer not allocated]\r\nm-ready\r\n"
            if fault == "lost line" and not self._buffer:
                self.faults.pop(self._count)
                return b"m-ready\r\n"
            self._buffer += bytes.fromhex(words[1])
            done = b"m-load-done\r\n" if len(self._buffer) == self._wanted else b""
            return done + b"m-ready\r\n"
        if words[0] == "infer":
            return self._infer(words, fault)
        return f"e-[Unknown command: {words[0]}]\r\nm-ready\r\n".encode()

    def _infer(self, words: list[str], fault: str) -> bytes:
        assert words == ["infer", "1", "0"]
        self.seen.append(bytes(self._buffer))
        at, self._count = self._count, self._count + 1
        if fault == "silent":
            return b""
        if fault == "silent once":
            self.faults.pop(at)
            return b""
        if fault == "reset":
            return self.banner
        if fault == "error":
            return b"e-[Insufficent number of hex digits]\r\nm-ready\r\n"
        row = self.network(bytes(self._buffer))
        numbers = ",".join(f"{value:.3f}" for value in row)
        if fault == "no results":
            return b"m-infer-start-1\r\nm-infer-done\r\nm-ready\r\n"
        if fault == "other length":
            numbers = "0.500,0.500,0.000"
        if fault == "garbage":
            numbers = numbers[: len(numbers) // 2] + "\x1b[31m?"
        began, self._clock_us = self._clock_us, self._clock_us + 2500
        noise = b"\xff\x00 watchdog ok\r\n" if fault == "noise" else b""
        lines = ["m-warmup-start-0", "m-warmup-done", "m-infer-start-1", f"m-lap-us-{began}"]
        lines += [f"m-lap-us-{self._clock_us}", "m-infer-done", f"m-results-[{numbers}]", "m-ready"]
        return noise + "".join(f"{line}\r\n" for line in lines).encode()


@contextmanager
def on_a_line(device: Device) -> Iterator[str]:
    """The port at whose other end the device sits, until the block ends."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    port = os.ttyname(theirs)
    ended = threading.Event()

    def serve() -> None:
        pending = bytearray()
        while not ended.is_set():
            try:
                pending += os.read(ours, 4096)
            except OSError:
                return
            while (end := pending.find(b"%")) >= 0:
                command = pending[:end].decode("ascii", "replace").strip()
                del pending[: end + 1]
                os.write(ours, device.answer(command))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        ended.set()
        os.write(theirs, b"%")  # wakes the reader
        thread.join(5)
        os.close(theirs)
        os.close(ours)
