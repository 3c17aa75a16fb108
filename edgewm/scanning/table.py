"""The table that a scan writes: one row a suspect and mark, appended as it comes, never changed.

JSON Lines or CSV, by the file's ending. A row is one line and is written by one call, so that a scan that
is killed at any moment leaves whole rows and perhaps the beginning of one, which is cut off when the scan
goes on. Every second the rows are flushed to the disk, for a machine that loses power. Beside the table
stands its plan; a table of another plan is refused, and no (suspect, mark) is written twice.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..files import write_file
from .plan import Plan, differences

COLUMNS = (
    *("plan", "suspect", "mark", "outcome", "p_value", "log10_p", "tests", "groups_hit", "groups"),
    *("queries", "failed", "tilt_z", "runtime", "version", "arithmetic", "adapters", "latency_ms"),
    *("seconds", "mark_name", "format", "length", "seen", "reason"),
)
"""Fields of a row; those that do not apply are left out of JSON and empty in CSV."""
_FLUSH_S = 1.0
_JOINED = " | "


class Table:
    """An open table. Holds a lock on the file, so that two scans do not write one."""

    def __init__(self, path: Path, plan: Plan) -> None:
        """Begin a table, or go on with the one that is there.

        Raises:
            BadInput: the file is of another scan, in use, no table, or cannot be written.
        """
        if path.suffix not in (".jsonl", ".csv"):
            raise BadInput(f"--out: got {path.name}, expected a name that ends in .jsonl or .csv")
        self.path, self._csv, self._plan = path, path.suffix == ".csv", plan.digest
        self.done: dict[tuple[str, str], str] = {}
        """Outcome of every (suspect, mark) that has its row."""
        self.owned: list[dict[str, Any]] = []
        """Rows of that outcome."""
        self.resumed = 0
        """Rows that were there."""
        self._flushed_s = time.monotonic()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise BadInput(f"--out: {path} cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._check_plan(plan)
            self._read()
        except BlockingIOError:
            os.close(self._file)
            raise BadInput(f"--out: another scan is writing {path}, name another file") from None
        except BaseException:
            os.close(self._file)
            raise

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write rows whose (suspect, mark) is new; others are left out.

        Raises:
            OSError: the disk is full.
        """
        lines = []
        for row in rows:
            name = (row["suspect"], row["mark"])
            if name not in self.done:
                self._take_in(row)
                lines.append(self._line({"plan": self._plan, **row}))
        if not lines:
            return
        unwritten = memoryview("".join(lines).encode())
        while unwritten:
            unwritten = unwritten[os.write(self._file, unwritten) :]
        if time.monotonic() - self._flushed_s > _FLUSH_S:
            os.fsync(self._file)
            self._flushed_s = time.monotonic()

    def close(self) -> None:
        """Flush to the disk and give the lock back."""
        os.fsync(self._file)
        os.close(self._file)

    def _take_in(self, row: dict[str, Any]) -> None:
        self.done[row["suspect"], row["mark"]] = row["outcome"]
        if row["outcome"] == "owned":
            self.owned.append(row)

    def _line(self, row: dict[str, Any]) -> str:
        if not self._csv:
            return json.dumps({name: row[name] for name in COLUMNS if name in row}) + "\n"
        cells = [row.get(name, "") for name in COLUMNS]
        return _csv_line(
            [_JOINED.join(map(str, cell)) if isinstance(cell, list) else cell for cell in cells]
        )

    def _check_plan(self, plan: Plan) -> None:
        """The plan beside the table is this one, or is written now."""
        path = self.path.with_name(self.path.name + ".plan.json")
        told = json.loads(json.dumps({"plan": plan.digest, **plan.as_dict()}))
        if os.fstat(self._file).st_size == 0:
            write_file(path, (json.dumps(told, indent=1) + "\n").encode(), argument="--out")
            if self._csv:
                os.write(self._file, _csv_line(COLUMNS).encode())
            return
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = {}
        if before.get("plan") != plan.digest:
            others = differences(before, told) if before else ["its plan is missing"]
            raise BadInput(
                f"--out: {self.path} is of another scan ({', '.join(n for n in others if n != 'plan')}): "
                "name another file; a scan with other suspects has another number of tests"
            )

    def _read(self) -> None:
        """Take in the rows that are there, and cut off the beginning of one that was not finished."""
        whole = 0
        with open(self.path, "rb") as opened:
            for number, line in enumerate(opened, 1):
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                if self._csv and number == 1:
                    continue
                self._take_in(self._parsed(line, number))
        os.ftruncate(self._file, whole)
        if self._csv and whole == 0:
            os.write(self._file, _csv_line(COLUMNS).encode())
        self.resumed = len(self.done)

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        row: dict[str, Any]
        try:
            text = line.decode()
            if self._csv:
                row = dict(zip(COLUMNS, next(csv.reader([text])), strict=True))
                row["seen"] = row["seen"].split(_JOINED)
            else:
                row = json.loads(text)
            ours = row["plan"] == self._plan and all(
                isinstance(row[name], str) for name in ("suspect", "mark", "outcome")
            )
        except (ValueError, KeyError, TypeError, StopIteration, csv.Error):
            ours = False
        if not ours:
            raise BadInput(
                f"--out: line {number} of {self.path} is no row of this scan, name another file"
            )
        return row


def _csv_line(cells: Sequence[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow([_cell(cell) for cell in cells])
    return buffer.getvalue()


def _cell(value: Any) -> str:
    """On one line, and never a formula to a spreadsheet: a stranger chose the names of files."""
    text = "" if value is None else str(value).replace("\n", " ").replace("\r", " ")
    formula = isinstance(value, str) and text[:1] in ("=", "+", "-", "@", "\t")
    return f"'{text}" if formula else text
