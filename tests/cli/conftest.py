"""Every test of the command line stands in a folder of its own, with the golden key and triggers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgewm.cli import run
from tests import golden


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has the golden key and triggers in a folder of its own, and stands in it."""
    shutil.copy(golden.TRIGGERS, tmp_path / "t.npz")
    shutil.copy(golden.KEY, tmp_path / "k")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a verb: exit code, stdout, stderr."""

    def called(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return called
