"""The text of `edgewm_model.c` and `edgewm_model.h`: constants, an arena, one call a kernel.

The same model gives the same bytes. Weights stand in the order that the file has, so `edgewm match` finds
them in the firmware.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .graph import Graph, Operand
from .placing import Placed, calls_of, place
from .step import Argument, Array, Call, Scratch, Step, Structure

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

#ifdef __cplusplus
extern "C" {{
#endif

/* Input and output may not overlap; one inference at a time. */
void edgewm_model_infer(const int8_t *input, int8_t *output);

#ifdef __cplusplus
}}
#endif

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
    placed = place(graph, steps)
    constants = _Constants(placed)
    lines = [
        f"  edgewm_{call.function}({', '.join(constants.arguments(call, scratch))});"
        for call, scratch in zip(calls_of(steps), placed.scratch, strict=True)
    ]
    if not placed.output_is_written:
        copied = constants.pointer(graph.output)
        lines.append(f"  memcpy(output, {copied}, EDGEWM_MODEL_OUTPUT_BYTES);")
    if not any("input" in line for line in lines):
        lines.insert(0, "  (void)input;")
    includes = ["#include <string.h>\n\n"] if not placed.output_is_written else []
    text = (
        "/* Written by `edgewm device engine`. */\n"
        '#include "edgewm_model.h"\n\n'
        f"{''.join(includes)}"
        '#include "edgewm_engine.h"\n\n'
        f"{_ARENA if placed.arena_bytes else ''}"
        f"{''.join(constants.texts)}"
        "void edgewm_model_infer(const int8_t *input, int8_t *output) {\n"
        + "\n".join(lines)
        + "\n}\n"
    )
    return Source(text=text, arena_bytes=placed.arena_bytes, constant_bytes=constants.bytes)


_ARENA = """\
static union {
  int32_t alignment;
  int8_t bytes[EDGEWM_MODEL_ARENA_BYTES];
} arena;

"""


class _Constants:
    """Definitions, each array once however often it is used."""

    def __init__(self, placed: Placed) -> None:
        self.texts: list[str] = []
        self.bytes = 0
        self._placed = placed
        self._names: dict[tuple[str, bytes], str] = {}
        self._structures = 0

    def arguments(self, call: Call, scratch: str) -> list[str]:
        """The arguments of a call as C has them."""
        return [self._argument(argument, call, scratch) for argument in call.arguments]

    def _argument(self, argument: Argument, call: Call, scratch: str) -> str:
        if isinstance(argument, str):
            return argument
        if isinstance(argument, Scratch):
            return scratch
        if isinstance(argument, Structure):
            return "&" + self._structure(argument)
        if isinstance(argument, Array):
            return self._array(argument)
        offset = f" + {call.offset}" if argument is call.output and call.offset else ""
        return self.pointer(argument) + offset

    def pointer(self, operand: Operand) -> str:
        """A pointer to a tensor's values."""
        known = self._placed.pointers.get(operand.index)
        if known is not None:
            return known
        stored = self._placed.roots.get(operand.index, operand)
        return self._array(Array(values=stored.values("int8").ravel()))

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
