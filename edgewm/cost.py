"""What one verification costs on a device, before anything is built: every number with where it comes from.

    measured on this host          an interpreter here ran it
    counted in the emulator        instructions or bytes of the device's own code
    estimated from ...             a published result of that CPU and engine, through the cost model
    counted in the file, computed  from the model, the triggers and the protocol alone

A number that nobody measured is missing and says so; it is never a guess.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

import numpy as np

from .cost_figures import (
    OF_FILE,
    OF_TRIGGERS,
    Figure,
    Measured,
    arena_of,
    compiled,
    counted_bytes,
    energy_of,
    inference_of,
    input_bytes,
    instructions_of,
    model_flash_of,
    seeded_bytes,
    upload_of,
    wire_of,
)
from .errors import BadInput
from .evidence import e_process
from .inspection import Inspection
from .stats import Outcome
from .targets import Target
from .triggers import Triggers


@dataclass(frozen=True, kw_only=True)
class VerificationCost:
    """One verification of one model on one device."""

    target: str
    engine: str
    macs: Figure
    """Of one inference."""
    queries_sequential: Figure
    """Until a perfect mark of a stamped claim is shown."""
    queries_full: Figure
    instructions: Figure
    """Of one inference."""
    inference_ms: Figure
    """Of one query."""
    upload_ms: Figure
    """Of one query's input over the serial line; none with inputs on the device."""
    inference_sequential_s: Figure
    inference_full_s: Figure
    total_sequential_s: Figure
    """Inference and upload."""
    total_full_s: Figure
    energy_sequential_mj: Figure
    """Of the whole board during inference."""
    energy_full_mj: Figure
    wire_sequential_bytes: Figure
    wire_full_bytes: Figure
    model_flash_bytes: Figure
    engine_flash_bytes: Figure
    """Code of the engine, without the model."""
    checker_flash_bytes: Figure
    inputs_stored_bytes: Figure
    inputs_seeded_bytes: Figure
    arena_non_persistent_bytes: Figure
    arena_persistent_bytes: Figure
    input_buffer_bytes: Figure
    checker_ram_bytes: Figure
    checker_stack_bytes: Figure
    misfits: tuple[str, ...]
    """What does not fit, with the numbers; empty where all does."""

    @property
    def fits(self) -> bool:
        """Whether the device can hold it, as far as the numbers say."""
        return not self.misfits

    def figures(self) -> dict[str, Figure]:
        """Every figure by its name, in order."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in held.items() if isinstance(value, Figure)}

    def as_dict(self) -> dict[str, object]:
        """Everything, as JSON takes it."""
        return {**asdict(self), "fits": self.fits}


def queries(triggers: Triggers, *, alpha: float) -> tuple[int | None, int]:
    """Inputs asked until a perfect mark is shown at `alpha`, group by group, and all of them.

    The first is None where no number of these groups is enough. It holds for a stamped claim and one test:
    others ask every group.
    """
    order = triggers.order
    sizes = np.bincount(triggers.group_ids, minlength=triggers.groups)[order]
    hits = np.full(triggers.groups, Outcome.HIT)
    evidence = e_process(hits, triggers.allowed[order], groups=triggers.groups)
    enough = np.flatnonzero(evidence >= -math.log10(alpha))
    first = int(sizes[: enough[0] + 1].sum()) if len(enough) else None
    return first, int(sizes.sum())


def verification_cost(
    found: Inspection,
    model: bytes,
    triggers: Triggers,
    target: Target,
    *,
    alpha: float = 1e-6,
    measured: Measured | None = None,
) -> VerificationCost:
    """The cost of one verification on one target.

    Args:
        found: what the model's file says.
        model: the file's bytes.
        triggers: the secret inputs; their values are not looked at.
        target: the device.
        alpha: chance of accusing an innocent model, which decides how many queries are enough.
        measured: what this host took, for a target that is this host.

    Raises:
        BadInput: triggers for other inputs, or an alpha outside 0 to 1.
    """
    if not 0 < alpha < 1:
        raise BadInput(f"--alpha: got {alpha:g}, expected a number between 0 and 1")
    _check_shape(found, triggers)
    some, every = queries(triggers, alpha=alpha)
    vela = compiled(target, model)
    inference = inference_of(found, target, measured, vela)
    upload = upload_of(found, target)
    energy = energy_of(inference, target)
    size = input_bytes(found)
    arena, persistent = arena_of(found, target, vela)
    held = {
        "model_flash_bytes": model_flash_of(found, target, vela),
        "engine_flash_bytes": counted_bytes(target, "engine_flash_bytes"),
        "checker_flash_bytes": counted_bytes(target, "checker_flash_bytes"),
        "inputs_stored_bytes": Figure(value=every * size, origin=OF_TRIGGERS),
        "inputs_seeded_bytes": seeded_bytes(triggers),
        "arena_non_persistent_bytes": arena,
        "arena_persistent_bytes": persistent,
        "input_buffer_bytes": Figure(value=size, origin=OF_FILE),
        "checker_ram_bytes": counted_bytes(target, "checker_ram_bytes"),
        "checker_stack_bytes": counted_bytes(target, "checker_stack_bytes"),
    }
    few = Figure(value=some, origin=_stops(triggers, some, alpha))
    full = Figure(value=every, origin=OF_TRIGGERS)
    return VerificationCost(
        target=target.name if measured is None else f"{target.name} {measured.runtime}",
        engine=target.engine,
        macs=Figure(value=found.macs, origin=OF_FILE),
        queries_sequential=few,
        queries_full=full,
        instructions=instructions_of(found, target),
        inference_ms=inference,
        upload_ms=upload,
        inference_sequential_s=_times(few, inference, 1e-3),
        inference_full_s=_times(full, inference, 1e-3),
        total_sequential_s=_total(few, inference, upload, target),
        total_full_s=_total(full, inference, upload, target),
        energy_sequential_mj=_times(few, energy, 1.0),
        energy_full_mj=_times(full, energy, 1.0),
        wire_sequential_bytes=wire_of(few, found, target),
        wire_full_bytes=wire_of(full, found, target),
        misfits=_misfits(target, held),
        **held,
    )


def _check_shape(found: Inspection, triggers: Triggers) -> None:
    if len(found.inputs) != 1:
        raise BadInput(f"MODEL: has {len(found.inputs)} inputs, expected one")
    takes = found.inputs[0].shape[1:]
    if len(takes) != len(triggers.shape) or any(
        a not in (-1, b) for a, b in zip(takes, triggers.shape, strict=True)
    ):
        shapes = ("x".join(map(str, shape)) for shape in (takes, triggers.shape))
        raise BadInput("MODEL: takes inputs {}, the triggers are {}".format(*shapes))


def _stops(triggers: Triggers, some: int | None, alpha: float) -> str:
    if some is None:
        return f"{triggers.groups} groups cannot reach {alpha:g}: make more with triggers make --groups"
    return f"{OF_TRIGGERS}: a perfect mark, a stamped claim, alpha {alpha:g}"


def _times(count: Figure, one: Figure, scale: float) -> Figure:
    if count.value is None or one.value is None:
        return Figure(value=None, origin=one.origin if one.value is None else count.origin)
    return Figure(value=count.value * one.value * scale, origin=one.origin)


def _total(count: Figure, inference: Figure, upload: Figure, target: Target) -> Figure:
    spent = _times(count, inference, 1e-3)
    sent = _times(count, upload, 1e-3)
    if spent.value is None or sent.value is None:
        return spent if target.link_bytes_per_s is None else Figure(value=None, origin=spent.origin)
    return Figure(value=spent.value + sent.value, origin=f"{inference.origin}; {upload.origin}")


_BESIDE_THE_ARENA = ("input_buffer_bytes", "checker_ram_bytes", "checker_stack_bytes")


def _misfits(target: Target, held: dict[str, Figure]) -> tuple[str, ...]:
    """Flash with stored and with seeded inputs, and RAM, against what the device has."""
    found = []
    value = {name: figure.value or 0 for name, figure in held.items()}
    code = ("model_flash_bytes", "engine_flash_bytes", "checker_flash_bytes")
    fixed = sum(value[name] for name in code)
    stored = fixed + value["inputs_stored_bytes"]
    if target.flash_bytes is not None and stored > target.flash_bytes:
        text = f"flash: {stored:,.0f} bytes with stored inputs"
        seeded = held["inputs_seeded_bytes"].value
        if seeded is None or fixed + seeded > target.flash_bytes:
            text = text if seeded is None else f"{text} ({fixed + seeded:,.0f} seeded)"
            found.append(f"{text}, {_there(target, 'flash_bytes')}")
    names = ("arena_non_persistent_bytes", "arena_persistent_bytes")
    used = sum(value[name] for name in (*names, *_BESIDE_THE_ARENA))
    if target.ram_bytes is not None and used > target.ram_bytes:
        arena = sum(value[name] for name in names)
        found.append(
            f"RAM: {used:,.0f} bytes (arena {arena:,.0f}, input {value['input_buffer_bytes']:,.0f}), "
            f"{_there(target, 'ram_bytes')}"
        )
    return tuple(found)


def _there(target: Target, number: str) -> str:
    return f"{getattr(target, number):,} are there ({target.sources[number]})"
