"""What a scan costs: 1,000 small models with one worker and with two, and beside a bare interpreter.

    EDGEWM_DATA=... python benchmarks/scan_speed.py [--models 1000]

Copies of one model differ in a number behind them. Since other programs run on the machine, the models are
asked in blocks of 50 that alternate: one worker, two workers, the bare interpreter, so that all meet the
same neighbours; the workers are warm, and the load average stands beside every block. Processor time is that
of all processes together, the start of the workers too. Bare: one process of the same python opens each copy
and asks the same inputs, with no worker, no limits and no verdict; its own start is taken off. Fewer models
are a look: they are printed and not written.
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
MODELS, BLOCK, BAR = 1000, 50, 1.8
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


def plan_of(folder: Path, mark: Any) -> Any:
    """Every file of a folder as a suspect."""
    from edgewm.scanning.asking import Orders
    from edgewm.scanning.plan import Plan
    from edgewm.scanning.suspects import suspects_in

    found = suspects_in([folder], folder=folder, whole_files=True)
    orders = Orders(on=(("litert", False),), adapters=(), memory_mib=1024, timeout_s=20.0)
    return Plan(suspects=tuple(found), marks=(mark,), orders=orders, alpha=1e-6)


def timed_block(plan: Any, pool: Any, workers: int) -> dict[str, Any]:
    """One block through warm workers, without the finding: seconds, and what came out."""
    from edgewm.scanning.course import run
    from edgewm.scanning.table import Table

    with tempfile.TemporaryDirectory() as out:
        table = Table(Path(out) / "t.jsonl", plan)
        load, before, started = os.getloadavg()[0], _cpu_s(), time.perf_counter()
        summary = run(plan, pool=pool, table=table)
        wall_s, cpu_s = time.perf_counter() - started, _cpu_s() - before
        table.close()
    return {
        "workers": workers,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
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


def measured(name: str, path: Path, mark: Any, *, models: int) -> dict[str, Any]:
    """One row: a model, all blocks, and what they come to."""
    from edgewm.scanning.pools import LocalPool

    content, inputs = path.read_bytes(), mark.held.inputs[mark.questions.chosen]
    blocks, spent = [], {}
    with tempfile.TemporaryDirectory() as held:
        np.save(Path(held) / "inputs.npy", inputs)
        plans = []
        for first in range(0, models, BLOCK):
            folder = Path(held) / f"{first:05}"
            folder.mkdir()
            for number in range(first, first + BLOCK):
                (folder / f"{number:05}").write_bytes(content + number.to_bytes(4, "little"))
            plans.append((folder, plan_of(folder, mark)))
        _, plan = plans[0]
        pools = {
            workers: LocalPool(workers, marks=(mark,), orders=plan.orders, terms=plan.terms)
            for workers in (1, 2)
        }
        for workers, pool in pools.items():
            blocks.append({**timed_block(plan, pool, workers), "warms": True})
        for folder, plan in plans:
            for workers, pool in pools.items():
                blocks.append(timed_block(plan, pool, workers))
            blocks.append(timed_bare(folder, Path(held) / "inputs.npy"))
        for workers, pool in pools.items():
            before = _cpu_s()
            pool.close()  # waits for the workers, whose processor time counts then
            spent[workers] = _cpu_s() - before
    for block in blocks:
        spent[block["workers"]] = spent.get(block["workers"], 0.0) + block["cpu_s"]
    counted = [block for block in blocks if "warms" not in block]
    walls = {w: [b["wall_s"] for b in counted if b["workers"] == w] for w in (1, 2)}
    ratios = [one / two for one, two in zip(walls[1], walls[2], strict=True)]
    return {
        "model": name,
        "bytes": len(content),
        "models": models,
        "questions": len(inputs),
        "speedup": sum(walls[1]) / sum(walls[2]),
        "speedup_of_blocks_median": float(np.median(ratios)),
        "wall_ms_a_model": {w: 1000 * sum(walls[w]) / models for w in walls},
        "cpu_ms_a_model": {
            "bare": 1000 * spent[0] / models,
            **{str(w): 1000 * spent[w] / (models + BLOCK) for w in (1, 2)},
        },
        "blocks": blocks,
    }


def main() -> None:
    """Measure, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--models", type=int, default=MODELS)
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
        rows.append(measured(name, path, mark, models=given.models))
        print({name: value for name, value in rows[-1].items() if name != "blocks"}, flush=True)
    if given.models < MODELS:
        return
    print(
        write_result(
            "scan_speed",
            settings={"models": given.models, "block": BLOCK, "runtime": "litert"},
            rows=rows,
            summary={
                "bar_speedup": BAR,
                "speedup": {row["model"]: row["speedup"] for row in rows},
            },
        )
    )


if __name__ == "__main__":
    main()
