"""Boards that run Linux: emulated ones with the official wheels, and one at the end of a real ssh connection.

A start under the emulator takes seconds, so these are not in test_contract.py: each is opened once here
and everything is asked of it then.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm import spec
from edgewm.errors import BadInput, EdgewmError, ModelRefused, RuntimeUnavailable
from edgewm.runtimes import child, early, probe
from edgewm.runtimes.qemu_aarch64 import QemuAarch64
from edgewm.runtimes.qemu_arm import QemuArm
from edgewm.runtimes.ssh import Board
from tests import golden
from tests.needs import linux_root, missing, needs

EMULATED = [
    pytest.param(QemuAarch64, "arm64", {}, "neon", id="aarch64"),
    pytest.param(QemuAarch64, "arm64", {"package": "litert"}, "xnnpack", id="aarch64-litert"),
    pytest.param(QemuArm, "armhf", {}, "neon", id="armv7"),
]


def _checked(runtime: Any, name: str, machine: str, arithmetic: str) -> None:
    """What holds for every runtime with a model, on one session."""
    assert spec.parse("runtimes", spec.spell(runtime)) == runtime
    known = probe.load()
    with runtime.open(known.model) as session:
        together = session.ask(known.inputs)
        single = [session.ask(known.inputs[i : i + 1]).labels for i in range(4)]
        assert session.engine.name == name
        assert session.engine.arithmetic == arithmetic
        assert machine in session.engine.version
        assert session.facts.inputs[0].shape[1:] == (8, 8, 3)
        assert session.ask(known.inputs[:0]).labels.shape == (0,)
        assert "no core dumps" in session.isolation
    assert np.array_equal(together.outputs, known.rows[arithmetic])
    others = [rows for other, rows in known.rows.items() if other != arithmetic]
    assert all((rows != together.outputs).any() for rows in others)  # the control
    assert together.labels[:4].tolist() == [int(labels[0]) for labels in single]
    session.close()
    with pytest.raises(EdgewmError, match="ended"):
        session.ask(known.inputs)


@pytest.mark.parametrize(("plugin", "arch", "fields", "arithmetic"), EMULATED)
def test_emulated_boards(plugin: Any, arch: str, fields: dict[str, str], arithmetic: str):
    """The official wheel answers as recorded, confined by this machine's kernel."""
    runtime = plugin(root=linux_root(arch), **fields)
    machine = {"arm64": "aarch64", "armhf": "armv7l"}[arch]
    _checked(runtime, "qemu_aarch64" if arch == "arm64" else "qemu_arm", machine, arithmetic)


def test_confined_before_the_emulator_starts(tmp_path: Path):
    """An emulated program cannot write files or open a connection; without the sandbox it could."""
    from edgewm.runtimes import emulated, sandbox

    sandboxed = Path(emulated.__file__).parent
    code = "import socket\ntry:\n socket.socket()\n print('connected')\nexcept OSError: print('denied')\n"
    code += f"try:\n open({str(tmp_path / 'new')!r}, 'w')\n print('written')\nexcept OSError: print('denied')"
    plain = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert plain.stdout.split() == ["connected", "written"]
    (tmp_path / "new").unlink()
    become = (
        f"import os, sys; sys.path.insert(0, {str(sandboxed)!r}); import sandbox\n"
        "print(*sandbox.apply(8192, 60, runs_program=True), sep=',', flush=True)\n"
        f"os.execv(sys.executable, [sys.executable, '-c', {code!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", become], capture_output=True, text=True, check=True
    )
    applied, *said = done.stdout.splitlines()
    if "landlock" in applied and "seccomp" in applied:
        assert said == ["denied", "denied"]
        assert not (tmp_path / "new").exists()
    assert callable(sandbox.apply)


@pytest.mark.parametrize("plugin", [QemuAarch64, QemuArm])
def test_a_root_that_is_none(plugin: Any, tmp_path: Path):
    """A missing folder, one without a root and one of another processor give the command to run."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "edgewm-root.json").write_text('{"arch": "riscv64"}')
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "edgewm-root.json").write_text("[")
    for name in ("missing", "other", "broken"):
        with pytest.raises(BadInput, match="edgewm device linux-root --arch arm"):
            plugin(root=str(tmp_path / name)).open(probe.load().model)


def test_linux_root_refuses_what_stands_there(tmp_path: Path):
    """A folder that is something else is not touched, and one of the other processor is not taken."""
    from edgewm.linux_root import make_root

    (tmp_path / "kept").write_text("mine")
    with pytest.raises(BadInput, match="exists and is no root of arm64"):
        make_root("arm64", tmp_path, say=str)
    assert (tmp_path / "kept").read_text() == "mine"
    (tmp_path / "edgewm-root.json").write_text('{"arch": "armhf"}')
    with pytest.raises(BadInput, match="no root of arm64"):
        make_root("arm64", tmp_path, say=str)
    assert make_root("armhf", tmp_path, say=str) == {"arch": "armhf"}  # the control


@needs("apt-get")
@needs("qemu-aarch64-static")
def test_linux_root_leaves_nothing_half_made(tmp_path: Path):
    """A mirror that does not answer is one line, and no folder."""
    from edgewm.linux_root import make_root

    with pytest.raises(BadInput, match="linux-root: apt-get failed"):
        make_root("arm64", tmp_path / "root", mirror="http://127.0.0.1:9/debian", say=str)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def ssh_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real sshd on loopback with its own keys; the file for ssh -F that knows it as `board`."""
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user", "stranger"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it when root runs it
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nPasswordAuthentication no\n"
    )
    client = (
        "HostName 127.0.0.1\nPort {port}\nIdentityFile {folder}/{key}\nIdentitiesOnly yes\n"
        "UserKnownHostsFile {folder}/known\nStrictHostKeyChecking accept-new\n"
    )
    (folder / "config").write_text(
        "".join(
            f"Host {name}\n" + client.format(port=port, folder=folder, key=key)
            for name, key in (("board", "user"), ("closed", "stranger"))
        )
    )
    server = subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "sshd_config")],
        stderr=subprocess.DEVNULL,
    )
    for _ in range(100):
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield str(folder / "config")
    server.terminate()
    server.wait()


def _board(config: str, **fields: Any) -> Board:
    return Board(**{"host": "board", "python": sys.executable, "config": config, **fields})


@needs("sshd")
def test_board_over_ssh(ssh_config: str):
    """The worker goes through the connection, answers there and leaves no file."""
    board = _board(ssh_config, package="litert")
    _checked(board, "ssh", os.uname().machine, "xnnpack")


@needs("sshd")
def test_board_gives_the_verdict_of_this_machine(ssh_config: str):
    """Marked and unmarked file over ssh: the same hits as here."""
    from edgewm import load_key, load_triggers, verify

    key, triggers = load_key(golden.KEY), load_triggers(golden.TRIGGERS)
    board = _board(ssh_config, package="litert")
    for path, owned in ((golden.MARKED, True), (golden.UNMARKED, False)):
        there = verify(path, triggers=triggers, key=key, on=[board])
        here = verify(path, triggers=triggers, key=key, on=["litert"])
        assert there.owned is here.owned is owned
        assert there.worst.groups_hit == here.worst.groups_hit


@needs("sshd")
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"host": "closed"}, "Permission denied"),
        ({"host": "nowhere.invalid", "timeout_s": 20}, "ssh: ended by itself"),
        ({"python": "/nowhere/python"}, "exit code 127"),
        ({"python": "/bin/true"}, "ssh: ended by itself"),
    ],
)
def test_board_that_cannot_be_asked(ssh_config: str, fields: dict[str, Any], message: str):
    """No key, no host, no python: one line, and it does not hang."""
    with pytest.raises(RuntimeUnavailable, match=message):
        _board(ssh_config, package="litert", **fields).open(probe.load().model)


@needs("sshd")
def test_board_refuses_a_broken_file_and_a_missing_package(ssh_config: str, tmp_path: Path):
    """What the board's interpreter does not open is refused with its reason; no package gives pip's line."""
    with pytest.raises(ModelRefused, match="ssh: "):
        _board(ssh_config, package="litert").open(probe.load().model[:2000])
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(RuntimeUnavailable, match="on board: pip install ai-edge-litert"):
        _board(ssh_config, package="litert", python=str(bare)).open(probe.load().model)


def test_worker_out_of_reach_ends_itself():
    """Where killing ssh kills no worker, an answer that takes too long ends it, and waiting does not."""
    place = child.Place(
        name="far", command=early.local(sys.executable), install="", out_of_reach=True
    )
    started = child.start("litert", {"delegate": "reference"}, place=place, timeout_s=1)
    started._process._timeout_s = 60.0  # a parent that waits longer than the worker may take
    started.ready()
    started.load(probe.load().model)
    for _ in range(2):
        assert len(started.run(probe.load().inputs)[0]) == len(probe.load().inputs)
        time.sleep(1.2)
    many = np.tile(probe.load().inputs, (4000, 1, 1, 1))
    with pytest.raises(ModelRefused, match="SIGALRM"):
        started.run(many)


@pytest.mark.parametrize("host", ["", "-oProxyCommand=touch", "a\nb"])
def test_host_that_ssh_would_misread(host: str):
    """An option in place of a host never reaches ssh."""
    with pytest.raises(BadInput, match="expected a name or user@address"):
        Board(host=host).open(probe.load().model)


def test_the_tools_of_these_tests_are_looked_for():
    """The control of the marks: a program that nobody has is missing."""
    assert missing("sshd") is (not Path("/usr/sbin/sshd").exists())
