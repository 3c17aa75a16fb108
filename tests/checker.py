"""The on-device checker built for this machine and called through ctypes."""

from __future__ import annotations

import ctypes as c
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from edgewm import targets
from edgewm.device_mark import DeviceMark, DevicePattern

SOURCES = targets.folder() / "cortex_m"
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wshadow", "-Werror")
_GUARD = 64


class Pattern(c.Structure):
    _fields_ = [
        *(("bytes", c.c_uint32), ("lattice_bytes", c.c_uint32), ("axes", c.c_uint16)),
        *(("lengths", c.c_uint16 * 4), ("points", c.c_uint16 * 4)),
        *(("multiplier", c.c_int32), ("offset", c.c_int32), ("levels", c.c_void_p)),
    ]


class Group(c.Structure):
    _fields_ = [
        *(("first_input", c.c_uint16), ("answer", c.c_uint16)),
        *(("inputs", c.c_uint8), ("chance", c.c_uint8)),
    ]


class Mark(c.Structure):
    _fields_ = [
        *(("pattern", Pattern), ("seed", c.c_char_p), ("inputs", c.c_void_p)),
        *(("groups", c.POINTER(Group)), ("natural", c.c_void_p), ("allowed", c.c_void_p)),
        *(("nodes", c.c_void_p), ("group_count", c.c_uint16), ("class_count", c.c_uint16)),
        *(("allowed_count", c.c_uint16), ("node_count", c.c_uint16)),
        *(("start_mantissa", c.c_uint32), ("start_exponent", c.c_int32)),
    ]


class Said(c.Structure):
    """What `edgewm_check` returns."""

    _fields_ = [
        *(("owned", c.c_uint8), ("groups", c.c_uint16), ("hits", c.c_uint16)),
        *(("silent", c.c_uint16), ("inferences", c.c_uint32)),
    ]


_INFER = c.CFUNCTYPE(c.c_int32, c.c_void_p, c.POINTER(c.c_int8))


def built(folder: Path) -> c.CDLL:
    """The checker as a library; an overflow or a shift too far ends the process."""
    library = folder / "checker.so"
    flags = ("-O1", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-fPIC")
    source = str(SOURCES / "edgewm_check.c")
    subprocess.run(
        ["gcc", *WARNINGS, *flags, "-shared", source, "-o", str(library)], check=True, timeout=60
    )
    loaded = c.CDLL(str(library))
    loaded.edgewm_check.restype = Said
    loaded.edgewm_label.restype = c.c_int32
    return loaded


def drawn(library: c.CDLL, pattern: DevicePattern, seed: bytes, index: int) -> np.ndarray:
    """One input as the C draws it, int8 (bytes,); nothing beside the buffer is written."""
    held, _ = _pattern(pattern)
    room = np.full(pattern.bytes + 2 * _GUARD, 77, np.int8)
    library.edgewm_draw(
        c.byref(held), seed, c.c_uint32(index), c.c_void_p(room.ctypes.data + _GUARD)
    )
    assert (room[:_GUARD] == 77).all()
    assert (room[-_GUARD:] == 77).all()
    return room[_GUARD:-_GUARD]


def checked(
    library: c.CDLL, mark: DeviceMark, infer: Callable[[np.ndarray], int]
) -> tuple[bool, int, int, int, int]:
    """(owned, groups, hits, silent, inferences) of a mark; infer takes int8 (bytes,), gives a label."""
    pattern, kept = _pattern(mark.pattern)
    groups = (Group * len(mark.groups))(
        *[Group(g.first_input, g.answer, g.inputs, g.chance) for g in mark.groups]
    )
    natural = np.packbits(mark.natural, axis=1, bitorder="little").copy()
    arrays = [
        natural,
        np.array(mark.allowed, np.uint16),
        np.array(mark.nodes, np.uint32),
        *([] if mark.stored is None else [np.ascontiguousarray(mark.stored)]),
    ]
    held = Mark(
        pattern=pattern,
        seed=mark.seed,
        inputs=None if mark.stored is None else arrays[3].ctypes.data,
        groups=groups,
        natural=arrays[0].ctypes.data,
        allowed=arrays[1].ctypes.data,
        nodes=arrays[2].ctypes.data,
        group_count=len(mark.groups),
        class_count=mark.natural.shape[1],
        allowed_count=len(mark.allowed),
        node_count=len(mark.nodes),
        start_mantissa=mark.start_mantissa,
        start_exponent=mark.start_exponent,
    )
    buffer = np.zeros(mark.pattern.bytes, np.int8)
    ask = _INFER(lambda context, at: infer(np.ctypeslib.as_array(at, (mark.pattern.bytes,))))
    said = library.edgewm_check(c.byref(held), ask, None, c.c_void_p(buffer.ctypes.data))
    del kept
    return bool(said.owned), said.groups, said.hits, said.silent, said.inferences


def label(library: c.CDLL, output: Sequence[int], least: int) -> int:
    """The label of raw outputs."""
    held = np.array(output, np.int8)
    return int(library.edgewm_label(c.c_void_p(held.ctypes.data), c.c_uint32(len(held)), least))


def _pattern(pattern: DevicePattern) -> tuple[Pattern, np.ndarray]:
    levels = np.array(pattern.levels, np.int8)
    held = Pattern(
        bytes=pattern.bytes,
        lattice_bytes=pattern.lattice_bytes,
        axes=len(pattern.lengths),
        lengths=(c.c_uint16 * 4)(*pattern.lengths),
        points=(c.c_uint16 * 4)(*pattern.points),
        multiplier=pattern.multiplier,
        offset=pattern.offset,
        levels=levels.ctypes.data if pattern.levels else None,
    )
    return held, levels
