"""What a scan costs: 1,000 small models with one worker and with two, and beside a bare interpreter.

    EDGEWM_DATA=... python benchmarks/scan_speed.py [--models 1000] [--repeats 5]

Copies of one model differ in a number behind them. Runs alternate and the best of each counts, since other
programs run on the machine; the load average stands beside every run. Processor time is that of all
processes together. Bare: one process of the same python opens each copy and asks the same inputs, with no
worker, no limits and no verdict. Fewer models are a look: they are printed and not written.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from results_file import write_result

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
MODELS, REPEATS, BAR = 1000, 5, 1.8
_BARE = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
folder, inputs = sys.argv[1], np.load(sys.argv[2])
import os
for name in sorted(os.listdir(folder)):
    held = Interpreter(model_content=open(f"{folder}/{name}", "rb").read(), num_threads=1)
    held.allocate_tensors()
    give, take = held.get_input_details()[0], held.get_output_details()[0]
    scale, zero = give["quantization"]
    for row in np.clip(np.rint(inputs / scale) + zero, -128, 127).astype(np.int8):
        held.set_tensor(give["index"], row[None])
        held.invoke()
        held.get_tensor(take["index"]).argmax()
"""


def subjects() -> list[tuple[str, Path, tuple[int, ...], int]]:
    """Name, file, input shape and classes of each small model."""
    found: list[tuple[str, Path, tuple[int, ...], int]] = [
        ("digits CNN", ROOT / "tests/golden/v1/marked.tflite", (8, 8, 1), 10)
    ]
    if os.environ.get("EDGEWM_DATA"):
        tiny = sorted(Path(os.environ["EDGEWM_DATA"]).rglob("mlperf_kws_dscnn_int8.tflite"))
        found += [("MLPerf Tiny KWS", path, (49, 10, 1), 12) for path in tiny[:1]]
    return found


def timed_scan(folder: Path, mark: Any, jobs: int) -> dict[str, Any]:
    """One scan, without the finding: seconds of wall and processor time, and what came out."""
    from edgewm.scanning.asking import Orders
    from edgewm.scanning.course import run
    from edgewm.scanning.plan import Plan
    from edgewm.scanning.pools import LocalPool
    from edgewm.scanning.suspects import suspects_in
    from edgewm.scanning.table import Table

    found = suspects_in([folder], folder=folder, whole_files=True)
    orders = Orders(on=(("litert", False),), adapters=(), memory_mib=1024, timeout_s=20.0)
    plan = Plan(suspects=tuple(found), marks=(mark,), orders=orders, alpha=1e-6)
    with tempfile.TemporaryDirectory() as out:
        table = Table(Path(out) / "t.jsonl", plan)
        load, before, started = os.getloadavg()[0], _cpu_s(), time.perf_counter()
        pool = LocalPool(jobs, marks=plan.marks, orders=orders, terms=plan.terms)
        summary = run(plan, pool=pool, table=table)
        wall_s = time.perf_counter() - started
        pool.close()  # waits for the workers, whose processor time counts then
        table.close()
    return {
        "workers": jobs,
        "wall_s": wall_s,
        "cpu_s": _cpu_s() - before,
        "load_average": load,
        "outcomes": summary.outcomes,
    }


def timed_bare(folder: Path, inputs: Path) -> dict[str, Any]:
    """The same models and inputs in a bare interpreter, without its start."""
    empty = folder.parent / "empty"
    empty.mkdir(exist_ok=True)
    spent = {}
    load = os.getloadavg()[0]
    for what in (empty, folder):
        before, started = _cpu_s(), time.perf_counter()
        subprocess.run([sys.executable, "-c", _BARE, str(what), str(inputs)], check=True,
                       stderr=subprocess.DEVNULL)  # fmt: skip
        spent[what] = (time.perf_counter() - started, _cpu_s() - before)
    return {
        "workers": 0,
        "wall_s": spent[folder][0] - spent[empty][0],
        "cpu_s": spent[folder][1] - spent[empty][1],
        "load_average": load,
    }


def _cpu_s() -> float:
    usages = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measured(name: str, path: Path, mark: Any, *, models: int, repeats: int) -> dict[str, Any]:
    """One row: a model, all runs, and the best of each kind."""
    with tempfile.TemporaryDirectory() as held:
        folder, inputs = Path(held) / "suspects", Path(held) / "inputs.npy"
        folder.mkdir()
        content = path.read_bytes()
        for number in range(models):
            (folder / f"{number:05}").write_bytes(content + number.to_bytes(4, "little"))
        np.save(inputs, mark.held.inputs[mark.questions.chosen])
        runs = []
        for _ in range(repeats):
            runs += [
                timed_bare(folder, inputs),
                timed_scan(folder, mark, 1),
                timed_scan(folder, mark, 2),
            ]
    best = {
        f"{what}_{workers}": min(run[what] for run in runs if run["workers"] == workers)
        for what in ("wall_s", "cpu_s")
        for workers in (0, 1, 2)
    }
    return {
        "model": name,
        "bytes": len(content),
        "models": models,
        "questions": len(mark.questions.chosen),
        "speedup_2_workers": best["wall_s_1"] / best["wall_s_2"],
        "wall_ms_a_model": {w: 1000 * best[f"wall_s_{w}"] / models for w in (0, 1, 2)},
        "cpu_ms_a_model": {w: 1000 * best[f"cpu_s_{w}"] / models for w in (0, 1, 2)},
        "overhead_cpu_ms_a_model": 1000 * (best["cpu_s_1"] - best["cpu_s_0"]) / models,
        "runs": runs,
    }


def main() -> None:
    """Measure, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--models", type=int, default=MODELS)
    options.add_argument("--repeats", type=int, default=REPEATS)
    given = options.parse_args()
    from edgewm.key import load_key, new_key
    from edgewm.patterns import make_triggers
    from edgewm.scanning.judging import mark_of
    from edgewm.triggers import load_triggers

    rows = []
    for name, path, shape, classes in subjects():
        if classes == 10:
            golden = ROOT / "tests/golden/v1"
            mark = mark_of(
                load_triggers(golden / "triggers.npz"), load_key(golden / "owner.key"), name=name
            )
        else:
            key = new_key()
            mark = mark_of(make_triggers(key, shape=shape, classes=classes), key, name=name)
        rows.append(measured(name, path, mark, models=given.models, repeats=given.repeats))
        print({name: value for name, value in rows[-1].items() if name != "runs"}, flush=True)
    if given.models < MODELS:
        return
    print(
        write_result(
            "scan_speed",
            settings={"models": given.models, "repeats": given.repeats, "runtime": "litert"},
            rows=rows,
            summary={
                "bar_speedup": BAR,
                "speedup_2_workers": {row["model"]: row["speedup_2_workers"] for row in rows},
            },
        )
    )


if __name__ == "__main__":
    main()
