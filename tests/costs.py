"""A model, its triggers and targets for tests of costs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from edgewm.cost import VerificationCost, verification_cost
from edgewm.inspection import Inspection, inspect_bytes
from edgewm.targets import Target, load_target
from edgewm.triggers import Triggers, load_triggers
from tests import golden

MODEL = golden.MARKED.read_bytes()

SMALL = """
name = "small"
description = "a board that is too small"
runtimes = ["tflm"]
cpu = "cortex-m4"
engine = "tflm"
clock_hz = 100_000_000
flash_bytes = {flash}
ram_bytes = {ram}
[sources]
clock_hz = "made up"
flash_bytes = "made up"
ram_bytes = "made up"
"""


@cache
def inspected() -> Inspection:
    return inspect_bytes(MODEL)


@cache
def triggers() -> Triggers:
    return load_triggers(golden.TRIGGERS)


def cost_on(target: Target | str, **options) -> VerificationCost:
    held = load_target(target) if isinstance(target, str) else target
    return verification_cost(inspected(), MODEL, triggers(), held, **options)


def small(folder: Path, *, flash: int = 1 << 20, ram: int = 1 << 20, more: str = "") -> Path:
    """A description of a board with so much memory."""
    path = folder / "small.toml"
    path.write_text(SMALL.format(flash=flash, ram=ram) + more)
    return path
