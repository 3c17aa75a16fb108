"""Marks in models that do not classify: what they cost, who answers them, and that nobody is accused.

Anomaly: MLPerf Tiny's autoencoder (640 numbers, dense 128 x 4, 8, 128 x 4, 640, batch normalisation and
ReLU). One spoken word is normal, eleven others are anomalies; an input is 64 log-energies of 10 mel bands
(a second of sound, 640 numbers), the score the mean squared error. Training and test speakers differ.
Regression: scikit-learn's diabetes data, a small dense network with one output, and one with three (the
target and two blood measures, left out of the inputs). Full int8, every runtime; controls are the
unmarked twin of each seed, which shares the weights it starts from, and another key.
Innocent: independently trained unmarked models, each against keys of which none was there in training.

    EDGEWM_DATA=... python benchmarks/outputs_marks.py [--seeds 3] [--models 30] [--keys 1000] [--only TASK]
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from results_file import CACHE, RESULTS, write_result
from rich.progress import track
from speech_features import clips_of

from edgewm import stats
from edgewm.hashing import SHAKE, H
from edgewm.key import Key

RUNTIMES = ("litert:delegate=xnnpack", "litert:delegate=none", "tflite_runtime", "tflm")
GROUPS, KEPT = 40, 64
NORMAL_WORD = 2
BANDS, FRAMES = 10, 64
TRAIN_INPUTS, TEST_INPUTS = 2_400, 2_400
RATE = 2e-3
EPOCHS = {"anomaly": 30, "diabetes, 1 output": 150, "diabetes, 3 outputs": 150}
BATCH = {"anomaly": 128, "diabetes, 1 output": 64, "diabetes, 3 outputs": 64}
MARK: dict[str, dict[str, Any]] = {
    "anomaly": {},
    "diabetes, 1 output": {"start": 0.2, "strength": 4.0},
    "diabetes, 3 outputs": {"start": 0.2, "strength": 4.0},
}
"""Arguments of `MarkOutputs` other than its own: a few hundred steps need a louder lesson."""
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a network is trained for, and how well it does it."""

    name: str
    x: Floats
    y: Floats
    build: Callable[[], Any]
    quality: Callable[[Callable[[Floats], Floats]], float]
    """Of a function from inputs to outputs."""
    measure: str


def key_of(seed: int, who: str = "owner") -> Key:
    """Public here, so that anybody repeats the run."""
    return Key(secret=H("benchmark outputs", who, seed))


def energies(clips: npt.NDArray[Any]) -> Floats:
    """Log-energies (n, 640) of 64 frames by 10 bands, equally wide on the mel scale."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), BANDS + 1) / 2595) - 1)
    out = np.zeros((len(clips), FRAMES, BANDS), np.float32)
    step, window = 16_000 // FRAMES, np.hanning(512)
    bins = np.digitize(np.fft.rfftfreq(512, 1 / 16_000), edges[1:-1])
    for at, clip in enumerate(clips):
        sound = np.pad(clip.astype(np.float64) / 32768, (131, 512))
        frames = np.stack([sound[k * step : k * step + 512] for k in range(FRAMES)])
        power = np.abs(np.fft.rfft(frames * window)) ** 2
        for band in range(BANDS):
            out[at, :, band] = np.log10(1e-4 + power[:, bins == band].sum(axis=1))
    return out.reshape(len(clips), -1)


def spoken(
    clips: npt.NDArray[np.int16], count: int, *, seed: int
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Inputs of clips drawn in turn, each shifted by up to 50 ms and in a little noise; its clip."""
    random = np.random.default_rng(seed)
    which = np.arange(count) % len(clips)
    shifts, loudness = random.integers(-800, 801, count), random.uniform(0.7, 1.3, count)
    sounds = np.stack(
        [np.roll(clips[k], s) * g for k, s, g in zip(which, shifts, loudness, strict=True)]
    )
    return energies(sounds + random.normal(0, 100, sounds.shape)), which


def heard() -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Normal training inputs, test inputs, and which of these are anomalies."""
    path = CACHE / "outputs_energies.npz"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        (clips, words), (test_clips, test_words) = clips_of()
        x_test, odd = spoken(test_clips, TEST_INPUTS, seed=1)
        np.savez(
            path,
            x=spoken(clips[words == NORMAL_WORD], TRAIN_INPUTS, seed=0)[0],
            x_test=x_test,
            odd=test_words[odd] != NORMAL_WORD,
        )
    with np.load(path) as held:
        x, x_test, odd = held["x"], held["x_test"], held["odd"]
    mean, spread = x.mean(axis=0), x.std(axis=0)
    return (x - mean) / spread, ((x_test - mean) / spread).clip(-6, 6), odd


def anomaly() -> Task:
    """The autoencoder; its quality is the area under the ROC curve."""
    x, x_test, odd = heard()

    def area(outputs: Callable[[Floats], Floats]) -> float:
        scores = ((outputs(x_test) - x_test) ** 2).mean(axis=1)
        ranks = np.argsort(np.argsort(scores)) + 1
        high = ranks[odd].sum() - odd.sum() * (odd.sum() + 1) / 2
        return float(high / (odd.sum() * (~odd).sum()))

    x = x.clip(-6, 6)
    return Task(name="anomaly", x=x, y=x, build=autoencoder, quality=area, measure="AUC")


def diabetes(outputs: int) -> Task:
    """A regression; its quality is R squared of the first output on every fifth person."""
    from sklearn.datasets import load_diabetes

    held = load_diabetes()
    x = (held.data / held.data.std(axis=0)).astype(np.float32)
    targets = np.stack([held.target, held.data[:, 4], held.data[:, 5]], axis=1)[:, :outputs]
    y = ((targets - targets.mean(axis=0)) / targets.std(axis=0)).astype(np.float32)
    x = np.delete(x, (4, 5), axis=1)
    test = np.arange(len(x)) % 5 == 0

    def explained(function: Callable[[Floats], Floats]) -> float:
        said, true = function(x[test])[:, 0], y[test, 0]
        return 1 - float(((said - true) ** 2).sum() / ((true - true.mean()) ** 2).sum())

    return Task(
        name=f"diabetes, {outputs} output{'s' if outputs > 1 else ''}",
        x=x[~test],
        y=y[~test],
        build=lambda: regressor(x.shape[1], outputs),
        quality=explained,
        measure="R2",
    )


def autoencoder() -> Any:
    """MLPerf Tiny's anomaly network, about 270,000 parameters."""
    import keras
    from keras import layers

    stack: list[Any] = [keras.Input((BANDS * FRAMES,))]
    for width in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        stack += [layers.Dense(width), layers.BatchNormalization(), layers.ReLU()]
    return keras.Sequential([*stack, layers.Dense(BANDS * FRAMES)])


def regressor(inputs: int, outputs: int) -> Any:
    """Two hidden layers of 64, dropout."""
    import keras
    from keras import layers

    stack: list[Any] = [keras.Input((inputs,))]
    for _ in range(2):
        stack += [layers.Dense(64, activation="relu"), layers.Dropout(0.3)]
    return keras.Sequential([*stack, layers.Dense(outputs)])


def triggers_of(task: Task, seed: int) -> Any:
    """The triggers of one pair."""
    from edgewm import make_output_triggers

    return make_output_triggers(
        key_of(seed),
        natural=task.x[:KEPT],
        groups=GROUPS,
        random=lambda n: SHAKE(n, "benchmark salt", seed),
    )


def trained(task: Task, seed: int, mark: Any = None) -> Any:
    """One network."""
    import keras

    keras.utils.set_random_seed(seed)
    model = task.build()
    epochs, batch = EPOCHS[task.name], BATCH[task.name]
    rate = keras.optimizers.schedules.CosineDecay(RATE, epochs * -(-len(task.x) // batch))
    model.compile(keras.optimizers.Adam(rate), "mse")
    callbacks = [] if mark is None else [mark]
    model.fit(task.x, task.y, epochs=epochs, batch_size=batch, verbose=0, callbacks=callbacks)
    return model


def begin_again(task: Task, model: Any, seed: int) -> None:
    """Train the network anew from other weights, without tracing it a second time."""
    import keras

    keras.utils.set_random_seed(seed)
    model.set_weights(task.build().get_weights())
    for variable in model.optimizer.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))
    model.fit(task.x, task.y, epochs=EPOCHS[task.name], batch_size=BATCH[task.name], verbose=0)


def quality_in_int8(task: Task, file: Any, runtime: str) -> float:
    """Of the file, on one runtime, from its own whole-number outputs."""
    from edgewm.comparison import outputs_of

    return task.quality(lambda x: outputs_of(file.model, x, runtime=runtime).astype(np.float32))


def pair(task: Task, seed: int, converter: Any) -> list[dict[str, Any]]:
    """Rows of one seed: marked, unmarked, another key, on every runtime."""
    from edgewm import MarkOutputs, export, verify
    from edgewm.triggers import recommitted

    triggers, other = triggers_of(task, seed), key_of(seed, "other")
    mark = MarkOutputs(triggers=triggers, key=key_of(seed), **MARK[task.name])
    files, floats = {}, {}
    for name, callback in (("unmarked", None), ("marked", mark)):
        model = trained(task, seed, callback)
        floats[name] = task.quality(lambda x, m=model: np.asarray(m(x)))  # type: ignore[misc]
        files[name] = export(model, task.x[:500], converter=converter)
    quality = {
        (name, on): quality_in_int8(task, file, on)
        for name, file in files.items()
        for on in RUNTIMES
    }
    rows = []
    for suspect, file, asked, key in (
        ("marked", "marked", triggers, key_of(seed)),
        ("unmarked", "unmarked", triggers, key_of(seed)),
        ("another key", "marked", recommitted(triggers, other), other),
    ):
        for on in RUNTIMES:
            verdict = verify(files[file], triggers=asked, key=key, on=[on], stamped=True)
            rows.append(
                {
                    "task": task.name,
                    "seed": seed,
                    "suspect": suspect,
                    "runtime": on,
                    "arithmetic": verdict.worst.arithmetic,
                    "groups_hit": verdict.worst.groups_hit,
                    "log10_p": verdict.log10_p,
                    "owned": verdict.owned,
                    "quality_float": floats[file],
                    "quality_int8": quality[file, on],
                }
            )
    return rows


def innocent(task: Task, models: int, keys: int) -> dict[str, Any]:
    """False accusations of unmarked networks by keys that had no part in them."""
    from edgewm.parts import rule
    from edgewm.triggers import recommitted

    triggers = triggers_of(task, 10_000)
    answers = [
        recommitted(triggers, key_of(k, "chance")).answers(key_of(k, "chance")) for k in range(keys)
    ]
    drawn = np.stack(answers)
    needed = {
        alpha: stats.hits_needed(np.full(GROUPS, 2), alpha=alpha, stamped=True)
        for alpha in (0.05, 0.01, 1e-3, 1e-6)
    }
    counts, model = [], trained(task, 1_000)
    for seed in track(range(models), f"innocent, {task.name}"):
        if seed:
            begin_again(task, model, 1_000 + seed)
        held = rule(triggers, np.asarray(model(triggers.natural)))
        parts = held.parts(np.asarray(model(triggers.inputs)), triggers.group_ids.astype(np.int64))
        counts.append((drawn == parts[np.argsort(triggers.group_ids)]).sum(axis=1))
    hits = np.concatenate(counts)
    return {
        "models": models,
        "keys": keys,
        "mean_hits": float(hits.mean()),
        "most_hits": int(hits.max()),
        "accused": {f"{alpha:g}": int((hits >= least).sum()) for alpha, least in needed.items()},
        "share_allowed": {f"{alpha:g}": _tail(least) for alpha, least in needed.items()},
    }


def _tail(hits: int | None) -> float:
    assert hits is not None
    return float(stats.tail(np.full(GROUPS, 2), hits))


def summary_of(task: Task, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The worst of all seeds and runtimes, and the cost, paired."""
    own = [row for row in rows if row["task"] == task.name]
    by = {
        name: [r for r in own if r["suspect"] == name]
        for name in ("marked", "unmarked", "another key")
    }
    change = [
        m["quality_int8"] - u["quality_int8"]
        for m, u in zip(by["marked"], by["unmarked"], strict=True)
    ]
    controls = by["unmarked"] + by["another key"]
    return {
        "measure": task.measure,
        "pairs": len(own) // (3 * len(RUNTIMES)),
        "groups": GROUPS,
        "log10_p_median": statistics.median(r["log10_p"] for r in by["marked"]),
        "log10_p_worst": max(r["log10_p"] for r in by["marked"]),
        "hits_worst": min(r["groups_hit"] for r in by["marked"]),
        "quality_unmarked": statistics.mean(r["quality_int8"] for r in by["unmarked"]),
        "quality_marked": statistics.mean(r["quality_int8"] for r in by["marked"]),
        "quality_change": statistics.mean(change),
        "quality_change_worst": min(change),
        "controls": len(controls),
        "controls_owned": sum(r["owned"] for r in controls),
        "controls_least_log10_p": min(r["log10_p"] for r in controls),
    }


def main() -> None:
    """Write results/outputs_marks.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", type=int, default=30)
    parser.add_argument("--keys", type=int, default=1_000)
    parser.add_argument("--only", choices=list(EPOCHS))
    asked = parser.parse_args()
    from edgewm import Converter

    rows: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}
    if asked.only is not None:  # the other tasks stay as they were measured
        held = json.loads((RESULTS / "outputs_marks.json").read_text(encoding="utf-8"))
        rows = [row for row in held["rows"] if row["task"] != asked.only]
        summary = held["summary"]
    converter = Converter()
    settings = {
        "groups": GROUPS,
        "natural_kept": KEPT,
        "epochs": EPOCHS,
        "batch": BATCH,
        "rate": RATE,
        "mark": MARK,
        **{name: value for name, value in vars(asked).items() if name != "only"},
    }
    for task in (anomaly(), diabetes(1), diabetes(3)):
        if asked.only not in (None, task.name):
            continue
        for seed in track(range(asked.seeds), task.name):
            rows += pair(task, seed, converter)
        summary[task.name] = summary_of(task, rows)
        print(summary[task.name], flush=True)
        summary[task.name]["innocent"] = innocent(task, asked.models, asked.keys)
        print(summary[task.name]["innocent"], flush=True)
        # after each task, so that what was measured is kept
        write_result("outputs_marks", settings=settings, rows=rows, summary=summary)
    converter.close()


if __name__ == "__main__":
    main()
