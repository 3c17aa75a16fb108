"""A scan on a real Dask scheduler with real worker processes: nothing lost or counted twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgewm.errors import BadInput, RuntimeUnavailable
from edgewm.scanning import cluster as cluster_module
from edgewm.scanning.cluster import ClusterPool
from edgewm.scanning.course import run
from edgewm.scanning.table import Table
from tests import golden
from tests.needs import needs
from tests.runtimes import models
from tests.test_scanning import MARKED, UNMARKED, planned, rows_of, scanned, varied

pytestmark = [needs("dask"), needs("litert")]


class Cluster:
    """A scheduler and workers of one thread each, without nannies that would start them again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.workers, known = folder, [], folder / "scheduler.json"
        self.scheduler = self._started(
            "scheduler", "--port", "0", "--host", "127.0.0.1", "--scheduler-file", str(known)
        )
        deadline = time.monotonic() + 60
        while not known.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.address = json.loads(known.read_text())["address"]

    def add_workers(self, number: int) -> None:
        for _ in range(number):
            more = ("--no-nanny", "--nthreads", "1", "--local-directory", str(self.folder))
            self.workers.append(self._started("worker", self.address, *more))

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def _started(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *arguments]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(line, stdout=log, stderr=log)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = Cluster(tmp_path_factory.mktemp("dask"))
    yield started
    started.close()


def pool_of(cluster: Cluster, plan: Any) -> ClusterPool:
    """A pool that waits for the first worker."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return ClusterPool(
                cluster.address, marks=plan.marks, orders=plan.orders, terms=plan.terms
            )
        except BadInput:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_a_scheduler_without_workers_is_refused(cluster: Cluster, tmp_path: Path):
    """Before anything is asked; and so is an address where nobody answers."""
    (tmp_path / "s").mkdir()
    plan = planned(tmp_path / "s")
    more = {"marks": plan.marks, "orders": plan.orders, "terms": plan.terms}
    with pytest.raises(BadInput, match="has no workers, start some"):
        ClusterPool(cluster.address, **more)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster_module, "CONNECT_S", 0.5)
        with pytest.raises(BadInput, match=r"tcp://127\.0\.0\.1:9 does not answer"):
            ClusterPool("tcp://127.0.0.1:9", **more)


def test_a_worker_killed_in_the_middle_loses_nothing(cluster: Cluster, tmp_path: Path):
    """Suspects that it was asking are asked elsewhere; every (suspect, mark) has one row, as it must be."""
    folder = tmp_path / "suspects"
    folder.mkdir()
    for number in range(24):
        owned = number % 4 == 0
        (folder / f"{number:02}").write_bytes(varied(MARKED if owned else UNMARKED, number))
    for number in range(2):  # keep a worker busy when it is killed
        (folder / f"hang {number}").write_bytes(models.endless() + bytes(number))
    plan = planned(folder, whole_files=True, timeout_s=3.0)
    cluster.add_workers(2)
    pool, table = pool_of(cluster, plan), Table(tmp_path / "t.jsonl", plan)
    killed: list[int] = []

    def kill_one(done: int, rows: int) -> None:
        if done >= 6 and not killed:
            killed.append(cluster.workers[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    summary = run(plan, pool=pool, table=table, watch=kill_one)
    pool.close()
    table.close()
    rows = rows_of(tmp_path / "t.jsonl")
    assert killed
    assert summary.outcomes == {"owned": 6, "not_shown": 18, "timed_out": 2}
    assert Counter(row["suspect"] for row in rows) == {s.sha256: 1 for s in plan.suspects}
    judged = {row["seen"][0][-2:]: row["outcome"] for row in rows}
    assert all(judged[f"{n:02}"] == ("not_shown" if n % 4 else "owned") for n in range(24))


def test_the_command_line_asks_a_cluster_and_goes_on(cluster: Cluster, tmp_path: Path):
    """--scheduler gives the rows that local workers give; a second run has nothing left to do."""
    folder = tmp_path / "suspects"
    folder.mkdir()
    (folder / "marked").write_bytes(MARKED)
    (folder / "unmarked").write_bytes(UNMARKED)
    if not any(worker.poll() is None for worker in cluster.workers):
        cluster.add_workers(1)
        pool_of(cluster, planned(folder)).close()
    line = [sys.executable, "-m", "edgewm", "scan", str(folder), "--triggers", str(golden.TRIGGERS)]
    line += ["--key", str(golden.KEY), "--json"]
    here = ["--out", str(tmp_path / "here.jsonl"), "--jobs", "1"]
    there = ["--out", str(tmp_path / "there.csv"), "--scheduler", cluster.address]
    told = []
    for where in (here, there, there):
        done = subprocess.run([*line, *where], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        told.append(json.loads(done.stdout))
    assert told[0]["outcomes"] == told[1]["outcomes"] == {"owned": 1, "not_shown": 1}
    assert told[0]["plan"] == told[1]["plan"]
    assert [one["resumed"] for one in told] == [0, 0, 2]


def test_what_the_workers_lack_is_said_at_once(cluster: Cluster, tmp_path: Path):
    """A runtime that is not there is refused before the first suspect, not told in every row."""
    if not any(worker.poll() is None for worker in cluster.workers):
        cluster.add_workers(1)
    (tmp_path / "s").mkdir()
    with pytest.raises(RuntimeUnavailable, match="cannot be started"):
        pool_of(cluster, planned(tmp_path / "s", on=("litert:python=/nowhere/python",)))


def test_a_scheduler_that_is_lost_ends_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It is refused in one line that says how to go on; rows that were written stay, and it goes on."""
    monkeypatch.setattr(cluster_module, "CONNECT_S", 2.0)
    folder = tmp_path / "suspects"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}").write_bytes(varied(UNMARKED, number))
    (folder / "a hang").write_bytes(models.endless())
    plan = planned(folder, whole_files=True, timeout_s=3.0)
    lost, out = Cluster(tmp_path), tmp_path / "t.jsonl"
    lost.add_workers(1)
    pool, table = pool_of(lost, plan), Table(out, plan)
    with pytest.raises(
        BadInput, match="is gone; rows that were written stay, and the same command"
    ):
        run(plan, pool=pool, table=table, watch=lambda done, rows: lost.close())
    pool.close()
    table.close()
    written = len(rows_of(out))
    assert 0 < written < 7
    summary, _ = scanned(plan, out)
    assert summary.outcomes == {"not_shown": 6, "timed_out": 1}
    assert summary.resumed == written
