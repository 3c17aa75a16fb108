"""The networks of the tilt benchmark: trained once, kept in results/cache, handed to thieves.

A job is one file in the cache and runs in a process of its own with one thread, so that two jobs fill two
cores and an interrupted run goes on where it stopped. One pair is one seed and one key:

    clean        the owner's network before it is marked, and the unmarked twin of the pair
    leaned       the same network after some epochs of `edgewm.Lean`
    clone        another architecture, trained on hard labels that the int8 file gave to pictures that the
                 owner never had
    clone_same   the same with the owner's architecture
    clone_ID     the same with queries of another domain
    clone_again  a clone of the clone
    finetuned    the copied network, trained on with a fifth of fresh labels
    independent  another architecture on the thief's pictures with their true labels: nobody's mark

    python benchmarks/tilt_training.py JOB         one job, for instance fashion_mnist-0-leaned
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cifar10_copy import cifar10, pictures
from results_file import CACHE
from speech_features import speech_commands

REFERENCES = (100, 101, 102)
"""Seeds of clean networks that every pair's tilt is made with, beside the pair's own."""
LEAN = {"strength": 6.0, "reach": 1.0, "temperature": 2.0}
CELLS, QUESTIONS = 128, 4000
DOMAINS = ("cifar10", "digits")
OTHER_DOMAIN_QUERIES = 24_000
Pictures = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How the networks of one data set are trained, and who has which samples."""

    owner: slice
    thief: slice
    """Of the training set, none of them the owner's."""
    fresh: slice
    """A fifth as many as the owner has, labelled, for a thief who copied the file."""
    natural: slice
    """The rest of the training set; with the test set, what is asked."""
    clone: str
    """Architecture of the clone."""
    epochs: int
    lean_epochs: int
    owner_network: str = "ds_cnn"
    lean_on_natural: bool = True
    """Teach the lean on the natural inputs of the training set too, whose labels it does not need: few
    inputs of the owner are undecided, since a network has learned them by heart."""
    batch_size: int = 128
    rate: float = 2e-3
    """Adam's first rate, brought to 0 over a half cosine, in every training."""


PROTOCOLS = {
    "fashion_mnist": Protocol(
        owner=slice(0, 24_000),
        thief=slice(24_000, 48_000),
        fresh=slice(24_000, 28_800),
        natural=slice(48_000, 60_000),
        clone="resnet8",
        epochs=8,
        lean_epochs=3,
    ),
    "speech_commands": Protocol(
        owner=slice(0, 12_000),
        thief=slice(12_000, 24_000),
        fresh=slice(12_000, 14_400),
        natural=slice(24_000, 36_000),
        clone="resnet8",
        epochs=8,
        lean_epochs=4,
    ),
    "cifar10": Protocol(
        owner=slice(0, 20_000),
        thief=slice(20_000, 44_000),
        fresh=slice(20_000, 24_000),
        natural=slice(44_000, 50_000),
        owner_network="resnet8",
        clone="ds_cnn",
        epochs=8,
        lean_epochs=3,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One network."""

    dataset: str
    seed: int
    stage: str

    def __str__(self) -> str:
        return f"{self.dataset}-{self.seed}-{self.stage}"

    @property
    def path(self) -> Path:
        """Where the network is kept."""
        return CACHE / f"tilt-{self}.keras"

    def at(self, stage: str, seed: int | None = None) -> Job:
        """The same pair's network at another stage, or another pair's."""
        return Job(dataset=self.dataset, seed=self.seed if seed is None else seed, stage=stage)


def parse(text: str) -> Job:
    """A job from its spelling."""
    dataset, seed, stage = text.split("-")
    return Job(dataset=dataset, seed=int(seed), stage=stage)


def needs(job: Job) -> list[Job]:
    """What has to be there before a job."""
    clean = [job.at("clean", seed) for seed in (job.seed, *REFERENCES)]
    leaned = job.at("leaned")
    if job.stage in ("clean", "independent"):
        return []
    if job.stage == "leaned":
        return clean
    return [job.at("clone")] if job.stage == "clone_again" else [leaned]


@cache
def data_of(name: str) -> Any:
    """The data set, read once."""
    from edgewm.datasets import load_dataset

    made_here = {"speech_commands": speech_commands, "cifar10": cifar10}
    return made_here[name]() if name in made_here else load_dataset(name)


def natural_of(dataset: str) -> Pictures:
    """Inputs that nobody trained on, of which a tilt chooses its questions."""
    held = data_of(dataset)
    return np.concatenate([held.x_test, held.x_train[PROTOCOLS[dataset].natural]])


def key_of(seed: int) -> Any:
    """The key of one pair: public here, so that anybody repeats the run."""
    from edgewm.hashing import H
    from edgewm.key import Key

    return Key(secret=H("benchmark key", seed))


def references_of(job: Job) -> list[Any]:
    """The clean networks that a pair's tilt and lean are made with, the owner's own first."""
    import keras

    return [keras.models.load_model(job.at("clean", s).path) for s in (job.seed, *REFERENCES)]


def tilt_of(job: Job, references: list[Any] | None = None) -> Any:
    """The tilt of one pair, made once and kept."""
    from edgewm import load_tilt, make_tilt, save_tilt
    from edgewm.hashing import SHAKE

    path = CACHE / f"tilt-{job.dataset}-{job.seed}.npz"
    if not path.exists():
        made = make_tilt(
            key_of(job.seed),
            reference=references or references_of(job),
            natural=natural_of(job.dataset),
            cells=CELLS,
            questions=QUESTIONS,
            random=lambda count: SHAKE(count, "benchmark salt", job.seed),
        )
        save_tilt(made, path)
    return load_tilt(path)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Only one process of this machine makes the file `path` at a time; look again whether it is there."""
    with path.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def make(job: Job) -> None:
    """Do one job and keep the network."""
    import keras

    keras.utils.set_random_seed(1000 * job.seed + sum(job.stage.encode()))
    model = _STAGES[job.stage.split("_")[0]](job)
    unfinished = job.path.with_suffix(".unfinished.keras")
    model.save(unfinished)
    unfinished.rename(job.path)


def _clean(job: Job) -> Any:
    protocol, held = PROTOCOLS[job.dataset], data_of(job.dataset)
    x, y = held.x_train[protocol.owner], held.y_train[protocol.owner]
    return _trained(
        _network(protocol.owner_network, job), x, y, protocol=protocol, epochs=protocol.epochs
    )


def _independent(job: Job) -> Any:
    protocol, held = PROTOCOLS[job.dataset], data_of(job.dataset)
    x, y = held.x_train[protocol.thief], held.y_train[protocol.thief]
    return _trained(_network(protocol.clone, job), x, y, protocol=protocol, epochs=protocol.epochs)


def _leaned(job: Job) -> Any:
    import keras

    from edgewm import Lean

    protocol = PROTOCOLS[job.dataset]
    references = references_of(job)
    tilt = tilt_of(job, references)
    model = keras.models.load_model(job.at("clean").path)
    lean = Lean(tilt=tilt, key=key_of(job.seed), reference=references, **LEAN)
    return _trained(
        model,
        *leaning_inputs(job),
        protocol=protocol,
        epochs=protocol.lean_epochs,
        callbacks=(lean,),
    )


def leaning_inputs(job: Job) -> tuple[Pictures, Any]:
    """What the lean is taught on, with labels that are never looked at where the owner has none."""
    protocol, held = PROTOCOLS[job.dataset], data_of(job.dataset)
    x, y = held.x_train[protocol.owner], held.y_train[protocol.owner]
    if not protocol.lean_on_natural:
        return x, y
    unlabelled = held.x_train[protocol.natural]
    return np.concatenate([x, unlabelled]), np.concatenate([y, np.zeros(len(unlabelled), y.dtype)])


def _finetuned(job: Job) -> Any:
    import keras

    from edgewm import spec
    from edgewm.attacks import Victim

    held = data_of(job.dataset)
    fresh = PROTOCOLS[job.dataset].fresh
    model = keras.models.load_model(job.at("leaned").path)
    attack = spec.parse("attacks", "finetune")
    victim = Victim(float_network=model)
    return attack.steal(victim, held.x_train[fresh], held.y_train[fresh]).network


def _clone(job: Job) -> Any:
    """Hard labels of the int8 file, which the thief asks on LiteRT."""
    from edgewm import spec

    protocol = PROTOCOLS[job.dataset]
    victim = job.at("clone" if job.stage == "clone_again" else "leaned")
    x = queries_of(job)
    with spec.parse("runtimes", "litert").open(int8_of(victim)) as session:
        labels = session.ask(x).labels
    architecture = protocol.owner_network if job.stage == "clone_same" else protocol.clone
    return _trained(
        _network(architecture, job), x, labels, protocol=protocol, epochs=protocol.epochs
    )


_STAGES: dict[str, Callable[[Job], Any]] = {
    "clean": _clean,
    "independent": _independent,
    "leaned": _leaned,
    "finetuned": _finetuned,
    "clone": _clone,
}


def queries_of(job: Job) -> Pictures:
    """What a thief asks: pictures of the task, or of another domain in the task's form."""
    held = data_of(job.dataset)
    domain = job.stage.removeprefix("clone_")
    if domain not in DOMAINS:
        own: Pictures = held.x_train[PROTOCOLS[job.dataset].thief]
        return own
    from PIL import Image

    from edgewm.datasets import load_dataset

    folder = Path(os.environ.get("EDGEWM_DATA", ""))
    if domain == "cifar10" and (folder / "cifar10" / "cifar10_full_jpeg.npz").exists():
        return _cifar10_in_grey(size=held.shape[:2])
    other = load_dataset(domain).x_train
    grey = np.rint(255 * other.mean(axis=-1)).astype(np.uint8)
    size = (held.shape[1], held.shape[0])
    sized = [Image.fromarray(g).resize(size, Image.Resampling.BILINEAR) for g in grey]
    base = np.stack([np.asarray(p, np.float32) / 255 for p in sized])[..., None]
    random = np.random.default_rng(job.seed)  # moved about, until there are enough
    chosen = random.integers(0, len(base), OTHER_DOMAIN_QUERIES)
    moves = random.integers(-4, 5, (OTHER_DOMAIN_QUERIES, 2))
    return np.stack([np.roll(base[i], m, (0, 1)) for i, m in zip(chosen, moves, strict=True)])


def _cifar10_in_grey(*, size: tuple[int, ...]) -> Pictures:
    from PIL import Image

    grey = np.zeros((OTHER_DOMAIN_QUERIES, *size, 1), np.float32)
    for i, raw in enumerate(pictures("train", OTHER_DOMAIN_QUERIES)):
        picture = Image.fromarray(raw).convert("L").resize((size[1], size[0]))
        grey[i, ..., 0] = np.asarray(picture, np.float32) / 255
    return grey


def int8_of(job: Job, converter: Any = None) -> bytes:
    """The full-int8 file of a network, converted once and kept."""
    from edgewm import export

    path, held, protocol = (
        job.path.with_suffix(".tflite"),
        data_of(job.dataset),
        PROTOCOLS[job.dataset],
    )
    with alone(path):
        if not path.exists():
            export(job.path, held.x_train[protocol.owner][:500], path=path, converter=converter)
    return path.read_bytes()


def _network(architecture: str, job: Job) -> Any:
    from edgewm import networks

    held = data_of(job.dataset)
    return getattr(networks, architecture)(held.shape, held.classes)


def _trained(
    model: Any,
    x: Pictures,
    y: npt.NDArray[np.int64],
    *,
    protocol: Protocol,
    epochs: int,
    callbacks: tuple[Any, ...] = (),
) -> Any:
    import keras

    steps = epochs * -(-len(x) // protocol.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(protocol.rate, steps)
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(
        x, y, batch_size=protocol.batch_size, epochs=epochs, verbose=0, callbacks=list(callbacks)
    )
    return model


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    make(parse(sys.argv[1]))
