"""`edgewm demo` on scikit-learn's digits with several seeds: every row, and what they come to.

python benchmarks/digits_demo.py [--seeds 5]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from results_file import write_result

CONTROLS = ("unmarked", "wrong-key")


def rows_of(seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], float]:
    """The demo's rows for one seed and key, those of the clone, and the seconds it took, without
    importing TensorFlow."""
    from edgewm.demo import run_demo
    from edgewm.hashing import H
    from edgewm.key import Key

    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        story = run_demo(
            data="digits",
            folder=Path(folder) / "demo",
            key=Key(secret=H("benchmark key", seed)),
            seed=seed,
        )
        seconds = time.perf_counter() - started
        clone = [{"seed": seed, **asdict(row)} for row in story.clone_rows]
        return [{"seed": seed, **asdict(row)} for row in story.rows], clone, seconds


def main() -> None:
    """Run every seed, print, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=5)
    seeds = range(1, options.parse_args().seeds + 1)
    rows, clones, seconds = [], [], []
    for seed in seeds:
        found, cloned, took = rows_of(seed)
        rows += found
        clones += cloned
        seconds.append(took)
    first = rows[0]["runtime"]

    def accuracy(suspect: str, seed: int) -> float:
        (row,) = [
            r for r in rows if (r["suspect"], r["seed"], r["runtime"]) == (suspect, seed, first)
        ]
        return float(row["accuracy"])

    differences = [100 * (accuracy("marked", s) - accuracy("unmarked", s)) for s in seeds]
    controls = [r for r in rows if r["suspect"] in CONTROLS]
    of_clones = [row for row in clones if row["suspect"] == "clone"]
    summary = {
        "clone": [row for row in clones if row["seed"] == seeds[0]],
        "clone_owned": sum(row["owned_if_stamped"] for row in of_clones),
        "clone_log10_p_worst": max(row["log10_p"] for row in of_clones),
        "clone_controls_owned": sum(
            row["owned_if_stamped"] for row in clones if row["suspect"] in ("clean", "wrong-key")
        ),
        "seeds": len(seeds),
        "shown_seed": seeds[0],
        "groups": rows[0]["groups_asked"],
        "mean_difference_points": statistics.mean(differences),
        "worst_difference_points": min(differences),
        "marked_worst_groups_hit": min(r["groups_hit"] for r in rows if r["suspect"] == "marked"),
        "controls": len(controls),
        "controls_owned": sum(r["owned"] for r in controls),
        "wall_s_median": statistics.median(seconds),
    }
    settings = {
        "dataset": "digits",
        "pattern": "abstract",
        "scheme": "mix",
        "start": 0.5,
        "format": "int8",
    }
    print(
        write_result("digits_demo", settings=settings, rows=[*rows, *clones], summary=summary),
        summary,
    )


if __name__ == "__main__":
    main()
