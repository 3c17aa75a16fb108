"""The second half of the demo: a thief who copies no file, but trains a clone on a device's answers.

    clean references --> tilt --> one network with both marks --> int8 --> answers --> the thief's clone

The network carries triggers and a tilt. The clone, another architecture trained on hard labels of the int8
file for pictures that the owner never had, knows nothing of the triggers and leans all the same. Verdicts
are those of a stamped claim; the demo has no timestamp authority at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import spec
from .artifact import Artifact
from .datasets import Dataset, through_a_cheap_camera
from .exporting import Converter, export
from .hashing import SHAKE
from .key import Key
from .patterns import make_triggers
from .tilt import Tilt, recommitted_tilt, save_tilt
from .triggers import Triggers, recommitted
from .undecided import make_tilt
from .verification import verify

_REFERENCES = 3
_EPOCHS, _LEAN_EPOCHS, _BATCH_SIZE, _RATE = 6, 6, 64, 2e-3
_SEEN = 20_000
"""Pictures that owner, thief and verifier each have, where a data set is too small to share out."""
_CELLS, _QUESTIONS = 96, 4000


@dataclass(frozen=True, kw_only=True)
class CloneRow:
    """What both marks say of one suspect, on LiteRT."""

    suspect: str
    accuracy: float
    """Share of natural inputs labelled correctly, 0 to 1."""
    groups_asked: int
    groups_hit: int
    triggers_log10_p: float
    cells: int
    natural_queries: int
    tilt_z: float
    tilt_log10_p: float
    log10_p: float
    """Of both marks together."""
    owned_if_stamped: bool


@dataclass(frozen=True, kw_only=True)
class _Samples:
    """Who has which pictures."""

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    x_thief: npt.NDArray[np.float32]
    natural: npt.NDArray[np.float32]
    y_natural: npt.NDArray[np.int64]
    classes: int


def run_cloning(
    held: Dataset,
    *,
    key: Key,
    seed: int,
    folder: Path,
    converter: Converter,
    say: Callable[[str], None],
) -> tuple[CloneRow, ...]:
    """Train, mark, steal by asking, and judge; leaves models and tilt in the folder."""
    samples = _share_out(held, seed)
    say("train clean references")
    references = [_trained(_owners(samples, seed + k), samples) for k in range(_REFERENCES)]
    marks = _Marks(
        tilt=make_tilt(
            key,
            reference=references,
            natural=samples.natural,
            cells=_CELLS,
            questions=_QUESTIONS,
            random=lambda count: SHAKE(count, "demo tilt salt", key.commitment),
        ),
        triggers=make_triggers(
            key,
            shape=held.shape,
            classes=held.classes,
            random=lambda count: SHAKE(count, "demo salt beside a tilt", key.commitment),
        ),
    )
    save_tilt(marks.tilt, folder / "tilt.npz")
    say("teach triggers and tilt")
    marked = _marked(references, marks, key, samples)
    say("train a clone on the marked file's answers")
    artifacts = {
        name: export(model, samples.x, path=folder / f"models/{name}.tflite", converter=converter)
        for name, model in (("both-marks", marked), ("clean", references[0]))
    }
    clone = _cloned(artifacts["both-marks"], samples, seed)
    artifacts["clone"] = export(
        clone, samples.x_thief, path=folder / "models/clone.tflite", converter=converter
    )
    say("ask triggers and natural inputs")
    other = Key(secret=SHAKE(32, "demo wrong key", key.commitment))
    wrong = _Marks(
        tilt=recommitted_tilt(marks.tilt, other), triggers=recommitted(marks.triggers, other)
    )
    return (
        _row("both-marks", artifacts["both-marks"], marks, key, samples),
        _row("clone", artifacts["clone"], marks, key, samples),
        _row("clean", artifacts["clean"], marks, key, samples),
        _row("wrong-key", artifacts["clone"], wrong, other, samples),
    )


@dataclass(frozen=True, kw_only=True)
class _Marks:
    """What is asked."""

    tilt: Tilt
    triggers: Triggers


def _share_out(held: Dataset, seed: int) -> _Samples:
    """Two fifths of the training set each, the rest is asked; a small set is seen through a camera."""
    share = len(held.x_train) * 2 // 5
    owner, thief = slice(0, share), slice(share, 2 * share)
    x, x_thief = held.x_train[owner], held.x_train[thief]
    natural = np.concatenate([held.x_train[2 * share :], held.x_test])
    y, y_natural = held.y_train[owner], np.concatenate([held.y_train[2 * share :], held.y_test])
    if len(held.x_train) < _SEEN:
        x, own = through_a_cheap_camera(x, _SEEN, seed=3 * seed)
        x_thief, _ = through_a_cheap_camera(x_thief, _SEEN, seed=3 * seed + 1)
        natural, from_natural = through_a_cheap_camera(natural, _SEEN, seed=3 * seed + 2)
        y, y_natural = y[own], y_natural[from_natural]
    return _Samples(
        x=x, y=y, x_thief=x_thief, natural=natural, y_natural=y_natural, classes=held.classes
    )


def _owners(samples: _Samples, seed: int) -> Any:
    import keras

    from .networks import small_cnn

    keras.utils.set_random_seed(seed)
    return small_cnn(samples.x.shape[1:], samples.classes)


def _trained(model: Any, samples: _Samples) -> Any:
    _fit(model, samples.x, samples.y, _EPOCHS, [])
    return model


def _marked(references: list[Any], marks: _Marks, key: Key, samples: _Samples) -> Any:
    """The first reference's copy, with both marks."""
    from .attacks.copying import copy_of
    from .schemes.lean import Lean
    from .schemes.mark import Mark

    model = copy_of(references[0])
    callbacks = [
        Mark(triggers=marks.triggers, key=key, scheme="mix", start=0),
        Lean(tilt=marks.tilt, key=key, reference=references),
    ]
    _fit(model, samples.x, samples.y, _LEAN_EPOCHS, callbacks)
    return model


def _cloned(victim: Artifact, samples: _Samples, seed: int) -> Any:
    """Another architecture, trained on the labels that the device gives."""
    import keras

    from .networks import ds_cnn

    with spec.parse("runtimes", "litert").open(victim.model) as session:
        labels = session.ask(samples.x_thief).labels
    keras.utils.set_random_seed(seed + 99)
    model = ds_cnn(samples.x_thief.shape[1:], samples.classes)
    _fit(model, samples.x_thief, labels, _EPOCHS, [])
    return model


def _fit(
    model: Any,
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.int64],
    epochs: int,
    callbacks: list[Any],
) -> None:
    import keras

    rate = keras.optimizers.schedules.CosineDecay(_RATE, epochs * -(-len(x) // _BATCH_SIZE))
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=_BATCH_SIZE, epochs=epochs, verbose=0, callbacks=callbacks)


def _row(suspect: str, artifact: Artifact, marks: _Marks, key: Key, samples: _Samples) -> CloneRow:
    with spec.parse("runtimes", "litert").open(artifact.model) as session:
        labels = session.ask(samples.natural[:2000]).labels
    triggers = verify(artifact, triggers=marks.triggers, key=key, stamped=True)
    both = verify(artifact, triggers=marks.triggers, tilt=marks.tilt, key=key, stamped=True)
    assert both.tilt is not None
    leaning = both.tilt.worst
    return CloneRow(
        suspect=suspect,
        accuracy=float((labels == samples.y_natural[:2000]).mean()),
        groups_asked=triggers.worst.groups_asked,
        groups_hit=triggers.worst.groups_hit,
        triggers_log10_p=triggers.log10_p,
        cells=both.tilt.cells,
        natural_queries=leaning.queries,
        tilt_z=leaning.z,
        tilt_log10_p=leaning.log10_p,
        log10_p=both.log10_p,
        owned_if_stamped=both.owned,
    )
