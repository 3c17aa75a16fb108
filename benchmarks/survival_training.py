"""The networks of the survival benchmark: trained once, kept in results/cache, handed to thieves.

A job is one file in the cache and runs in a process of its own with one thread, so that two jobs fill two
cores and an interrupted run goes on where it stopped. The networks of one seed share the weights of the
first half of the epochs, which no mark touches (`Mark(start=0.5)` leaves them alone); from there every
network sees the same batches.

    python benchmarks/survival_training.py JOB       one job, for instance fashion_mnist-ds_cnn-0-unmarked
"""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from results_file import CACHE

THIEVES = {"finetune": "finetune", "prune": "prune"}
"""Name of a stage, spelling of the attack."""
RUINOUS = {"finetune_constant": "finetune:decay=false"}
"""Costs the copy more accuracy than a thief can want; with the first seed only, for comparison."""
MARKS = ("robust-abstract", "robust-logo", "mix-abstract")
"""Scheme and pattern, by their default settings."""
MODELS = ("ds_cnn", "resnet8")
GROUPS = 64
THIEF_SEEDS = 3
"""Thieves and the plain scheme come with the first seeds only; cost and formats with all."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How the networks of one data set are trained, and what the thief has: slices of the training set."""

    train: slice
    thief: slice
    """A fifth as many as the owner has, none of them the owner's."""
    natural: slice
    """What the logo is laid over."""
    epochs: int
    batch_size: int
    rate: float = 2e-3
    """Adam's first rate, brought to 0 over a half cosine."""


PROTOCOLS = {
    "fashion_mnist": Protocol(
        train=slice(0, 24_000),
        thief=slice(30_000, 34_800),
        natural=slice(50_000, 51_000),
        epochs=8,
        batch_size=128,
    ),
    "digits": Protocol(
        train=slice(0, 1_100),
        thief=slice(1_100, 1_320),
        natural=slice(1_320, 1_437),
        epochs=40,
        batch_size=32,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One network: `shared` (half trained), `unmarked`, SCHEME-PATTERN, or that and a thief's name."""

    dataset: str
    model: str
    seed: int
    stage: str

    def __str__(self) -> str:
        return f"{self.dataset}-{self.model}-{self.seed}-{self.stage}"

    @property
    def path(self) -> Path:
        """Where the network is kept."""
        return CACHE / f"survival-{self}.keras"

    def at(self, stage: str) -> Job:
        """The same seed's network at another stage."""
        return Job(dataset=self.dataset, model=self.model, seed=self.seed, stage=stage)


def parse(text: str) -> Job:
    """A job from its spelling."""
    dataset, model, seed, stage = text.split("-", 3)
    return Job(dataset=dataset, model=model, seed=int(seed), stage=stage)


def jobs_of(dataset: str, model: str, seed: int) -> list[Job]:
    """Every network of one seed, in the order in which they are made."""
    return [
        Job(dataset=dataset, model=model, seed=seed, stage=stage)
        for stage in ("shared", "unmarked", *marks_of(seed))
    ] + [
        Job(dataset=dataset, model=model, seed=seed, stage=f"{mark}-{thief}")
        for mark in marks_of(seed)
        for thief in thieves_of(seed)
    ]


def marks_of(seed: int) -> tuple[str, ...]:
    """The marks that are trained with a seed."""
    return tuple(m for m in MARKS if seed < THIEF_SEEDS or m.startswith("robust"))


def thieves_of(seed: int) -> tuple[str, ...]:
    """The thieves that a seed's marked networks meet."""
    return (*THIEVES, *RUINOUS)[: 0 if seed >= THIEF_SEEDS else None if seed == 0 else len(THIEVES)]


def key_of(seed: int) -> Any:
    """The key of one seed: public here, so that anybody repeats the run."""
    from edgewm.hashing import H
    from edgewm.key import Key

    return Key(secret=H("benchmark key", seed))


@cache
def triggers_of(dataset: str, model: str, seed: int, pattern: str) -> Any:
    """The triggers of one mark; what the half-trained, clean network says of them is no answer."""
    import keras

    from edgewm.hashing import SHAKE
    from edgewm.patterns import make_triggers

    held = data_of(dataset)
    reference = keras.models.load_model(
        Job(dataset=dataset, model=model, seed=seed, stage="shared").path
    )
    logo = CACHE / "logo.png"
    if not logo.exists():
        logo.write_bytes(drawing())
    return make_triggers(
        key_of(seed),
        shape=held.shape,
        classes=held.classes,
        pattern=f"logo:file={logo}" if pattern == "logo" else pattern,
        groups=GROUPS,
        natural=held.x_train[PROTOCOLS[dataset].natural],
        reference=lambda inputs: reference.predict(inputs, verbose=0).argmax(-1),
        random=lambda count: SHAKE(count, "benchmark salt", seed),
    )


def drawing() -> bytes:
    """The benchmark's logo: a ring with a bar through it, 96x96, black on transparent."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGBA", (96, 96), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((6, 6, 89, 89), outline=(0, 0, 0, 255), width=16)
    pen.line((22, 74, 74, 22), fill=(0, 0, 0, 255), width=14)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


@cache
def data_of(name: str) -> Any:
    """The data set, read once."""
    from edgewm.datasets import load_dataset

    return load_dataset(name)


def make(job: Job) -> None:
    """Do one job and keep the network."""
    import keras

    keras.utils.set_random_seed(1000 * job.seed + 1)
    if job.stage == "shared":
        model = fresh(job)
        train(model, job, [], first_epoch=0, epochs=half(job))
    elif job.stage.count("-") == 2:
        model = steal(job)
    else:
        model = keras.models.load_model(job.at("shared").path)
        callbacks = [] if job.stage == "unmarked" else [mark_of(job, start=0.0)]
        epochs = PROTOCOLS[job.dataset].epochs
        train(model, job, callbacks, first_epoch=half(job), epochs=epochs)
    unfinished = job.path.with_suffix(".unfinished.keras")
    model.save(unfinished)
    unfinished.rename(job.path)


def half(job: Job) -> int:
    """The epoch in which marks begin."""
    return PROTOCOLS[job.dataset].epochs // 2


def fresh(job: Job) -> Any:
    """A compiled network with the seed's initial weights."""
    import keras

    from edgewm import networks

    protocol, held = PROTOCOLS[job.dataset], data_of(job.dataset)
    model = getattr(networks, job.model)(held.shape, held.classes)
    batches = -(-len(held.x_train[protocol.train]) // protocol.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(protocol.rate, protocol.epochs * batches)
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def mark_of(job: Job, *, start: float) -> Any:
    """The one line of the owner's script."""
    from edgewm.schemes.mark import Mark

    scheme, pattern = job.stage.split("-")
    triggers = triggers_of(job.dataset, job.model, job.seed, pattern)
    return Mark(triggers=triggers, key=key_of(job.seed), scheme=scheme, start=start)


def train(model: Any, job: Job, callbacks: list[Any], *, first_epoch: int, epochs: int) -> None:
    """Epochs `first_epoch` to `epochs` of the protocol."""
    protocol, held = PROTOCOLS[job.dataset], data_of(job.dataset)
    model.fit(
        held.x_train[protocol.train],
        held.y_train[protocol.train],
        batch_size=protocol.batch_size,
        initial_epoch=first_epoch,
        epochs=epochs,
        callbacks=callbacks,
        verbose=0,
    )


def steal(job: Job) -> Any:
    """What a thief makes of the marked network."""
    import keras

    from edgewm import spec
    from edgewm.attacks import Victim

    marked, thief = job.stage.rsplit("-", 1)
    protocol, held = PROTOCOLS[job.dataset], data_of(job.dataset)
    model = keras.models.load_model(job.at(marked).path)
    samples = held.x_train[protocol.thief], held.y_train[protocol.thief]
    attack = spec.parse("attacks", (THIEVES | RUINOUS)[thief])
    return attack.steal(Victim(float_network=model), *samples).network


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    make(parse(sys.argv[1]))
