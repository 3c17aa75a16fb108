"""From a trained Keras 3 model to the TFLite file that ships, measured before and after.

`edgewm.conversion` makes the bytes; here a runtime opens them, says what they take and give, and is
asked the held-out samples and the secret inputs beside the float model, so that what quantisation
cost is known before the file leaves the house.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import spec, stats
from .artifact import Artifact, Tensor
from .conversion import FORMATS, Converter, Inputs, finite
from .converter import KerasModel
from .errors import BadInput
from .files import write_file
from .key import Key
from .parts import SplitSession, rule
from .runtimes import Runtime, Session, label_rule
from .triggers import Triggers

__all__ = ["FORMATS", "Converter", "export"]

HeldOut = tuple[Inputs, npt.NDArray[np.integer[Any]]]


def export(
    model: KerasModel,
    representative: Inputs | None = None,
    *,
    path: Path | str | None = None,
    held_out: HeldOut | None = None,
    triggers: Triggers | None = None,
    key: Key | None = None,
    format: str = "int8",
    runtime: Runtime | str = "litert",
    converter: Converter | None = None,
) -> Artifact:
    """Convert a Keras 3 model with one float32 input and one output, and measure the file.

    Args:
        model: a keras.Model, or the path of a .keras file, which only the child opens (safe mode).
        representative: (n, *shape) float, in the model's value range; the first 200 calibrate.
        path: where the file is written, whole or not at all.
        held_out: inputs (n, *shape) and labels (n,); gives the accuracy before and after.
        triggers: with `key`, gives the groups hit before (float model) and after (on `runtime`).
        key: the key of `triggers`.
        format: a name in FORMATS.
        runtime: the plug-in that answers for the file, or its spelling.
        converter: one to share; without it one is started and ended, which takes about 10 s.

    Raises:
        BadInput: an unusable argument, an operator that cannot be quantised, a full disk.
        ModelRefused: the runtime does not run the file.
        RuntimeUnavailable: TensorFlow or the runtime is not installed.
    """
    plugin: Runtime = spec.parse("runtimes", runtime) if isinstance(runtime, str) else runtime
    if not plugin.needs_model:
        raise BadInput(f"--runtime: {spec.spell(plugin)} does not run a file, name litert")
    target = _checked_path(path)
    x, y = _checked_held_out(held_out)
    if (triggers is None) != (key is None):
        raise BadInput("--key: triggers and key go together, give both or neither")
    ask = [] if x is None else [x]
    if triggers is not None:
        ask.append(triggers.inputs)
        if triggers.natural is not None:
            ask.append(triggers.natural)
    _check_same_shape(representative, x, triggers)
    serving = Converter() if converter is None else converter
    try:
        converted = serving.convert(model, representative, format=format, ask=ask)
    finally:
        if converter is None:
            serving.close()
    with plugin.open(converted.model) as session:
        assert session.facts is not None
        artifact = Artifact(
            model=converted.model,
            format=format,
            inputs=session.facts.inputs,
            outputs=session.facts.outputs,
        )
        outputs = list(converted.float_outputs)
        if x is not None:
            artifact = _with_accuracy(artifact, session, x, y, outputs.pop(0))
        if triggers is not None and key is not None:
            artifact = _with_groups(artifact, session, triggers, key, outputs)
    if target is not None:
        write_file(target, artifact.model, argument="--out")
    return artifact


def _with_accuracy(
    artifact: Artifact,
    session: Session,
    x: Inputs,
    y: npt.NDArray[np.integer[Any]],
    outputs: npt.NDArray[np.float32],
) -> Artifact:
    classes = max(outputs.shape[1], 2)
    if y.min() < 0 or y.max() >= classes:
        raise BadInput(
            f"held_out: got labels {y.min()} to {y.max()}, the model has classes 0 to {classes - 1}"
        )
    return dataclasses.replace(
        artifact,
        float_accuracy=float((_labels(outputs) == y).mean()),
        accuracy=float((session.ask(x).labels == y).mean()),
    )


def _with_groups(
    artifact: Artifact,
    session: Session,
    triggers: Triggers,
    key: Key,
    of_float: list[npt.NDArray[np.float32]],
) -> Artifact:
    """Groups hit; `of_float` are the float model's outputs for triggers, and for natural inputs."""
    if triggers.natural is not None:
        return _with_parts(artifact, session, triggers, key, of_float)
    (outputs,) = of_float
    classes = max(outputs.shape[1], 2)
    if classes != triggers.classes:
        raise BadInput(
            f"--triggers: drawn for {triggers.classes} classes, the model has {classes}, "
            "use the triggers of this model"
        )
    answers = triggers.answers(key)
    return dataclasses.replace(
        artifact,
        float_groups_hit=_hits(_labels(outputs), triggers, answers),
        groups_hit=_hits(session.ask(triggers.inputs).labels, triggers, answers),
    )


def _with_parts(
    artifact: Artifact,
    session: Session,
    triggers: Triggers,
    key: Key,
    of_float: list[npt.NDArray[np.float32]],
) -> Artifact:
    outputs, natural_outputs = of_float
    answers, ids = triggers.answers(key), triggers.group_ids.astype(np.int64)
    asked = SplitSession(session, triggers)
    return dataclasses.replace(
        artifact,
        float_groups_hit=_hits(
            rule(triggers, natural_outputs).parts(outputs, ids), triggers, answers
        ),
        groups_hit=_hits(asked.ask(triggers.inputs).labels, triggers, answers),
    )


def _hits(labels: npt.NDArray[np.int64], triggers: Triggers, answers: npt.NDArray[np.int64]) -> int:
    outcomes = stats.choose(labels, triggers.group_ids, excluded=triggers.excluded, answers=answers)
    return int((outcomes == stats.Outcome.HIT).sum())


def _labels(outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    tensor = Tensor(name="", shape=outputs.shape, dtype="float32", scale=0.0, zero_point=0)
    return label_rule.labels(outputs, tensor)


def _checked_held_out(held_out: HeldOut | None) -> tuple[Inputs | None, npt.NDArray[Any]]:
    if held_out is None:
        return None, np.zeros(0, np.int64)
    x, y = finite("held_out", held_out[0]), np.asarray(held_out[1])
    if y.shape != (len(x),) or y.dtype.kind not in "iu":
        raise BadInput(
            f"held_out: got labels {y.dtype} {y.shape}, expected whole numbers, one for each of "
            f"{len(x)} samples"
        )
    return x, y


def _check_same_shape(
    representative: Inputs | None, x: Inputs | None, triggers: Triggers | None
) -> None:
    given = {
        "representative": getattr(representative, "shape", None),
        "held_out": getattr(x, "shape", None),
        "--triggers": None if triggers is None else triggers.inputs.shape,
    }
    shapes = [(name, tuple(shape[1:])) for name, shape in given.items() if shape]
    for name, shape in shapes[1:]:
        if shape != shapes[0][1]:
            raise BadInput(
                f"{name}: got inputs of shape {shape}, expected {shapes[0][1]} as in {shapes[0][0]}"
            )


def _checked_path(path: Path | str | None) -> Path | None:
    if path is None:
        return None
    target = Path(path)
    if target.is_dir() or not target.parent.is_dir():
        raise BadInput(f"--out: got {target}, expected a file name in a folder that exists")
    return target
