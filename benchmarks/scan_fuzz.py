"""5,000 mutated models through a scan on each runtime: the scan ends, and every outcome has its name.

    python benchmarks/scan_fuzz.py [--models 5000]

Mutations: bytes changed (1, up to 4, up to 64), cut out, doubled, filled, replaced by random bytes or by
those of another model, and files that end early. Fewer models are a look: printed, not written.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from results_file import write_result

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
GOLDEN = ROOT / "tests/golden/v1"
MODELS, SEED, TIMEOUT_S = 5000, 11, 2.0
RUNTIMES = ("litert", "tflite_runtime", "tflm")


def scanned(runtime: str, folder: Path) -> dict[str, Any]:
    """One row: what became of every file on one runtime."""
    from edgewm.key import load_key
    from edgewm.scanning.asking import Orders
    from edgewm.scanning.course import run
    from edgewm.scanning.judging import OUTCOMES, mark_of
    from edgewm.scanning.plan import Plan
    from edgewm.scanning.pools import LocalPool
    from edgewm.scanning.suspects import suspects_in
    from edgewm.scanning.table import Table
    from edgewm.triggers import load_triggers

    mark = mark_of(
        load_triggers(GOLDEN / "triggers.npz"), load_key(GOLDEN / "owner.key"), name="golden"
    )
    found = suspects_in([folder], folder=folder, whole_files=True)
    orders = Orders(on=((runtime, False),), adapters=(), memory_mib=1024, timeout_s=TIMEOUT_S)
    plan = Plan(suspects=tuple(found), marks=(mark,), orders=orders, alpha=1e-6)
    with tempfile.TemporaryDirectory() as out:
        table = Table(Path(out) / "t.jsonl", plan)
        before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        pool = LocalPool(2, marks=plan.marks, orders=orders, terms=plan.terms)
        summary = run(plan, pool=pool, table=table)
        seconds, workers = time.perf_counter() - started, len(pool.pids)
        pool.close()
        table.close()
    return {
        "runtime": runtime,
        "files": sum(len(suspect.seen) for suspect in found),
        "different": summary.suspects,
        "rows": summary.rows,
        **dict.fromkeys(OUTCOMES, 0),
        **summary.outcomes,
        "without_a_name": summary.rows - sum(summary.outcomes.get(name, 0) for name in OUTCOMES),
        "workers_started": workers,
        "parent_grew_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        "seconds": seconds,
    }


def main() -> None:
    """Mutate, scan, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--models", type=int, default=MODELS)
    models = options.parse_args().models
    from tests.runtimes.mutated_models import mutated

    rng = np.random.default_rng(SEED)
    originals = [(GOLDEN / name).read_bytes() for name in ("marked.tflite", "unmarked.tflite")]
    rows = []
    with tempfile.TemporaryDirectory() as held:
        for number in range(models):
            (Path(held) / f"{number:05}").write_bytes(mutated(originals, rng))
        for runtime in RUNTIMES:
            rows.append(scanned(runtime, Path(held)))
            print(rows[-1], flush=True)
    if models < MODELS:
        return
    print(
        write_result(
            "scan_fuzz",
            settings={"models": models, "seed": SEED, "timeout_s": TIMEOUT_S, "workers": 2},
            rows=rows,
            summary={
                "files": sum(row["files"] for row in rows),
                "rows_missing": sum(row["different"] - row["rows"] for row in rows),
                "without_a_name": sum(row["without_a_name"] for row in rows),
            },
        )
    )


if __name__ == "__main__":
    main()
