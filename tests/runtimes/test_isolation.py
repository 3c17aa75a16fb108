"""The worker process: what it may not do, what ends it, and that nothing it does reaches the parent."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgewm.errors import ModelRefused, RuntimeUnavailable
from edgewm.runtimes import child, probe, sandbox
from edgewm.runtimes.litert import LiteRT
from tests.runtimes import models

# Each prints "allowed" or "denied"; FOLDER and PARENT are filled in.
ATTEMPTS = {
    "socket": "import socket; socket.socket()",
    "socketpair": "import socket; socket.socketpair()",
    "write": "open(FOLDER + '/new', 'w').write('x')",
    "append": "open(FOLDER + '/old', 'a')",
    "truncate": "os.truncate(FOLDER + '/old', 0)",
    "remove": "os.remove(FOLDER + '/old')",
    "rename": "os.rename(FOLDER + '/old', FOLDER + '/other')",
    "mkdir": "os.mkdir(FOLDER + '/sub')",
    "chmod": "os.chmod(FOLDER + '/old', 0o777)",
    "symlink": "os.symlink('/', FOLDER + '/link')",
    "fork": "os.fork() or os._exit(0)",
    "run": "import subprocess; subprocess.run(['/bin/true'])",
    "exec": "os.execv('/bin/echo', ['echo', 'allowed'])",
    "signal": "os.kill(PARENT, 0)",
    "ptrace": "assert ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0",
    "limits": "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
    "memory": "import mmap; mmap.mmap(-1, 3 << 30)",
}
ROOT = Path(child.__file__).parents[2]
LINUX_X86_OR_ARM = sys.platform == "linux" and os.uname().machine in ("x86_64", "aarch64")
pytestmark = pytest.mark.skipif(not LINUX_X86_OR_ARM, reason="needs Linux on x86-64 or ARM64")


def _attempt(code: str, folder: Path, *, sandboxed: bool) -> str:
    (folder / "old").write_text("old")
    script = (
        "import ctypes, os, resource, sys\n"
        f"FOLDER, PARENT = {str(folder)!r}, {os.getpid()}\n"
        f"sys.path.insert(0, {str(Path(sandbox.__file__).parent)!r})\n"
        "import sandbox\n"
        "del sys.path[0]\n"
        f"if {sandboxed}: sandbox.apply(2048, 60)\n"
        f"try:\n    {code}\n"
        "except (OSError, MemoryError, AssertionError, ValueError): print('denied')\n"
        "else: print('allowed')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True
    )
    assert not done.stderr, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("what", ATTEMPTS)
def test_sandboxed_process_cannot(what: str, tmp_path: Path):
    """Network, files, programs, processes, limits and memory are denied; without the sandbox allowed."""
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    assert _attempt(ATTEMPTS[what], tmp_path, sandboxed=True) == "denied"
    assert (tmp_path / "old").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["old"]
    assert _attempt(ATTEMPTS[what], tmp_path, sandboxed=False) == "allowed"


@pytest.mark.parametrize(
    "code",
    [
        "open('/proc/self/status').read()",
        "import threading; t = threading.Thread(target=print, args=('',)); t.start(); t.join()",
        "bytearray(64 << 20)",
        "os.write(1, b'')",
        "os.pipe()",
    ],
)
def test_sandboxed_process_still_can(code: str, tmp_path: Path):
    """Reading, threads, memory below the limit and open descriptors go on working."""
    assert _attempt(code, tmp_path, sandboxed=True) == "allowed"


def test_no_measure_is_missing_here():
    """On Linux the limits and the filter always take hold, and the worker says so."""
    with LiteRT(memory_mib=1024).open(probe.load().model) as session:
        applied = session.isolation
    assert {"memory 1024 MiB", "no core dumps", "no new privileges", "seccomp"} <= set(applied)


def test_worker_is_restricted_by_the_kernel():
    """The kernel's own view of a worker: filter mode 2, no new privileges, address space limited."""
    with LiteRT(memory_mib=1024).open(probe.load().model) as session:
        pid = session._child._process._pid
        status = Path(f"/proc/{pid}/status").read_text()
        limits = Path(f"/proc/{pid}/limits").read_text()
        opened = sorted(int(p.name) for p in Path(f"/proc/{pid}/fd").iterdir())
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status
    assert str(1024 << 20) in limits
    assert len(opened) <= 6  # stdin, stderr twice, the private pipe; no file of the parent's


@pytest.mark.parametrize("fatal", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_crash_is_an_outcome(fatal: signal.Signals):
    """A worker that dies is named with its signal, and the parent can go on with a new one."""
    known = probe.load()
    with LiteRT().open(known.model) as session:
        os.kill(session._child._process._pid, fatal)
        with pytest.raises(ModelRefused, match=rf"crashed \({fatal.name}\)"):
            session.ask(known.inputs)
        with pytest.raises(ModelRefused, match="ended"):
            session.ask(known.inputs)
    with LiteRT().open(known.model) as session:
        assert (session.ask(known.inputs).labels >= 0).all()


def test_time_limit_ends_the_worker():
    """A worker that does not answer is killed when its time is over."""
    known = probe.load()
    with LiteRT(timeout_s=5).open(known.model) as session:
        process = session._child._process
        process._timeout_s = 0.3
        os.kill(process._pid, signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(ModelRefused, match=r"took longer than timeout_s=0\.3"):
            session.ask(known.inputs)
        assert time.monotonic() - started < 3
        with pytest.raises(ProcessLookupError):
            os.kill(process._pid, 0)


def test_time_limit_holds_while_starting():
    """An interpreter that takes too long to load is unavailable, not a hang."""
    with pytest.raises(RuntimeUnavailable, match="took longer"):
        LiteRT(timeout_s=0.001).open(probe.load().model)


def test_memory_limit_is_enforced():
    """A file that wants 4 GiB of tensors is refused at 2 GiB; the same file made small is not."""
    huge = models.identity("float32", 0.0, 0, 500_000_000)
    with pytest.raises(ModelRefused):
        LiteRT().open(huge)
    with LiteRT().open(models.identity("float32", 0.0, 0, 500)) as session:
        assert session.ask(np.eye(2, 500, dtype=np.float32)).labels.tolist() == [0, 1]


def test_large_model_does_not_block():
    """A request far larger than a pipe is sent while the worker is still importing."""
    weights = np.zeros((4000, 1000), np.float32)
    weights[7] = 1
    model = models.dense(weights, np.zeros(4000))
    assert len(model) > 15 << 20
    with LiteRT().open(model) as session:
        assert session.ask(np.ones((3, 1000), np.float32)).labels.tolist() == [7, 7, 7]


def test_printing_does_not_corrupt_replies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever lands on stdout before and during the work stays out of the frames."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, threading, time\n"
        "os.write(1, b'hello on stdout EWM')\n"
        "def noise():\n"
        "    while True:\n"
        "        os.write(1, b'noise ' * 500)\n"
        "        time.sleep(0.001)\n"
        "threading.Thread(target=noise, daemon=True).start()\n"
    )
    known = probe.load()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with LiteRT().open(known.model) as session:
        process = session._child._process
        for _ in range(20):
            assert np.array_equal(session.ask(known.inputs).outputs, known.rows["xnnpack"])
        time.sleep(0.2)
        process._drain()
        assert b"noise" in process._noise  # the control: there was noise


def test_worker_imports_nothing_from_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Modules beside a suspect file, and a TensorFlow that is installed, are never imported."""
    for name in ("json", "numpy", "ai_edge_litert", "tensorflow", "struct"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    with LiteRT().open(probe.load().model) as session:
        maps = Path(f"/proc/{session._child._process._pid}/maps").read_text()
    assert "libpywrap_litert_common" in maps  # the control: what is imported shows here
    assert "tensorflow" not in maps


def test_worker_runs_as_a_script():
    """Copied elsewhere with sandbox.py alone, it answers a start request: no edgewm is needed."""
    import json
    import struct

    folder = Path(child.__file__).parent
    request = {"op": "start", "engine": "litert", "options": {}, "memory_mib": 2048, "cpu_s": 60}
    text = json.dumps(request).encode()
    frame = struct.pack("<4sIQ", b"EWM1", len(text), 0) + text
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "worker.py")],
        input=frame,
        capture_output=True,
        check=True,
        cwd="/",
    )
    magic, length, payload = struct.unpack_from("<4sIQ", done.stdout)
    assert (magic, payload) == (b"EWM1", 0)
    assert "seccomp" in json.loads(done.stdout[16 : 16 + length])["isolation"]
    assert done.stderr == b""


def test_closed_sessions_leave_nothing_behind():
    """No process and no descriptor is left after many sessions, closed or dropped."""
    before = len(os.listdir("/proc/self/fd"))
    pids = []
    for _ in range(3):
        session = LiteRT().open(probe.load().model)
        pids.append(session._child._process._pid)
        session.close()
        dropped = LiteRT().start()
        pids.append(dropped._process._pid)
        del dropped
    assert len(os.listdir("/proc/self/fd")) == before
    for pid in pids:
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    "name", ["worker.py", "sandbox.py", "asked.py", "tflite_engines.py", "other_engines.py"]
)
def test_worker_files_stand_alone(name: str):
    """The files that travel parse as Python 3.9 and import nothing but what travels with Python."""
    text = (Path(child.__file__).parent / name).read_text()
    imported = set()
    for node in ast.walk(ast.parse(text, feature_version=(3, 9))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).partition(".")[0])
    assert imported
    others = {"numpy", "asked", "tflite_micro", "onnxruntime", "keras", "tensorflow"}
    assert imported - set(sys.stdlib_module_names) <= others


def test_prepared_worker_is_taken_once():
    """`prepare` gives the next runtime its process; what is not taken ends with the parent."""
    code = (
        "from edgewm.runtimes import early; early.prepare(2)\n"
        "prepared = [pid for pid, _ in early._prepared]\n"
        "from edgewm.runtimes import probe\n"
        "from edgewm.runtimes.litert import LiteRT\n"
        "with LiteRT().open(probe.load().model) as session:\n"
        "    assert session._child._process._pid == prepared[0]\n"
        "    assert session.engine.arithmetic == 'xnnpack'\n"
        "print(*prepared, sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, text=True, cwd=ROOT
    )
    assert done.stderr == ""
    left = [int(line) for line in done.stdout.split()]
    assert len(left) == 2
    deadline = time.monotonic() + 10
    while any(_runs(pid) for pid in left) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in left)


def _runs(pid: int) -> bool:
    """Whether a process is alive; one that has ended and waits to be collected is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
