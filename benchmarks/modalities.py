"""Marks in sound and in movements: what they cost, who answers them, and what a played challenge survives.

Sound: Speech Commands, 12 words, MLPerf Tiny's features made by the `mfcc` adapter and its DS-CNN, melodies
of the `tone` pattern, paired seeds (the unmarked twin shares the first half of the epochs). Movements: the
wand's 300x6 windows, three gestures, the `motion` pattern, ten folds. Both in full int8 on every runtime;
controls are the unmarked twin and another key.

    EDGEWM_DATA=... python benchmarks/modalities.py [--only sound|movement] [--first 0] [--pairs 5]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from results_file import CACHE, RESULTS, write_result
from rich.progress import track
from speech_features import clips_of, heard

from edgewm import stats
from edgewm.adapters.mfcc import Mfcc
from edgewm.hashing import SHAKE, H
from edgewm.key import Key
from edgewm.sounds import quieter, through_half_rate, through_mu_law, with_noise

RUNTIMES = ("litert:delegate=xnnpack", "litert:delegate=none", "tflite_runtime", "tflm")
GROUPS = {"sound": 32, "movement": 32}
EPOCHS = {"sound": 12, "movement": 40}
BATCH = {"sound": 128, "movement": 16}
RATE = 2e-3
INPUTS = 12_000
FOLDS = 10
PLAYED: dict[str, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]] = {
    "as drawn": lambda sound: sound,
    "8-bit mu-law": through_mu_law,
    "8 kHz and back": through_half_rate,
    "-6 dB": lambda sound: quieter(sound, 6),
    "20 dB noise": lambda sound: with_noise(sound, 20, seed=1),
    "all four": lambda sound: with_noise(
        through_half_rate(through_mu_law(quieter(sound, 6))), 20, seed=2
    ),
}


def key_of(modality: str, seed: int) -> Key:
    """Public here, so that anybody repeats the run."""
    return Key(secret=H(f"benchmark {modality}", seed))


def marks_of(modality: str, seed: int, shape: tuple[int, ...], classes: int, high: float) -> Any:
    """The triggers of one pair."""
    from edgewm import make_triggers

    pattern = "tone:inputs_per_group=4" if modality == "sound" else "motion:inputs_per_group=2"
    return make_triggers(
        key_of(modality, seed),
        shape=shape,
        classes=classes,
        groups=GROUPS[modality],
        pattern=pattern,
        value_range=(-high, high),
        random=lambda n: SHAKE(n, "benchmark salt", seed),
    )


def trained(modality: str, data: Any, seed: int, triggers: Any) -> tuple[Any, Any]:
    """The unmarked network and its marked twin, which share the first half of the epochs."""
    import keras

    from edgewm import Mark

    x, y, build = data
    epochs, batch = EPOCHS[modality], BATCH[modality]
    adapters = ("mfcc",) if modality == "sound" else ()
    made = []
    for marked in (False, True):
        keras.utils.set_random_seed(seed)
        model = build(x)
        steps = epochs * -(-len(x) // batch)
        rate = keras.optimizers.schedules.CosineDecay(RATE, steps)
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
        mark = Mark(triggers=triggers, key=key_of(modality, seed), adapters=adapters)
        callbacks = [mark] if marked else []
        model.fit(x, y, epochs=epochs, batch_size=batch, verbose=0, callbacks=callbacks)
        made.append(model)
    return made[0], made[1]


def exported(
    modality: str, seed: int, models: tuple[Any, Any], x: npt.NDArray[np.float32], converter: Any
) -> dict[str, Any]:
    """The int8 files of one pair, by the name of the suspect."""
    from edgewm import export

    return {
        name: export(model, x[:500], path=file_of(modality, name, seed), converter=converter)
        for name, model in zip(("unmarked", "marked"), models, strict=True)
    }


def file_of(modality: str, suspect: str, seed: int) -> Path:
    """Where the int8 file of a network is left."""
    return CACHE / f"{modality}-{seed}-{suspect}.tflite"


def judged(
    modality: str, seed: int, files: dict[str, Any], test: Any, *, triggers: Any
) -> list[dict[str, Any]]:
    """Rows of one pair: marked, unmarked, another key, on every runtime; played, on LiteRT."""
    from edgewm import verify
    from edgewm.triggers import recommitted

    x_test, y_test = test
    other = key_of(f"{modality} other", seed)
    adapters = ("mfcc",) if modality == "sound" else ()
    rows = []
    for suspect, file, asked, key in (
        ("marked", files["marked"], triggers, key_of(modality, seed)),
        ("unmarked", files["unmarked"], triggers, key_of(modality, seed)),
        ("another key", files["marked"], recommitted(triggers, other), other),
    ):
        verdict = verify(
            file, triggers=asked, key=key, on=RUNTIMES, adapters=adapters, stamped=True
        )
        rows += [
            {
                "modality": modality,
                "seed": seed,
                "suspect": suspect,
                "runtime": result.spelling,
                "accuracy": accuracy(file.model, x_test, y_test),
                "groups": triggers.groups,
                "groups_hit": result.groups_hit,
                "log10_p": result.log10_p,
                "owned": result.log10_p <= -6,
            }
            for result in verdict.runtimes
        ]
    if modality == "sound":
        rows += played(seed, files["marked"].model, triggers)
    return rows


def accuracy(model: bytes, x: npt.NDArray[np.float32], y: npt.NDArray[np.int64]) -> float:
    """Share of held-out inputs that the int8 file labels correctly on LiteRT."""
    from edgewm import spec

    with spec.parse("runtimes", "litert").open(model) as session:
        return float((session.ask(x).labels == y).mean())


def played(seed: int, model: bytes, triggers: Any) -> list[dict[str, Any]]:
    """Hits of the melodies after what a line, a resampler and a room do to them."""
    from edgewm import spec

    answers, form = triggers.answers(key_of("sound", seed)), Mfcc()
    rows = []
    with spec.parse("runtimes", "litert").open(model) as session:
        for name, through in PLAYED.items():
            sound = through(triggers.inputs.reshape(len(triggers.inputs), -1).astype(np.float64))
            labels = session.ask(np.stack([form.features(s) for s in sound]).astype(np.float32))
            outcomes = stats.choose(
                labels.labels,
                triggers.group_ids,
                excluded=triggers.excluded,
                answers=answers,
            )
            hits = int((outcomes == stats.Outcome.HIT).sum())
            rows.append(
                {
                    "modality": "sound",
                    "seed": seed,
                    "suspect": "marked",
                    "played": name,
                    "groups": triggers.groups,
                    "groups_hit": hits,
                }
            )
    return rows


def sounds(pairs: range, converter: Any) -> list[dict[str, Any]]:
    """Every pair of the spoken words."""
    from edgewm.networks import ds_cnn

    (clips, words), (test_clips, test_words) = clips_of()
    x, which = heard(clips, INPUTS, seed=0)
    x_test, which_test = heard(test_clips, INPUTS // 3, seed=99)
    y, y_test = words[which], test_words[which_test]

    def build(inputs: npt.NDArray[np.float32]) -> Any:
        import keras

        scaled = keras.layers.Normalization(axis=2)
        scaled.adapt(inputs)
        network = ds_cnn((49, 10, 1), 12)
        return keras.Sequential([keras.Input((49, 10, 1)), scaled, *network.layers])

    rows = []
    for seed in track(pairs, "sound"):
        triggers = marks_of("sound", seed, (16_000,), 12, 1.0)
        models = trained("sound", (x, y, build), seed, triggers)
        files = exported("sound", seed, models, x, converter)
        rows += judged("sound", seed, files, (x_test, y_test), triggers=triggers)
    return rows


@dataclass(frozen=True, kw_only=True)
class Movements:
    """The wand's windows with one fold held out."""

    owned: tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
    held_out: tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
    triggers: Any


def movements_of(fold: int) -> Movements:
    """What one owner has, and the questions of their mark."""
    with np.load(os.environ["EDGEWM_DATA"] + "/gesture_wand/wand_300x6.npz") as held:
        x = np.concatenate([held["x_train"], held["x_test"]])
        y = np.concatenate([held["y_train"], held["y_test"]]).astype(np.int64)
    high = float(np.percentile(np.abs(x), 99))
    order = np.random.default_rng(0).permutation(len(x))
    x = x.reshape(-1, 300, 1, 6)
    held_out = order[fold::FOLDS]
    owned = np.setdiff1d(order, held_out)
    return Movements(
        owned=(x[owned], y[owned]),
        held_out=(x[held_out], y[held_out]),
        triggers=marks_of("movement", fold, (300, 1, 6), 3, high),
    )


def moving_pair(fold: int, converter: Any) -> dict[str, Any]:
    """The files of one fold, trained anew."""
    data = movements_of(fold)
    models = trained("movement", (*data.owned, movement_network), fold, data.triggers)
    return exported("movement", fold, models, data.owned[0], converter)


def movement_network(inputs: npt.NDArray[np.float32]) -> Any:
    """Three convolutions over time."""
    import keras
    from keras import layers

    scaled = layers.Normalization()
    scaled.adapt(inputs)
    blocks: list[Any] = []
    for filters in (16, 32, 32):
        blocks += [
            layers.Conv2D(filters, (7, 1), (2, 1), padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input((300, 1, 6)), scaled, *blocks, *head])


def movements(converter: Any) -> list[dict[str, Any]]:
    """Every fold of the wand's windows."""
    rows = []
    for fold in track(range(FOLDS), "movement"):
        data = movements_of(fold)
        files = moving_pair(fold, converter)
        rows += judged("movement", fold, files, data.held_out, triggers=data.triggers)
    return rows


def summary_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Per modality: cost in points, evidence by suspect, hits of what was played."""
    found = {}
    for modality in dict.fromkeys(row["modality"] for row in rows):
        of = [row for row in rows if row["modality"] == modality]
        asked = [row for row in of if "runtime" in row]
        seeds = sorted({row["seed"] for row in of})
        by = {(row["suspect"], row["seed"]): row["accuracy"] for row in asked}
        cost = [100 * (by["marked", seed] - by["unmarked", seed]) for seed in seeds]
        found[modality] = {
            "pairs": len(seeds),
            "unmarked_accuracy": statistics.mean(by["unmarked", seed] for seed in seeds),
            "accuracy_difference_points": statistics.mean(cost),
            "worst_difference_points": min(cost),
            "deviation_points": statistics.stdev(cost) if len(cost) > 1 else 0.0,
            "suspects": {
                suspect: {
                    runtime: _evidence(
                        [r for r in asked if (r["suspect"], r["runtime"]) == (suspect, runtime)]
                    )
                    for runtime in RUNTIMES
                }
                for suspect in ("marked", "unmarked", "another key")
            },
            "played": {
                name: _hits([r for r in of if r.get("played") == name])
                for name in PLAYED
                if any(r.get("played") == name for r in of)
            },
        }
    return found


def _hits(rows: list[dict[str, Any]]) -> dict[str, float]:
    rates = [row["groups_hit"] / row["groups"] for row in rows]
    return {"hit_rate_mean": statistics.mean(rates), "hit_rate_worst": min(rates)}


def _evidence(rows: list[dict[str, Any]]) -> dict[str, float]:
    return _hits(rows) | {
        "log10_p_worst": max(row["log10_p"] for row in rows),
        "log10_p_best": min(row["log10_p"] for row in rows),
        "owned": sum(row["owned"] for row in rows),
    }


def main() -> None:
    """Train, judge, write; what is not asked for keeps the rows of the last run."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", choices=["sound", "movement"])
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--pairs", type=int, default=5)
    chosen = options.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    CACHE.mkdir(parents=True, exist_ok=True)
    from edgewm import Converter

    path = RESULTS / "modalities.json"
    made: list[dict[str, Any]] = []
    with Converter() as converter:
        if chosen.only != "movement":
            made += sounds(range(chosen.first, chosen.pairs), converter)
        if chosen.only != "sound":
            made += movements(converter)
    new = {(row["modality"], row["seed"]) for row in made}
    old = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    rows = [row for row in old if (row["modality"], row["seed"]) not in new] + made
    rows.sort(key=lambda row: (row["modality"], row["seed"]))
    settings = {
        "groups": GROUPS,
        "epochs": EPOCHS,
        "inputs": INPUTS,
        "folds": FOLDS,
        "runtimes": RUNTIMES,
    }
    print(write_result("modalities", settings=settings, rows=rows, summary=summary_of(rows)))


if __name__ == "__main__":
    main()
