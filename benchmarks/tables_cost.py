"""Which silicon a runtime answers like, and what a verification costs there."""

from __future__ import annotations

from typing import Any

from markdown_tables import load, markdown

TWICE, ONCE = "v0.5|reference|Nucleo-L4R5ZI|", "v1.2|STMicroelectronics|NUCLEO_L4R5ZI|"
"""A board of either class: the reference on TFLM, and X-CUBE-AI on the same chip."""


def silicon() -> str:
    """One row a runtime: boards that it answers like, and rows of one board of either class."""
    held = load("silicon_replay")
    count, runs = held["settings"]["inputs"], held["settings"]["runs"]
    cells = {(row["runtime"], row["run"]): row for row in held["rows"]}
    pairs = {tuple(p["runtimes"]): p["rows_identical"] for p in held["summary"]["residual_pairs"]}
    of = held["settings"]["residual_inputs"]
    rows = []
    for name, exact in held["summary"]["bit_exact_runs"].items():
        first = cells[name, TWICE]
        rows.append(
            (
                f"`{name}`",
                first["arithmetic"],
                f"{len(exact)} of {runs}",
                *(f"{cells[name, run]['rows_identical']}/{count}" for run in (TWICE, ONCE)),
                *(_beside(pairs, name, other, of) for other in ("tflm", "litert:delegate=xnnpack")),
            )
        )
    head = (
        *("runtime", "arithmetic", f"board runs bit-exact on all {count} KWS inputs"),
        *("rows as Cortex-M4 on TFLM", "rows as Cortex-M4 on X-CUBE-AI"),
        *("residual net: rows as TFLM", "rows as XNNPACK"),
    )
    return markdown(head, rows)


def _beside(pairs: dict[Any, int], one: str, other: str, of: int) -> str:
    if one == other:
        return f"{of}/{of}"
    return f"{pairs.get((one, other), pairs.get((other, one)))}/{of}"


def silicon_boards() -> str:
    """Runs that get the same counts on every runtime, one row together."""
    held = load("silicon_replay")
    runtimes = list(held["summary"]["bit_exact_runs"])
    cells = {(row["runtime"], row["run"]): row for row in held["rows"]}
    groups: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for run in dict.fromkeys(row["run"] for row in held["rows"]):
        counts = tuple(
            (cells[name, run]["rows_identical"], cells[name, run]["top1_identical"])
            for name in runtimes
        )
        groups.setdefault(counts, []).append(run)
    ordered = sorted(groups.items(), key=lambda item: (-max(n for n, _ in item[0]), -len(item[1])))
    rows = [
        (
            ", ".join(dict.fromkeys(_board(run) for run in runs)),
            str(len(runs)),
            *(str(identical) for identical, _ in counts),
            str(max(top for _, top in counts)),
        )
        for counts, runs in ordered
    ]
    head = ("boards", "runs", *(f"`{name}`" for name in runtimes), "top-1, best runtime")
    return markdown(head, rows)


def _board(run: str) -> str:
    """Maker and system of a run; the round is left out where it changes nothing."""
    _, maker, system, variant = run.split("|")
    return " ".join(part for part in (maker, system, variant) if part)


def cost_model() -> str:
    """Error on results of later rounds, by CPU class."""
    held = load("cost_model")
    told, bars = held["summary"], held["settings"]["bars"]
    rows = [
        *((name, told["by_cpu"][name]) for name in told["by_cpu"]),
        ("**all**", told["all"]),
        ("all, without results that repeat an earlier round", told["without_repeats"]),
        ("all, if engines were taken not to get faster", told["without_trend"]),
    ]
    return markdown(
        ("CPU class", "rows of v1.2 and v1.3", "median error", "90th percentile", "worst"),
        [
            (
                name,
                str(one["rows"]),
                *(f"{one[k]:.0%}" for k in ("median", "percentile_90", "worst")),
            )
            for name, one in rows
        ]
        + [("bar", "", f"{bars['median']:.0%}", f"{bars['percentile_90']:.0%}", "")],
    )


def cost_model_networks() -> str:
    """Error on a network that the fit has not seen, by network."""
    told = load("cost_model")["summary"]["network_left_out"]
    names = {
        "ic": "image classification, ResNet-8",
        "kws": "keyword spotting, DS-CNN",
        "vww": "visual wake words, MobileNetV1",
        "ad": "anomaly detection, dense",
    }
    return markdown(
        (
            "network predicted from the other three",
            "CPUs and engines",
            "median error",
            "90th percentile",
        ),
        [
            (names[name], str(one["rows"]), f"{one['median']:.0%}", f"{one['percentile_90']:.0%}")
            for name, one in told.items()
        ],
    )


def device_cost() -> str:
    """Image classification, 64 queries: what the README shows."""
    rows = [row for row in load("device_cost")["rows"] if row["network"] == "ic"]
    counted = any(row["instructions"]["value"] for row in rows)
    return markdown(
        (
            *(
                "target",
                *(["instructions"] if counted else []),
                "inference",
                "upload, a query",
                "until shown",
                "all 64",
                "energy, all 64",
            ),
            *("flash, KiB: model, inputs (seeded)", "arena, KiB", ""),
        ),
        [
            (
                f"`{row['target']}`",
                *([_count(row["instructions"])] if counted else []),
                _time(row["inference_ms"], 1e-3),
                _time(row["upload_ms"], 1e-3),
                _time(row["total_sequential_s"]),
                _time(row["total_full_s"]),
                "-" if (mj := row["energy_full_mj"]["value"]) is None else f"{mj:,.0f} mJ",
                f"{row['model_flash_bytes']['value'] / 1024:.0f}, "
                f"{row['inputs_stored_bytes']['value'] / 1024:.0f} "
                f"({row['inputs_seeded_bytes']['value']} B)",
                f"{_arena(row) / 1024:.0f}",
                "fits" if row["fits"] else "**does not fit**: " + row["misfits"][0].split(":")[0],
            )
            for row in rows
        ],
    )


def device_cost_networks() -> str:
    """Seconds on every target, three networks."""
    held = load("device_cost")
    cells = {(row["target"], row["network"]): row for row in held["rows"]}
    networks = held["settings"]["networks"]
    queries = {n: cells[held["summary"]["targets"][0], n]["queries_sequential"] for n in networks}
    head = [
        f"{network.upper()}: {queries[network]['value']} queries, {held['settings']['groups']}"
        for network in networks
    ]
    return markdown(
        ("target", *head, "inference times"),
        [
            (
                f"`{target}`",
                *(_span(cells[target, network]) for network in networks),
                cells[target, "ic"]["inference_ms"]["origin"],
            )
            for target in held["summary"]["targets"]
        ],
    )


def _span(row: dict[str, Any]) -> str:
    text = ", ".join(_time(row[name]) for name in ("total_sequential_s", "total_full_s"))
    return text if row["fits"] else f"does not fit ({row['misfits'][0].split(':')[0]})"


def _count(figure: dict[str, Any]) -> str:
    """In millions."""
    return "-" if figure["value"] is None else f"{figure['value'] / 1e6:,.1f} M"


def _time(figure: dict[str, Any], seconds: float = 1.0) -> str:
    """In seconds from a tenth on, else in milliseconds."""
    if figure["value"] is None:
        return "-"
    value = figure["value"] * seconds
    if value >= 100:
        return f"{value:,.0f} s"
    return f"{value:.3g} s" if value >= 0.1 else f"{1e3 * value:.3g} ms"


def _arena(row: dict[str, Any]) -> float:
    names = ("arena_non_persistent_bytes", "arena_persistent_bytes")
    return float(sum(row[name]["value"] or 0 for name in names))


TABLES = {
    "device_cost": device_cost,
    "device_cost_networks": device_cost_networks,
    "cost_model": cost_model,
    "cost_model_networks": cost_model_networks,
    "silicon": silicon,
    "silicon_boards": silicon_boards,
}
