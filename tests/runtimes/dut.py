"""A device under test on a pty: MLPerf Tiny's verbs as its reference firmware answers them, and its faults.

It lives in a thread and answers real bytes over a real terminal line, or a socket. Its network is any
function from input bytes to a row of numbers. What crashes the public firmware, it does not survive either:
a command without a word, and bytes for a load that it refused.
"""

from __future__ import annotations

import os
import pty
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Network = Callable[[bytes], list[float]]
_LONGEST_COMMAND = 80


@dataclass
class Device:
    """One board; `faults` maps the number of a question (from 0, each try) to what goes wrong in it."""

    network: Network
    input_bytes: int
    faults: dict[int, str] = field(default_factory=dict)
    banner: bytes = b"m-timestamp-mode-performance\r\nm-lap-us-12\r\nm-init-done\r\nm-ready\r\n"
    seen: list[bytes] = field(default_factory=list)
    longest: int = 0

    def __post_init__(self) -> None:
        self._buffer, self._wanted, self._count = bytearray(), 0, 0
        self._clock_us, self._held = 1000, ""
        self.crashed = False

    def answer(self, command: str) -> bytes:
        """What the firmware prints for one command, "m-ready" and all."""
        self.longest = max(self.longest, len(command) + 1)
        words = command[: _LONGEST_COMMAND - 1].split()
        self.crashed = self.crashed or not words
        if self.crashed:
            return b""
        fault = self.faults.get(self._count, "")
        if words[0] == "timestamp":
            return f"m-lap-us-{self._clock_us}\r\nm-ready\r\n".encode()
        if words[0] == "name":
            return b"m-name-dut-[unspecified]\r\nm-ready\r\n"
        if words[:2] == ["db", "load"]:
            self._buffer, self._wanted = bytearray(), int(words[2])
            if self._wanted > self.input_bytes:
                most = self.input_bytes
                return f"Supplied buffer size {self._wanted} exceeds maximum of {most}\nm-ready\r\n".encode()
            return f"m-[Expecting {self._wanted} bytes]\r\nm-ready\r\n".encode()
        if words[0] == "db":
            self.crashed = self._wanted > self.input_bytes  # written past the end
            if fault == "reset in load" and len(self._buffer) >= 2 * 38:
                self._buffer, self._wanted, self._count = bytearray(), 0, self._count + 1
                return self.banner
            if fault == "lost line" and not self._buffer:
                self.faults.pop(self._count)
                return b"m-ready\r\n"
            self._buffer += bytes.fromhex(words[1])
            done = b"m-load-done\r\n" if len(self._buffer) == self._wanted else b""
            return done + b"m-ready\r\n"
        if words[0] == "infer":
            return self._infer(words, fault)
        if words == ["results"]:
            return f"{self._held}\r\nm-ready\r\n".encode()
        return f"e-[Unknown command: {words[0]}]\r\nm-ready\r\n".encode()

    def _infer(self, words: list[str], fault: str) -> bytes:
        assert words == ["infer", "1", "0"]
        self.seen.append(bytes(self._buffer))
        at, self._count = self._count, self._count + 1
        if fault == "silent":
            return b""
        if fault == "late":
            self.faults.pop(at)
            time.sleep(0.6)
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
        if fault == "results apart":
            self._held = lines.pop(-2)
        return noise + "".join(f"{line}\r\n" for line in lines).encode()


@contextmanager
def on_a_line(device: Device) -> Iterator[str]:
    """The port at whose other end the device sits, until the block ends."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    port = os.ttyname(theirs)
    ended = threading.Event()
    thread = threading.Thread(target=_serve, args=(device, ours, ended), daemon=True)
    thread.start()
    try:
        yield port
    finally:
        ended.set()
        os.write(theirs, b"timestamp%")  # wakes the reader
        thread.join(5)
        os.close(theirs)
        os.close(ours)


@contextmanager
def on_a_socket(device: Device) -> Iterator[str]:
    """The same behind a terminal server: one connection, until the caller ends it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            caller, _ = server.accept()
            with caller:
                _serve(device, caller.fileno(), threading.Event())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        thread.join(5)


def _serve(device: Device, line: int, ended: threading.Event) -> None:
    pending = bytearray()
    while not ended.is_set():
        try:
            got = os.read(line, 4096)
        except OSError:
            return
        if not got:
            return
        pending += got
        while (end := pending.find(b"%")) >= 0:
            command = pending[:end].decode("ascii", "replace").strip()
            del pending[: end + 1]
            os.write(line, device.answer(command))
