"""What a verification costs on a device, and where each number comes from."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from edgewm import cost_figures
from edgewm.cost import queries
from edgewm.cost_model import calibration
from edgewm.errors import BadInput
from edgewm.evidence import sequential_log10_p
from edgewm.host_timing import measure
from edgewm.inspection import inspect_bytes
from edgewm.runtimes.begin import begin
from edgewm.stats import Outcome
from edgewm.targets import load_target, names
from tests.costs import MODEL, cost_on, inspected, small, triggers
from tests.needs import needs
from tests.runtimes.models import dense

COUNTED = """
[counted]
source = "a test"
checker_flash_bytes = 1800
checker_ram_bytes = 48
checker_stack_bytes = 400
engine_flash_bytes = 9000
"""


@pytest.mark.parametrize("name", [name for name in names() if name != "host"])
def test_every_number_has_an_origin(name: str):
    """On every target, a number or its absence says where it comes from, and nothing is a guess of zero."""
    cost = cost_on(name)
    without_variables = ("checker_ram_bytes",)  # counted, and 0
    for figure, held in cost.figures().items():
        assert held.origin, figure
        assert held.value is None or held.value > 0 or figure in without_variables, figure
    assert json.loads(json.dumps(cost.as_dict()))["fits"] is cost.fits is True


def test_queries_are_those_of_the_evidence():
    """A perfect mark of ten classes needs seven groups for one in a million; one group fewer does not do."""
    some, every = queries(triggers(), alpha=1e-6)
    assert (some, every) == (7, 64)
    allowed = triggers().allowed[triggers().order]
    for count, enough in ((7, True), (6, False)):
        outcomes = np.full(count, Outcome.HIT)
        reached = sequential_log10_p(outcomes, allowed[:count], groups=64)
        assert (reached <= -6) is enough
    assert queries(triggers(), alpha=1e-200) == (None, 64)
    cost = cost_on("cortex_m4_tflm", alpha=1e-200)
    assert cost.queries_sequential.value is cost.total_sequential_s.value is None
    assert "64 groups cannot reach 1e-200" in cost.total_sequential_s.origin
    assert cost.total_full_s.value is not None


def test_an_estimate_is_the_models_own_arithmetic():
    """Cycles of the calibration over the clock; totals are queries times inference and upload."""
    cost, target = cost_on("cortex_m4_tflm"), load_target("cortex_m4_tflm")
    held = calibration("cortex-m4", "tflm")
    assert held is not None
    assert target.clock_hz
    ms = 1e3 * held.cycles(inspected().mix) / target.clock_hz
    assert cost.inference_ms.value == pytest.approx(ms)
    assert "MLPerf Tiny v0.5 reference Nucleo-L4R5ZI (ad, ic, kws, vww)" in cost.inference_ms.origin
    upload = 64 / 3800
    assert cost.upload_ms.value == pytest.approx(1e3 * upload)
    assert cost.total_full_s.value == pytest.approx(64 * (ms / 1e3 + upload))
    assert cost.total_sequential_s.value == pytest.approx(7 * (ms / 1e3 + upload))
    assert cost.energy_full_mj.value == pytest.approx(64 * ms * 1e-3 * target.clock_hz * 0.341e-6)
    assert cost.inputs_stored_bytes.value == 64 * 64
    assert cost.inputs_seeded_bytes.value == 32
    assert cost.wire_full_bytes.value == 64 * len(
        "db load 64%" + "db " + "00" * 38 + "%" + "db " + "00" * 26 + "%" + "infer 1 0%"
    )


def test_the_engine_changes_the_cost_of_one_chip():
    """The code generator on the same Cortex-M4 is several times as fast, keeps only the constants, and its
    own buffers are not claimed to be known."""
    slow, fast = cost_on("cortex_m4_tflm"), cost_on("cortex_m4_x_cube_ai")
    assert slow.inference_ms.value > 3 * fast.inference_ms.value
    assert fast.model_flash_bytes.value < slow.model_flash_bytes.value == len(MODEL)
    assert fast.arena_persistent_bytes.value is None


def test_a_core_that_nobody_timed_has_no_time():
    """No number instead of another core's; the rest of the report is there."""
    cost = cost_on("cortex_m3")
    assert cost.inference_ms.value is cost.total_full_s.value is cost.energy_full_mj.value is None
    assert cost.inference_ms.origin == "nobody has published a time of this CPU and engine"
    assert cost.model_flash_bytes.value == len(MODEL)


def test_what_does_not_fit_is_named(tmp_path: Path):
    """The same board with enough memory, with too little RAM, and with too little flash."""
    fitting = cost_on(str(small(tmp_path)))
    assert fitting.fits
    held = fitting.arena_non_persistent_bytes.value + (fitting.arena_persistent_bytes.value or 0)
    needed = round(held) + 64
    assert cost_on(str(small(tmp_path, ram=needed))).fits
    (misfit,) = cost_on(str(small(tmp_path, ram=needed - 1))).misfits
    assert misfit.startswith(f"RAM: {needed:,} bytes")
    assert f", {needed - 1:,} are there (" in misfit  # and who says so
    assert cost_on(str(small(tmp_path, flash=len(MODEL) + 32))).fits  # from a seed
    (misfit,) = cost_on(str(small(tmp_path, flash=len(MODEL) + 31))).misfits
    assert misfit.startswith(f"flash: {len(MODEL) + 4096:,} bytes with stored inputs")
    assert f"({len(MODEL) + 32:,} seeded)" in misfit


def test_counted_bytes_and_instructions_are_taken(tmp_path: Path):
    """What a build was counted to take is part of what must fit; instructions are of the very file."""
    sha = inspected().sha256
    mine = f'models = [{{name = "golden", sha256 = "{sha}", instructions = 1234567}}]\n'
    cost = cost_on(str(small(tmp_path, more=COUNTED + mine)))
    assert cost.instructions.value == 1234567
    assert cost.instructions.origin == "counted in the emulator: a test"
    assert cost.checker_flash_bytes.value == 1800
    assert cost.checker_flash_bytes.origin == "counted in the build: a test"
    rates = "instructions_per_mac = {conv = 2.0, pointwise = 2.0, depthwise = 2.0, dense = 3.0}\n"
    cost = cost_on(str(small(tmp_path, more=COUNTED + rates)))
    macs = inspected().mix.macs
    assert cost.instructions.value == 2 * macs["conv"] + 3 * macs["dense"]
    assert cost.instructions.origin.startswith("estimated from instructions per MAC")
    cost = cost_on(str(small(tmp_path, more=COUNTED + "instructions_per_mac = {dense = 3.0}\n")))
    assert cost.instructions.value is None
    flash = len(MODEL) + 1800 + 9000 + 32
    assert cost_on(str(small(tmp_path, flash=flash, more=COUNTED))).fits
    assert not cost_on(str(small(tmp_path, flash=flash - 1, more=COUNTED))).fits


def test_other_patterns_are_not_drawn_on_a_device():
    """Pictures of the owner's cannot come from a seed, so they are stored."""
    drawing = dataclasses.replace(
        triggers(), provenance=b'{"pattern": "logo:file=a.png", "value_range": [0, 1]}'
    )
    seeded = cost_figures.seeded_bytes(drawing)
    assert seeded.value is None
    assert "logo" in seeded.origin


@needs("litert")
def test_this_host_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A time on each runtime that works here; what is missing is listed with its reason."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['tflite_micro'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found, not_run = measure(MODEL, triggers(), begin(["litert:delegate=xnnpack", "tflm"]))
    assert [one.runtime for one in found] == ["litert:delegate=xnnpack"]
    assert [one.spelling for one in not_run] == ["tflm"]
    assert "pip install" in not_run[0].reason
    cost = cost_on("host", measured=found[0])
    assert cost.target == "host litert:delegate=xnnpack"
    assert cost.inference_ms.value == found[0].inference_ms > 0
    assert cost.inference_ms.origin.startswith("measured on this host: litert")
    assert cost.upload_ms.value is None


@needs("litert")
def test_published_times_are_not_for_float_networks():
    """The control: int8 has an estimate on this target, float32 has none."""
    from edgewm.cost import verification_cost

    rng = np.random.default_rng(0)
    model = dense(rng.normal(size=(10, 64)), np.zeros(10), shape=(8, 8, 1))
    cost = verification_cost(inspect_bytes(model), model, triggers(), load_target("cortex_m4_tflm"))
    assert cost.inference_ms.value is None
    assert "int8" in cost.inference_ms.origin
    assert cost_on("cortex_m4_tflm").inference_ms.value is not None


def test_what_does_not_belong_together_is_refused():
    """Triggers for other inputs and an alpha that is none."""
    from edgewm.cost import verification_cost

    narrow = dataclasses.replace(
        inspected(), inputs=(dataclasses.replace(inspected().inputs[0], shape=(1, 8, 4, 1)),)
    )
    with pytest.raises(BadInput, match="takes inputs 8x4x1, the triggers are 8x8x1"):
        verification_cost(narrow, MODEL, triggers(), load_target("cortex_m3"))
    with pytest.raises(BadInput, match="--alpha: got 0"):
        cost_on("cortex_m3", alpha=0)
