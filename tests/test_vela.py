"""Estimates of Arm's compiler for Ethos-U."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec

import numpy as np
import pytest

from edgewm import doctor, vela
from edgewm.errors import BadInput, ModelRefused, RuntimeUnavailable
from tests.costs import MODEL, cost_on, inspected
from tests.needs import needs
from tests.runtimes.models import dense

SUMMARY = (
    "system_config,memory_mode,core_clock,inference_time,sram_memory_used,dram_memory_used,"
    "on_chip_flash_memory_used,off_chip_flash_memory_used,cycles_npu,cycles_total\n"
    "High,Shared,5e8,0.0005,21.5,0.0,0.0,30.25,100,250\n"
)


@needs("vela")
@pytest.mark.parametrize("accelerator", ["ethos-u55-128", "ethos-u65-256", "ethos-u85-256"])
def test_three_generations_compile_an_int8_network(accelerator: str):
    """Each gives a time above what its clock and width allow at best, and memory for the weights."""
    found = vela.estimate(MODEL, accelerator)
    width = int(accelerator.rsplit("-", maxsplit=1)[1])
    assert found.inference_ms > 1e3 * inspected().macs / width / found.clock_hz
    assert found.cycles_total >= found.cycles_npu > 0
    assert found.flash_bytes > 0
    assert found.cpu_operators == 0
    assert found.origin.startswith(f"estimated by vela {found.version} for {accelerator}")


@needs("vela")
def test_a_wider_accelerator_is_faster():
    """Four times the MACs a cycle: fewer cycles of the accelerator."""
    narrow, wide = (vela.estimate(MODEL, f"ethos-u55-{width}") for width in (32, 128))
    assert wide.cycles_npu < narrow.cycles_npu


@needs("vela")
@needs("litert")
def test_what_the_accelerator_leaves_to_the_cpu_is_said():
    """The control: a float network is not compiled for it, and its time is not in the estimate."""
    found = vela.estimate(dense(np.ones((3, 6)), np.zeros(3)), "ethos-u55-128")
    assert found.cpu_operators == 1
    assert "without 1 operators left to the CPU" in found.origin


@needs("vela")
def test_a_file_that_it_does_not_take_is_one_line():
    """Neither bytes that are no model nor an accelerator that there is not end in a traceback."""
    with pytest.raises(ModelRefused, match=r"^vela: \S"):
        vela.estimate(b"no model at all, but long enough", "ethos-u55-128")
    with pytest.raises(BadInput, match="expected one of ethos-u55-32"):
        vela.estimate(MODEL, "ethos-u99")


def test_a_summary_is_read_by_its_columns():
    """Units: milliseconds, bytes; a summary without a column is refused."""
    read = {"accelerator": "ethos-u55-128", "version": "5", "printed": "CPU operators = 2 (9%)"}
    found = vela.read_summary(SUMMARY, **read)
    assert found.inference_ms == pytest.approx(0.5)
    assert (found.sram_bytes, found.flash_bytes) == (22016, 30976)
    assert (found.clock_hz, found.cycles_total, found.cpu_operators) == (500_000_000, 250, 2)
    with pytest.raises(ModelRefused, match="cycles_total"):
        vela.read_summary(SUMMARY.replace("cycles_total", "cycles"), **read)


def test_without_the_compiler_there_is_no_time(monkeypatch: pytest.MonkeyPatch):
    """The report names the line that installs it, and `doctor` does."""
    find = importlib.util.find_spec

    def missing(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "ethosu" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", missing)
    with pytest.raises(RuntimeUnavailable, match=r"pip install 'edgewm\[ethos-u\]'"):
        vela.estimate(MODEL, "ethos-u55-128")
    cost = cost_on("ethos_u55")
    assert cost.inference_ms.value is None
    assert "pip install 'edgewm[ethos-u]'" in cost.inference_ms.origin
    status = doctor.compiler()
    assert not status.available
    assert "pip install 'edgewm[ethos-u]'" in status.reason
