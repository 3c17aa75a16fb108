"""The C of a model answers as TensorFlow Lite Micro does, bit for bit, and stays inside its arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgewm import engine
from edgewm.content import of_bytes
from edgewm.tflite import read_tflite
from tests import golden
from tests.engine.compiled import answers, cortex_m, random_inputs, reference_rows
from tests.engine.models import cases
from tests.needs import needs

ROWS = 50
MODELS = cases() | {"marked": golden.MARKED.read_bytes(), "unmarked": golden.UNMARKED.read_bytes()}
INPUTS = {name: random_inputs(model, ROWS) for name, model in MODELS.items()}
Rows = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Compiled for this machine without a warning; an address outside or an overflow ends the program."""
    return answers(MODELS, INPUTS, tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return reference_rows(MODELS, INPUTS, tmp_path_factory.mktemp("reference"))


@needs("gcc")
@needs("tflm")
@pytest.mark.parametrize("name", MODELS)
def test_every_row_equals_the_interpreters(name: str, compiled: Rows, expected: Rows):
    """Every operator, random inputs and the extremes."""
    np.testing.assert_array_equal(compiled[name], expected[name])
    assert len({row.tobytes() for row in expected[name]}) > 5, (
        "rows that hardly differ show nothing"
    )


def test_every_operator_is_among_the_cases():
    """What can be written as C is compared with the interpreter."""
    used = {name for model in MODELS.values() for name, _ in read_tflite(of_bytes(model)).operators}
    assert used >= set(engine.OPERATORS) - {
        "EXPAND_DIMS",
        "SQUEEZE",
    }  # the same function as RESHAPE


@needs("gcc")
@needs("arm-none-eabi-gcc")
@needs("qemu-system-arm")
@pytest.mark.parametrize(
    "board",
    [
        ("cortex-m3", "mps2-an385"),
        ("cortex-m4", "mps2-an386"),
        ("cortex-m33", "mps2-an505", "-Wl,--defsym=code_at=0x10000000,--defsym=data_at=0x38000000"),
    ],
    ids=lambda board: board[0],
)
def test_cores_answer_as_this_machine_does(board: tuple[str, ...], compiled: Rows, tmp_path: Path):
    """Without the DSP extension and with it, in the emulator."""
    got = answers(MODELS, INPUTS, tmp_path, cortex_m(*board))
    for name, rows in got.items():
        np.testing.assert_array_equal(rows, compiled[name], err_msg=name)


@needs("gcc")
@needs("tflm")
def test_rounding_once_is_another_answer(
    expected: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The control: kernels that round once differ, so that equal rows say something about rounding."""
    once = tmp_path / "once"
    once.mkdir()
    for path in engine.kernels():
        (once / path.name).write_text(path.read_text())
    rounding = once / "edgewm_requantize.h"
    text = rounding.read_text()
    first = text.index("  if (shift >= 0) {")
    last = text.index("static inline int8_t edgewm_clamp")
    single = (
        "  const int32_t down = 31 - shift;\n"
        "  return (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << (down - 1))) >> down);\n}\n\n"
    )
    rounding.write_text(text[:first] + single + text[last:])
    monkeypatch.setattr(engine, "kernels", lambda: sorted(once.glob("edgewm_*.[ch]")))
    names = ("marked", "mul")
    asked = {name: INPUTS[name] for name in names}
    got = answers({name: MODELS[name] for name in names}, asked, tmp_path)
    for name in names:
        differing = (got[name] != expected[name]).any(axis=1)
        assert 0 < differing.sum() <= ROWS, name
        assert np.abs(got[name].astype(int) - expected[name]).max() < 16
