"""A board that speaks MLPerf Tiny's device-under-test verbs, over any line that pyserial opens.

    name%            m-name-TEXT-[...]                 db load N%    m-[Expecting N bytes]
    db HEX%          m-load-done after the last byte   infer 1 0%    m-lap-us-A, m-lap-us-B, m-results-[...]

Every command ends with "%", and every reply with a line "m-ready". A board cuts commands at 80 characters,
so a `db` line carries 38 bytes; it takes ten warm-ups unless it is told 0. It may be reset, lose lines or
fall silent at any time: each ends one question with its reason, and none lets a caller wait longer than
`timeout_s` for a reply. What a line holds beyond that is noise of the board and is passed over.

Two things the public firmware does not survive are never sent: a command without a word (its parser reads
from address 0), and bytes for a load that it did not accept (it writes them past its buffer).
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from typing import Any

LINE_BYTES = 38
"""Bytes of input in one `db` line: "db " and two digits each, below 80 characters."""
_READY, _LOADED, _INFERRED = "m-ready", "m-load-done", "m-infer-done"
_SEEDED = "m-edgewm-seed-done"
_RESULTS = re.compile(r"m-results-\[([^\]]*)\]")
_LAP = re.compile(r"m-lap-us-(\d+)")
_CHECKED = re.compile(r"m-edgewm-check-\[(\d+(?:,\d+){4})\]")
_COUNTED = re.compile(r"m-edgewm-\[(\d+),(\d+),(\d+),(\d+)\]")
_NAME = re.compile(r"m-name-(.*)")
_STARTED = ("m-init-done", "m-timestamp-mode")
"""What a board says unasked when it has just started."""
_LONGEST_LINE = 1 << 16
_QUIET_S = 0.05


class Lost(Exception):
    """One exchange that did not end as it should; the text says how."""


@dataclass(frozen=True, kw_only=True)
class Inferred:
    """What came back for one input."""

    values: tuple[float, ...]
    """One a class, dequantised by the board."""
    latency_ms: float
    """By the board's own clock where it gave two times, else by ours."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What edgewm's own firmware counted; other firmware does not know the question."""

    ticks: int
    """Of the board's timer in the last inference."""
    clock_hz: int
    stack_bytes: int
    """Deepest use so far."""
    arena_bytes: int

    @property
    def instructions(self) -> int:
        """Of the last inference, where one takes a nanosecond: in QEMU with -icount shift=0."""
        return round(self.ticks * 1e9 / self.clock_hz)


class Board:
    """One open line. Not thread-safe."""

    def __init__(self, line: Any, timeout_s: float) -> None:
        """Take over an open pyserial port."""
        self._line, self._timeout_s = line, timeout_s
        self._left = bytearray()

    def greet(self) -> str:
        """Throw away what is under way, on the board and on the line, and ask the board its name.

        Raises:
            Lost: no reply.
        """
        # ends whatever half of a command the board may hold; its reply is none to "name", however late
        self._write(b"timestamp%")
        quiet = time.monotonic() + _QUIET_S
        latest = time.monotonic() + min(1.0, self._timeout_s)
        while time.monotonic() < min(quiet, latest):
            if self._read():
                quiet = time.monotonic() + _QUIET_S
        self._left.clear()
        self._write(b"name%")
        name, deadline = None, time.monotonic() + self._timeout_s
        while (said := self._next(deadline)) is not None:
            found = _NAME.search(said)
            if found:
                name = found[1].strip()[:200]
            elif said == _READY and name is not None:  # one that came before was for something else
                return name
        raise Lost(f"the board did not answer 'name' in {self._timeout_s:g} s")

    def load(self, content: bytes) -> None:
        """Fill the board's input buffer.

        Raises:
            Lost: no reply, an error of the board, or a buffer of another size.
        """
        said = self._command(f"db load {len(content)}")
        if not any(f"Expecting {len(content)} bytes" in text for text in said):
            why = f": {said[-1][:120]!r}" if said else ""
            raise Lost(f"the board did not accept {len(content)} bytes{why}")
        done = False
        for at in range(0, len(content), LINE_BYTES):
            part = content[at : at + LINE_BYTES]
            done = _LOADED in self._command(f"db {part.hex()}")
            if done != (at + len(part) == len(content)):
                raise Lost(
                    f"the board took {at + len(part)} of {len(content)} bytes for a whole input"
                    if done
                    else f"the board was sent {len(content)} bytes and still waits for more"
                )

    def infer(self) -> Inferred:
        """One inference of what was loaded.

        Raises:
            Lost: no reply, an error of the board, or no results.
        """
        started = time.perf_counter()
        lines = self._command("infer 1 0")
        spent_ms = (time.perf_counter() - started) * 1000
        laps = [int(found[1]) for text in lines if (found := _LAP.search(text))]
        if len(laps) == 2 and laps[1] >= laps[0]:
            spent_ms = (laps[1] - laps[0]) / 1000
        results = _results_in(lines)
        if not results and _INFERRED in lines:
            results = _results_in(self._command("results"))
        if len(results) != 1:
            raise Lost("the board gave no results")
        return Inferred(values=_numbers(results[0]), latency_ms=spent_ms)

    def draw(self, index: int, seed: bytes) -> None:
        """Have the board draw input number `index`, below 10^9, of a 32-byte seed by itself.

        Raises:
            Lost: no reply, or firmware that does not draw inputs.
        """
        # two commands: 64 digits and a number of more than three are longer than what a board reads
        if _SEEDED not in self._command(f"edgewm seed {seed.hex()}"):
            raise Lost("the board did not take a seed")
        if _LOADED not in self._command(f"edgewm draw {index}"):
            raise Lost("the board did not say that it drew an input")

    def check(self) -> tuple[int, ...]:
        """Have the board look for the mark it was built with: owned, groups, hits, silent, inferences.

        What a board says of itself is a self-test and no evidence.

        Raises:
            Lost: no reply, or firmware that knows no mark.
        """
        for text in self._command("edgewm check"):
            found = _CHECKED.search(text)
            if found:
                return tuple(map(int, found[1].split(",")))
        raise Lost("the board did not say what it found")

    def counted(self) -> Counted:
        """What the firmware counted.

        Raises:
            Lost: no reply, or firmware that is not edgewm's.
        """
        for text in self._command("edgewm facts"):
            found = _COUNTED.search(text)
            if found:
                ticks, clock_hz, stack_bytes, arena_bytes = map(int, found.groups())
                return Counted(
                    ticks=ticks, clock_hz=clock_hz, stack_bytes=stack_bytes, arena_bytes=arena_bytes
                )
        raise Lost("the board did not say what it counted")

    def _command(self, text: str) -> list[str]:
        """The lines of a reply, without its "m-ready"."""
        self._write(text.encode("ascii") + b"%")
        lines: list[str] = []
        deadline = time.monotonic() + self._timeout_s
        while True:
            said = self._next(deadline)
            if said is None:
                raise Lost(f"the board did not answer {text[:20]!r} in {self._timeout_s:g} s")
            if said == _READY:
                return lines
            if said.startswith("e-"):
                raise Lost(f"the board said {said[:120]!r}")
            if said.startswith(_STARTED):
                raise Lost("the board was reset")
            lines.append(said)

    def _next(self, deadline: float) -> str | None:
        """The next line, None when there is none in time."""
        while (end := self._left.find(b"\n")) < 0:
            if time.monotonic() >= deadline:
                return None
            self._left += self._read()
            if len(self._left) > _LONGEST_LINE:
                raise Lost("the board sent one endless line")
        raw = bytes(self._left[:end])
        del self._left[: end + 1]
        text = raw.decode("ascii", "replace").strip()
        return "".join(c for c in text if c.isprintable())

    def _read(self) -> bytes:
        """What has come, at most a moment waited for."""
        try:
            return bytes(self._line.read(max(1, min(self._line.in_waiting, 4096))))
        except (
            OSError,
            TypeError,
        ) as error:  # pyserial raises TypeError on a line closed meanwhile
            raise Lost(f"the line broke: {_first_line(error)}") from None

    def _write(self, content: bytes) -> None:
        try:
            self._line.write(content)
        except OSError as error:
            raise Lost(f"the line broke: {_first_line(error)}") from None


def _results_in(lines: list[str]) -> list[str]:
    return [found[1] for text in lines if (found := _RESULTS.search(text))]


def _numbers(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise Lost(f"the board gave results that are no numbers: {text[:60]!r}") from None
    if any(math.isinf(value) for value in values):
        raise Lost("the board gave infinite results")
    return values


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
