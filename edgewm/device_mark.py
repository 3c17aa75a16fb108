"""What a device is told of a mark, so that its checker in C asks and judges by itself.

Inputs of the pattern `abstract` are told by their seed, 32 bytes; others are stored as the model takes them.
Decisions:

- The seed is `Key.pattern_seed` of the set's salt: whoever reads it out of a device has every input of that
  set, and no answer, key or input of another set. The answers stand beside it, so what devices carry should
  be a set of its own, made and trained for them, and not the one that is kept for court.
- The device may be told only the first groups of the order. Stored, the others then stay closed.
- The bar is that of a stamped claim: an owner need not be protected from being the forger.
- The device bets as `edgewm.evidence` does, in whole numbers that are rounded down, against a bar that is
  raised by a billionth: more than Python's own rounding, so that no device stops earlier than Python.
- A field is drawn over its own lattice, in the model's input buffer. Where that does not work out (lattices
  that are larger than the input) it is refused here, never found out there.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from . import spec, stats
from .artifact import Tensor
from .content import of_bytes
from .errors import BadInput
from .flatbuffer import NotFlatbuffer
from .key import Key
from .patterns import Canvas
from .patterns.abstract import Abstract
from .tflite import read_tflite
from .triggers import Triggers

MAXIMUM_AXES = 4
MAXIMUM_GROUP_INPUTS = 16
MAXIMUM_CHANCES = 8
_SAVED_POINTS = 200
"""Lattice points that the checker keeps where SHAKE's state was, see edgewm_draw."""
_LARGEST = 0xFFFF
_STORE = "give --stored"


@dataclass(frozen=True, kw_only=True)
class DevicePattern:
    """How a device draws the fields of one set; `edgewm_pattern_t` in C."""

    bytes: int
    lattice_bytes: int
    lengths: tuple[int, ...]
    """Of the axes with more than one sample."""
    points: tuple[int, ...]
    """Of the lattice along these axes."""
    multiplier: int
    """Byte q becomes ((q * multiplier + offset) >> 16) - 128 within int8, unless `levels` is there."""
    offset: int
    levels: tuple[int, ...] = ()
    """The int8 value of every byte, where no such formula gives all 256."""


@dataclass(frozen=True, kw_only=True)
class DeviceGroup:
    """One group, `edgewm_group_t` in C."""

    first_input: int
    answer: int
    inputs: int
    chance: int
    """Index into `DeviceMark.allowed`."""


@dataclass(frozen=True, kw_only=True)
class DeviceMark:
    """A mark as a device asks for it, `edgewm_mark_t` in C; groups in the committed order."""

    pattern: DevicePattern
    seed: bytes | None = field(repr=False)
    stored: npt.NDArray[np.int8] | None = field(repr=False)
    """(n, bytes) in the order of asking."""
    groups: tuple[DeviceGroup, ...] = field(repr=False)
    natural: npt.NDArray[np.bool_] = field(repr=False)
    """(m, K) in the same order."""
    allowed: tuple[int, ...]
    nodes: tuple[int, ...] = field(repr=False)
    start_mantissa: int
    start_exponent: int
    least: int
    """Of a single output: the smallest int8 value whose label is 1."""
    alpha: float
    triggers_sha256: str


def make_device_mark(
    model: bytes,
    triggers: Triggers,
    key: Key,
    *,
    alpha: float = 1e-6,
    stored: bool = False,
    groups: int | None = None,
) -> DeviceMark:
    """What a device that runs `model` is told, so that it can ask for the mark of `triggers`.

    Args:
        model: the full-int8 `.tflite` that ships.
        triggers: of the pattern `abstract`, or any with `stored`.
        key: that made them.
        alpha: accepted probability of a false alarm.
        stored: store the inputs instead of drawing them on the device.
        groups: how many of the committed order the device is told; all by default.

    Raises:
        BadInput: model and triggers do not fit together, kept labels, or inputs that must be stored.
    """
    taken, given = _ends(model)
    _check_fits(triggers, taken, given)
    told = triggers.groups if groups is None else groups
    if not 1 <= told <= triggers.groups:
        raise BadInput(f"--groups: got {told}, expected 1 to {triggers.groups}, those of the set")
    asked = triggers.order[:told]
    group_inputs = [np.flatnonzero(triggers.group_ids == j) for j in asked]
    answers, allowed = triggers.answers(key), triggers.allowed
    chances = sorted({int(number) for number in allowed})
    if len(chances) > MAXIMUM_CHANCES:
        raise BadInput(
            f"--triggers: got {len(chances)} different numbers of allowed classes, expected at most "
            f"{MAXIMUM_CHANCES}; make groups of one input"
        )
    order = np.concatenate(group_inputs)
    firsts = (
        np.cumsum([0, *map(len, group_inputs)]) if stored else [int(g[0]) for g in group_inputs]
    )
    nodes = _nodes(triggers.groups)
    mantissa, exponent = _start(alpha, len(nodes))
    return DeviceMark(
        pattern=_stored_pattern(taken) if stored else _drawn_pattern(triggers, key, taken),
        seed=None if stored else key.pattern_seed(triggers.salt),
        stored=quantised(triggers.inputs[order], taken).reshape(len(order), -1) if stored else None,
        groups=tuple(
            DeviceGroup(
                first_input=int(first),
                answer=int(answers[j]),
                inputs=len(members),
                chance=chances.index(int(allowed[j])),
            )
            for first, j, members in zip(firsts, asked, group_inputs, strict=False)
        ),
        natural=triggers.excluded[asked],
        allowed=tuple(chances),
        nodes=nodes,
        start_mantissa=mantissa,
        start_exponent=exponent,
        least=_least(given),
        alpha=alpha,
        triggers_sha256=triggers.sha256,
    )


def quantised(inputs: npt.NDArray[np.float32], taken: Tensor) -> npt.NDArray[np.int8]:
    """Inputs as an int8 tensor takes them, by the same steps as every runtime here: halves to even."""
    steps = np.rint(inputs.astype(np.float64) / (taken.scale or 1.0)) + taken.zero_point
    return np.asarray(np.clip(steps, -128, 127), np.int8)


def _ends(model: bytes) -> tuple[Tensor, Tensor]:
    try:
        read = read_tflite(of_bytes(model))
    except NotFlatbuffer as error:
        raise BadInput(f"MODEL: not a whole .tflite model: {error}") from None
    for which, tensors in (("input", read.inputs), ("output", read.outputs)):
        if len(tensors) != 1 or tensors[0].dtype != "int8":
            got = ", ".join(tensor.dtype for tensor in tensors) or "none"
            raise BadInput(
                f"MODEL: got the {which} {got}, expected one of int8: convert with full int8 quantisation"
            )
    return read.inputs[0], read.outputs[0]


def _check_fits(triggers: Triggers, taken: Tensor, given: Tensor) -> None:
    if triggers.kept is not None:
        raise BadInput("--triggers: got kept labels, which are no evidence; expected drawn answers")
    shape = tuple(abs(length) for length in taken.shape[1:])
    if shape != triggers.shape:
        raise BadInput(f"--triggers: got inputs of shape {triggers.shape}, the model takes {shape}")
    outputs = math.prod(abs(length) for length in given.shape[1:])
    if max(outputs, 2) != triggers.classes:
        raise BadInput(
            f"--triggers: got {triggers.classes} classes, the model has {outputs} outputs"
        )
    most = int(np.bincount(triggers.group_ids).max())
    if most > MAXIMUM_GROUP_INPUTS:
        raise BadInput(
            f"--triggers: got a group of {most} inputs, expected at most {MAXIMUM_GROUP_INPUTS}"
        )
    if max(len(triggers.inputs), triggers.classes) > _LARGEST:
        raise BadInput(
            f"--triggers: got {len(triggers.inputs)} inputs and {triggers.classes} classes, "
            f"expected at most {_LARGEST} of each"
        )


def _stored_pattern(taken: Tensor) -> DevicePattern:
    size = math.prod(abs(length) for length in taken.shape[1:])
    return DevicePattern(bytes=size, lattice_bytes=0, lengths=(), points=(), multiplier=0, offset=0)


def _drawn_pattern(triggers: Triggers, key: Key, taken: Tensor) -> DevicePattern:
    """How the device draws them, once it is certain that Python draws the very inputs of the set."""
    held = json.loads(triggers.provenance)
    spelled = str(held.get("pattern"))
    if spelled.split(":", maxsplit=1)[0] != "abstract":
        raise BadInput(f"--triggers: {spelled} is not drawn on devices, only abstract is; {_STORE}")
    drawn = spec.parse("patterns", spelled)
    assert isinstance(drawn, Abstract)
    low, high = map(float, held["value_range"])
    canvas = Canvas(
        seed=key.pattern_seed(triggers.salt),
        groups=triggers.groups,
        shape=triggers.shape,
        low=low,
        high=high,
    )
    made = drawn.draw(canvas)
    if not (
        np.array_equal(made.inputs, triggers.inputs)
        and np.array_equal(made.group_ids, triggers.group_ids)
    ):
        raise BadInput(f"--triggers: its inputs are not those that the key draws; {_STORE}")
    return device_pattern(triggers.shape, drawn.cells, low, high, taken)


def device_pattern(
    shape: tuple[int, ...], cells: int, low: float, high: float, taken: Tensor
) -> DevicePattern:
    """How a device draws `abstract` fields of this shape, in the place of the model's input.

    Raises:
        BadInput: it has no room for them there.
    """
    cells = max(1, min(cells, max(shape) // 2))
    lengths = tuple(length for length in shape if length > 1)
    points = tuple(cells + 1 if length > 4 else length for length in lengths)
    size, lattice = math.prod(lengths), math.prod(points)
    if (
        len(lengths) > MAXIMUM_AXES
        or max(shape) * cells * 256 >= 1 << 32
        or max(shape) > _LARGEST
        or lattice > size
        or not _fits_in_place(lengths, cells)
    ):
        raise BadInput(
            f"--triggers: fields of shape {shape} with {cells} cells cannot be drawn in the place of the "
            f"input; make the set with fewer cells (abstract:cells=N) or {_STORE}"
        )
    values = np.array([low + q / 255 * (high - low) for q in range(256)], np.float32)
    levels = quantised(values, taken).astype(np.int64)
    formula = _formula(levels)
    return DevicePattern(
        bytes=size,
        lattice_bytes=lattice,
        lengths=lengths,
        points=points,
        multiplier=0 if formula is None else formula[0],
        offset=0 if formula is None else formula[1],
        levels=tuple(levels.tolist()) if formula is None else (),
    )


def _fits_in_place(lengths: tuple[int, ...], cells: int) -> bool:
    """Whether no value is written over a lattice point that an earlier value needs."""
    furthest = np.zeros((), np.int64)
    for length in lengths:
        sample = np.arange(length)
        points = length
        if length > 4:
            position = sample * cells * 256 // (length - 1)
            left = np.minimum(position // 256, cells - 1)
            sample, points = left + (position != left * 256), cells + 1
        furthest = furthest[..., None] * points + sample
    last = furthest.ravel()
    return bool(((last < _SAVED_POINTS) | (last <= np.arange(last.size))).all())


def _formula(levels: npt.NDArray[np.int64]) -> tuple[int, int] | None:
    """(multiplier, offset) with levels[q] = ((q * multiplier + offset) >> 16) - 128 within int8."""
    q, steps = np.arange(256), levels + 128
    inner = (steps > 0) & (steps < 255)  # at the ends the value is only bounded on one side
    if inner.sum() < 2:
        return None
    slope = 65536 * (steps[inner][-1] - steps[inner][0]) / (q[inner][-1] - q[inner][0])
    for multiplier in range(math.floor(slope) - 600, math.ceil(slope) + 601):
        least = steps * 65536 - q * multiplier
        below, above = least[steps > 0].max(), least[steps < 255].min() + 65535
        if below <= above:
            offset = int(below + above) // 2
            scaled = q * multiplier + offset
            if np.abs(scaled).max() < 1 << 31 and np.array_equal(
                np.clip(scaled, 0, 0xFFFFFF) >> 16, steps
            ):
                return multiplier, offset
    return None


def _nodes(groups: int) -> tuple[int, ...]:
    """The nodes of `edgewm.evidence` for m groups in 2^-32, rounded down: at least 1."""
    count = groups // 2 + 1
    exact = [math.cos((2 * i - 1) * math.pi / (4 * count)) ** 2 for i in range(1, count + 1)]
    return tuple(max(1, math.floor(theta * 2**32 - 2**-10)) for theta in exact)


def _start(alpha: float, nodes: int) -> tuple[int, int]:
    """alpha / nodes, which the bet starts at so as to end at 1, as mantissa and power of two."""
    bar = Fraction(10.0 ** stats.log10_bar(alpha=alpha, tests=1, stamped=True))
    start = bar / nodes / (1 + Fraction(1, 10**9))
    exponent = math.frexp(float(start))[1] - 32
    mantissa = math.floor(start / Fraction(2) ** exponent)
    while mantissa >> 32:
        mantissa, exponent = mantissa >> 1, exponent + 1
    return mantissa, exponent


def _least(given: Tensor) -> int:
    steps = np.arange(-128, 128)
    ones = steps[(steps - given.zero_point) * (given.scale or 1.0) > 0.5]
    return int(ones[0]) if len(ones) else 128
