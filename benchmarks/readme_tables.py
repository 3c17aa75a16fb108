"""The README's tables, generated from benchmarks/results/*.json; a test holds the two equal.

    python benchmarks/readme_tables.py           rewrite README.md
    python benchmarks/readme_tables.py --check   exit code 1 when it would change

A table stands between ``<!-- table NAME -->`` and ``<!-- end NAME -->``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parent.parent / "README.md"


def load(name: str) -> dict[str, Any]:
    """One result file."""
    held: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return held


def demo() -> str:
    """What `edgewm demo` printed, from the rows it left."""
    held = load("digits_demo")
    first = held["summary"]["shown_seed"]
    rows = [row for row in held["rows"] if row["seed"] == first]
    lines = [_line(("suspect", "runtime", "arithmetic", "accuracy", "hit", "log10 p", "verdict"))]
    before = ""
    for row in rows:
        name = row["suspect"] if row["suspect"] != before else ""
        before = row["suspect"]
        lines.append(
            _line(
                (
                    name,
                    row["runtime"],
                    row["arithmetic"],
                    f"{row['accuracy']:.1%}",
                    f"{row['groups_hit']}/{row['groups_asked']}",
                    f"{row['log10_p']:.1f}",
                    "OWNED" if row["owned"] else "not shown",
                )
            )
        )
    return "```\n" + "\n".join(lines) + "\n```"


def digits() -> str:
    """The digits demo over several seeds."""
    summary = load("digits_demo")["summary"]
    return _markdown(
        ("digits, int8, small CNN", "measured", "bar"),
        [
            ("seeds", str(summary["seeds"]), ""),
            (
                "accuracy against the unmarked twin, mean (worst)",
                f"{summary['mean_difference_points']:+.2f} "
                f"({summary['worst_difference_points']:+.2f}) points",
                "within 1 point",
            ),
            (
                "marked: groups hit, worst runtime and seed",
                f"{summary['marked_worst_groups_hit']}/{summary['groups']}",
                f"{summary['groups']}/{summary['groups']}",
            ),
            (
                "controls `owned` (unmarked twin, wrong key)",
                f"{summary['controls_owned']} of {summary['controls']}",
                "0",
            ),
            ("wall time of one demo", f"{summary['wall_s_median']:.0f} s", "120 s"),
        ],
    )


def fashion_mnist() -> str:
    """Cost and survival on Fashion-MNIST."""
    held = load("fashion_mnist")
    summary = held["summary"]
    rows = [
        (
            "int8 accuracy against the unmarked twin, mean",
            f"{summary['accuracy_difference_points']:+.2f} points "
            f"[{summary['interval_points'][0]:+.2f}, {summary['interval_points'][1]:+.2f}]",
            "at most 0.3 lost",
        ),
        (
            "training time, marked / unmarked",
            f"{summary['training_time_ratio']:.2f}",
            "at most 1.15",
        ),
    ]
    for runtime, found in summary["runtimes"].items():
        rows.append(
            (
                f"groups hit on {runtime} ({found['arithmetic']}), mean (worst seed)",
                f"{found['hit_rate_mean']:.1%} ({found['hit_rate_worst']:.1%})",
                "at least 99 %",
            )
        )
    rows.append(
        (
            "unmarked twins and wrong keys `owned`",
            f"{summary['controls_owned']} of {summary['controls']}",
            "0",
        )
    )
    return _markdown(("Fashion-MNIST, DS-CNN, int8, 64 groups, 5 pairs", "measured", "bar"), rows)


def cost() -> str:
    """What a verification costs."""
    time, sequential = load("verify_time")["summary"], load("sequential")["summary"]
    rows = [
        (
            "`edgewm verify`, 64 inputs, isolation on, against a bare script",
            f"{time['verify_median_s']:.2f} s / {time['bare_median_s']:.2f} s "
            f"= {time['ratio_of_medians']:.2f}",
            "at most 1.5",
        )
    ]
    for classes, groups in sequential["groups_to_1e6"].items():
        rows.append(
            (
                f"groups until a perfect mark reaches 1e6 (sequential, M = {classes})",
                str(groups["measured"]),
                str(groups["bar"]),
            )
        )
    return _markdown(("cost of a verdict", "measured", "bar"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "cost": cost,
    "demo": demo,
    "digits": digits,
    "fashion_mnist": fashion_mnist,
}


def filled(text: str) -> str:
    """README text with every table made anew."""
    for name, make in TABLES.items():
        start, end = f"<!-- table {name} -->", f"<!-- end {name} -->"
        if start not in text or end not in text:
            raise SystemExit(f"README.md has no place for the table {name}")
        pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
        made = f"{start}\n{make()}\n{end}"
        text = pattern.sub(lambda _, made=made: made, text)  # type: ignore[misc]
    return text


def main() -> int:
    """Rewrite or check the README."""
    now = README.read_text(encoding="utf-8")
    new = filled(now)
    if "--check" in sys.argv[1:]:
        if new != now:
            print("README.md differs from benchmarks/results: run benchmarks/readme_tables.py")
        return int(new != now)
    README.write_text(new, encoding="utf-8")
    return 0


def _line(parts: Sequence[str]) -> str:
    widths = (10, 24, 11, 9, 7, 8, 10)
    aligned = [
        part.rjust(width) if 3 <= at <= 5 else part.ljust(width)
        for at, (part, width) in enumerate(zip(parts, widths, strict=True))
    ]
    return " ".join(aligned).rstrip()


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "| --- | --: | --: |"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
