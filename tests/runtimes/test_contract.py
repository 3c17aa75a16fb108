"""What holds for every runtime: a file that appears in edgewm/runtimes is tested here the same day."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm import spec
from edgewm.errors import BadInput, EdgewmError
from edgewm.runtimes import ARITHMETICS, FAILED, probe
from tests.needs import TOOLS, needs
from tests.runtimes.dut import Device, on_a_line
from tests.runtimes.other_formats import onnx_of

LABELS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3]  # one for each input of the probe


def _program(folder: Path) -> str:
    script = folder / "answer.py"
    script.write_text(
        "import io, sys, numpy as np\n"
        "x = np.load(io.BytesIO(sys.stdin.buffer.read()))\n"
        "print(*(int(abs(row).sum() * 1000) % 10 for row in x), sep='\\n')\n"
    )
    return spec.spell(spec.load("runtimes", "exec")(command=f"{sys.executable} {script}"))


def _recording(folder: Path) -> str:
    labels = folder / "labels.txt"
    labels.write_text("\n".join(map(str, LABELS)))
    return spec.spell(spec.load("runtimes", "answers")(file=str(labels)))


def _board(folder: Path) -> str:
    """A board that stays on its line until the test session ends."""
    device = Device(
        network=lambda content: [float((sum(content) // 7) % 5 == at) for at in range(5)],
        input_bytes=1 << 16,
    )
    port = _LINES.enter_context(on_a_line(device))
    return f"serial:port={port},scale=0.01,timeout_s=5.0"


_LINES = contextlib.ExitStack()

SPELLINGS: dict[str, Callable[[Path], str]] = {
    "litert": lambda folder: "litert",
    "litert-none": lambda folder: "litert:delegate=none",
    "litert-reference": lambda folder: "litert:delegate=reference,threads=2",
    "tflite_runtime": lambda folder: "tflite_runtime",
    "tflm": lambda folder: "tflm",
    "onnxruntime": lambda folder: "onnxruntime",
    "exec": _program,
    "answers": _recording,
    "serial": _board,
}


ELSEWHERE = {"keras", "savedmodel", "qemu_aarch64", "qemu_arm", "ssh"}
"""Seconds to start: test_other_formats.py and test_linux.py open each once."""


def _model(runtime: Any) -> bytes | None:
    """The probe, or a network of the same input and classes in the format that a runtime reads."""
    if not runtime.needs_model:
        return None
    known = probe.load()
    if type(runtime).__name__ != "ONNXRuntime":
        return known.model
    shape = known.inputs.shape[1:]
    weights = np.random.default_rng(1).normal(size=(10, *shape))
    return onnx_of(weights, np.zeros(10))


def _cases() -> list[Any]:
    marks = {name: [needs(name)] if name in TOOLS else [] for name in spec.names("runtimes")}
    marks["onnxruntime"].append(needs("onnx"))
    return [pytest.param(name, marks=marks[name.partition("-")[0]]) for name in SPELLINGS]


@pytest.fixture(scope="module", autouse=True)
def _lines_end() -> Iterator[None]:
    yield
    _LINES.close()


@pytest.fixture(params=_cases())
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return spec.parse("runtimes", SPELLINGS[request.param](tmp_path))


def test_every_runtime_is_covered():
    """No plug-in of the folder is left out of this file, or of those that open slow ones once."""
    covered = {name.partition("-")[0] for name in SPELLINGS} | ELSEWHERE
    assert covered == set(spec.names("runtimes"))


@pytest.mark.parametrize("name", spec.names("runtimes"))
def test_one_frozen_keyword_only_dataclass(name: str):
    """A plug-in is frozen, takes keywords only, and says whether it wants a model and spends inputs."""
    plugin = spec.load("runtimes", name)
    assert plugin.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(plugin))
    assert isinstance(plugin.needs_model, bool)
    assert isinstance(plugin.spends, bool)
    assert plugin.spends is (
        name in ("exec", "serial")
    )  # files run here; a recording was shown before


def test_spelling_returns(runtime: Any):
    """Every field survives being written and read."""
    assert spec.parse("runtimes", spec.spell(runtime)) == runtime


def test_answers_have_one_label_an_input(runtime: Any):
    """Labels are int64, one an input and not negative, and the engine names itself."""
    known = probe.load()
    with runtime.open(_model(runtime)) as session:
        got = session.ask(known.inputs)
        assert session.engine.name == spec.spell(runtime).partition(":")[0]
        assert session.engine.arithmetic in ARITHMETICS
        assert (session.facts is not None) is runtime.needs_model
    assert got.labels.dtype == np.int64
    assert got.labels.shape == (len(known.inputs),)
    assert (got.labels >= 0).all()
    assert got.reason == ""
    assert got.latency_ms >= 0.0


def test_answers_do_not_depend_on_batches(runtime: Any):
    """One batch, single questions and a second session give the same labels in the same order."""
    known = probe.load()
    model = _model(runtime)
    with runtime.open(model) as session:
        together = session.ask(known.inputs).labels
    with runtime.open(model) as session:
        single = [session.ask(known.inputs[i : i + 1]).labels for i in range(len(known.inputs))]
    assert np.array_equal(together, np.concatenate(single))
    assert len(set(together.tolist())) > 1  # the control: the order could be seen to differ


def test_nothing_asked_nothing_answered(runtime: Any):
    """A batch of no inputs gives no labels."""
    known = probe.load()
    with runtime.open(_model(runtime)) as session:
        assert session.ask(known.inputs[:0]).labels.shape == (0,)


def test_wants_a_model_or_none(runtime: Any):
    """Bytes where none are wanted, and none where they are, are an error that says so."""
    with pytest.raises(BadInput, match="model"):
        runtime.open(None if runtime.needs_model else probe.load().model)


def test_closing_twice_is_harmless(runtime: Any):
    """`close` may be called again, and a local interpreter does not answer afterwards."""
    known = probe.load()
    session = runtime.open(_model(runtime))
    session.close()
    session.close()
    if runtime.needs_model:
        with pytest.raises(EdgewmError, match="ended"):
            session.ask(known.inputs)


def test_failed_is_no_class():
    """The label of a failed question cannot be mistaken for a class."""
    assert FAILED < 0
