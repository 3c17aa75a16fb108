"""What marks outlive: every attack of `edgewm.attacks` on owners' int8 files, with controls.

A cell is one attack on one owner (data set, scheme, seed); it is kept when it is done, so that a run that
was stopped goes on, and `--write` assembles whatever is there.

    python benchmarks/robustness.py --grid small               minutes: two owners, cheap attacks
    python benchmarks/robustness.py --grid core [--jobs 2]     hours: `make bench-robustness`
    python benchmarks/robustness.py --grid full                every attack on one owner
    python benchmarks/robustness.py --grid core --scheduler tcp://HOST:8786    over Dask; its workers need
                                                               this folder, and one cache they share
    python benchmarks/robustness.py --write                    only results/robustness.json
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from results_file import CACHE, write_result
from robustness_cells import ATTACKS, MORE_ATTACKS, SPELLINGS, STOLEN_AS_IT_IS, Cell, rows_of, run
from robustness_victims import BOTH_ROWS, BOTH_STRENGTH, Pair, one_thread
from tilt_training import LEAN, PROTOCOLS

CORE_SEEDS = 3
SMALL_ATTACKS = (STOLEN_AS_IT_IS, "noise 10 %", "4-bit weights", "JPEG in front", "prune 50 %")
TELLING = (*SMALL_ATTACKS, "fine-tune FTAL 1e-3", "fine-tune FTAL 1e-2")
"""What every owner meets first."""
MORE_TELLING = (*TELLING, "fine-tune RTAL 1e-3", "fine-prune")
LONGEST = ("clone, other domain", "clone, Jacobian queries")
REMOVED_BELOW_POINTS = 5.0
"""A thief who loses as much has not removed the mark (Lukas et al., IEEE S&P 2022)."""
BAR = -6.0


def cells_of(grid: str) -> list[Cell]:
    """Every cell of a grid, those that say most first."""
    data = "fashion_mnist"
    if grid == "small":
        pairs = [Pair(dataset=data, scheme=scheme, seed=0) for scheme in ("default", "logo")]
        return [Cell(pair=pair, attack=attack) for pair in pairs for attack in SMALL_ATTACKS]
    first = Pair(dataset=data, scheme="default", seed=0)
    if grid == "full":
        return [Cell(pair=first, attack=attack) for attack in SPELLINGS]
    seeds = range(CORE_SEEDS)

    def owners(dataset: str, *schemes: str) -> list[Pair]:
        return [Pair(dataset=dataset, scheme=s, seed=seed) for seed in seeds for s in schemes]

    ours, alone, more = (owners(data, scheme) for scheme in ("default", "triggers", "more"))
    speech, pictures = (owners(name, "default") for name in ("speech_commands", "cifar10"))
    baselines = owners(data, "adi", "logo")
    once = [Pair(dataset=data, scheme=scheme, seed=0) for scheme in ("margin", "ewe")]
    shorter = tuple(attack for attack in ATTACKS if attack not in LONGEST)
    parts = [
        (ours[:2], shorter),
        (alone[:1] + pictures[:1], shorter),
        (baselines[:2], MORE_TELLING),
        (speech[:1] + ours[2:], shorter),
        (ours[:1], LONGEST),
        (more, MORE_TELLING),
        (alone[1:] + speech[1:], shorter),
        (once, (*TELLING, "clone, hard labels")),
        (baselines[:2], shorter),
        ([*ours, *speech, *pictures, *alone], tuple(ATTACKS)),
        (baselines, tuple(ATTACKS)),
    ]
    cells = [
        Cell(pair=pair, attack=attack)
        for pairs, attacks in parts
        for attack in attacks  # two processes seldom wait for one owner's network
        for pair in pairs
        if not (pair.dataset != data and "domain" in attack)
    ]
    return list(dict.fromkeys(cells))


def run_here(cells: list[Cell], jobs: int) -> None:
    """Every cell in this process, or in several."""
    if jobs == 1:
        one_thread()
        for cell in cells:
            run(cell)
            print(cell.path.name, flush=True)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=one_thread) as pool:
        wait_for(cells, lambda cell: pool.submit(run, cell), as_completed)


def run_on_dask(cells: list[Cell], scheduler: str) -> None:
    """Every cell on the workers of a Dask scheduler, which share this folder and its cache."""
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise SystemExit(f"--scheduler: {error}, pip install distributed") from None
    here = str(Path(__file__).parent)
    with Client(scheduler) as client:
        wait_for(
            cells, lambda cell: client.submit(run_by_path, cell_text(cell), here), as_completed
        )


def wait_for(
    cells: list[Cell],
    submit: Callable[[Cell], Any],
    as_completed: Callable[[Iterable[Any]], Iterable[Any]],
) -> None:
    """Every cell, in their order as far as there are workers; a name is printed when one is done."""
    waiting: dict[Future[Any], Cell] = {submit(cell): cell for cell in cells}
    for future in as_completed(waiting):
        future.result()
        print(waiting[future].path.name, flush=True)


def cell_text(cell: Cell) -> str:
    """A cell for another machine."""
    return json.dumps([cell.pair.dataset, cell.pair.scheme, cell.pair.seed, cell.attack])


def run_by_path(text: str, folder: str) -> str:
    """What a Dask worker does: it finds these scripts in `folder`."""
    import sys

    if folder not in sys.path:
        sys.path.insert(0, folder)
    from robustness_cells import Cell, run
    from robustness_victims import Pair, one_thread

    one_thread()
    dataset, scheme, seed, attack = json.loads(text)
    return str(run(Cell(pair=Pair(dataset=dataset, scheme=scheme, seed=seed), attack=attack)))


def kept_rows() -> list[dict[str, Any]]:
    """The rows of every cell that is done, in the order of the grids."""
    cells = {cell: None for grid in ("core", "full", "small") for cell in cells_of(grid)}
    return [row for cell in cells if cell.path.exists() for row in rows_of(cell)]


def summary_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Every data set and scheme: what it costs, and what each attack leaves; then the controls."""
    thieves = [row for row in rows if row["control"] is None]
    cases = []
    for dataset, scheme in dict.fromkeys((row["dataset"], row["scheme"]) for row in thieves):
        of = [row for row in thieves if (row["dataset"], row["scheme"]) == (dataset, scheme)]
        costs = {r["seed"]: 100 * (r["clean_accuracy"] - r["marked_accuracy"]) for r in of}
        cases.append(
            {
                "dataset": dataset,
                "scheme": scheme,
                "seeds": len(costs),
                "clean_accuracy": statistics.mean(r["clean_accuracy"] for r in of),
                "cost_points_mean": statistics.mean(costs.values()),
                "cost_points_worst": max(costs.values()),
                "attacks": {
                    attack: attack_summary([r for r in of if r["attack"] == attack])
                    for attack in dict.fromkeys(r["attack"] for r in of)
                },
            }
        )
    controls = [row for row in rows if row["control"] is not None]
    return {
        "cases": cases,
        "controls": {
            name: {
                "rows": len(of),
                "smallest_log10_p": min(r["log10_p"] for r in of),
                "largest_hit_rate": max(r["groups_hit"] / r["groups_asked"] for r in of),
            }
            for name in dict.fromkeys(r["control"] for r in controls)
            for of in [[r for r in controls if r["control"] == name]]
        },
    }


def attack_summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean, worst and spread over seeds of one attack on one scheme."""
    hit_rates = [row["groups_hit"] / row["groups_asked"] for row in rows]
    costs = [100 * (row["marked_accuracy"] - row["thief_accuracy"]) for row in rows]
    alive = [cost < REMOVED_BELOW_POINTS for cost in costs]
    tilts = [row["log10_p_tilt"] for row in rows if row["log10_p_tilt"] is not None]
    return {
        "seeds": len(rows),
        "thief_cost_points_mean": statistics.mean(costs),
        "within_5_points": sum(alive),
        "shown_within": sum(
            row["log10_p"] <= BAR for row, kept in zip(rows, alive, strict=True) if kept
        ),
        "shown_by_labels_within": sum(
            row["log10_p_labels"] <= BAR for row, kept in zip(rows, alive, strict=True) if kept
        ),
        "hit_rate_within": sum(h for h, kept in zip(hit_rates, alive, strict=True) if kept),
        "log10_p_triggers_worst": max(row["log10_p_triggers"] for row in rows),
        "log10_p_tilt_worst": max(tilts, default=0.0),
        "hit_rate_mean": statistics.mean(hit_rates),
        "hit_rate_worst": min(hit_rates),
        "log10_p_mean": statistics.mean(row["log10_p"] for row in rows),
        "log10_p_worst": max(row["log10_p"] for row in rows),
        "log10_p_best": min(row["log10_p"] for row in rows),
        "shown": sum(row["log10_p"] <= BAR for row in rows),
        "log10_p_labels_worst": max(row["log10_p_labels"] for row in rows),
        "shown_by_labels": sum(row["log10_p_labels"] <= BAR for row in rows),
        "needs": rows[0]["needs"],
    }


def main() -> None:
    """Run a grid, write what is kept."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--grid", choices=("small", "core", "full"))
    options.add_argument("--jobs", type=int, default=1)
    options.add_argument("--scheduler", help="address of a Dask scheduler")
    options.add_argument("--write", action="store_true")
    chosen = options.parse_args()
    if not chosen.write and not chosen.grid:
        options.error("name a --grid, or --write")
    CACHE.mkdir(parents=True, exist_ok=True)
    if chosen.grid and not chosen.write:
        left = [cell for cell in cells_of(chosen.grid) if not cell.path.exists()]
        if chosen.scheduler:
            run_on_dask(left, chosen.scheduler)
        else:
            run_here(left, chosen.jobs)
    rows = kept_rows()
    settings = {
        "attacks": ATTACKS,
        "more_attacks": MORE_ATTACKS,
        "lean": LEAN | {"strength": BOTH_STRENGTH},
        "rows": BOTH_ROWS,
        "protocols": {name: repr(protocol) for name, protocol in PROTOCOLS.items()},
        "removed_below_points": REMOVED_BELOW_POINTS,
    }
    print(write_result("robustness", settings=settings, rows=rows, summary=summary_of(rows)))


if __name__ == "__main__":
    main()
