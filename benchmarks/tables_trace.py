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
        ("accuracy of the base file", *(_accuracy(r, r["share_before"]) for r in rows)),
        (
            "mean change over 8 copies",
            *(f"{100 * _mean_change(r):+.2f} points" for r in rows),
        ),
        (
            "largest change",
            *(
                f"{100 * max((s - r['share_before'] for s in r['share_of_copies']), key=abs):+.2f}"
                for r in rows
            ),
        ),
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


def _accuracy(row: dict[str, Any], share: float) -> str:
    return f"{100 * share:.2f}%" if row["labels"] else "(agreement with it is counted)"


def _mean_change(row: dict[str, Any]) -> float:
    shares: list[float] = row["share_of_copies"]
    return sum(shares) / len(shares) - float(row["share_before"])


def _named(found: dict[str, Any]) -> str:
    right = found["named"] == ["recipient 17"] and not found["control_named"]
    return f"{found['log10_p']:.0f}" + ("" if right else f" ({', '.join(found['named'])})")


TABLES = {"trace": trace, "trace_tuned": trace_tuned}
