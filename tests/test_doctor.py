"""The survey of what works here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgewm import doctor, spec
from edgewm.runtimes import ARITHMETICS, begin, sandbox
from edgewm.runtimes.litert import LiteRT
from tests.needs import missing, needs

EXPECTED = {
    "litert": "xnnpack",
    'litert:delegate="none"': "builtin",
    "litert:delegate=reference": "reference",
    "tflite_runtime": "builtin",
    "tflm": "tflm",
    "onnxruntime": "unknown",
}


def test_every_local_configuration_is_tried():
    """Each has a row that parses back, and what is installed shows its arithmetic and its restrictions."""
    rows = doctor.survey()
    assert len(rows) == len(EXPECTED)
    for row, (start, arithmetic) in zip(rows, EXPECTED.items(), strict=True):
        assert row.spec == start
        assert spec.brief(spec.parse("runtimes", row.spec)) == row.spec
        if missing(start.partition(":")[0]):
            assert not row.available
            assert "pip install" in row.reason
            continue
        assert row.available, row.reason
        assert row.arithmetic == arithmetic in ARITHMETICS
        assert row.version
        assert row.reason == ""
        assert row.isolation or sys.platform != "linux"
        if sys.platform == "linux":
            assert [name for name, can in row.can.items() if can] == ["read files"]
            assert {"write files", "connect to a network", "start programs"} <= set(row.can)


def test_the_trial_sees_what_is_possible():
    """The control: in a process that gave nothing up, everything but endless memory is possible."""
    code = "import sandbox; print(all(sandbox.trial(64).values()))"
    folder = Path(sandbox.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout == "True\n", done.stderr


def test_all_that_verification_asks_is_surveyed():
    """A runtime that "all" stands for is one that the survey tries."""
    surveyed = {(type(r), getattr(r, "delegate", None)) for r in doctor.LOCAL}
    asked = [spec.parse("runtimes", text) for text in begin.LOCAL_RUNTIMES]
    assert {(type(r), getattr(r, "delegate", None)) for r in asked} <= surveyed


def test_missing_is_a_row_and_not_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A package that does not import gives the reason and the line that installs it."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['ai_edge_litert'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (row,) = doctor.survey((LiteRT(),))
    assert not row.available
    assert row.arithmetic == "unknown"
    assert "pip install ai-edge-litert" in row.reason
    (unstarted,) = doctor.survey((LiteRT(python="/nowhere/python"),))
    assert not unstarted.available
    assert "cannot be started" in unstarted.reason


@needs("tflite_runtime")
def test_tflite_runtime_under_numpy_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where numpy says that it is 2, a tflite-runtime that fails names numpy as the reason."""
    (tmp_path / "sitecustomize.py").write_text(
        "import numpy\n"
        "numpy.__version__ = '2.3.5'\n"
        "import tflite_runtime.interpreter as module\n"
        "def refuse(*a, **k): raise ImportError('numpy.core.multiarray failed to import')\n"
        "module.Interpreter.__init__ = refuse\n"
    )
    from edgewm.runtimes.tflite_runtime import TFLiteRuntime

    (control,) = doctor.survey((TFLiteRuntime(),))
    assert control.available
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (row,) = doctor.survey((TFLiteRuntime(),))
    assert not row.available
    assert "built for NumPy 1, got NumPy 2.3.5" in row.reason
