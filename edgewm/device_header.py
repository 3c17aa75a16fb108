"""The text of `edgewm_device.h`: what the checker in C is told of one mark, and the flash that it takes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .device_mark import DeviceMark

_NUMBERS_A_LINE = 24
_STRUCTURE_BYTES = 80
"""Of edgewm_mark_t where a pointer has 4 bytes."""
_GROUP_BYTES = 6
_SEED_BYTES = 32


def header(mark: DeviceMark) -> str:
    """`edgewm_device.h`, for one source file of the firmware to include."""
    questions = sum(group.inputs for group in mark.groups)
    size = mark.pattern.bytes
    seeded = mark.seed is not None
    inputs = "drawn on the device from their seed" if seeded else "stored"
    groups = [f"{{{g.first_input}, {g.answer}, {g.inputs}, {g.chance}}}" for g in mark.groups]
    natural = np.packbits(mark.natural, axis=1, bitorder="little").ravel()
    axes = ", ".join(
        f"{{{', '.join(map(str, (*held, 0, 0, 0, 0)[:4]))}}}"
        for held in (mark.pattern.lengths, mark.pattern.points)
    )
    arrays = [
        _array("uint8_t", "seed", mark.seed) if mark.seed is not None else "",
        _array("int8_t", "inputs", mark.stored.ravel()) if mark.stored is not None else "",
        _array("int8_t", "levels", mark.pattern.levels) if mark.pattern.levels else "",
        _array("edgewm_group_t", "groups", groups),
        _array("uint8_t", "natural", natural),
        _array("uint16_t", "allowed", mark.allowed),
        _array("uint32_t", "nodes", (f"{node}u" for node in mark.nodes)),
    ]
    return f"""\
/* Flash: {flash_bytes(mark)} bytes, with inputs {inputs}.
 * The {questions} inputs of {size} bytes take {questions * size} bytes stored, and {_SEED_BYTES} as a seed.
 * Written by `edgewm device export` from the triggers
 * {mark.triggers_sha256}.
 * Secret, as is every device it is built into: it holds the inputs or their seed, and the answers. */
#ifndef EDGEWM_DEVICE_H
#define EDGEWM_DEVICE_H

#include "edgewm_check.h"

#define EDGEWM_DEVICE_INPUT_BYTES {size}
/* Of a single output: the least int8 value that means class 1, for edgewm_label. */
#define EDGEWM_DEVICE_LEAST ({mark.least})

{"".join(arrays)}
/* Shown with an error probability of at most {mark.alpha!r}. */
static const edgewm_mark_t edgewm_device_mark = {{
    {{{size}u, {mark.pattern.lattice_bytes}u, {len(mark.pattern.lengths)}, {axes}, \
{mark.pattern.multiplier}, {mark.pattern.offset},
     {"edgewm_device_levels" if mark.pattern.levels else "0"}}},
    {"edgewm_device_seed" if seeded else "0"},
    {"0" if seeded else "edgewm_device_inputs"},
    edgewm_device_groups,
    edgewm_device_natural,
    edgewm_device_allowed,
    edgewm_device_nodes,
    {len(mark.groups)}, {mark.natural.shape[1]}, {len(mark.allowed)}, {len(mark.nodes)},
    {mark.start_mantissa}u,
    {mark.start_exponent}}};

#endif
"""


def flash_bytes(mark: DeviceMark) -> int:
    """What the header's constants take where a pointer has 4 bytes; without the checker's code."""
    return (
        _STRUCTURE_BYTES
        + (_SEED_BYTES if mark.seed is not None else 0)
        + (mark.stored.size if mark.stored is not None else 0)
        + len(mark.pattern.levels)
        + _GROUP_BYTES * len(mark.groups)
        + len(mark.groups) * -(-mark.natural.shape[1] // 8)
        + 2 * len(mark.allowed)
        + 4 * len(mark.nodes)
    )


def _array(kind: str, name: str, values: Iterable[object]) -> str:
    texts = [str(value) for value in values]
    rows = [
        ", ".join(texts[at : at + _NUMBERS_A_LINE]) for at in range(0, len(texts), _NUMBERS_A_LINE)
    ]
    joined = ",\n    ".join(rows)
    return f"static const {kind} edgewm_device_{name}[{len(texts)}] = {{\n    {joined}}};\n"
