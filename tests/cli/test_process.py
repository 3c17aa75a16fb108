"""The real command: closed pipes, full disks and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgewm.key import load_key
from edgewm.triggers import load_triggers
from tests.cli.command import (
    EDGEWM,
    MARKED,
    asking,
    refused,
    started,
)
from tests.needs import needs

pytestmark = needs("litert")


def test_a_closed_pipe_is_no_verdict():
    """Whoever stops reading gets neither a traceback nor the exit code for owned or not shown."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*EDGEWM, *asking(MARKED)], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a Linux device")
@pytest.mark.parametrize("arguments", [asking(MARKED), asking(MARKED, "--json"), ["list"]])
def test_a_full_disk_under_stdout_is_one_line(arguments: Sequence[str]):
    """A verdict that could not be printed was not given: exit code 2."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*EDGEWM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    refused((done.returncode, "", done.stderr))
    assert "No space left" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["keygen", "--out", "new"],
        ["ask", "--triggers", "t.npz", "--out", "q.npz"],
        ["triggers", "make", "--key", "k", "--shape", "8x8", "--classes", "4", "--out", "n.npz"],
    ],
)
def test_a_full_disk_leaves_nothing(arguments: list[str]):
    """Files that do not fit do not appear, and groups that were not written are not spent."""
    limited = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "from edgewm.cli import run\nsys.exit(run(sys.argv[1:]))"
    )
    before = sorted(p.name for p in Path().iterdir())
    done = subprocess.run(
        [sys.executable, "-B", "-c", limited, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot be written" in refused((done.returncode, done.stdout, done.stderr))
    assert sorted(p.name for p in Path().iterdir()) == before
    assert started(*arguments).returncode == 0


def test_stdout_that_is_closed_is_no_error():
    """Run by a service without a stdout, a verb still does its work."""
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m edgewm keygen --out new >&-"],
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert load_key(Path("new"))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def _session_members(session: int) -> list[str]:
    """Processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(stat.parent.name)
    return found


def _interrupted(arguments: Sequence[str], wait_s: float) -> tuple[int, str, str, list[str]]:
    """Start a verb as the head of a session, press Ctrl-C, and see what is left of it."""
    process = subprocess.Popen(
        [*EDGEWM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a test run that was itself put in the background would pass on that Ctrl-C is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    time.sleep(wait_s)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    deadline = time.monotonic() + 5
    while (left := _session_members(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return process.returncode, out, err, left


def test_ctrl_c_while_a_program_is_asked():
    """130, one line, and the program, which has a session of its own, ends too."""
    Path("wait.py").write_text(
        "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    )
    code, out, err, left = _interrupted(asking(f"exec:command={sys.executable} wait.py"), 1.5)
    assert "interrupted" in refused((code, out, err), 130)
    assert left == []
    assert not _runs(int(Path("pid").read_text()))


def test_another_keras_backend_is_one_line(cli, monkeypatch: pytest.MonkeyPatch):
    """The demo trains with TensorFlow and says so, before it imports anything."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert "got KERAS_BACKEND=jax, expected tensorflow" in refused(cli("demo", "--out", "demo"))


@pytest.mark.train
@needs("tensorflow")
@pytest.mark.parametrize("wait_s", [3.0, 9.0])
def test_ctrl_c_in_the_demo(wait_s: float):
    """130, one line, no file half-written under its final name, no process left behind."""
    code, out, err, left = _interrupted(["demo", "--out", "demo"], wait_s)
    assert "interrupted" in refused((code, out, err), 130)
    assert left == []
    for path in Path("demo").rglob("*"):
        assert not path.name.endswith(".part"), path
        if path.name == "owner.key":
            assert load_key(path)
        if path.name == "triggers.npz":
            assert load_triggers(path).groups == 64
        if path.suffix == ".tflite":
            assert path.stat().st_size > 5000
