"""A scan: each model is asked once, every row has a named outcome, nothing is lost or counted twice."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm.errors import BadInput
from edgewm.key import load_key, new_key
from edgewm.patterns import make_triggers
from edgewm.runtimes.begin import spelled
from edgewm.scanning import pools
from edgewm.scanning.asking import Orders
from edgewm.scanning.course import Summary, run
from edgewm.scanning.judging import OUTCOMES, Mark, mark_of
from edgewm.scanning.plan import Plan
from edgewm.scanning.pools import LocalPool
from edgewm.scanning.suspects import suspects_in
from edgewm.scanning.table import Table
from edgewm.tilt import load_tilt
from edgewm.triggers import load_triggers
from tests import golden
from tests.needs import needs
from tests.runtimes import models

MARKED, UNMARKED = golden.MARKED.read_bytes(), golden.UNMARKED.read_bytes()


def golden_mark() -> Mark:
    return mark_of(load_triggers(golden.TRIGGERS), load_key(golden.KEY), name="golden")


def planned(folder: Path, *marks: Mark, on: tuple[str, ...] = ("litert",), **more: Any) -> Plan:
    whole = more.pop("whole_files", False)
    found = suspects_in([folder], folder=folder.with_name("unpacked"), whole_files=whole)
    limits = {"memory_mib": 1024, "timeout_s": more.pop("timeout_s", 10.0)}
    orders = Orders(on=spelled(on), adapters=more.pop("adapters", ()), **limits)
    return Plan(
        suspects=tuple(found), marks=marks or (golden_mark(),), orders=orders, alpha=1e-6, **more
    )


def scanned(plan: Plan, out: Path, jobs: int = 1) -> tuple[Summary, list[dict[str, Any]]]:
    table = Table(out, plan)
    pool = LocalPool(jobs, marks=plan.marks, orders=plan.orders, terms=plan.terms)
    try:
        summary = run(plan, pool=pool, table=table)
    finally:
        pool.close()
        table.close()
    return summary, rows_of(out)


def rows_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.fixture
def suspects(tmp_path: Path) -> Path:
    folder = tmp_path / "suspects"
    folder.mkdir()
    return folder


def varied(model: bytes, number: int) -> bytes:
    """The same network under another digest: a number in its description, which nothing reads."""

    def change(schema: Any, tree: Any) -> None:
        tree.description = f"copy {number}".encode()

    return models.edited(model, change)


@needs("litert")
def test_each_model_is_asked_once_and_seen_everywhere(suspects: Path, tmp_path: Path):
    """A copy in an archive, one behind other bytes and one beside are one suspect with three places."""
    (suspects / "a.tflite").write_bytes(MARKED)
    (suspects / "b.bin").write_bytes(bytes(48) + MARKED)
    (suspects / "c.tflite").write_bytes(UNMARKED)
    with zipfile.ZipFile(suspects / "d.apk", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/m.tflite", MARKED)
        archive.writestr("assets/only_here.tflite", varied(UNMARKED, 1))
    plan = planned(suspects)
    summary, rows = scanned(plan, tmp_path / "t.jsonl")
    assert summary.outcomes == {"owned": 1, "not_shown": 2}
    assert (summary.suspects, summary.tests, len(rows)) == (3, 3, 3)
    (owned,) = [row for row in rows if row["outcome"] == "owned"]
    assert [name.removeprefix(str(suspects)) for name in owned["seen"]] == [
        "/a.tflite",
        "/b.bin at 48",
        "/d.apk!assets/m.tflite",
    ]
    assert owned["log10_p"] < -60
    assert owned["arithmetic"] == "xnnpack"
    assert all(row["log10_p"] > -3 for row in rows if row is not owned)


@needs("litert")
def test_the_number_of_tests_is_fixed_and_counts(suspects: Path, tmp_path: Path):
    """Suspects x marks x what the caller adds, in every verdict; a wrong key's mark owns nothing."""
    for number in range(3):
        (suspects / f"{number}.tflite").write_bytes(varied(MARKED, number))
    (suspects / "model.onnx").write_bytes(
        golden.KEY.read_bytes()
    )  # no model: neither asked nor counted
    key = new_key()
    other = mark_of(make_triggers(key, shape=(8, 8, 1), classes=10), key, name="other")
    plan = planned(suspects, golden_mark(), other, more_tests=5)
    summary, rows = scanned(plan, tmp_path / "t.jsonl", jobs=2)
    assert plan.terms.tests == summary.tests == 3 * 2 * 5
    assert {row["tests"] for row in rows} == {30}
    assert Counter((row["mark_name"], row["outcome"]) for row in rows) == {
        ("golden", "owned"): 3,
        ("other", "not_shown"): 3,
    }
    from edgewm import stats

    bar = next(q for q in range(0, 99) if stats.owned(-q, alpha=1e-6, tests=30, stamped=False))
    assert bar == pytest.approx(6 + 19.27 + 1.48, abs=1)


def hostile(suspects: Path) -> dict[str, str]:
    """Files that misbehave, and what must be said of each on LiteRT."""
    wide = np.zeros((10, 25), np.float32)
    files = {
        "marked": (MARKED, "owned"),
        "unmarked": (UNMARKED, "not_shown"),
        "endless": (models.endless(), "timed_out"),
        "enormous": (models.enormous(), "out_of_memory"),
        "other shape": (models.dense(wide, wide[:, 0], shape=(5, 5, 1)), "does_not_fit"),
        "other classes": (
            models.dense(np.eye(7, 64, dtype=np.float32), np.zeros(7), shape=(8, 8, 1)),
            "does_not_fit",
        ),
        "two outputs": (models.edited(MARKED, models.with_second_output), "refused"),
        "stateful": (models.edited(MARKED, models.with_resource_variable), "owned"),
        "no operator": (MARKED.replace(b"TFL3", b"TFL9"), "refused"),
        "cut": (MARKED[:9000], "refused"),
        "text": (b"no model at all " * 99, "refused"),
        "constant": (models.dense(np.zeros((10, 64)), np.zeros(10), shape=(8, 8, 1)), "refused"),
    }
    for name, (content, _) in files.items():
        (suspects / name).write_bytes(content)
    return {str(suspects / name): outcome for name, (_, outcome) in files.items()}


@needs("litert")
def test_whatever_a_suspect_does_is_an_outcome(suspects: Path, tmp_path: Path):
    """A hang, a flood of memory, operators and files that are none: each its row; the marked one is found."""
    expected = hostile(suspects)
    plan = planned(suspects, whole_files=True, timeout_s=2.0)
    _, rows = scanned(plan, tmp_path / "t.jsonl")
    assert {row["seen"][0]: row["outcome"] for row in rows} == expected
    assert set(expected.values()) <= set(OUTCOMES)
    told = {row["seen"][0].rpartition("/")[2]: row["reason"] for row in rows}
    assert "took longer than timeout_s=2" in told["endless"]
    assert "more than memory_mib=1024" in told["enormous"]
    assert "takes inputs 5x5x1, the triggers are 8x8x1" in told["other shape"]
    assert not any("\n" in reason for reason in told.values())


@needs("tflite_runtime")
def test_a_crash_of_the_interpreter_is_an_outcome(suspects: Path, tmp_path: Path):
    """tflite-runtime reads beyond the end of a cut file and dies; the suspects around it are judged."""
    for number in range(2):
        (suspects / f"{number}").write_bytes(varied(MARKED, number))
        (suspects / f"{number} cut").write_bytes(MARKED[: 20000 + number])
    plan = planned(suspects, on=("tflite_runtime",), whole_files=True)
    summary, rows = scanned(plan, tmp_path / "t.jsonl")
    assert summary.outcomes == {"crashed": 2, "owned": 2}
    assert {row["reason"] for row in rows if row["outcome"] == "crashed"} == {
        "tflite_runtime: crashed (SIGSEGV)"
    }


@needs("litert")
def test_formats_that_nothing_reads_are_named(suspects: Path, tmp_path: Path):
    """A .keras file is in the table as what it is, and is no test."""
    with zipfile.ZipFile(suspects / "m.keras", "w") as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    (suspects / "m.tflite").write_bytes(MARKED)
    summary, rows = scanned(planned(suspects), tmp_path / "t.jsonl")
    assert (summary.suspects, summary.asked, summary.tests) == (2, 1, 1)
    assert {(row["format"], row["outcome"]) for row in rows} == {
        ("keras", "other_format"),
        ("tflite", "owned"),
    }


@needs("litert")
@needs("onnxruntime")
@needs("onnx")
def test_each_format_is_asked_where_it_is_read(suspects: Path, tmp_path: Path):
    """With two runtimes named, a `.tflite` is asked on one and an ONNX file on the other."""
    from tests import rewritten
    from tests.recordings import KEY
    from tests.runtimes.other_formats import onnx_of

    for name, layer in (("marked", rewritten.MARKED), ("unmarked", rewritten.UNMARKED)):
        (suspects / f"{name}.onnx").write_bytes(onnx_of(*layer))
        (suspects / f"{name}.tflite").write_bytes(rewritten.file_of(*layer))
    mark = mark_of(rewritten.GREY, KEY, name="grey")
    plan = planned(suspects, mark, on=("litert", "onnxruntime"))
    assert plan.terms.tests == 4
    _, rows = scanned(plan, tmp_path / "t.jsonl")
    found = {(row["seen"][0].rpartition("/")[2], row["runtime"], row["outcome"]) for row in rows}
    assert found == {
        ("marked.onnx", "onnxruntime", "owned"),
        ("marked.tflite", "litert", "owned"),
        ("unmarked.onnx", "onnxruntime", "not_shown"),
        ("unmarked.tflite", "litert", "not_shown"),
    }


@needs("litert")
def test_adapters_and_tilts(suspects: Path, tmp_path: Path):
    """Chains multiply the tests of the suspect that they are tried on; a tilt is a mark like another."""
    (suspects / "m.tflite").write_bytes(MARKED)
    _, (row,) = scanned(planned(suspects, adapters="try"), tmp_path / "a.jsonl")
    assert row["outcome"] == "owned"
    assert row["tests"] > 1
    tilt = mark_of(load_tilt(golden.TILT), load_key(golden.KEY), name="tilt")
    summary, rows = scanned(planned(suspects, golden_mark(), tilt), tmp_path / "b.jsonl")
    assert summary.tests == 2
    assert [row["outcome"] for row in rows] == ["owned", "not_shown"]
    assert "tilt_z" in rows[1]


@needs("litert")
def test_every_runtime_is_asked_and_the_worst_counts(suspects: Path, tmp_path: Path):
    """`all` asks each that is here; two named ones give one row, of the worse."""
    (suspects / "m.tflite").write_bytes(MARKED)
    plan = planned(suspects, on=("litert:delegate=none", "litert:delegate=xnnpack"))
    _, (row,) = scanned(plan, tmp_path / "t.jsonl")
    assert (row["outcome"], row["groups_hit"]) == ("owned", 64)
    assert row["runtime"] in ("litert:delegate=none", "litert:delegate=xnnpack")


@needs("litert")
def test_a_file_that_changes_is_an_outcome(suspects: Path, tmp_path: Path):
    """Bytes that are no longer those that were found are not asked; the others are."""
    for number in range(2):
        (suspects / f"{number}.tflite").write_bytes(varied(MARKED, number))
    plan = planned(suspects)
    (suspects / "0.tflite").write_bytes(UNMARKED)
    _, rows = scanned(plan, tmp_path / "t.jsonl")
    assert {row["seen"][0][-8:]: row["outcome"] for row in rows} == {
        "0.tflite": "changed",
        "1.tflite": "owned",
    }


@needs("litert")
def test_a_worker_that_is_lost_is_replaced(
    suspects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Killed in the middle, its suspect is asked again; one that takes three with it is a row."""
    for number in range(12):
        (suspects / f"{number}.tflite").write_bytes(varied(MARKED, number))
    plan = planned(suspects)
    table = Table(tmp_path / "t.jsonl", plan)
    pool = LocalPool(2, marks=plan.marks, orders=plan.orders, terms=plan.terms)
    killed: list[int] = []

    def kill_once(done: int, rows: int) -> None:
        if not killed:
            killed.append(pool.pids[0])
            os.kill(killed[0], signal.SIGKILL)

    summary = run(plan, pool=pool, table=table, watch=kill_once)
    assert summary.outcomes == {"owned": 12}
    assert len(pool.pids) == 3
    pool.close()
    table.close()
    monkeypatch.setattr(
        pools._Worker, "ask", lambda self, what: self.close() or self._to.write(b"")
    )
    summary, _ = scanned(plan, tmp_path / "lost.jsonl")
    assert summary.outcomes == {"worker_lost": 12}


@needs("litert")
def test_names_of_strangers_stay_text(
    suspects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A file that is named as a formula, with a line feed in it, is one cell of text in a CSV."""
    monkeypatch.chdir(suspects)
    name = '=HYPERLINK("x")\n.tflite'
    Path(name).write_bytes(UNMARKED)
    plan = planned(suspects)
    plan.suspects[0].seen[:] = [name]
    table = Table(tmp_path / "t.csv", plan)
    pool = LocalPool(1, marks=plan.marks, orders=plan.orders, terms=plan.terms)
    run(plan, pool=pool, table=table)
    pool.close()
    table.close()
    (row,) = csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text()))
    assert row["seen"] == '\'=HYPERLINK("x") .tflite'
    assert float(row["log10_p"]) <= 0.0  # a number with a sign stays one


SCAN = "from edgewm.cli import run; import sys; sys.exit(run(sys.argv[1:]))"


@needs("litert")
@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_a_killed_scan_goes_on(suspects: Path, tmp_path: Path, ending: str):
    """SIGKILL at any time: no worker is left behind, and going on gives every row once."""
    for number in range(60):
        (suspects / f"{number}.tflite").write_bytes(
            varied(MARKED if number < 5 else UNMARKED, number)
        )
    out = tmp_path / f"t.{ending}"
    line = [sys.executable, "-c", SCAN, "scan", str(suspects), "--triggers", str(golden.TRIGGERS)]
    line += ["--key", str(golden.KEY), "--jobs", "2", "--whole-files", "--out", str(out)]
    sizes = [0]
    for wanted in (3, 20):
        started = subprocess.Popen(line, stdout=subprocess.DEVNULL, process_group=0)
        while _lines(out) < wanted:
            assert started.poll() is None
            time.sleep(0.01)
        started.kill()
        started.wait()
        sizes.append(_lines(out))
        with out.open("ab") as opened:  # what a kill in the middle of a write leaves
            opened.write(b'{"plan": "0123')
    done = subprocess.run([*line, "--json"], capture_output=True, check=True, text=True)
    told = json.loads(done.stdout)
    text = io.StringIO(out.read_text())
    rows = list(csv.DictReader(text)) if ending == "csv" else rows_of(out)
    assert len(rows) == told["rows"] == len({row["suspect"] for row in rows}) == 60
    assert Counter(row["outcome"] for row in rows) == {"owned": 5, "not_shown": 55}
    assert 60 > told["resumed"] >= sizes[-1] - 1 > sizes[1] - 1 > 0  # a header is no row
    assert len(told["owned"]) == 5
    deadline = time.monotonic() + 5
    while _workers(str(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _workers(str(tmp_path))


def _lines(out: Path) -> int:
    return out.read_bytes().count(b"\n") if out.exists() else 0


def _workers(folder: str) -> list[str]:
    """Processes that still name the folder in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            held = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if folder in held and "scan" in held and str(os.getpid()) != path.parent.name:
            found.append(held)
    return found


@needs("litert")
def test_a_table_of_another_scan_is_refused(suspects: Path, tmp_path: Path):
    """Other suspects, marks or limits are another plan; a table in use, or no table, is refused too."""
    (suspects / "m.tflite").write_bytes(MARKED)
    out = tmp_path / "t.jsonl"
    plan = planned(suspects)
    scanned(plan, out)
    assert scanned(plan, out)[0].resumed == 1  # the control
    (suspects / "n.tflite").write_bytes(UNMARKED)
    with pytest.raises(
        BadInput, match=r"another scan \(suspects, .*tests.*another number of tests"
    ):
        Table(out, planned(suspects))
    (suspects / "n.tflite").unlink()
    with pytest.raises(BadInput, match=r"another scan \(timeout_s\)"):
        Table(out, planned(suspects, timeout_s=3.0))
    first = Table(out, plan)
    with pytest.raises(BadInput, match="another scan is writing"):
        Table(out, plan)
    first.close()
    shutil.copy(out.with_name("t.jsonl.plan.json"), tmp_path / "u.jsonl.plan.json")
    (tmp_path / "u.jsonl").write_text(out.read_text() + '{"plan": "another"}\n')
    with pytest.raises(BadInput, match=r"line 2 .* is no row of this scan"):
        Table(tmp_path / "u.jsonl", plan)
    with pytest.raises(BadInput, match=r"ends in .jsonl or .csv"):
        Table(tmp_path / "t.txt", plan)


@needs("litert")
def test_mutated_models(suspects: Path, tmp_path: Path):
    """500 files with changed, cut, doubled and mixed bytes: the scan ends, every outcome has its name."""
    from tests.runtimes.mutated_models import mutated

    rng = np.random.default_rng(11)
    for number in range(500):
        (suspects / f"{number:03}").write_bytes(mutated([MARKED, UNMARKED], rng))
    (suspects / "whole").write_bytes(MARKED)
    plan = planned(suspects, whole_files=True, timeout_s=2.0)
    summary, rows = scanned(plan, tmp_path / "t.jsonl", jobs=2)
    assert len(rows) == summary.suspects > 450  # some mutations come to the same bytes
    assert set(summary.outcomes) <= set(OUTCOMES) - {"worker_lost", "unavailable", "changed"}
    assert summary.outcomes["refused"] > 50
    assert all(row["reason"] for row in rows)
    whole = next(row for row in rows if str(suspects / "whole") in row["seen"])
    assert whole["outcome"] == "owned"


def test_no_secret_leaves_for_a_worker():
    """What a worker is sent holds neither the key nor an answer; the key itself cannot be sent."""
    import pickle

    mark = golden_mark()
    sent = pickle.dumps(mark.questions)
    assert mark.key.group_key(mark.held.salt, 0) not in sent
    with pytest.raises(BadInput, match="never copied or pickled"):
        pickle.dumps(mark)
