"""The cost model: fitted on MLPerf Tiny up to v1.1, held against v1.2 and v1.3, shipped from all rounds.

Writes results/cost_model.json (errors of every row that was held out) and targets/cost_model.json (the
coefficients that ship). Neither holds a published time.

    EDGEWM_DATA=... python benchmarks/cost_model.py
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cost_fit import DEVIATION, PROFILE, TREND_ROWS, Fit, fit
from cost_rows import NETWORKS, Row, mixes, newest, read_rows
from results_file import write_result

from edgewm.cost_model import FILE, KINDS
from edgewm.layers import Mix

LAST_FITTED = 1.1
BARS = {"median": 0.20, "percentile_90": 0.40}
_SETTINGS = ("max_performance", "min_ram")
"""Variants of one engine with another setting: predicted like the others, and never fitted."""


def main() -> None:
    """Fit, predict, fit again, write."""
    folder = os.environ.get("EDGEWM_DATA")
    if not folder:
        raise SystemExit("set EDGEWM_DATA to the folder that holds mlperf_tiny/ and models/")
    rows, made_of = read_rows(Path(folder)), mixes(Path(folder))
    usual = [row for row in rows if not any(name in row.system for name in _SETTINGS)]
    fitted = [row for row in usual if row.round <= LAST_FITTED]
    held_out = [row for row in rows if row.round > LAST_FITTED]
    found = fit(fitted, made_of)
    seen = [row for row in held_out if row.pair in found.cycles_per_mac]
    repeats = {(row.system, row.network, round(row.cycles)) for row in fitted}
    judged = [_judged(row, found, made_of, repeats) for row in seen]
    write_result(
        "cost_model",
        settings={
            "fitted_up_to": LAST_FITTED,
            "deviation_penalty": DEVIATION,
            "profile_penalty": PROFILE,
            "trend_rows": TREND_ROWS,
            "bars": BARS,
        },
        rows=judged,
        summary={
            "rows_fitted": len(newest(fitted)),
            "rows_held_out": len(held_out),
            "all": _errors(judged),
            "without_repeats": _errors([one for one in judged if not one["repeat"]]),
            "without_trend": _errors(
                [{**one, "error": one["error_without_trend"]} for one in judged]
            ),
            "by_cpu": _grouped(judged, "cpu"),
            "by_engine": _grouped(judged, "engine"),
            "trend": {engine: round(step, 4) for engine, step in found.trend.items()},
            "drops_empty_channels": sorted(
                " on ".join(p[::-1]) for p, d in found.drops.items() if d
            ),
            "unseen_pairs": sorted({" on ".join(r.pair[::-1]) for r in held_out if r not in seen}),
            "chosen_on": _chosen(fitted, made_of),
            "network_left_out": _left_out(fitted, made_of, found),
        },
    )
    _ship(fit(usual, made_of), newest(usual))


def _judged(
    row: Row, found: Fit, made_of: dict[str, Mix], repeats: set[tuple[str, str, int]]
) -> dict[str, Any]:
    """One held-out row: predicted over published, minus one."""
    mix = made_of[row.network]
    return {
        "row": row.name,
        "cpu": row.cpu,
        "engine": row.engine,
        "error": round(found.cycles(row.pair, mix, newer=True) / row.cycles - 1, 4),
        "error_without_trend": round(found.cycles(row.pair, mix) / row.cycles - 1, 4),
        "repeat": (row.system, row.network, round(row.cycles)) in repeats,
    }


def _errors(judged: Sequence[dict[str, Any]]) -> dict[str, Any]:
    sizes = np.abs([one["error"] for one in judged])
    return {
        "rows": len(sizes),
        "median": round(float(np.median(sizes)), 4),
        "percentile_90": round(float(np.quantile(sizes, 0.9)), 4),
        "worst": round(float(sizes.max()), 4),
    }


def _grouped(judged: Sequence[dict[str, Any]], by: str) -> dict[str, Any]:
    return {
        name: _errors([one for one in judged if one[by] == name])
        for name in sorted({one[by] for one in judged})
    }


def _left_out(rows: list[Row], made_of: dict[str, Mix], found: Fit) -> dict[str, Any]:
    """Each network predicted from the other three: how it is with a network that nobody published."""
    told = {}
    for network in NETWORKS:
        rest = fit([row for row in rows if row.network != network], made_of, found.drops)
        judged = [
            {"error": rest.cycles(row.pair, made_of[network]) / row.cycles - 1}
            for row in newest(rows)
            if row.network == network and row.pair in rest.cycles_per_mac
        ]
        told[network] = _errors(judged)
    return told


def _chosen(rows: list[Row], made_of: dict[str, Mix]) -> dict[str, Any]:
    """What decided for a trend: v1.1 predicted from the rounds before it, root mean square of logarithms."""
    earlier = fit([row for row in rows if row.round < LAST_FITTED], made_of)
    later = [r for r in rows if r.round == LAST_FITTED and r.pair in earlier.cycles_per_mac]
    told: dict[str, Any] = {"rounds": f"up to v1.0, predicting {len(later)} rows of v{LAST_FITTED}"}
    for name, newer in (("with_trend", True), ("without_trend", False)):
        logs = [
            np.log(earlier.cycles(row.pair, made_of[row.network], newer=newer) / row.cycles)
            for row in later
        ]
        told[name] = round(float(np.sqrt(np.mean(np.square(logs)))), 4)
    return told


def _ship(found: Fit, rows: list[Row]) -> None:
    """The table that estimates are made from."""
    energies: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.uj is not None:
            energies[row.system].append(row)
    table = {
        "made_by": "benchmarks/cost_model.py",
        "calibrations": [
            {
                "cpu": pair[0],
                "engine": pair[1],
                "cycles_per_mac": {
                    kind: float(f"{value:.4g}") for kind, value in zip(KINDS, rates, strict=True)
                },
                "drops_empty_channels": found.drops[pair],
                "rows": [row.name for row in rows if row.pair == pair],
            }
            for pair, rates in found.cycles_per_mac.items()
        ],
        "boards": [
            {
                "board": board,
                "nj_per_cycle": float(
                    f"{np.median([1000 * (row.uj or 0) / row.cycles for row in held]):.3g}"
                ),
                "rows": [row.name for row in held],
            }
            for board, held in sorted(energies.items())
        ],
    }
    path = Path(__file__).parent.parent / "targets" / FILE
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
