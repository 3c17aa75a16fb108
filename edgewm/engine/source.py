"""The text of `edgewm_model.c` and `edgewm_model.h`: constants, an arena, one call a kernel.

The same model gives the same bytes. Weights stand in the order that the file has, so `edgewm match` finds
them in the firmware.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .arena import Block, plan
from .graph import Graph, Operand
from .step import Alias, Argument, Array, Call, Scratch, Step, Structure

_NUMBERS_A_LINE = 24


def header(graph: Graph, arena_bytes: int, digest: str) -> str:
    """`edgewm_model.h`."""
    return f"""\
/* Written by `edgewm device engine` from a .tflite of sha256
 * {digest}
 * {len(graph.operators)} operators, {graph.macs} multiply-accumulates an inference. */
#ifndef EDGEWM_MODEL_H
#define EDGEWM_MODEL_H

#include <stdint.h>

/* int8 values of shape {_shape(graph.input)}; a value x stands for (x - ZERO_POINT) * SCALE. */
#define EDGEWM_MODEL_INPUT_BYTES {graph.input.size}
#define EDGEWM_MODEL_INPUT_SCALE {_float(graph.input.scale)}
#define EDGEWM_MODEL_INPUT_ZERO_POINT ({graph.input.zero_point})

/* int8 values of shape {_shape(graph.output)}, as they are: nothing is dequantised. */
#define EDGEWM_MODEL_OUTPUT_BYTES {graph.output.size}
#define EDGEWM_MODEL_OUTPUT_SCALE {_float(graph.output.scale)}
#define EDGEWM_MODEL_OUTPUT_ZERO_POINT ({graph.output.zero_point})

/* Memory for what lies between, inside edgewm_model.c; input and output are the caller's. */
#define EDGEWM_MODEL_ARENA_BYTES {arena_bytes}

/* Input and output may not overlap; one inference at a time. */
void edgewm_model_infer(const int8_t *input, int8_t *output);

#endif
"""


@dataclass(frozen=True, kw_only=True)
class Source:
    """`edgewm_model.c`."""

    text: str
    arena_bytes: int
    constant_bytes: int
    """Of its arrays."""


def source(graph: Graph, steps: Sequence[Step]) -> Source:
    """The C of a graph whose operators have become these steps, in the same order."""
    places, scratch, arena_bytes = _places(graph, steps)
    constants = _Constants()
    lines = []
    calls = [call for step in steps if not isinstance(step, Alias) for call in step]
    for call, room in zip(calls, scratch, strict=True):
        written = [constants.argument(argument, call, places, room) for argument in call.arguments]
        lines.append(f"  edgewm_{call.function}({', '.join(written)});")
    if not _is_written(graph, steps):
        copied = constants.pointer(graph.output, places)
        lines.append(f"  memcpy(output, {copied}, EDGEWM_MODEL_OUTPUT_BYTES);")
    needs_memory = "#include <string.h>\n\n" if any("memcpy" in line for line in lines) else ""
    unused = [
        f"  (void){name};" for name in ("input",) if not any("input" in line for line in lines)
    ]
    arena = (
        "static union {\n"
        "  int32_t alignment;\n"
        "  int8_t bytes[EDGEWM_MODEL_ARENA_BYTES];\n"
        "} arena;\n\n"
        if arena_bytes
        else ""
    )
    text = (
        "/* Written by `edgewm device engine`. */\n"
        '#include "edgewm_model.h"\n\n'
        f"{needs_memory}"
        '#include "edgewm_engine.h"\n\n'
        f"{arena}"
        f"{''.join(constants.texts)}"
        "void edgewm_model_infer(const int8_t *input, int8_t *output) {\n"
        + "\n".join([*unused, *lines])
        + "\n}\n"
    )
    return Source(text=text, arena_bytes=arena_bytes, constant_bytes=constants.bytes)


Places = dict[int, str]
"""C expression of a pointer to each computed tensor."""


def _roots(steps: Sequence[Step]) -> dict[int, Operand]:
    """For each tensor that is another's alias, that other."""
    roots: dict[int, Operand] = {}
    for step in steps:
        if isinstance(step, Alias):
            roots[step.output.index] = roots.get(step.input.index, step.input)
    return roots


def _is_written(graph: Graph, steps: Sequence[Step]) -> bool:
    """Whether a call writes the output; where it is the input under another shape, none does."""
    root = _roots(steps).get(graph.output.index, graph.output)
    return root.index != graph.input.index and not root.stored


def _places(graph: Graph, steps: Sequence[Step]) -> tuple[Places, list[str], int]:
    """Where each tensor lies, where each call's scratch lies, and how large the arena is."""
    roots = _roots(steps)
    output = roots.get(graph.output.index, graph.output).index
    fixed = {output: "output"} if _is_written(graph, steps) else {}
    fixed[graph.input.index] = "input"
    calls = [call for step in steps if not isinstance(step, Alias) for call in step]
    sizes: dict[int, int] = {}
    uses: dict[int, list[int]] = {}
    rooms: list[tuple[int, int]] = []
    for at, call in enumerate(calls):
        for argument in call.arguments:
            if isinstance(argument, Operand) and not argument.stored:
                root = roots.get(argument.index, argument)
                if root.index not in fixed and not root.stored:
                    sizes[root.index] = root.size
                    uses.setdefault(root.index, []).append(at)
            elif isinstance(argument, Scratch):
                rooms.append((at, argument.size))
    blocks = [Block(size=sizes[i], first=uses[i][0], last=uses[i][-1]) for i in sizes]
    blocks += [Block(size=size, first=at, last=at) for at, size in rooms]
    offsets, total = plan(blocks)
    places = dict(fixed)
    for index, offset in zip(sizes, offsets, strict=False):
        places[index] = f"arena.bytes + {offset}"
    for index, root in roots.items():
        if root.index in places:
            places[index] = places[root.index]
    scratch = [""] * len(calls)
    for (at, _), offset in zip(rooms, offsets[len(sizes) :], strict=True):
        scratch[at] = f"arena.bytes + {offset}"
    return places, scratch, total


class _Constants:
    """Definitions, each array once however often it is used."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.bytes = 0
        self._names: dict[tuple[str, bytes], str] = {}
        self._structures = 0

    def argument(self, argument: Argument, call: Call, places: Places, scratch: str) -> str:
        """An argument of a call as C has it."""
        if isinstance(argument, str):
            return argument
        if isinstance(argument, Scratch):
            return scratch
        if isinstance(argument, Structure):
            return "&" + self._structure(argument)
        if isinstance(argument, Array):
            return self._array(argument)
        offset = f" + {call.offset}" if argument is call.output and call.offset else ""
        return self.pointer(argument, places) + offset

    def pointer(self, operand: Operand, places: Places) -> str:
        """A pointer to a tensor's values."""
        if operand.index in places:
            return places[operand.index]
        return self._array(Array(values=operand.values("int8").ravel()))

    def _structure(self, structure: Structure) -> str:
        fields = [
            field if isinstance(field, str) else self._field(structure, field)
            for field in structure.fields
        ]
        self._structures += 1
        name = f"{structure.kind}_{self._structures}"
        self.texts.append(
            f"static const edgewm_{structure.kind}_t {name} = {{{', '.join(fields)}}};\n\n"
        )
        return name

    def _field(self, structure: Structure, field: Array) -> str:
        if structure.kind == "pad":  # holds its arrays itself
            return "{" + ", ".join(map(str, field.values.tolist())) + "}"
        return self._array(field)

    def _array(self, array: Array) -> str:
        kind = f"{array.values.dtype.name}_t"
        key = kind, array.values.tobytes()
        if key not in self._names:
            self._names[key] = f"values_{len(self._names) + 1}"
            self.bytes += array.values.nbytes
            listed = [_literal(value) for value in array.values.tolist()]
            rows = [
                "  " + ", ".join(listed[at : at + _NUMBERS_A_LINE])
                for at in range(0, len(listed), _NUMBERS_A_LINE)
            ]
            self.texts.append(
                f"static const {kind} {self._names[key]}[{len(listed)}] = {{\n"
                + ",\n".join(rows)
                + "\n};\n\n"
            )
        return self._names[key]


def _literal(value: int) -> str:
    """A number of at most 32 bits; the smallest has no literal of its own in C."""
    return "(-2147483647 - 1)" if value == -(2**31) else str(value)


def _shape(operand: Operand) -> str:
    return "(" + ", ".join(map(str, operand.shape)) + ")"


def _float(scale: float) -> str:
    """A literal in single precision: nine digits name it exactly."""
    digits = f"{scale:.9g}"
    return digits + ("f" if set(digits) & set(".e") else ".0f")
