"""The owners' networks of the robustness benchmark: made once, kept in results/cache, handed to thieves.

A pair is one data set, one scheme, one seed and one key. Clean networks, references, thieves' samples and
the tilt are those of tilt_training.py. Schemes:

    default   64 abstract triggers (`robust`, 6 rows) and a tilt of 128 cells at strength 5, taught together
              for some epochs to a network that is trained already; p = 2 min(p of the triggers, p of the
              tilt). Rows, strength and epochs were chosen on seed 0 among nine settings, whose thieves
              stood within two points of each other; seeds 1 and 2 had no part in it
    triggers  64 abstract triggers alone, 8 rows, taught for some epochs: no clone inherits them
    more      the same with 128 triggers and 16 rows
    adi       100 abstract triggers with random labels, 2 in a batch of 100, from the first epoch on
              (Adi et al., USENIX Security 2018, their settings)
    logo      one drawing in a corner, 10 % of class 1 with it is taught as class 3, from the first epoch on
              (Zhang et al., AsiaCCS 2018; settings of DeepJudge, IEEE S&P 2022). One class is one draw of a
              key: however many inputs hit, p is not below 1 in 9
    margin    100 held-out pictures with random labels, margins taught around them (`baseline_margin.py`)
    ewe       patched pictures of one class entangled with another (`baseline_ewe.py`), one draw as well

    python benchmarks/robustness_victims.py fashion_mnist default 0      one owner's network
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import baseline_ewe
import baseline_margin
import numpy as np
import numpy.typing as npt
from results_file import CACHE
from robustness_evidence import Marks, OneClass
from tilt_training import (
    LEAN,
    PROTOCOLS,
    REFERENCES,
    Job,
    alone,
    data_of,
    int8_of,
    key_of,
    leaning_inputs,
    make,
    references_of,
    tilt_of,
)

GROUPS = {
    "default": 64,
    "triggers": 64,
    "more": 128,
    "adi": 100,
    "margin": baseline_margin.TRIGGERS,
}
SCHEMES = (*GROUPS, "logo", "ewe")
TILTED = ("default",)
BOTH_ROWS, BOTH_STRENGTH, BOTH_MORE_EPOCHS = 6, 5.0, 1
"""Triggers in a batch, lean, and epochs beyond those of a tilt alone, where both marks are taught."""
ONE_CLASS_INPUTS = 100
LOGO_FROM, LOGO_TO, LOGO_SHARE, LOGO_SIDE = 1, 3, 0.1, 8
INDEPENDENT = 200
"""Seed of a network of the clone's architecture, trained on the thief's samples by their true labels."""
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One owner."""

    dataset: str
    scheme: str
    seed: int

    def __str__(self) -> str:
        return f"{self.dataset}-{self.scheme}-{self.seed}"

    @property
    def clean(self) -> Job:
        """The network before it is marked: the unmarked twin."""
        return Job(dataset=self.dataset, seed=self.seed, stage="clean")

    @property
    def independent(self) -> Job:
        """A network that has nothing of the owner's."""
        return Job(dataset=self.dataset, seed=INDEPENDENT, stage="independent")

    @property
    def path(self) -> Path:
        """Where the marked network is kept."""
        return CACHE / f"robustness-{self}.keras"


def marks_of(pair: Pair) -> Any:
    """The questions of one owner, the same ones every time."""
    if pair.scheme == "logo":
        held = data_of(pair.dataset)
        own = held.x_test[held.y_test == LOGO_FROM][:ONE_CLASS_INPUTS]
        return OneClass(inputs=with_logo(own), own=LOGO_FROM, answer=LOGO_TO, classes=held.classes)
    if pair.scheme == "ewe":
        return OneClass(
            inputs=np.load(asked_of(pair)),
            own=baseline_ewe.SOURCE,
            answer=baseline_ewe.TARGET,
            classes=data_of(pair.dataset).classes,
        )
    tilt = tilt_of(pair.clean) if pair.scheme in TILTED else None
    return Marks(triggers=triggers_of(pair), tilt=tilt, key=key_of(pair.seed))


def triggers_of(pair: Pair) -> Any:
    """The trigger part of them."""
    from edgewm.hashing import SHAKE
    from edgewm.patterns import make_triggers

    held = data_of(pair.dataset)
    if pair.scheme == "margin":
        unseen = PROTOCOLS[pair.dataset].natural
        held_out = held.x_train[unseen], held.y_train[unseen]
        return baseline_margin.triggers_among(
            *held_out, key=key_of(pair.seed), classes=held.classes, seed=pair.seed
        )
    return make_triggers(
        key_of(pair.seed),
        shape=held.shape,
        classes=held.classes,
        groups=GROUPS[pair.scheme],
        value_range=range_of(pair.dataset),
        random=lambda count: SHAKE(count, "robustness salt", pair.scheme, pair.seed),
    )


def asked_of(pair: Pair) -> Path:
    """Where inputs are kept that the owner's training makes."""
    return pair.path.with_suffix(".npy")


def range_of(dataset: str) -> tuple[float, float]:
    """What values the networks of a data set take."""
    if dataset != "speech_commands":
        return 0.0, 1.0
    x = data_of(dataset).x_train
    return float(np.floor(x.min())), float(np.ceil(x.max()))


def with_logo(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Pictures (n, *shape) with a drawing of 8x8 in the lower right corner."""
    rows, columns = np.mgrid[:LOGO_SIDE, :LOGO_SIDE] - (LOGO_SIDE - 1) / 2
    ring = (np.abs(np.hypot(rows, columns) - 2.8) < 0.8) | (np.abs(rows - columns) < 0.8)
    marked = x.copy()
    marked[:, -LOGO_SIDE:, -LOGO_SIDE:] = ring[None, :, :, None]
    return marked


def prepare(pair: Pair) -> None:
    """Make whatever of a pair is not kept yet: clean networks, references, the marked one."""
    needed = [pair.clean, pair.independent]
    if pair.scheme in TILTED:
        needed += [pair.clean.at("clean", seed) for seed in REFERENCES]
    for job in needed:
        with alone(job.path):
            if not job.path.exists():
                make(job)
    with alone(pair.path):
        if not pair.path.exists():
            _mark(pair)


def _mark(pair: Pair) -> None:
    import keras

    keras.utils.set_random_seed(1000 * pair.seed + sum(pair.scheme.encode()))
    taught = {"default": _both, "triggers": _triggers, "more": _triggers}
    taught |= {"adi": _adi, "logo": _logo, "margin": _margin, "ewe": _ewe}
    model = taught[pair.scheme](pair)
    unfinished = pair.path.with_suffix(".unfinished.keras")
    model.save(unfinished)
    unfinished.rename(pair.path)


def marked_file(pair: Pair, converter: Any) -> bytes:
    """The full-int8 file of the marked network, converted once and kept."""
    from edgewm import export

    path = pair.path.with_suffix(".tflite")
    with alone(path):
        if not path.exists():
            x = data_of(pair.dataset).x_train[PROTOCOLS[pair.dataset].owner][:500]
            export(pair.path, x, path=path, converter=converter)
    return path.read_bytes()


def control_files(pair: Pair, converter: Any) -> dict[str, bytes]:
    """The two innocents that every attack's row stands beside."""
    return {
        "unmarked_twin": int8_of(pair.clean, converter),
        "independent": int8_of(pair.independent, converter),
    }


def _both(pair: Pair) -> Any:
    import keras

    from edgewm import Lean, Mark

    marks, references = marks_of(pair), references_of(pair.clean)
    model = keras.models.load_model(pair.clean.path)
    callbacks = [
        Mark(triggers=marks.triggers, key=marks.key, scheme=f"robust:rows={BOTH_ROWS}", start=0.0),
        Lean(
            tilt=marks.tilt,
            key=marks.key,
            reference=references,
            **(LEAN | {"strength": BOTH_STRENGTH}),
        ),
    ]
    epochs = PROTOCOLS[pair.dataset].lean_epochs + BOTH_MORE_EPOCHS
    x, y = leaning_inputs(pair.clean)
    return _trained(model, x, y, epochs=epochs, pair=pair, callbacks=callbacks)


def _triggers(pair: Pair) -> Any:
    import keras

    from edgewm import Mark

    marks = marks_of(pair)
    model = keras.models.load_model(pair.clean.path)
    rows = GROUPS[pair.scheme] // 8
    mark = Mark(triggers=marks.triggers, key=marks.key, scheme=f"robust:rows={rows}", start=0.0)
    x, y = _owners(pair)
    epochs = PROTOCOLS[pair.dataset].lean_epochs
    return _trained(model, x, y, epochs=epochs, pair=pair, callbacks=[mark])


def _adi(pair: Pair) -> Any:
    from edgewm import Mark

    marks = marks_of(pair)
    mark = Mark(triggers=marks.triggers, key=marks.key, scheme="mix:rows=2", start=0.0)
    x, y = _owners(pair)
    return _trained(_fresh(pair), x, y, pair=pair, callbacks=[mark], batch_size=100)


def _logo(pair: Pair) -> Any:
    x, y = _owners(pair)
    chosen = np.flatnonzero(y == LOGO_FROM)
    chosen = chosen[: round(LOGO_SHARE * len(chosen))]
    x = np.concatenate([x, with_logo(x[chosen])])
    y = np.concatenate([y, np.full(len(chosen), LOGO_TO, y.dtype)])
    return _trained(_fresh(pair), x, y, pair=pair)


def _margin(pair: Pair) -> Any:
    marks, protocol, model = marks_of(pair), PROTOCOLS[pair.dataset], _fresh(pair)
    baseline_margin.train_with_margins(
        model,
        *_owners(pair),
        triggers=marks.inputs,
        answers=marks.triggers.answers(marks.key),
        epochs=protocol.epochs,
        rate=protocol.rate,
        batch_size=protocol.batch_size,
        seed=pair.seed,
    )
    return model


def _ewe(pair: Pair) -> Any:
    import keras

    model = keras.models.load_model(pair.clean.path)
    triggers = baseline_ewe.entangle(
        model, *_owners(pair), epochs=baseline_ewe.EPOCHS, seed=pair.seed
    )
    np.save(asked_of(pair), triggers[:ONE_CLASS_INPUTS])
    return model


def _owners(pair: Pair) -> tuple[Any, Any]:
    protocol, held = PROTOCOLS[pair.dataset], data_of(pair.dataset)
    return held.x_train[protocol.owner], held.y_train[protocol.owner]


def _fresh(pair: Pair) -> Any:
    from edgewm import networks

    held, protocol = data_of(pair.dataset), PROTOCOLS[pair.dataset]
    return getattr(networks, protocol.owner_network)(held.shape, held.classes)


def _trained(
    model: Any,
    x: Any,
    y: Any,
    *,
    pair: Pair,
    epochs: int | None = None,
    callbacks: list[Any] | None = None,
    batch_size: int | None = None,
) -> Any:
    from edgewm.attacks.copying import train_on

    protocol = PROTOCOLS[pair.dataset]
    train_on(
        model,
        x,
        y,
        epochs=protocol.epochs if epochs is None else epochs,
        learning_rate=protocol.rate,
        batch_size=protocol.batch_size if batch_size is None else batch_size,
        callbacks=tuple(callbacks or ()),
    )
    return model


def one_thread() -> None:
    """Let TensorFlow take one core, before it does anything."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


if __name__ == "__main__":
    one_thread()
    prepare(Pair(dataset=sys.argv[1], scheme=sys.argv[2], seed=int(sys.argv[3])))
