"""A fresh worker for every model, forked: as restricted and as mortal as one of its own, and cheaper."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm.errors import ModelRefused, RuntimeUnavailable
from edgewm.runtimes import nursery, probe
from edgewm.runtimes.litert import LiteRT
from edgewm.runtimes.nursery import Nursery
from edgewm.runtimes.tflite_runtime import TFLiteRuntime
from edgewm.runtimes.tflm import TFLM
from tests import golden
from tests.needs import needs
from tests.runtimes import models

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
ENGINES = [
    pytest.param(LiteRT(memory_mib=1024), id="litert"),
    pytest.param(TFLiteRuntime(), marks=needs("tflite_runtime"), id="tflite_runtime"),
    pytest.param(TFLM(), marks=needs("tflm"), id="tflm"),
]


@pytest.fixture
def held() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.mark.parametrize("runtime", ENGINES)
def test_forked_workers_are_as_good_as_their_own(runtime: Any, held: Nursery):
    """Same answers, engine and restrictions; each model has a process, none of them the nursery."""
    known = probe.load()
    with runtime.open(known.model) as control:
        expected, engine = control.ask(known.inputs), control.engine
        isolation = control.isolation
    pids = set()
    for _ in range(3):
        with runtime.start(held).open(known.model) as session:
            got = session.ask(known.inputs)
            pids.add(session._child._process._pid)
            assert session.engine == engine
            assert session.isolation == isolation
        assert np.array_equal(got.outputs, expected.outputs)
    assert len(pids | {held._process._pid}) == 4
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_worker_cannot_reach_its_nursery(held: Nursery):
    """It has its three pipes and nothing else open, and the kernel's filter on."""
    with LiteRT().start(held).open(probe.load().model) as session:
        pid = session._child._process._pid
        opened = [os.readlink(p) for p in Path(f"/proc/{pid}/fd").iterdir()]
        status = Path(f"/proc/{pid}/status").read_text()
    assert "Seccomp:\t2" in status
    assert all(name.startswith("pipe:") for name in opened)
    nursery_opened = [os.readlink(p) for p in Path(f"/proc/{held._process._pid}/fd").iterdir()]
    assert any(name.startswith("socket:") for name in nursery_opened)  # the control


@pytest.mark.parametrize("fatal", [signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_ends_one_worker(held: Nursery, fatal: signal.Signals):
    """It is named with its signal; the nursery goes on and its next worker answers."""
    known = probe.load()
    with LiteRT().start(held).open(known.model) as session:
        before = held._process._pid
        os.kill(session._child._process._pid, fatal)
        with pytest.raises(ModelRefused, match=rf"crashed \({fatal.name}\)") as caught:
            session.ask(known.inputs)
    assert caught.value.how == "crashed"
    with LiteRT().start(held).open(known.model) as session:
        assert (session.ask(known.inputs).labels >= 0).all()
    assert held._process._pid == before


def test_hanging_and_greedy_models_are_outcomes(held: Nursery):
    """An endless loop and 4 GiB of tensors end as what they are, in time; a good model does not."""
    cases = [(models.endless(), 0.7, "timed_out"), (models.enormous(), 20.0, "out_of_memory")]
    for model, timeout_s, how in cases:
        started = time.monotonic()
        begun = LiteRT(timeout_s=timeout_s, memory_mib=1024).start(held)
        with pytest.raises(ModelRefused) as caught, begun.open(model) as session:
            session.ask(np.ones((2, 8, 8, 1), np.float32))
        assert caught.value.how == how
        assert time.monotonic() - started < 10
    with LiteRT(timeout_s=5).start(held).open(golden.MARKED.read_bytes()) as session:
        assert len(session.ask(np.ones((2, 8, 8, 1), np.float32)).labels) == 2


def test_a_worker_has_one_lifetime(held: Nursery):
    """Many replies, each within its limit, do not add up to for ever: ten times the limit is the end."""
    known = probe.load()
    with LiteRT(timeout_s=20).start(held).open(known.model) as session:
        process = session._child._process
        left_s = process._ends_s - time.monotonic()
        assert 20 * nursery.LIFETIMES - 20 < left_s <= 20 * nursery.LIFETIMES
        session.ask(known.inputs)
        process._ends_s = time.monotonic()
        with pytest.raises(ModelRefused, match="took longer"):
            session.ask(known.inputs)


def test_workers_end_with_their_nursery(held: Nursery):
    """A nursery that is killed takes its workers along and is replaced for the next model."""
    known = probe.load()
    session = LiteRT().start(held).open(known.model)
    pid = session._child._process._pid
    os.kill(held._process._pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(pid)
    with pytest.raises(ModelRefused):
        session.ask(known.inputs)
    session.close()
    with LiteRT().start(held).open(known.model) as session:
        assert (session.ask(known.inputs).labels >= 0).all()


def test_a_missing_interpreter_is_said_so(
    held: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As without a nursery: what is not installed is unavailable, with the line that installs it."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['ai_edge_litert'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeUnavailable, match="pip install ai-edge-litert"):
        LiteRT().start(held)


def test_another_configuration_is_another_nursery(held: Nursery):
    """Options are part of what was imported: other ones start anew and keep their own arithmetic."""
    known = probe.load()
    for delegate, arithmetic in (("xnnpack", "xnnpack"), ("none", "builtin")):
        with LiteRT(delegate=delegate).start(held).open(known.model) as session:
            assert session.engine.arithmetic == arithmetic


def _runs(pid: int) -> bool:
    """Whether a process is there and not merely waiting for whoever adopted it to look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
