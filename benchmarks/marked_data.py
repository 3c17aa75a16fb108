"""Networks that strangers trained on a marked copy of Fashion-MNIST, their clean twins, and other keys.

One seed is one key: it marks a copy with 1 % of the samples replaced; each network is trained on the copy and
on the clean set with the same script (`marked_data_training`, which holds nothing of edgewm), exported to
int8 and asked on two arithmetics. Controls: the clean twin with the same key, and the marked network with 20
other keys.

    EDGEWM_DATA=... python benchmarks/marked_data.py [--seeds 1] [--networks dense lenet strided]
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from marked_data_training import BATCH_SIZE, EPOCHS, NETWORKS, RATE, train
from results_file import CACHE, write_result

RUNTIMES = ("litert", "tflm")
OTHER_KEYS = 20


def prepared(seed: int) -> tuple[Any, Any, dict[str, Path]]:
    """The key, the triggers, and the files that strangers get: clean and marked."""
    from edgewm.data_marking import mark_data
    from edgewm.datasets import load_dataset
    from edgewm.hashing import SHAKE, H
    from edgewm.key import Key

    held = load_dataset("fashion_mnist")
    key = Key(secret=H("benchmark key of marked data", seed))
    made = mark_data(
        key,
        held.x_train,
        held.y_train,
        classes=held.classes,
        random=lambda count: SHAKE(count, "benchmark salt of marked data", seed),
    )
    CACHE.mkdir(parents=True, exist_ok=True)
    files = {"clean": CACHE / "marked_data-clean.npz", "marked": CACHE / f"marked_data-{seed}.npz"}
    np.savez(files["clean"], x=held.x_train, y=held.y_train)
    np.savez(files["marked"], x=made.x, y=made.y)
    return key, made.triggers, files


def exported(data: Path, of: str, network: str, seed: int, converter: Any) -> Any:
    """The int8 file of a network, trained once and kept."""
    import keras

    from edgewm.datasets import load_dataset
    from edgewm.exporting import export

    path = CACHE / f"marked_data-{of}-{network}-{seed}.keras"
    if not path.exists():
        train(data, network, seed, path)
        print(f"trained {path.name}", flush=True)
    held = load_dataset("fashion_mnist")
    return export(
        keras.models.load_model(path),
        held.x_train,
        held_out=(held.x_test, held.y_test),
        converter=converter,
    )


def rows_of(network: str, seed: int, converter: Any) -> list[dict[str, Any]]:
    """The marked network, its clean twin, and the marked one with other keys."""
    from edgewm.hashing import H
    from edgewm.key import Key
    from edgewm.triggers import recommitted
    from edgewm.verification import verify

    key, triggers, files = prepared(seed)
    rows = []
    for of in ("marked", "clean"):
        artifact = exported(files[of], of, network, seed, converter)
        asked: list[tuple[str, Any, Any]] = [("owner", triggers, key)]
        for other in range(OTHER_KEYS if of == "marked" else 0):
            another = Key(secret=H("another benchmark key of marked data", seed, other))
            asked.append((f"other key {other}", recommitted(triggers, another), another))
        for whose, held, of_key in asked:
            verdict = verify(artifact, triggers=held, key=of_key, on=RUNTIMES, stamped=True)
            rows.append(
                {
                    "network": network,
                    "seed": seed,
                    "trained_on": of,
                    "key": whose,
                    "accuracy": artifact.accuracy,
                    "groups": verdict.groups,
                    "groups_hit": verdict.worst.groups_hit,
                    "log10_p": verdict.log10_p,
                    "owned": verdict.owned,
                }
            )
        print(rows[-1 if of == "clean" else -1 - OTHER_KEYS], flush=True)
    return rows


def summary_of(rows: list[dict[str, Any]], networks: list[str]) -> dict[str, Any]:
    """One entry a network: what the mark shows and what it costs."""
    found = {}
    for network in networks:
        of = [row for row in rows if row["network"] == network]
        marked = [r for r in of if r["trained_on"] == "marked" and r["key"] == "owner"]
        clean = [r for r in of if r["trained_on"] == "clean"]
        costs = [100 * (m["accuracy"] - c["accuracy"]) for m, c in zip(marked, clean, strict=True)]
        controls = [r for r in of if r["trained_on"] == "clean" or r["key"] != "owner"]
        found[network] = {
            "pairs": len(marked),
            "clean_accuracy": statistics.mean(r["accuracy"] for r in clean),
            "points": statistics.mean(costs),
            "points_worst": min(costs),
            "groups": marked[0]["groups"],
            "groups_hit_worst": min(r["groups_hit"] for r in marked),
            "log10_p_worst": max(r["log10_p"] for r in marked),
            "controls": len(controls),
            "controls_owned": sum(r["owned"] for r in controls),
            "controls_log10_p_least": min(r["log10_p"] for r in controls),
        }
    return found


def main() -> None:
    """Train, ask, print, write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--networks", nargs="+", choices=sorted(NETWORKS), default=list(NETWORKS))
    chosen = options.parse_args()
    from edgewm.exporting import Converter

    rows: list[dict[str, Any]] = []
    with Converter() as converter:
        for seed in range(chosen.seeds):
            for network in chosen.networks:
                rows += rows_of(network, seed, converter)
    settings = {
        "dataset": "fashion_mnist, 60,000 pictures",
        "share": 0.01,
        "epochs": EPOCHS,
        "batch_size": BATCH_SIZE,
        "rate": RATE,
        "runtimes": RUNTIMES,
        "other_keys": OTHER_KEYS,
    }
    summary = summary_of(rows, chosen.networks)
    print(write_result("marked_data", settings=settings, rows=rows, summary=summary), summary)


if __name__ == "__main__":
    main()
