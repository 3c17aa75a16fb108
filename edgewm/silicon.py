"""Which boards a runtime here answers like, input by input.

Benchmark logs of real boards print every output of a published model on published inputs. The same inputs
are asked of the runtimes here, and a row counts as identical when every printed number is that of the
runtime's own int8 row. Printed numbers have three decimals, rounded or cut off, and one int8 step of the
model's softmax is 1/256, so a tolerance of one in the third decimal never takes one step for another.

A folder of such recordings holds `inputs.npz` (`inputs`, int8 (n, *shape)) and `outputs.npz` (`runs` (r,),
`outputs` float32 (r, n, K), NaN where a run did not print that input).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .artifact import Tensor, read_model
from .content import of_bytes
from .errors import BadInput, ModelRefused, RuntimeUnavailable
from .files import NO_ARRAYS
from .flatbuffer import NotFlatbuffer
from .runtimes.begin import LOCAL_RUNTIMES, Begun
from .tflite import read_tflite
from .verdict import NotRun

MODEL = "mlperf_kws_dscnn_int8.tflite"
"""The file that the recorded boards ran; beside the recordings, or in `models` beside their folder."""
RUNTIMES = (*LOCAL_RUNTIMES, "litert:delegate=reference")
"""What is asked unless told otherwise: every interpreter and arithmetic that can run here."""
DECIMAL = 0.001
"""What printing leaves open: the last of three decimals."""
_CHUNK = 100
"""Inputs between two reports of progress."""


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """What boards printed."""

    inputs: npt.NDArray[np.int8] = field(repr=False)
    """(n, *shape), as the model's input tensor takes them."""
    runs: tuple[str, ...]
    """Round, organisation, system and variant of each run, with | between them."""
    outputs: npt.NDArray[np.float32] = field(repr=False)
    """(runs, n, K) as printed; NaN where not in that run."""
    model: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """One runtime beside one run."""

    runtime: str
    run: str
    rows_compared: int
    """Inputs whose outputs the run printed."""
    rows_identical: int
    """Of these, whose every printed number is the runtime's own."""
    top1_identical: int
    """Of these, whose largest output is of the same class; of equal ones the first counts."""
    arithmetic: str
    version: str

    @property
    def bit_exact(self) -> bool:
        """Every row of the run, and at least one, is identical."""
        return 0 < self.rows_compared == self.rows_identical


def read_recordings(folder: Path, *, model: Path | None = None) -> Recordings:
    """The recordings in a folder, and the model that the boards ran.

    Args:
        folder: with `inputs.npz` and `outputs.npz`.
        model: the `.tflite`; without it `MODEL` in the folder or in `models` beside it.

    Raises:
        BadInput: a file that is missing or holds something else.
    """
    inputs = _array(folder / "inputs.npz", "inputs")
    runs = _array(folder / "outputs.npz", "runs")
    outputs = _array(folder / "outputs.npz", "outputs")
    if inputs.dtype != np.int8 or inputs.ndim < 2:
        raise BadInput(
            f"--silicon: inputs are {inputs.dtype}{inputs.shape}, expected int8 (n, *shape)"
        )
    if outputs.ndim != 3 or outputs.dtype.kind != "f" or outputs.shape[1] != len(inputs):
        raise BadInput(
            f"--silicon: outputs are {outputs.dtype}{outputs.shape}, expected float32 "
            f"(runs, {len(inputs)} inputs, classes)"
        )
    if runs.shape != outputs.shape[:1]:
        raise BadInput(f"--silicon: got {runs.size} names of runs for {len(outputs)} runs")
    return Recordings(
        inputs=inputs.astype(np.int8),
        runs=tuple(map(str, runs)),
        outputs=outputs.astype(np.float32),
        model=read_model(_model_path(folder, model), "--model"),
    )


def replay(
    held: Recordings,
    on: Sequence[Begun],
    *,
    watch: Callable[[str, float], None] = lambda runtime, share: None,
) -> tuple[list[Likeness], list[NotRun]]:
    """Ask every runtime all inputs, and compare with every run.

    Args:
        held: what boards printed.
        on: the runtimes, from `runtimes.begin.begin`.
        watch: called with a runtime's spelling and the share of its inputs that are answered.

    Returns:
        One entry a runtime and run, and the runtimes that could not be asked, where they were optional.

    Raises:
        RuntimeUnavailable, ModelRefused: a runtime that is not optional.
        BadInput: recordings of a model with another number of outputs.
    """
    found: list[Likeness] = []
    not_run: list[NotRun] = []
    for part in on:
        try:
            rows, arithmetic, version = _answers(held, part, watch)
        except (RuntimeUnavailable, ModelRefused) as error:
            if not part.optional:
                raise
            not_run.append(NotRun(spelling=part.spelling, reason=str(error)))
            continue
        for run, printed in zip(held.runs, held.outputs, strict=True):
            compared, identical, top1 = compare(rows, printed)
            found.append(
                Likeness(
                    runtime=part.spelling,
                    run=run,
                    rows_compared=compared,
                    rows_identical=identical,
                    top1_identical=top1,
                    arithmetic=arithmetic,
                    version=version,
                )
            )
    return found, not_run


def compare(
    rows: npt.NDArray[np.float64], printed: npt.NDArray[np.float32]
) -> tuple[int, int, int]:
    """How many rows were printed, are identical, and have the same class on top.

    Args:
        rows: (n, K) real values of a runtime; NaN where it gave none, which is never identical.
        printed: (n, K) as a board printed them; NaN where not.
    """
    there = ~np.isnan(printed).any(axis=1)
    ours, theirs = rows[there], printed[there].astype(np.float64)
    with np.errstate(invalid="ignore"):
        identical = (np.abs(ours - theirs) < DECIMAL).all(axis=1)
    answered = ~np.isnan(ours).any(axis=1)
    top1 = answered & (ours.argmax(axis=1) == theirs.argmax(axis=1))
    return int(there.sum()), int(identical.sum()), int(top1.sum())


def _answers(
    held: Recordings, part: Begun, watch: Callable[[str, float], None]
) -> tuple[npt.NDArray[np.float64], str, str]:
    """Real values (n, K) of one runtime, its arithmetic and version."""
    tensor, output = _tensors(held.model)
    inputs = _real(held.inputs, tensor)
    with part.runtime.open(held.model if part.runtime.needs_model else None) as session:
        engine = session.engine
        parts: list[npt.NDArray[np.float64]] = []
        for at in range(0, len(inputs), _CHUNK):
            answers = session.ask(inputs[at : at + _CHUNK])
            if answers.outputs is None:
                raise BadInput(
                    f"--on: {part.spelling} gives labels only, a replay needs output values"
                )
            raw = answers.outputs
            rows = (raw if session.facts is None else _real(raw, output)).astype(np.float64)
            rows[answers.labels < 0] = np.nan
            parts.append(rows)
            watch(part.spelling, min(1.0, (at + _CHUNK) / len(inputs)))
    found = np.concatenate(parts)
    if found.shape[1] != held.outputs.shape[2]:
        raise BadInput(
            f"--silicon: runs print {held.outputs.shape[2]} outputs, "
            f"the model gives {found.shape[1]}: these are not recordings of this model"
        )
    return found, engine.arithmetic, engine.version


def _tensors(model: bytes) -> tuple[Tensor, Tensor]:
    """The model's one input and one output, as its file declares them: boards cannot tell."""
    try:
        facts = read_tflite(of_bytes(model))
    except NotFlatbuffer as error:
        raise BadInput(f"--model: no TensorFlow Lite model: {error}") from None
    if len(facts.inputs) != 1 or len(facts.outputs) != 1:
        raise BadInput("--model: expected one input and one output, as the boards ran")
    return facts.inputs[0], facts.outputs[0]


def _real(raw: npt.NDArray[np.generic], tensor: Tensor) -> npt.NDArray[np.float32]:
    """What stored numbers of a tensor stand for."""
    if raw.dtype.kind == "f":
        return raw.astype(np.float32)
    return tensor.real(raw.astype(np.float64)).astype(np.float32)


def _model_path(folder: Path, named: Path | None) -> Path:
    if named is not None:
        return named
    places = (folder / MODEL, folder.resolve().parent / "models" / MODEL)
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise BadInput(
            f"--silicon: {MODEL}, which the boards ran, is neither in {folder} nor in models "
            "beside it: name it with --model"
        )
    return found


def _array(path: Path, name: str) -> npt.NDArray[np.generic]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if name not in file.files:
                raise BadInput(f"--silicon: {path} holds no array {name!r}")
            return np.asarray(file[name])
    except NO_ARRAYS as error:
        why = getattr(error, "strerror", None) or "it is no .npz of plain arrays"
        raise BadInput(f"--silicon: {path} cannot be read: {why}") from None
