"""What a scan costs, and what becomes of mutated models in it."""

from __future__ import annotations

from markdown_tables import load, markdown


def scan_speed() -> str:
    """Throughput and the price of isolation."""
    held = load("scan_speed")
    rows = []
    for row in held["rows"]:
        wall, spent = row["wall_ms_a_model"], row["cpu_ms_a_model"]
        loads = [block["load_average"] for block in row["blocks"]]
        rows.append(
            (
                f"{row['model']}, {row['bytes'] / 1024:.0f} KiB, {row['models']:,} copies, "
                f"{row['questions']} questions",
                f"{wall['1']:.1f} ms",
                f"{wall['2']:.1f} ms",
                f"{row['speedup']:.2f}",
                f"{spent['bare']:.2f} ms",
                f"{spent['1']:.1f} ms",
                f"{spent['2']:.1f} ms",
                f"{min(loads):.0f} to {max(loads):.0f}",
            )
        )
    head = (
        *("a model", "wall: one worker", "two workers"),
        f"speed-up (bar {held['summary']['bar_speedup']})",
        *("processor: bare interpreter", "one worker", "two workers"),
        "load average on 2 cores",
    )
    return markdown(head, rows)


def scan_fuzz() -> str:
    """Outcomes of mutated models."""
    held = load("scan_fuzz")
    names = ("owned", "not_shown", "does_not_fit", "refused")
    ends = ("crashed", "timed_out", "out_of_memory", "bad_reply")
    rows = [
        (
            f"{row['files']:,} files on {row['runtime']}",
            *(f"{row[name]:,}" for name in (*names, *ends)),
            f"{row['without_a_name'] + row['different'] - row['rows']:,}",
        )
        for row in held["rows"]
    ]
    head = ("mutated models", *(f"`{name}`" for name in (*names, *ends)), "without a row or a name")
    return markdown(head, rows)


TABLES = {
    "scan_fuzz": scan_fuzz,
    "scan_speed": scan_speed,
}
