"""An int8 `.tflite` as C that needs no runtime, bit-exact with TensorFlow Lite Micro.

It is the reference inference for boards and emulators on which no interpreter can be installed, so it claims
exactness before speed: every output equals that of the interpreter's reference kernels, double rounding
included. The kernels are portable C99 in `targets/cortex_m/engine/`; here a model is read (it may come from a
stranger), checked, and written as their constants and calls. What the kernels cannot do is refused by the
operator's number and name, before a file is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .. import targets
from ..errors import BadInput
from ..files import write_file
from . import elementwise, layers, reductions, shapes
from .graph import Operator, read_graph
from .source import header, source
from .step import Step

_LOWER: dict[str, Callable[[Operator], Step]] = {
    "ADD": elementwise.add,
    "AVERAGE_POOL_2D": reductions.average_pool,
    "CONCATENATION": shapes.concatenation,
    "CONV_2D": layers.convolution,
    "DEPTHWISE_CONV_2D": layers.depthwise,
    "EXPAND_DIMS": shapes.reshape,
    "FULLY_CONNECTED": layers.fully_connected,
    "LOGISTIC": elementwise.sigmoid,
    "MAX_POOL_2D": reductions.max_pool,
    "MEAN": reductions.mean,
    "MUL": elementwise.multiply,
    "SUB": elementwise.subtract,
    "PAD": shapes.pad,
    "PADV2": shapes.pad,
    "QUANTIZE": elementwise.quantize,
    "RELU": elementwise.relu,
    "RELU6": elementwise.relu6,
    "RESHAPE": shapes.reshape,
    "SOFTMAX": reductions.softmax,
    "SQUEEZE": shapes.reshape,
}

OPERATORS = tuple(_LOWER)
"""Names of the operators that can be written as C."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A model as C, and what it takes."""

    files: dict[str, str]
    """Text by file name: `edgewm_model.c`, `edgewm_model.h` and the kernels."""
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    constant_bytes: int
    """Weights, biases and multipliers in flash, without the kernels' code."""
    macs: int
    """Multiply-accumulates of one inference."""
    operators: int


def make_engine(model: bytes) -> Engine:
    """The C of a full-int8 `.tflite`.

    Raises:
        BadInput: it is not one, or has an operator that is not among `OPERATORS`.
    """
    graph = read_graph(model)
    steps = [_lowered(operator) for operator in graph.operators]
    written = source(graph, steps)
    digest = hashlib.sha256(model).hexdigest()
    files = {
        "edgewm_model.c": written.text,
        "edgewm_model.h": header(graph, written.arena_bytes, digest),
        **{path.name: path.read_text(encoding="utf-8") for path in kernels()},
    }
    return Engine(
        files=files,
        input_bytes=graph.input.size,
        output_bytes=graph.output.size,
        arena_bytes=written.arena_bytes,
        constant_bytes=written.constant_bytes,
        macs=graph.macs,
        operators=len(graph.operators),
    )


def write_engine(engine: Engine, folder: Path) -> None:
    """Write every file of an engine into a folder, which is made if it is not there.

    Raises:
        BadInput: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out: {folder} cannot be made: {error.strerror}") from None
    for name, text in engine.files.items():
        write_file(folder / name, text.encode(), argument="--out")


def kernels() -> list[Path]:
    """The C files that every model is compiled with."""
    return sorted((targets.folder() / "cortex_m" / "engine").glob("edgewm_*.[ch]"))


def _lowered(operator: Operator) -> Step:
    lower = _LOWER.get(operator.name)
    if lower is None:
        raise operator.refuse(
            f"not among the operators that can be written as C: {', '.join(sorted(OPERATORS))}"
        )
    return lower(operator)
