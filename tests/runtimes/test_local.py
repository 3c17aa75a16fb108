"""The interpreters that run here: arithmetic, facts, quantisation, labels, and what they refuse."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm.artifact import Tensor
from edgewm.errors import BadInput, ModelRefused, RuntimeUnavailable
from edgewm.runtimes import FAILED, child, label_rule, probe
from edgewm.runtimes.litert import LiteRT
from edgewm.runtimes.tflite_runtime import TFLiteRuntime
from edgewm.runtimes.tflm import TFLM
from tests.needs import data_folder, needs
from tests.runtimes import models

LOCAL = [
    pytest.param(LiteRT(), "xnnpack", id="xnnpack"),
    pytest.param(LiteRT(threads=2), "xnnpack", id="xnnpack-2-threads"),
    pytest.param(LiteRT(delegate="none"), "builtin", id="none"),
    pytest.param(LiteRT(delegate="reference"), "reference", id="reference"),
    pytest.param(TFLiteRuntime(), "builtin", marks=needs("tflite_runtime"), id="tflite_runtime"),
    pytest.param(TFLM(), "tflm", marks=needs("tflm"), id="tflm"),
]
ENGINES = [LOCAL[0], LOCAL[4], LOCAL[5]]


@pytest.mark.parametrize(("runtime", "arithmetic"), LOCAL)
def test_arithmetic_is_what_the_probe_shows(runtime: Any, arithmetic: str):
    """Each configuration is told apart by its answers."""
    with runtime.open(probe.load().model) as session:
        assert session.engine.arithmetic == arithmetic


def test_probe_separates_every_pair():
    """Every two recordings differ in several values, and a changed one is unknown."""
    rows = probe.load().rows
    assert set(rows) == {"xnnpack", "builtin", "reference", "tflm", "neon", "neon_litert"}
    for one, other in itertools.combinations(rows, 2):
        assert (rows[one] != rows[other]).sum() >= 2
        assert probe.classify(rows[one]) == one
    changed = rows["tflm"].copy()
    changed[3, 5] += 1
    assert probe.classify(changed) == "unknown"


@pytest.mark.parametrize(("runtime", "arithmetic"), LOCAL)
def test_facts(runtime: Any, arithmetic: str):
    """Shapes, types and steps are the file's; only TFLM knows an arena."""
    with runtime.open(probe.load().model) as session:
        facts = session.facts
        raw = session.ask(probe.load().inputs).outputs
    assert facts.inputs[0].shape[1:] == (8, 8, 3)
    assert facts.outputs[0].shape[1:] == (48,)
    assert facts.inputs[0].dtype == facts.outputs[0].dtype == "int8"
    assert facts.inputs[0].scale > 0
    assert (facts.arena_bytes is not None) == (arithmetic == "tflm")
    assert np.array_equal(raw, probe.load().rows[arithmetic])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
@pytest.mark.parametrize(("runtime", "_"), ENGINES)
def test_inputs_are_quantised_by_the_models_own_step(runtime: Any, _: str, dtype: str):
    """rint(x / step) + zero point, clipped to the type, half a step to even."""
    step, zero_point = 0.25, {"int8": 3, "uint8": 120, "int16": 0}[dtype]
    asked = np.array([0.0, 0.24, 0.126, 0.125, 0.375, -0.125, 1e6, -1e6], np.float32)
    span = np.iinfo(dtype)
    expected = np.array([0, 1, 1, 0, 2, 0, 0, 0]) + zero_point
    expected[6:] = span.max, span.min
    with runtime.open(models.identity(dtype, step, zero_point, len(asked))) as session:
        got = session.ask(asked[None])
    assert got.outputs.dtype == dtype
    assert got.outputs[0].tolist() == expected.tolist()
    assert got.labels.tolist() == [6]


@pytest.mark.parametrize(("runtime", "_"), ENGINES)
def test_float_models_get_floats(runtime: Any, _: str):
    """float32 passes through untouched."""
    weights = np.eye(3, 4, dtype=np.float32)
    with runtime.open(models.dense(weights, np.zeros(3))) as session:
        got = session.ask(np.array([[0.1, 0.7, 0.2, 9], [5, 1, 2, 9]], np.float32))
    assert got.outputs.dtype == np.float32
    assert got.labels.tolist() == [1, 0]
    assert np.allclose(got.outputs[0], [0.1, 0.7, 0.2])


@pytest.mark.parametrize(("runtime", "_"), ENGINES)
def test_nan_fails_that_question_only(runtime: Any, _: str):
    """A row with NaN has no label and a reason; its neighbours keep theirs."""
    weights = np.array([[1, 0], [0, 1], [np.inf, 0]], np.float32)
    asked = np.array([[-1, 2], [0, 1], [-1, -2]], np.float32)  # infinity times 0 is NaN
    with runtime.open(models.dense(weights, np.zeros(3))) as session:
        got = session.ask(asked)
    assert got.labels.tolist() == [1, FAILED, 0]
    assert "NaN" in got.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (models.with_second_output, "two outputs"),
        (models.with_second_input, "two inputs"),
    ],
)
@pytest.mark.parametrize(("runtime", "_"), ENGINES)
def test_unsuitable_models_are_refused(runtime: Any, _: str, change: Any, reason: str):
    """More than one input or output is named in the refusal, with the way to choose one."""
    with pytest.raises(ModelRefused, match=reason):
        runtime.open(models.edited(probe.load().model, change))
    with runtime.open(models.edited(probe.load().model, lambda schema, tree: None)):
        pass  # the control: the same way of writing a file, without the change, opens


@pytest.mark.parametrize(("runtime", "_"), ENGINES)
def test_constant_output_is_refused(runtime: Any, _: str):
    """The same row for eight different inputs and for noise is no answer; for seven it may be one."""
    known = probe.load()
    with runtime.open(models.edited(known.model, models.without_weights)) as session:
        assert len(set(session.ask(known.inputs[:7]).labels.tolist())) == 1
        with pytest.raises(ModelRefused, match="one constant output"):
            session.ask(known.inputs[:8])


def test_confident_answers_are_not_a_constant_output():
    """Equal rows for eight questions are accepted when other inputs change the answer."""
    looks_at_the_first_value = np.array([[1.0, 0.0], [-1.0, 0.0]])
    asked = np.stack([np.full(8, 2.0), np.arange(8.0)], axis=1)
    with LiteRT().open(models.dense(looks_at_the_first_value, np.zeros(2))) as session:
        got = session.ask(asked)
    assert (got.outputs == got.outputs[0]).all()
    assert got.labels.tolist() == [0] * 8


@pytest.mark.parametrize(("runtime", "_"), ENGINES)
def test_other_shapes_are_refused(runtime: Any, _: str):
    """Questions of another shape than the model's input are not bent to fit."""
    with runtime.open(probe.load().model) as session:
        with pytest.raises(ModelRefused, match="8x8x3, the questions are 192"):
            session.ask(probe.load().inputs.reshape(16, 192))
        bad = probe.load().inputs.copy()
        bad[0, 0, 0, 0] = np.nan
        with pytest.raises(BadInput, match="finite"):
            session.ask(bad)
        assert session.ask(probe.load().inputs).labels.shape == (16,)


def test_label_rule():
    """Largest value, lowest class of equal ones; one value is a sigmoid at 0.5; NaN has no label."""
    many = Tensor(name="", shape=(1, 3), dtype="int8", scale=1 / 256, zero_point=-128)
    one = Tensor(name="", shape=(1, 1), dtype="int8", scale=1 / 256, zero_point=-128)
    bare = Tensor(name="", shape=(1, 1), dtype="float32", scale=0.0, zero_point=0)
    rows = np.array([[5, 5, -1], [-128, 127, 127], [0, 0, 0]], np.int8)
    assert label_rule.labels(rows, many).tolist() == [0, 1, 0]
    assert label_rule.labels(np.array([[0], [1], [-128]], np.int8), one).tolist() == [0, 1, 0]
    floats = np.array([[0.5], [0.51], [np.nan]], np.float32)
    assert label_rule.labels(floats, bare).tolist() == [0, 1, FAILED]


def test_early_start_costs_nothing_and_ends():
    """`start` returns before the interpreter is there; closing it unused leaves no process."""
    started = LiteRT().start()
    started.close()
    with pytest.raises(ModelRefused, match="ended"):
        started.load(probe.load().model)
    with LiteRT().start().open(probe.load().model) as session:
        assert session.engine.arithmetic == "xnnpack"


def test_python_that_is_not_there():
    """Another environment that does not exist or lacks the package is unavailable, with the remedy."""
    with pytest.raises(RuntimeUnavailable, match="cannot be started"):
        LiteRT(python="/nowhere/python").open(probe.load().model)
    bare = subprocess.run(  # the base interpreter without site-packages may have no numpy
        [sys.base_prefix + "/bin/python3", "-I", "-c", "import numpy"],
        capture_output=True,
        check=False,
    )
    if bare.returncode:
        with pytest.raises(RuntimeUnavailable, match="not installed, pip install"):
            LiteRT(python=sys.base_prefix + "/bin/python3").open(probe.load().model)


def test_limits_must_be_positive():
    """A limit of zero is misuse."""
    with pytest.raises(BadInput, match="timeout_s=0"):
        LiteRT(timeout_s=0).open(probe.load().model)
    with pytest.raises(BadInput, match="timeout_s=inf"):
        LiteRT(timeout_s=float("inf")).open(probe.load().model)


def test_opening_imports_no_interpreter_here():
    """Nothing of an interpreter, of TensorFlow or of subprocess is imported into the parent by a start."""
    code = (
        "import sys; from edgewm.runtimes.litert import LiteRT; c = LiteRT().start()\n"
        "bad = {'numpy', 'tensorflow', 'ai_edge_litert', 'subprocess', 'asyncio'} & set(sys.modules)\n"
        "c.close(); sys.exit(str(bad) if bad else 0)"
    )
    root = Path(child.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""


@needs("data")
@needs("tflm")
@pytest.mark.parametrize(
    ("runtime", "board", "other"),
    [
        (TFLM(), "v0.5|reference|Nucleo-L4R5ZI|", "v1.1|STMicroelectronics|NUCLEO_L4R5ZI|"),
        (LiteRT(), "v1.1|STMicroelectronics|NUCLEO_L4R5ZI|", "v0.5|reference|Nucleo-L4R5ZI|"),
    ],
    ids=["tflm", "xnnpack"],
)
def test_equals_what_boards_printed(runtime: Any, board: str, other: str):
    """Every row equals that of a real board of the same arithmetic, and not that of the other kind."""
    folder = data_folder()
    assert folder is not None
    asked = np.load(folder / "silicon_kws" / "inputs.npz")["inputs"][:300].reshape(-1, 49, 10, 1)
    printed = np.load(folder / "silicon_kws" / "outputs.npz")
    runs = [str(run) for run in printed["runs"]]
    model = (folder / "models" / "mlperf_kws_dscnn_int8.tflite").read_bytes()
    with runtime.open(model) as session:
        tensor = session.facts.inputs[0]
        real = (asked.astype(np.float64) - tensor.zero_point) * tensor.scale
        rows = (session.ask(real.astype(np.float32)).outputs.astype(np.float64) + 128) / 256
    same = {
        name: (np.abs(printed["outputs"][runs.index(name), :300] - rows) < 0.002).all(axis=1).mean()
        for name in (board, other)
    }
    assert same[board] == 1.0
    assert same[other] < 0.9
