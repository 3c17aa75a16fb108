"""What a mark costs and whether it survives int8, on Fashion-MNIST with paired seeds.

For every seed one unmarked and one marked network are trained from the same initial weights on the same
batches, one after the other in one process; both are exported to full int8 and the marks are asked on
every runtime arithmetic present. Trained networks are kept in results/cache, so that an interrupted run
goes on where it stopped.

    python benchmarks/fashion_mnist.py [--seeds 5] [--train-only]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from typing import Any

from epoch_clock import EpochClock
from results_file import CACHE, write_result

SETTINGS = {
    "dataset": "fashion_mnist",
    "train_samples": 24_000,
    "model": "ds_cnn",
    "epochs": 8,
    "batch_size": 128,
    "optimizer": "Adam, 2e-3 to 0 over a half cosine",
    "groups": 64,
    "pattern": "abstract:cells=12",
    "scheme": "mix:rows=8",
    "start": 0.5,
    "format": "int8",
}
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 8: 2.365, 10: 2.262}
RUNTIMES = (
    "litert:delegate=xnnpack",
    "litert:delegate=none",
    "tflite_runtime",
    "tflm",
)


def key_of(seed: int) -> Any:
    """The key of one pair: seeds are public here, so that anybody repeats the run."""
    from edgewm.hashing import H
    from edgewm.key import Key

    return Key(secret=H("benchmark key", seed))


def triggers_of(seed: int) -> Any:
    """The triggers of one pair, made without a reference network: all ten classes are allowed."""
    from edgewm.hashing import SHAKE
    from edgewm.patterns import make_triggers

    return make_triggers(
        key_of(seed),
        shape=(28, 28, 1),
        classes=10,
        pattern=str(SETTINGS["pattern"]),
        groups=int(str(SETTINGS["groups"])),
        random=lambda count: SHAKE(count, "benchmark salt", seed),
    )


def train_pair(seed: int) -> None:
    """Train the unmarked and the marked twin of one seed, unless they are kept already."""
    from edgewm.datasets import load_dataset

    data = load_dataset("fashion_mnist")
    for name in ("unmarked", "marked"):
        kept = CACHE / f"fashion_mnist-{seed}-{name}.keras"
        if kept.exists():
            continue
        model = fresh_model(seed, int(str(SETTINGS["epochs"])))
        callbacks = marks(seed) if name == "marked" else []
        fit(model, data, callbacks, epochs=int(str(SETTINGS["epochs"])))
        model.save(kept)


def marks(seed: int, start: float = float(str(SETTINGS["start"]))) -> list[Any]:
    """The one line of the owner's script."""
    from edgewm.schemes.mark import Mark

    return [
        Mark(
            triggers=triggers_of(seed),
            key=key_of(seed),
            scheme=str(SETTINGS["scheme"]),
            start=start,
        )
    ]


def fresh_model(seed: int, epochs: int) -> Any:
    """A compiled network with the seed's initial weights and order of batches."""
    import keras

    from edgewm import networks

    keras.utils.set_random_seed(seed)
    model = getattr(networks, str(SETTINGS["model"]))((28, 28, 1), 10)
    count, batch = int(str(SETTINGS["train_samples"])), int(str(SETTINGS["batch_size"]))
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * -(-count // batch))
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def fit(model: Any, data: Any, callbacks: list[Any], *, epochs: int) -> None:
    """One training run."""
    count = int(str(SETTINGS["train_samples"]))
    model.fit(
        data.x_train[:count],
        data.y_train[:count],
        batch_size=int(str(SETTINGS["batch_size"])),
        epochs=epochs,
        callbacks=callbacks,
        verbose=2,
    )


def time_pair(seed: int) -> dict[str, float]:
    """Seconds of one epoch without and with the mark taught, after one that traces and warms up."""
    kept = CACHE / f"fashion_mnist-{seed}-seconds.json"
    if kept.exists():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    from edgewm.datasets import load_dataset

    data = load_dataset("fashion_mnist")
    seconds = {}
    for name, marked in (("unmarked_epoch_s", False), ("marked_epoch_s", True)):
        model = fresh_model(seed, 2)
        clock = EpochClock()
        fit(model, data, [*(marks(seed, 0.0) if marked else []), clock], epochs=2)
        seconds[name] = clock.seconds[-1]
    kept.write_text(json.dumps(seconds), encoding="utf-8")
    return seconds


def ask(seed: int, converter: Any) -> list[dict[str, Any]]:
    """Rows of one pair: accuracy once, groups hit on every runtime, controls beside them."""
    from edgewm import export, verify
    from edgewm.datasets import load_dataset
    from edgewm.hashing import H
    from edgewm.key import Key
    from edgewm.triggers import recommitted

    data, triggers, key = load_dataset("fashion_mnist"), triggers_of(seed), key_of(seed)
    wrong = Key(secret=H("benchmark wrong key", seed))
    of_wrong = recommitted(triggers, wrong)
    artifacts = {}
    for name in ("unmarked", "marked"):
        artifacts[name] = export(
            CACHE / f"fashion_mnist-{seed}-{name}.keras",
            data.x_train[:500],
            held_out=(data.x_test, data.y_test),
            triggers=triggers,
            key=key,
            converter=converter,
        )
    rows = []
    for suspect, name, asked, secret in (
        ("marked", "marked", triggers, key),
        ("unmarked", "unmarked", triggers, key),
        ("wrong-key", "marked", of_wrong, wrong),
    ):
        artifact = artifacts[name]
        for runtime in RUNTIMES:
            verdict = verify(artifact, triggers=asked, key=secret, on=[runtime])
            result = verdict.worst
            rows.append(
                {
                    "seed": seed,
                    "suspect": suspect,
                    "runtime": runtime,
                    "arithmetic": result.arithmetic,
                    "float_accuracy": artifact.float_accuracy,
                    "accuracy": artifact.accuracy,
                    "float_groups_hit": artifact.float_groups_hit,
                    "groups_asked": result.groups_asked,
                    "groups_hit": result.groups_hit,
                    "log10_p": result.log10_p,
                    "owned": verdict.owned,
                    "bytes": len(artifact.model),
                }
            )
    return rows


def summary_of(rows: list[dict[str, Any]], times: list[dict[str, float]]) -> dict[str, Any]:
    """The numbers that the README shows."""
    first = [row for row in rows if row["runtime"] == RUNTIMES[0]]
    seeds = sorted({row["seed"] for row in rows})

    def accuracy(seed: int, suspect: str) -> float:
        (row,) = [r for r in first if r["seed"] == seed and r["suspect"] == suspect]
        return float(row["accuracy"])

    differences = [100 * (accuracy(s, "marked") - accuracy(s, "unmarked")) for s in seeds]
    runtimes = {}
    for runtime in RUNTIMES:
        hits = [row for row in rows if row["runtime"] == runtime and row["suspect"] == "marked"]
        rates = [row["groups_hit"] / row["groups_asked"] for row in hits]
        runtimes[runtime] = {
            "arithmetic": hits[0]["arithmetic"],
            "hit_rate_mean": statistics.mean(rates),
            "hit_rate_worst": min(rates),
        }
    controls = [row for row in rows if row["suspect"] != "marked"]
    mean = statistics.mean(differences)
    # two-sided 95 % interval of Student's t with 4 degrees of freedom for 5 pairs
    half = T_95[len(seeds)] * statistics.stdev(differences) / len(seeds) ** 0.5
    return {
        "pairs": len(seeds),
        "unmarked_accuracy": statistics.mean(accuracy(s, "unmarked") for s in seeds),
        "marked_accuracy": statistics.mean(accuracy(s, "marked") for s in seeds),
        "accuracy_difference_points": mean,
        "interval_points": [mean - half, mean + half],
        "training_time_ratio": statistics.median(
            t["marked_epoch_s"] / t["unmarked_epoch_s"] for t in times
        ),
        "runtimes": runtimes,
        "controls": len(controls),
        "controls_owned": sum(row["owned"] for row in controls),
    }


def main() -> None:
    """Train, export, ask, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=5, choices=sorted(T_95))
    options.add_argument("--train-only", action="store_true")
    chosen = options.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    CACHE.mkdir(parents=True, exist_ok=True)
    for seed in range(chosen.seeds):
        train_pair(seed)
    if chosen.train_only:
        return
    from edgewm import Converter

    times = [time_pair(seed) for seed in range(chosen.seeds)]
    rows: list[dict[str, Any]] = []
    with Converter() as converter:
        for seed in range(chosen.seeds):
            rows += ask(seed, converter)
    summary = summary_of(rows, times)
    timed = [{"seed": seed, **took} for seed, took in enumerate(times)]
    settings = {**SETTINGS, "timing": timed}
    print(write_result("fashion_mnist", settings=settings, rows=rows, summary=summary), summary)


if __name__ == "__main__":
    main()
