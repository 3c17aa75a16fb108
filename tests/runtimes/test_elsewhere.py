"""Answers that come from a program or from a file instead of an interpreter here."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgewm.errors import BadInput, EdgewmError, ModelRefused
from edgewm.runtimes import FAILED
from edgewm.runtimes.answers import RecordedAnswers
from edgewm.runtimes.exec import Program

ASKED = np.arange(24, dtype=np.float32).reshape(4, 3, 2)


def _command(folder: Path, code: str) -> str:
    script = folder / "program.py"
    script.write_text("import io, sys, time\nimport numpy as np\n" + code)
    return f"{sys.executable} {script}"


def test_program_gets_the_inputs_as_npy(tmp_path: Path):
    """stdin is one .npy of the batch; stdout is one label a line."""
    command = _command(
        tmp_path,
        "x = np.load(io.BytesIO(sys.stdin.buffer.read()))\n"
        "assert x.dtype == np.float32 and x.shape == (4, 3, 2)\n"
        "print(*x.sum((1, 2)).astype(int), sep='\\n')",
    )
    with Program(command=command).open(None) as session:
        got = session.ask(ASKED)
    assert got.labels.tolist() == ASKED.sum((1, 2)).astype(int).tolist()
    assert got.outputs is None
    assert got.latency_ms > 0


def test_program_gets_raw_numbers(tmp_path: Path):
    """With input=raw stdin holds the numbers alone, little-endian."""
    command = _command(
        tmp_path, "x = np.frombuffer(sys.stdin.buffer.read(), '<f4'); print(len(x), 1, 2, 3)"
    )
    with Program(command=command, input="raw").open(None) as session:
        assert session.ask(ASKED).labels.tolist() == [24, 1, 2, 3]


def test_program_may_fail_a_question(tmp_path: Path):
    """-1 is a question without an answer, with a reason."""
    with Program(command=_command(tmp_path, "print('5\\n-1\\n0\\n2')")).open(None) as session:
        got = session.ask(ASKED)
    assert got.labels.tolist() == [5, FAILED, 0, 2]
    assert "-1" in got.reason


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('1\\n2\\n3')", "printed 3 labels for 4 inputs"),
        ("print('1\\n2\\n3\\nfour')", "something other than whole numbers"),
        ("print('1\\n2\\n3\\n2.5')", "something other than whole numbers"),
        ("print('1\\n2\\n3\\n-2')", "printed -2"),
        ("print('1\\n2\\n3\\n' + '9' * 30)", "something other than whole numbers"),
        ("sys.exit('no board on the line')", "exit code 1: no board on the line"),
        ("sys.stdout.buffer.write(b'\\xff\\xfe' * 50)", "printed 1 labels"),
        ("time.sleep(60)", "took longer than 1 s"),
    ],
)
def test_program_that_misbehaves(tmp_path: Path, code: str, message: str):
    """What is not one whole number an input is refused in one line, and soon."""
    started = time.monotonic()
    with (
        Program(command=_command(tmp_path, code), timeout_s=1).open(None) as session,
        pytest.raises(ModelRefused, match=message),
    ):
        session.ask(ASKED)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("command", ["", "  ", "unclosed 'quote", "/nowhere/program"])
def test_program_that_is_none(command: str):
    """A command that is empty, cannot be split or does not exist is misuse."""
    with pytest.raises(BadInput, match="exec"):
        Program(command=command).open(None).ask(ASKED)


def test_recorded_text(tmp_path: Path):
    """Labels come in the order of the file, as many as it has."""
    (tmp_path / "labels.txt").write_text("3\n1\n\n-1\n2\n5\n")
    with RecordedAnswers(file=str(tmp_path / "labels.txt")).open(None) as session:
        first = session.ask(ASKED[:3])
        second = session.ask(ASKED)
        third = session.ask(ASKED)
    assert first.labels.tolist() == [3, 1, FAILED]
    assert "failed" in first.reason
    assert second.labels.tolist() == [2, 5]  # asked four, the file ends
    assert third.labels.tolist() == []


def test_recorded_npz_with_inputs(tmp_path: Path):
    """Inputs in the file must be the ones that are asked, in their order."""
    path = tmp_path / "labels.npz"
    np.savez(path, labels=np.array([3, 1, 4, 1]), inputs=ASKED)
    with RecordedAnswers(file=str(path)).open(None) as session:
        assert session.ask(ASKED[:2]).labels.tolist() == [3, 1]
        assert session.ask(ASKED[2:]).labels.tolist() == [4, 1]
    with (
        RecordedAnswers(file=str(path)).open(None) as session,
        pytest.raises(BadInput, match="input 1 is not what is asked"),
    ):
        session.ask(ASKED[[0, 2, 1, 3]])
    with (
        RecordedAnswers(file=str(path)).open(None) as session,
        pytest.raises(BadInput, match="shape"),
    ):
        session.ask(ASKED.reshape(4, 6))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "1\ntwo\n"),
        ("a.txt", "1.5\n"),
        ("a.txt", "-2\n"),
        ("a.txt", "99999999999999999999999\n"),
        ("a.npz", "not an archive"),
        ("a.npz", ""),
    ],
)
def test_recorded_that_is_no_list(tmp_path: Path, name: str, content: str):
    """A file that is not a list of labels is misuse that names the file."""
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match="answers"):
        RecordedAnswers(file=str(tmp_path / name)).open(None)


@pytest.mark.parametrize(
    "arrays",
    [
        {"other": np.arange(3)},
        {"labels": np.arange(3.0)},
        {"labels": np.zeros((2, 2), int)},
        {"labels": np.arange(3), "inputs": np.zeros((2, 4))},
        {"labels": np.array(["a"], object)},
    ],
)
def test_recorded_npz_that_is_no_list(tmp_path: Path, arrays: dict[str, np.ndarray]):
    """Missing, fractional, nested or pickled labels, and inputs of another number, are misuse."""
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(EdgewmError, match="answers"):
        RecordedAnswers(file=str(tmp_path / "a.npz")).open(None)


def test_recorded_file_that_is_not_there(tmp_path: Path):
    """A missing file and a folder are misuse."""
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(BadInput, match="cannot be read"):
            RecordedAnswers(file=str(path)).open(None)
