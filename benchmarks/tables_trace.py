"""What tracing costs, and what it survives."""

from __future__ import annotations

from typing import Any

from markdown_tables import load, markdown

ATTACKS = (
    "copy as issued",
    "requantised to 90 % of the range",
    "30 % pruned",
    "10 % weight noise",
)


def trace() -> str:
    """One column a model."""
    rows = load("trace")["rows"]
    lines: list[tuple[str, ...]] = [
        ("weights, positions", *(f"{r['weights']:,}, {r['positions']:,}" for r in rows)),
        ("plan and issue, slowest of 50", *(f"{r['issue_s_worst']:.2f} s" for r in rows)),
        ("accuracy of the base file", *(_accuracy(r) for r in rows)),
        ("its change, mean of 8 copies, largest", *(_changes(r) for r in rows)),
        ("answers that change class, mean, most", *(_flips(r) for r in rows)),
    ]
    lines += [(f"{attack}: log10 p", *(_named(r[attack]) for r in rows)) for attack in ATTACKS]
    lines += [
        (
            "five colluders: trials with one named",
            *(f"{r['collusion']['somebody_named']}/{r['collusion']['trials']}" for r in rows),
        ),
        (
            "colluders named, mean",
            *(f"{r['collusion']['colluders_named_mean']:.2f} of 5" for r in rows),
        ),
        ("innocents named", *(f"{r['collusion']['innocents_named']}" for r in rows)),
        (
            "the highest log10 p of the best colluder",
            *(f"{r['collusion']['worst_log10_p']:.1f}" for r in rows),
        ),
    ]
    names = {"kws": "KWS DS-CNN", "ic": "IC ResNet-8", "vww": "VWW MobileNet"}
    return markdown(("MLPerf Tiny", *(names[r["model"]] for r in rows)), lines)


def trace_tuned() -> str:
    """A copy that was trained further and quantised again."""
    rows = [
        (
            f"{row['start']}, {row['epochs']} epochs at {row['rate']:g}",
            f"{100 * row['accuracy']:.1f}%",
            ", ".join(row["named"]) or "nobody",
            f"{row['log10_p']:.1f}",
        )
        for row in load("trace")["summary"]["fine_tuned"]
    ]
    return markdown(("trained from", "accuracy", "named", "highest log10 p"), rows)


def _accuracy(row: dict[str, Any]) -> str:
    return f"{100 * row['share_before']:.2f}%" if row["labels"] else "no labels"


def _changes(row: dict[str, Any]) -> str:
    if not row["labels"]:
        return "no labels"
    changes = [100 * (share - row["share_before"]) for share in row["share_of_copies"]]
    return f"{sum(changes) / len(changes):+.2f}, {max(changes, key=abs):+.2f} points"


def _flips(row: dict[str, Any]) -> str:
    if row["labels"]:
        return "not counted"
    flips = [100 * (1 - share) for share in row["share_of_copies"]]
    return f"{sum(flips) / len(flips):.2f}, {max(flips):.2f}%"


def _named(found: dict[str, Any]) -> str:
    right = found["named"] == ["recipient 17"] and not found["control_named"]
    return f"{found['log10_p']:.0f}" + ("" if right else f" ({', '.join(found['named'])})")


TABLES = {"trace": trace, "trace_tuned": trace_tuned}
