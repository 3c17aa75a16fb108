"""How often innocents are accused: many independent models under 1,000 keys a scheme.

Innocents are int8 files that no key of these knows: networks of four architectures on either half of the
digits, seen through a cheap camera, some of them fine-tuned, pruned or cloned afterwards, and some marked
under a key of somebody else; with EDGEWM_DATA also what other owners ship, asked for triggers of its own
shape. What is drawn anew for each key:

    triggers   the key, so all inputs and all answers; other owners' models are large, and every 50 keys
               share inputs there
    logo       backgrounds and variants for every 20 keys, answers for each
    tilt       the signs; its inputs are natural ones and the same for every key by design
    both       triggers and tilt of one key, p = 2 min

Each of them is judged by labels, and by output values ("scores") where the verdict has that form.

One model's verdicts under many keys hang together, and so do those of many models under one key: shares
come with intervals over keys.

    python benchmarks/false_accusations.py [--keys 1000] [--models 32]
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from results_file import CACHE, write_result
from rich.progress import track
from survival_training import drawing

ALPHAS = (0.05, 0.01, 0.001, 1e-6)
SAMPLES, EPOCHS = 2000, 4
GROUPS, CELLS, QUESTIONS = 64, 96, 1500
ARCHITECTURES = ("small_cnn", "ds_cnn", "resnet8", "dense")
LATER = (
    "",
    "",
    "finetune:epochs=2",
    "prune:epochs=1",
    "extract:architecture=small_cnn,epochs=3",
    "",
)
"""What happened to an innocent after training, in turn."""
MARKED_BY_OTHERS = 4
KEYS_A_DRAWING = {"triggers": 1, "logo": 20, "other owners": 50}
MOST_CLASSES = 200
UNLIKELY = 1.3
"""Sums below so many standard deviations are left at p = 1: none of them is near 0.05."""
Labels = npt.NDArray[np.int64]
Log10P = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Innocent:
    """One file that knows none of the keys."""

    name: str
    file: bytes = field(repr=False)


def samples(part: int) -> tuple[Any, Any]:
    """Pictures of one half of the digits (0, 1) or of its test people (2), through a camera, and labels."""
    from edgewm.datasets import load_dataset, through_a_cheap_camera

    held = load_dataset("digits")
    half = len(held.x_train) // 2
    x, y = (
        (held.x_train[:half], held.y_train[:half]),
        (held.x_train[half:], held.y_train[half:]),
        (held.x_test, held.y_test),
    )[part]
    seen, chosen = through_a_cheap_camera(x, SAMPLES if part < 2 else 2 * SAMPLES, seed=part)
    return seen, y[chosen]


def network(architecture: str) -> Any:
    """An untrained network for digits."""
    import keras

    from edgewm import networks

    if architecture != "dense":
        return getattr(networks, architecture)((8, 8, 1), 10)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def trained(architecture: str, seed: int, callbacks: tuple[Any, ...] = ()) -> Any:
    """A network on one half of the pictures, the half by its seed."""
    import keras

    from edgewm.attacks.copying import train_on

    keras.utils.set_random_seed(seed)
    model = network(architecture)
    x, y = samples(seed % 2)
    train_on(model, x, y, epochs=EPOCHS, learning_rate=3e-3, callbacks=callbacks)
    return model


def innocent(number: int, converter: Any) -> Innocent:
    """One of our own innocents, made once and kept."""
    from edgewm import Mark, spec
    from edgewm.attacks import Victim
    from edgewm.hashing import SHAKE, H
    from edgewm.key import Key
    from edgewm.patterns import make_triggers

    architecture = ARCHITECTURES[number % len(ARCHITECTURES)]
    later = LATER[number // len(ARCHITECTURES) % len(LATER)]
    name = f"{number}-{architecture}-half{number % 2}" + (
        f"-{later.split(':')[0]}" if later else ""
    )
    callbacks: tuple[Any, ...] = ()
    if number < MARKED_BY_OTHERS:
        stranger = Key(secret=H("benchmark stranger", number))
        triggers = make_triggers(
            stranger,
            shape=(8, 8, 1),
            classes=10,
            groups=GROUPS,
            random=lambda count: SHAKE(count, "benchmark stranger's salt", number),
        )
        callbacks = (Mark(triggers=triggers, key=stranger, start=0.0),)
        name, later = f"{number}-{architecture}-half{number % 2}-marked", ""
    path = CACHE / f"innocent-{name}.tflite"
    if not path.exists():
        model = trained(architecture, number, callbacks)
        x, y = samples(1 - number % 2)
        file = converter.convert(model, x).model
        if later:
            loot = spec.parse("attacks", later).steal(Victim(file=file), x, y)
            file = converter.convert(loot.network, x).model
        path.write_bytes(file)
    return Innocent(name=name, file=path.read_bytes())


def other_owners() -> Iterator[Innocent]:
    """Classifiers in EDGEWM_DATA/models that one input can be asked of."""
    folder = Path(os.environ.get("EDGEWM_DATA", "")) / "models"
    for path in sorted(folder.glob("*.tflite")):
        if path.stat().st_size < 300_000:  # the largest one takes hours for what it adds
            yield Innocent(name=path.stem, file=path.read_bytes())


def key_of(number: int) -> Any:
    """Public here, so that anybody repeats the run."""
    from edgewm.hashing import H
    from edgewm.key import Key

    return Key(secret=H("benchmark accusing key", number))


def said_by(model: Innocent, inputs: Any) -> tuple[Labels, npt.NDArray[np.float64]]:
    """What a file says: labels (n,) and log shares (n, K)."""
    from edgewm.attacks import Victim
    from edgewm.output_scores import log_shares

    answers = Victim(file=model.file).ask(inputs)
    return answers.labels, log_shares(answers.scores)


@functools.cache
def log10_tail(allowed: tuple[int, ...], hits: int) -> float:
    """log10 p of so many hits among groups that spoke."""
    from edgewm import stats

    return stats.log10_fraction(stats.tail(allowed, hits))


def of_triggers(triggers: Any, answers: Labels, labels: Labels) -> float:
    """log10 p of one model's labels."""
    from edgewm import stats

    outcomes = stats.choose(labels, triggers.group_ids, excluded=triggers.excluded, answers=answers)
    spoke = outcomes != stats.Outcome.SILENT
    allowed = tuple(sorted(triggers.allowed[spoke].tolist()))
    return log10_tail(allowed, int((outcomes == stats.Outcome.HIT).sum()))


def of_levels(triggers: Any, answers: Labels, levels: npt.NDArray[np.int64]) -> float:
    """log10 p of one model's output values; 0 for a sum that no p below 0.05 belongs to."""
    from edgewm.drawn_sum import drawn_log10_p

    open_to = ~triggers.excluded
    centred = levels - (levels * open_to).sum(axis=1, keepdims=True) / triggers.allowed[:, None]
    spread = math.sqrt(float(((centred**2 * open_to).sum(axis=1) / triggers.allowed).sum()))
    if centred[np.arange(len(answers)), answers].sum() <= UNLIKELY * spread:
        return 0.0
    return drawn_log10_p(levels, excluded=triggers.excluded, answers=answers)


def by_triggers(
    models: list[Innocent], keys: int, draw: Callable[[Any], Any], *, shared: int
) -> tuple[Log10P, Log10P]:
    """log10 p (keys, models) by labels and by scores; every `shared` keys have the same inputs and
    answers of their own."""
    from edgewm.output_scores import levels
    from edgewm.triggers import recommitted

    p, p_of_scores = np.zeros((2, keys, len(models)))
    drawn = [draw(key_of(at)) for at in track(range(0, keys, shared), "drawing")]
    together = np.concatenate([one.inputs for one in drawn])
    count = len(drawn[0].inputs)
    said = [said_by(model, together) for model in track(models, "asking")]
    found: list[npt.NDArray[np.int64]] = []
    for at in track(range(keys), "judging"):
        of, key = at // shared, key_of(at)
        triggers = drawn[of] if at % shared == 0 else recommitted(drawn[of], key)
        answers, part = triggers.answers(key), slice(of * count, (of + 1) * count)
        if at % shared == 0:
            ids, groups = triggers.group_ids, triggers.groups
            found = [levels(logs[part], ids, groups=groups)[0] for _, logs in said]
        for number, (labels, _) in enumerate(said):
            p[at, number] = of_triggers(triggers, answers, labels[part])
            p_of_scores[at, number] = of_levels(triggers, answers, found[number])
    return p, p_of_scores


def by_tilt(models: list[Innocent], keys: int) -> tuple[Log10P, Log10P]:
    """log10 p (keys, models) of one tilt's cells, by labels and by scores."""
    from edgewm import make_tilt
    from edgewm.hashing import SHAKE
    from edgewm.output_scores import cell_scores
    from edgewm.signed_sum import fixed_log10_p, signed_sum
    from edgewm.tilt import recommitted_tilt

    references = [trained("small_cnn", seed) for seed in (900, 901)]
    tilt = make_tilt(
        key_of(0),
        reference=references,
        natural=samples(2)[0],
        cells=CELLS,
        questions=QUESTIONS,
        random=lambda count: SHAKE(count, "benchmark accusing salt"),
    )
    said = [said_by(model, tilt.inputs) for model in models]
    kinds = (
        [tilt.scores(labels) for labels, _ in said],
        [cell_scores(tilt, logs) for _, logs in said],
    )
    p = np.zeros((len(kinds), keys, len(models)))
    for at in track(range(keys), "tilt"):
        key = key_of(at)
        signs = recommitted_tilt(tilt, key).signs(key)
        for kind, scores in enumerate(kinds):
            for number, score in enumerate(scores):
                total = signed_sum(score, signs)
                if total > UNLIKELY * math.sqrt(float((score.astype(np.float64) ** 2).sum())):
                    p[kind, at, number] = fixed_log10_p(score, total)
    return p[0], p[1]


def drawn_for(shape: tuple[int, ...], classes: int, high: float, pattern: str) -> Any:
    """A function from a key to triggers of one shape."""
    from edgewm.hashing import SHAKE
    from edgewm.patterns import make_triggers

    natural = samples(2)[0][:500] if pattern != "abstract" else None

    def draw(key: Any) -> Any:
        return make_triggers(
            key,
            shape=shape,
            classes=classes,
            pattern=pattern,
            groups=GROUPS,
            value_range=(0.0, high),
            natural=natural,
            random=lambda count: SHAKE(count, "benchmark accusing triggers", key.commitment),
        )

    return draw


def shares(p: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Share of p <= alpha with a 95 % interval over keys, and the largest evidence."""
    found = {}
    for alpha in ALPHAS:
        by_key = (p <= math.log10(alpha)).mean(axis=1)
        half = 1.96 * float(by_key.std(ddof=1)) / math.sqrt(len(p))
        mean = float(by_key.mean())
        found[str(alpha)] = {"share": mean, "interval": [max(0.0, mean - half), mean + half]}
    return {
        "keys": len(p),
        "models": p.shape[1],
        "verdicts": int(p.size),
        "shares": found,
        "smallest_log10_p": float(p.min()),
    }


def rows_of(
    scheme: str, models: list[Innocent], p: npt.NDArray[np.float64]
) -> list[dict[str, Any]]:
    """One row for each model."""
    return [
        {
            "scheme": scheme,
            "model": model.name,
            "keys": len(p),
            "smallest_log10_p": float(p[:, at].min()),
            **{f"at_most_{alpha}": int((p[:, at] <= math.log10(alpha)).sum()) for alpha in ALPHAS},
        }
        for at, model in enumerate(models)
    ]


def of_other_owners(keys: int) -> tuple[list[Innocent], tuple[Log10P, Log10P]]:
    """Verdicts about files of other owners, by labels and by scores; those that take no triggers are
    left out."""
    from edgewm.errors import EdgewmError
    from edgewm.runtimes.litert import LiteRT

    models, columns = [], []
    for model in other_owners():
        try:
            with LiteRT().open(model.file) as session:
                facts = session.facts
            assert facts is not None
            shape, classes = facts.inputs[0].shape[1:], int(np.prod(facts.outputs[0].shape[1:]))
            if not 2 <= classes <= MOST_CLASSES:
                print(f"{model.name} is left out: {classes} outputs, no classifier")
                continue
            step = facts.inputs[0].scale or 1.0
            draw = drawn_for(shape, classes, 255 * step, "abstract")
            shared = KEYS_A_DRAWING["other owners"]
            columns.append(by_triggers([model], keys, draw, shared=shared))
        except EdgewmError as error:
            print(f"{model.name} is left out: {error}")
            continue
        models.append(model)
    if not columns:
        return models, (np.zeros((keys, 0)), np.zeros((keys, 0)))
    by_labels, by_scores = (np.concatenate(part, axis=1) for part in zip(*columns, strict=True))
    return models, (by_labels, by_scores)


def main() -> None:
    """Make the innocents, accuse them, write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--keys", type=int, default=1000)
    options.add_argument("--models", type=int, default=32)
    chosen = options.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    CACHE.mkdir(parents=True, exist_ok=True)
    from edgewm import Converter

    with Converter() as converter:
        models = [innocent(n, converter) for n in track(range(chosen.models), "innocents")]
    p: dict[str, tuple[list[Innocent], Log10P]] = {}

    def keep(scheme: str, who: list[Innocent], by_labels: Log10P, by_scores: Log10P) -> None:
        p[scheme], p[f"{scheme}, scores"] = (who, by_labels), (who, by_scores)

    triggers = by_triggers(models, chosen.keys, drawn_for((8, 8, 1), 10, 1.0, "abstract"), shared=1)
    keep("triggers", models, *triggers)
    tilt = by_tilt(models, chosen.keys)
    keep("tilt", models, *tilt)
    both = [
        np.minimum(0.0, math.log10(2) + np.minimum(*parts))
        for parts in zip(triggers, tilt, strict=True)
    ]
    keep("both", models, *both)
    with tempfile.TemporaryDirectory() as folder:
        logo = Path(folder) / "logo.png"
        logo.write_bytes(drawing())
        draw = drawn_for((8, 8, 1), 10, 1.0, f"logo:file={logo}")
        keep("logo", models, *by_triggers(models, chosen.keys, draw, shared=KEYS_A_DRAWING["logo"]))
    others, columns = of_other_owners(chosen.keys)
    if others:
        keep("triggers, other owners' models", others, *columns)
    rows = [row for scheme, (who, found) in p.items() for row in rows_of(scheme, who, found)]
    summary = {scheme: shares(found) for scheme, (_, found) in p.items()}
    settings = {
        "samples": SAMPLES,
        "epochs": EPOCHS,
        "groups": GROUPS,
        "cells": CELLS,
        "questions": QUESTIONS,
        "marked_by_others": MARKED_BY_OTHERS,
        "keys_a_drawing": KEYS_A_DRAWING,
    }
    print(write_result("false_accusations", settings=settings, rows=rows, summary=summary))


if __name__ == "__main__":
    main()
