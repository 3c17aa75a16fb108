"""One figure of a device's cost after another, each with where it comes from; `cost` puts them together."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from .cost_model import board_energy, calibration
from .errors import EdgewmError
from .inspection import PLANNED, Inspection
from .targets import Target
from .triggers import Triggers
from .vela import VelaEstimate, estimate

LINE_BYTES = 38
"""Input bytes in one line of the serial protocol, which cuts lines at 80 characters."""
SEED_BYTES = 32
OF_FILE, OF_TRIGGERS = "counted in the file", "computed from the triggers"
_INTERPRETED = ("tflm", "tflm-esp-nn")
"""Engines that keep the file as it is in flash, and plan their arena as TFLM does."""
_INT8 = ("int8", "uint8")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number, or none, and where it comes from."""

    value: float | None
    origin: str


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One inference on a runtime here."""

    runtime: str
    inference_ms: float
    origin: str


def inference_of(
    found: Inspection, target: Target, measured: Measured | None, vela: VelaEstimate | str
) -> Figure:
    """Milliseconds of one inference: measured, estimated by a compiler, or from published results."""
    if measured is not None:
        return Figure(value=measured.inference_ms, origin=measured.origin)
    if isinstance(vela, VelaEstimate):
        return Figure(value=vela.inference_ms, origin=vela.origin)
    return Figure(value=None, origin=vela) if vela else _published(found, target)


def _published(found: Inspection, target: Target) -> Figure:
    if any(layer.macs and layer.dtype not in _INT8 for layer in found.layers):
        return Figure(value=None, origin="not estimated: published times are of int8 networks")
    held = calibration(target.cpu, target.engine)
    if held is not None and target.clock_hz:
        return Figure(value=1e3 * held.cycles(found.mix) / target.clock_hz, origin=held.origin)
    if target.published is not None:
        ms = target.published.milliseconds * found.macs / target.published.macs
        return Figure(value=ms, origin=f"estimated from {target.published.source}")
    return Figure(value=None, origin="nobody has published a time of this CPU and engine")


def instructions_of(found: Inspection, target: Target) -> Figure:
    """Instructions of one inference, where an emulator counted this file or its kinds of layers."""
    counted = target.counted
    if counted is None:
        return Figure(value=None, origin="not counted in an emulator")
    for model in counted.models:
        if model.sha256 == found.sha256:
            return Figure(
                value=model.instructions, origin=f"counted in the emulator: {counted.source}"
            )
    rates = counted.instructions_per_mac
    if any(macs and kind not in rates for kind, macs in found.mix.macs.items()):
        return Figure(value=None, origin="not counted in an emulator for such layers")
    value = sum(rates[kind] * macs for kind, macs in found.mix.macs.items() if macs)
    origin = f"estimated from instructions per MAC of other models, counted: {counted.source}"
    return Figure(value=round(value), origin=origin)


def upload_of(found: Inspection, target: Target) -> Figure:
    """Milliseconds to send one input over the device's serial line."""
    if target.link_bytes_per_s is None:
        return Figure(value=None, origin="inputs travel as a file, their time is not counted")
    return Figure(
        value=1e3 * input_bytes(found) / target.link_bytes_per_s,
        origin=f"estimated from {target.link_bytes_per_s} bytes a second: "
        + target.sources["link_bytes_per_s"],
    )


def energy_of(inference: Figure, target: Target) -> Figure:
    """Millijoules of one inference, of the whole board."""
    board = board_energy(target.board)
    if board is None or inference.value is None or not target.clock_hz:
        return Figure(value=None, origin="no energy was published of this board and engine")
    return Figure(
        value=inference.value * 1e-3 * target.clock_hz * board.nj_per_cycle * 1e-6,
        origin=board.origin,
    )


def wire_of(count: Figure, found: Inspection, target: Target) -> Figure:
    """Bytes sent for so many queries; what the device answers comes on top."""
    if count.value is None:
        return count
    size = input_bytes(found)
    if target.link_bytes_per_s is None:
        values = 4 * math.prod(max(1, n) for n in found.inputs[0].shape)
        return Figure(value=count.value * values, origin="computed: float32 values to the worker")
    lines = -(-size // LINE_BYTES)
    one = len(f"db load {size}%") + 2 * size + lines * len("db %") + len("infer 1 0%")
    return Figure(
        value=count.value * one,
        origin=f"computed: commands of the serial protocol, {LINE_BYTES} bytes a line",
    )


def model_flash_of(found: Inspection, target: Target, vela: VelaEstimate | str) -> Figure:
    """Bytes of the model in flash: the file, or its constants where code is generated."""
    if isinstance(vela, VelaEstimate):
        return Figure(value=vela.flash_bytes, origin=vela.origin)
    if target.engine in _INTERPRETED or not target.engine or target.clock_hz is None:
        return Figure(value=found.file_bytes, origin=f"{OF_FILE}: the whole file")
    return Figure(value=found.weight_bytes, origin=f"{OF_FILE}: constants, which the engine keeps")


def arena_of(found: Inspection, target: Target, vela: VelaEstimate | str) -> tuple[Figure, Figure]:
    """Bytes for one inference, and of what outlives it."""
    arena = found.arena
    if isinstance(vela, VelaEstimate):
        unknown = Figure(value=None, origin="vela does not say")
        return Figure(value=vela.sram_bytes, origin=vela.origin), unknown
    one = Figure(value=arena.non_persistent_bytes, origin=arena.origin)
    if target.engine in _INTERPRETED:
        return one, Figure(value=arena.persistent_bytes, origin=arena.origin)
    planned = Figure(value=arena.planned_bytes, origin=PLANNED)
    return planned, Figure(value=None, origin="buffers of this engine's own are not known")


def counted_bytes(target: Target, name: str) -> Figure:
    """Bytes that a build for the target was counted to take."""
    value = None if target.counted is None else getattr(target.counted, name)
    if target.counted is None or value is None:
        return Figure(value=None, origin="not counted for this target")
    return Figure(value=value, origin=f"counted in the build: {target.counted.source}")


def seeded_bytes(triggers: Triggers) -> Figure:
    """Bytes of flash for inputs that the device draws itself."""
    pattern = str(json.loads(triggers.provenance).get("pattern", "unknown"))
    if not pattern.startswith("abstract"):
        name = pattern.partition(":")[0]
        return Figure(value=None, origin=f"a device does not draw the pattern {name}")
    return Figure(value=SEED_BYTES, origin="a seed, from which the device draws them")


def input_bytes(found: Inspection) -> int:
    """Bytes of one input in the model's own type."""
    tensor = found.inputs[0]
    width = {"int16": 2, "uint16": 2, "float16": 2, "float32": 4}.get(tensor.dtype, 1)
    return width * math.prod(max(1, n) for n in tensor.shape)


def compiled(target: Target, model: bytes) -> VelaEstimate | str:
    """The compiler's estimate, or why there is none; empty for a target that is no accelerator."""
    if not target.vela:
        return ""
    try:
        return estimate(model, target.vela)
    except EdgewmError as error:
        return str(error)
