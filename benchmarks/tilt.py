"""What a tilt costs and what inherits it: stolen files, clones, clones of clones, innocents, on real files.

A pair is one seed and one key: a clean network, the same network leaned, and what thieves make of it, all in
full int8. Controls: the clean twin, the leaned file under another key, and independent networks under 1,000
keys each.

    python benchmarks/tilt.py [--pairs 8] [--dataset D] [--jobs 2]   train what is missing, ask, write
    python benchmarks/tilt.py --first 5 --pairs 8   only pairs 5 to 7
    python benchmarks/tilt.py --write     only what results/cache holds already

Pairs measured earlier under the same settings keep their rows, each with the commit that it was measured at.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from results_file import CACHE, RESULTS, commit_of_checkout, write_result
from rich.progress import track
from tilt_training import (
    CELLS,
    DOMAINS,
    LEAN,
    OTHER_DOMAIN_QUERIES,
    PROTOCOLS,
    QUESTIONS,
    REFERENCES,
    Job,
    data_of,
    int8_of,
    key_of,
    needs,
    tilt_of,
)

ALL_RUNTIMES = ("litert:delegate=xnnpack", "litert:delegate=none", "tflite_runtime", "tflm")
RUNTIMES = ALL_RUNTIMES[:1]
"""Every suspect is asked on these, the stolen files of the first pairs on all; the worst counts."""
MORE_PAIRS = 1
"""Pairs whose rarer thieves are trained too, and whose leaned file is asked on every runtime."""
FEWER_QUERIES = (500, 1000, 2000)
BAR_QUERIES = 2000
"""What the bar for a stolen file allows."""
EVERY_PAIR = ("clean", "leaned", "clone", "finetuned")
RARER = ("clone_same", "clone_cifar10", "clone_digits", "clone_again")
INNOCENT_KEYS = 1000
INDEPENDENT = (200, 201)
"""Seeds of networks of the clone's architecture that nobody marked."""
T_95 = {3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}


def jobs_of(dataset: str, seeds: range) -> list[Job]:
    """Every network, those that others need first."""
    jobs = [Job(dataset=dataset, seed=seed, stage="clean") for seed in (*REFERENCES, *seeds)]
    for stage in EVERY_PAIR[1:]:
        jobs += [Job(dataset=dataset, seed=seed, stage=stage) for seed in seeds]
    if seeds.start == 0:
        jobs += [Job(dataset=dataset, seed=seed, stage="independent") for seed in INDEPENDENT]
    rarer = [s for s in RARER if dataset == "fashion_mnist" or s.split("_")[1] not in DOMAINS]
    for stage in rarer:
        jobs += [
            Job(dataset=dataset, seed=seed, stage=stage) for seed in seeds if seed < MORE_PAIRS
        ]
    return jobs


def train_missing(jobs: list[Job], workers: int) -> None:
    """Make every network that is not kept yet, as soon as what it needs is there."""
    left = [job for job in jobs if not job.path.exists()]
    turn = threading.Condition()
    failed: list[Job] = []

    def work() -> None:
        while True:
            with turn:
                while not (ready := [j for j in left if all(n.path.exists() for n in needs(j))]):
                    if not left or failed:
                        return
                    turn.wait(5.0)
                job = ready[0]
                left.remove(job)
            script = Path(__file__).with_name("tilt_training.py")
            done = subprocess.run([sys.executable, str(script), str(job)], check=False)
            with turn:
                failed.extend([job] if done.returncode else [])
                turn.notify_all()
            print(job, "failed" if done.returncode else "done", flush=True)

    with ThreadPoolExecutor(workers) as pool:
        for one in [pool.submit(work) for _ in range(workers)]:
            one.result()
    if failed:
        raise SystemExit(f"{failed[0]} did not end well, see above")


def ask(job: Job, stage: str, converter: Any) -> list[dict[str, Any]]:
    """One network's verdicts, asked once and kept."""
    kept = CACHE / f"tilt-{job.at(stage)}.json"
    if kept.exists():
        return list(json.loads(kept.read_text(encoding="utf-8")))
    from edgewm.hashing import H
    from edgewm.key import Key
    from edgewm.tilt import recommitted_tilt

    tilt, key, model = tilt_of(job), key_of(job.seed), int8_of(job.at(stage), converter)
    accuracy = accuracy_of(job, model)
    every = stage == "leaned" and job.seed < MORE_PAIRS
    rows = []
    for runtime in ALL_RUNTIMES if every else RUNTIMES:
        rows.append(
            row_of(job, stage, model, tilt=tilt, key=key, runtime=runtime) | {"accuracy": accuracy}
        )
    first = RUNTIMES[0]
    forms: list[dict[str, Any]] = [{"queries": queries} for queries in FEWER_QUERIES] + [
        {"sequential": True}
    ]
    for form in forms:
        found = row_of(job, stage, model, tilt=tilt, key=key, runtime=first, **form)
        rows.append(found | {"accuracy": accuracy})
    if stage == "leaned":
        other = Key(secret=H("benchmark wrong key", job.seed))
        wrong = recommitted_tilt(tilt, other)
        rows.append(
            row_of(job, "wrong_key", model, tilt=wrong, key=other, runtime=first)
            | {"accuracy": accuracy}
        )
    kept.write_text(json.dumps(rows), encoding="utf-8")
    return rows


def row_of(
    job: Job,
    suspect: str,
    model: bytes,
    *,
    tilt: Any,
    key: Any,
    runtime: str,
    queries: int | None = None,
    sequential: bool = False,
) -> dict[str, Any]:
    """One verdict."""
    from edgewm import verify

    verdict = verify(
        model,
        tilt=tilt,
        key=key,
        on=[runtime],
        natural_queries=queries,
        sequential=sequential,
        stamped=True,
    )
    assert verdict.tilt is not None
    found = verdict.tilt.worst
    return {
        "dataset": job.dataset,
        "seed": job.seed,
        "suspect": suspect,
        "runtime": runtime,
        "arithmetic": found.arithmetic,
        "form": "sequential" if sequential else "fixed",
        "queries": found.queries,
        "queries_named": queries,
        "cells": tilt.cells,
        "z": found.z,
        "log10_p": found.log10_p,
        "log10_p_bound": found.log10_p_bound,
        "owned": verdict.owned,
    }


def accuracy_of(job: Job, model: bytes) -> float:
    """Share of the test set that the int8 file labels correctly on LiteRT, 0 to 1."""
    from edgewm import spec

    held = data_of(job.dataset)
    with spec.parse("runtimes", "litert").open(model) as session:
        return float((session.ask(held.x_test).labels == held.y_test).mean())


def innocents(dataset: str, pairs: int, converter: Any) -> dict[str, Any]:
    """1,000 keys against ten networks that no key of them marked: share of p <= 0.01, by key."""
    kept = CACHE / f"tilt-{dataset}-innocents.json"
    if kept.exists():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    from edgewm import spec
    from edgewm.hashing import H
    from edgewm.key import Key
    from edgewm.signed_sum import fixed_log10_p, signed_sum
    from edgewm.tilt import recommitted_tilt

    stages = [("clean", s) for s in (0, *REFERENCES)] + [("independent", s) for s in INDEPENDENT]
    stages += [(stage, s) for s in (0, 1) for stage in ("leaned", "clone")]
    jobs = [Job(dataset=dataset, seed=seed, stage=stage) for stage, seed in stages]
    tilt = tilt_of(Job(dataset=dataset, seed=min(2, pairs - 1), stage="clean"))
    scores = []
    for job in jobs:
        with spec.parse("runtimes", "litert").open(int8_of(job, converter)) as session:
            scores.append(tilt.scores(session.ask(tilt.inputs).labels))
    norms = [math.sqrt(float((a.astype(np.float64) ** 2).sum())) for a in scores]
    p = np.zeros((INNOCENT_KEYS, len(jobs)))
    for at in track(range(INNOCENT_KEYS), "innocents"):
        key = Key(secret=H("benchmark innocent key", at))
        signs = recommitted_tilt(tilt, key).signs(key)
        totals = [signed_sum(a, signs) for a in scores]
        # below z = 1 no p is near 0.05: left at p = 1, which spares 8 in 10 tails
        rare = [total > norm for total, norm in zip(totals, norms, strict=True)]
        p[at] = [
            fixed_log10_p(a, t) if r else 0.0 for a, t, r in zip(scores, totals, rare, strict=True)
        ]
    shares = {}
    for alpha in (0.05, 0.01, 0.001):
        by_key = (p <= math.log10(alpha)).mean(axis=1)
        half = 1.96 * float(by_key.std(ddof=1)) / math.sqrt(INNOCENT_KEYS)
        mean = float(by_key.mean())
        shares[str(alpha)] = {"share": mean, "interval": [mean - half, mean + half]}
    found = {
        "keys": INNOCENT_KEYS,
        "models": [str(job) for job in jobs],
        "shares": shares,
        "smallest_log10_p": float(p.min()),
    }
    kept.write_text(json.dumps(found), encoding="utf-8")
    return found


def summary_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the README and docs/tilt.md show of one data set."""
    pairs = sorted({row["seed"] for row in rows})
    accuracy = {(r["suspect"], r["seed"]): r["accuracy"] for r in rows}
    cost = [100 * (accuracy["leaned", s] - accuracy["clean", s]) for s in pairs]
    mean = statistics.mean(cost)
    half = T_95[len(pairs)] * statistics.stdev(cost) / len(pairs) ** 0.5
    suspects = {}
    for suspect in dict.fromkeys(row["suspect"] for row in rows):
        of = [row for row in rows if row["suspect"] == suspect]
        fixed = [row for row in of if row["form"] == "fixed"]
        suspects[suspect] = {
            "accuracy": statistics.mean(
                value for (name, _), value in accuracy.items() if name == suspect
            ),
            "all_queries": evidence([r for r in fixed if r["queries_named"] is None]),
            "sequential": evidence([r for r in of if r["form"] == "sequential"]),
            "fewer_queries": {
                str(named): evidence([r for r in fixed if r["queries_named"] == named])
                for named in FEWER_QUERIES
            },
        }
    return {
        "pairs": len(pairs),
        "unmarked_accuracy": statistics.mean(accuracy["clean", s] for s in pairs),
        "accuracy_difference_points": mean,
        "interval_points": [mean - half, mean + half],
        "worst_difference_points": min(cost),
        "suspects": suspects,
    }


def evidence(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Median and worst over pairs of the worst runtime's p."""
    if not rows:
        return None
    by_pair: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        by_pair.setdefault(row["seed"], []).append(row)
    worst = [max(found, key=lambda r: r["log10_p"]) for found in by_pair.values()]
    return {
        "pairs": len(worst),
        "queries_median": statistics.median(r["queries"] for r in worst),
        "log10_p_median": statistics.median(r["log10_p"] for r in worst),
        "log10_p_worst": max(r["log10_p"] for r in worst),
        "z_median": statistics.median(r["z"] for r in worst),
        "z_worst": min(r["z"] for r in worst),
        "owned": sum(r["owned"] for r in worst),
    }


def judged(
    dataset: str, seeds: range, converter: Any
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Rows of the pairs that are whole, and what 1,000 keys say of innocents where those are there."""
    jobs = jobs_of(dataset, seeds)
    whole = [
        seed
        for seed in seeds
        if all(Job(dataset=dataset, seed=seed, stage=s).path.exists() for s in EVERY_PAIR)
    ]
    rows: list[dict[str, Any]] = []
    asked = [job for job in jobs if job.seed in whole and job.path.exists()]
    for job in track(asked, f"asking {dataset}"):
        rows += ask(job.at("clean"), job.stage, converter)
    independent = [job for job in jobs if job.stage == "independent"]
    ready = len(whole) >= 3 and independent and all(job.path.exists() for job in independent)
    return rows, innocents(dataset, len(whole), converter) if ready else None


def earlier(settings: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows and innocents of the last run's data sets whose settings were these."""
    path = RESULTS / "tilt.json"
    if not path.exists():
        return [], {}
    found = json.loads(path.read_text(encoding="utf-8"))
    past, now = found["settings"].pop("protocols"), dict(settings)
    same = {name for name, protocol in now.pop("protocols").items() if past.get(name) == protocol}
    if found["settings"] != now:
        return [], {}
    rows = [{"commit": found["commit"]} | r for r in found["rows"] if r["dataset"] in same]
    said = {name: s.get("innocents") for name, s in found["summary"].items() if name in same}
    return rows, said


def main() -> None:
    """Train, ask, write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--pairs", type=int, default=8)
    options.add_argument("--dataset", action="append", choices=sorted(PROTOCOLS))
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--write", action="store_true")
    chosen = options.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    CACHE.mkdir(parents=True, exist_ok=True)
    datasets = chosen.dataset or sorted(PROTOCOLS)
    seeds = range(chosen.first, chosen.pairs)
    if not chosen.write:
        for dataset in datasets:
            train_missing(jobs_of(dataset, seeds), chosen.jobs)
    from edgewm import Converter

    settings: dict[str, Any] = {
        "protocols": {n: {k: str(v) for k, v in asdict(p).items()} for n, p in PROTOCOLS.items()},
        "lean": LEAN,
        "cells": CELLS,
        "questions": QUESTIONS,
        "bar_queries": BAR_QUERIES,
        "references": len(REFERENCES) + 1,
        "other_domain_queries": OTHER_DOMAIN_QUERIES,
    }
    rows, innocent = earlier(settings)
    commit = commit_of_checkout()
    with Converter() as converter:
        for dataset in datasets:
            found, said = judged(dataset, seeds, converter)
            new = {row["seed"] for row in found}
            rows = [r for r in rows if r["dataset"] != dataset or r["seed"] not in new]
            rows += [row | {"commit": commit} for row in found]
            innocent |= {dataset: said} if said else {}
    rows.sort(key=lambda row: (row["dataset"], row["seed"]))
    summary = {}
    for dataset in sorted({row["dataset"] for row in rows}):
        of = [row for row in rows if row["dataset"] == dataset]
        if len({row["seed"] for row in of}) >= min(T_95):
            summary[dataset] = summary_of(of) | {"innocents": innocent.get(dataset)}
    print(write_result("tilt", settings=settings, rows=rows, summary=summary))


if __name__ == "__main__":
    main()
