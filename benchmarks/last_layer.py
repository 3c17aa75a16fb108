"""What a mark in the last layer of the MLPerf Tiny int8 files costs, and who answers it.

The two public classifiers, marked without training: keyed questions, the smallest change of the last layer
that gives their answers. Ordinary inputs: pictures of CIFAR-10 (every fifth only measures) and the 1,000
official keyword inputs. Controls: the file as it was, and another key.

A key that is done is kept in results/cache, so that a run that was stopped goes on, and `--only` shares the
keys among processes.

    EDGEWM_DATA=... python benchmarks/last_layer.py [--keys 5] [--only 0 2 4]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cifar10_copy import pictures
from results_file import CACHE, write_result
from rich.progress import track

from edgewm import verify
from edgewm.content import of_bytes
from edgewm.hashing import SHAKE, H
from edgewm.key import Key
from edgewm.last_layer import choose_questions, labels_held_out, mark_file
from edgewm.tflite import read_tflite
from edgewm.triggers import recommitted

RUNTIMES = ("litert:delegate=xnnpack", "litert:delegate=none", "tflite_runtime", "tflm")
PICTURES = 25_000
FILES = {"IC": "mlperf_ic_resnet8_int8.tflite", "KWS": "mlperf_kws_dscnn_int8.tflite"}


def ordinary(name: str, model: bytes, data: Path) -> npt.NDArray[np.float32]:
    """Ordinary inputs in the value range that the file takes."""
    if name == "KWS":
        taken = read_tflite(of_bytes(model)).inputs[0]
        with np.load(data / "silicon_kws/inputs.npz") as held:
            steps = held["inputs"].astype(np.float32) - taken.zero_point
        inputs: npt.NDArray[np.float32] = (steps * taken.scale).astype(np.float32)
        return inputs
    return pictures("train", PICTURES).astype(np.float32)


def main() -> None:
    """Mark, ask everybody, write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--keys", type=int, default=5)
    options.add_argument("--only", type=int, nargs="+", help="do these keys, write no result")
    chosen = options.parse_args()
    keys = chosen.keys
    data = Path(os.environ["EDGEWM_DATA"])
    rows: list[dict[str, Any]] = []
    for name, file in FILES.items():
        model = (data / "models" / file).read_bytes()
        natural = ordinary(name, model, data)
        for seed in track(chosen.only or range(keys), name):
            rows += kept_rows(name, model, natural, seed)
    if chosen.only:
        return
    summary = {}
    for name in FILES:
        marked = [r for r in rows if r["model"] == name and r["suspect"] == "marked"]
        controls = [r for r in rows if r["model"] == name and r["suspect"] != "marked"]
        summary[name] = {
            "keys": keys,
            "agreement_mean": statistics.mean(r["agreement"] for r in marked),
            "agreement_worst": min(r["agreement"] for r in marked),
            "held_out": marked[0]["held_out"],
            "log10_p_median": statistics.median(r["log10_p"] for r in marked),
            "log10_p_worst": max(r["log10_p"] for r in marked),
            "owned": sum(r["owned"] for r in marked),
            "controls": len(controls),
            "controls_owned": sum(r["owned"] for r in controls),
            "controls_log10_p_smallest": min(r["log10_p"] for r in controls),
            "bytes_added": max(abs(r["bytes_added"]) for r in marked),
            "seconds_median": statistics.median(r["seconds"] for r in marked),
        }
    settings = {"runtimes": RUNTIMES, "files": FILES, "pictures": PICTURES}
    print(write_result("last_layer", settings=settings, rows=rows, summary=summary))
    print(summary)


def kept_rows(
    name: str, model: bytes, natural: npt.NDArray[np.float32], seed: int
) -> list[dict[str, Any]]:
    """Rows of one key, done once."""
    path = CACHE / f"last_layer-{name}-{seed}.json"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows_of(name, model, natural, seed)), encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def labels_before(
    name: str, model: bytes, natural: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """What the file says as it was, asked once for all keys."""
    path = CACHE / f"last_layer-{name}-before.npy"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        np.save(path, labels_held_out(model, natural=natural, on=RUNTIMES))
    labels: npt.NDArray[np.int64] = np.load(path)
    return labels


def rows_of(
    name: str, model: bytes, natural: npt.NDArray[np.float32], seed: int
) -> list[dict[str, Any]]:
    """One key: the marked file and its controls, the worst runtime of each."""
    key, other = (Key(secret=H(f"benchmark last layer {k}", seed)) for k in ("key", "wrong key"))
    before = labels_before(name, model, natural)
    started = time.perf_counter()
    triggers = choose_questions(
        model,
        key=key,
        natural=natural,
        on=RUNTIMES,
        random=lambda n: SHAKE(n, "benchmark salt", seed),
    )
    done = mark_file(model, triggers=triggers, key=key, natural=natural, on=RUNTIMES, before=before)
    seconds = time.perf_counter() - started
    wrong = recommitted(triggers, other)
    rows = []
    for suspect, file, asked, who in (
        ("marked", done.model, triggers, key),
        ("as it was", model, triggers, key),
        ("another key", done.model, wrong, other),
    ):
        verdict = verify(file, triggers=asked, key=who, on=list(RUNTIMES), stamped=True)
        rows.append(
            {
                "model": name,
                "seed": seed,
                "suspect": suspect,
                "groups": triggers.groups,
                "groups_hit": min(r.groups_hit for r in verdict.runtimes),
                "log10_p": verdict.log10_p,
                "owned": verdict.owned,
                "agreement": done.agreement,
                "held_out": done.held_out,
                "bytes_added": len(done.model) - len(model),
                "seconds": seconds,
            }
        )
    return rows


if __name__ == "__main__":
    main()
