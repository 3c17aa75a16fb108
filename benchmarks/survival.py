"""What marks cost and what they outlive: networks, patterns and schemes side by side, on real files.

For every data set, network and seed: an unmarked twin, marked networks of both schemes with both
patterns, and what thieves make of them. Everything is exported and asked on every local runtime; marked
networks of the default scheme in every format. Controls beside them: the unmarked twin and the marked
file under another key.

    python benchmarks/survival.py [--seeds 5] [--dataset D] [--model M] [--jobs 2]   train what is missing,
                                                                                    ask, write the result
    python benchmarks/survival.py --write     only what results/cache holds already

Times are in training_time.py, which needs a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from results_file import CACHE, write_result
from rich.progress import track
from survival_training import (
    MODELS,
    PROTOCOLS,
    RUINOUS,
    THIEVES,
    Job,
    data_of,
    jobs_of,
    key_of,
    marks_of,
    thieves_of,
    triggers_of,
)

DEFAULT_SCHEME = "robust"
PATTERNS = ("abstract", "logo")
RUNTIMES = ("litert:delegate=xnnpack", "litert:delegate=none", "tflite_runtime", "tflm")
NOT_ON_TFLM = ("dynamic", "float16")
FORMAT_SEEDS = 1
"""int8 is asked with every seed, the other formats with the first ones."""
FORMATS = ("int8", "int8_per_tensor", "int16x8", "float32", "float16", "dynamic")
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 8: 2.365, 10: 2.262}
UNSTAMPED = -25.26
"""log10 of 1e-6 x 2^-64."""


def train_missing(jobs: list[list[Job]], workers: int) -> None:
    """Make every network that is not kept yet; the jobs of one list depend on each other."""
    left = [[job for job in chain if not job.path.exists()] for chain in jobs]

    def run(chain: list[Job]) -> None:
        for job in chain:
            script = Path(__file__).with_name("survival_training.py")
            subprocess.run([sys.executable, str(script), str(job)], check=True)

    with ThreadPoolExecutor(workers) as pool:
        chains = [chain for chain in left if chain]
        for _ in track(pool.map(run, chains), "training", len(chains)):
            pass


def ask(seed_of: Job, converter: Any) -> list[dict[str, Any]]:
    """Every row of one data set, network and seed, asked once and kept."""
    kept = CACHE / f"survival-{seed_of.at('rows')}.json"
    if kept.exists():
        return list(json.loads(kept.read_text(encoding="utf-8")))
    rows = []
    for mark in marks_of(seed_of.seed):
        scheme, pattern = mark.split("-")
        every = scheme == DEFAULT_SCHEME and seed_of.seed < FORMAT_SEEDS
        for format in FORMATS if every else FORMATS[:1]:
            artifact = exported(seed_of.at(mark), format, converter)
            rows += rows_of(seed_of.at(mark), mark, artifact)
            if format == "int8":
                rows += rows_of(seed_of.at(mark), mark, artifact, wrong_key=True)
        for thief in thieves_of(seed_of.seed):
            stolen = seed_of.at(f"{mark}-{thief}")
            rows += rows_of(stolen, mark, exported(stolen, "int8", converter))
    unmarked = exported(seed_of.at("unmarked"), "int8", converter)
    for pattern in PATTERNS:
        rows += rows_of(seed_of.at("unmarked"), f"none-{pattern}", unmarked)
    kept.write_text(json.dumps(rows), encoding="utf-8")
    return rows


def exported(job: Job, format: str, converter: Any) -> Any:
    """One network in one format; int8 files are measured on the test set."""
    from edgewm import export

    held = data_of(job.dataset)
    return export(
        job.path,
        held.x_train[PROTOCOLS[job.dataset].train][:500],
        held_out=(held.x_test, held.y_test) if format == "int8" else None,
        format=format,
        converter=converter,
    )


def rows_of(job: Job, mark: str, artifact: Any, *, wrong_key: bool = False) -> list[dict[str, Any]]:
    """The marks of one file on every runtime that can run it."""
    from edgewm import verify
    from edgewm.hashing import H
    from edgewm.key import Key
    from edgewm.triggers import recommitted

    scheme, pattern = mark.split("-")
    format = artifact.format
    triggers, key = triggers_of(job.dataset, job.model, job.seed, pattern), key_of(job.seed)
    if wrong_key:
        key = Key(secret=H("benchmark wrong key", job.seed))
        triggers = recommitted(triggers, key)
    suspect = "wrong key" if wrong_key else job.stage.removeprefix(mark).lstrip("-") or "marked"
    rows = []
    for runtime in RUNTIMES:
        if runtime == "tflm" and format in NOT_ON_TFLM:
            continue
        verdict = verify(artifact, triggers=triggers, key=key, on=[runtime])
        found = verdict.worst
        rows.append(
            {
                "dataset": job.dataset,
                "model": job.model,
                "seed": job.seed,
                "pattern": pattern,
                "scheme": scheme,
                "suspect": suspect,
                "format": format,
                "runtime": runtime,
                "arithmetic": found.arithmetic,
                "float_accuracy": artifact.float_accuracy,
                "accuracy": artifact.accuracy,
                "groups_asked": found.groups_asked,
                "groups_hit": found.groups_hit,
                "log10_p": found.log10_p,
                "owned": verdict.owned,
            }
        )
    return rows


def summary_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the README shows, a line for each data set, network, pattern and scheme."""
    cases: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        if row["scheme"] != "none":
            name = (row["dataset"], row["model"], row["pattern"], row["scheme"])
            cases.setdefault(name, []).append(row)
    twins = {
        (row["dataset"], row["model"], row["seed"]): row["accuracy"]
        for row in rows
        if row["scheme"] == "none"
    }
    controls = [row for row in rows if row["scheme"] == "none" or row["suspect"] == "wrong key"]
    return {
        "cases": [
            dict(zip(("dataset", "model", "pattern", "scheme"), name, strict=True))
            | case_of(found, twins)
            for name, found in sorted(cases.items())
        ],
        "controls": len(controls),
        "controls_owned": sum(row["owned"] for row in controls),
        "controls_smallest_log10_p": min(row["log10_p"] for row in controls),
    }


def case_of(rows: list[dict[str, Any]], twins: dict[Any, float]) -> dict[str, Any]:
    """Cost with its interval, groups hit by format and runtime, and what thieves leave."""
    first = [row for row in rows if row["runtime"] == RUNTIMES[0] and row["format"] == "int8"]
    differences = [
        100 * (row["accuracy"] - twins[row["dataset"], row["model"], row["seed"]])
        for row in first
        if row["suspect"] == "marked"
    ]
    seeds = len(differences)
    mean = statistics.mean(differences)
    # two-sided 95 % interval of Student's t
    half = T_95[seeds] * statistics.stdev(differences) / seeds**0.5 if seeds in T_95 else None
    marked = [row for row in rows if row["suspect"] == "marked"]
    formats: dict[str, dict[str, Any]] = {}
    for format in dict.fromkeys(row["format"] for row in marked):
        for runtime in RUNTIMES:
            asked = [r for r in marked if (r["format"], r["runtime"]) == (format, runtime)]
            if asked:
                formats.setdefault(format, {})[runtime] = survived(asked)
    thieves = {}
    for thief in (*THIEVES, *RUINOUS):
        stolen = [row for row in rows if row["suspect"] == thief]
        accuracies = [r["accuracy"] for r in first if r["suspect"] == thief]
        thieves[thief] = survived(stolen) | {"accuracy": statistics.mean(accuracies)}
    return {
        "pairs": seeds,
        "unmarked_accuracy": statistics.mean(
            twins[r["dataset"], r["model"], r["seed"]] for r in first if r["suspect"] == "marked"
        ),
        "accuracy_difference_points": mean,
        "interval_points": None if half is None else [mean - half, mean + half],
        "marked": survived(marked),
        "formats": formats,
        "thieves": thieves,
    }


def survived(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Share of groups hit, mean and worst, and the weakest verdict."""
    shares = [row["groups_hit"] / row["groups_asked"] for row in rows]
    return {
        "hit_rate_mean": statistics.mean(shares),
        "hit_rate_worst": min(shares),
        "log10_p_worst": max(row["log10_p"] for row in rows),
        "owned": sum(row["owned"] for row in rows),
        "verdicts": len(rows),
    }


def main() -> None:
    """Train, ask, write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--dataset", action="append", choices=sorted(PROTOCOLS))
    options.add_argument("--model", action="append", choices=MODELS)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--write", action="store_true")
    chosen = options.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    CACHE.mkdir(parents=True, exist_ok=True)
    chains = [
        jobs_of(dataset, model, seed)
        for seed in range(chosen.seeds)
        for dataset in chosen.dataset or sorted(PROTOCOLS)
        for model in chosen.model or MODELS
    ]
    if not chosen.write:
        train_missing(chains, chosen.jobs)
    from edgewm import Converter

    rows = []
    with Converter() as converter:
        for chain in track(chains, "asking"):
            if all(job.path.exists() for job in chain):
                rows += ask(chain[0], converter)
    protocols = {name: {k: str(v) for k, v in asdict(p).items()} for name, p in PROTOCOLS.items()}
    settings = {
        "protocols": protocols,
        "formats": FORMATS,
        "seeds_of_formats": FORMAT_SEEDS,
        "thieves": THIEVES | RUINOUS,
    }
    print(write_result("survival", settings=settings, rows=rows, summary=summary_of(rows)))


if __name__ == "__main__":
    main()
