"""What the demo on digits printed, and over several seeds."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_tables import load, markdown


def demo() -> str:
    """What `edgewm demo` printed, from the rows it left."""
    held = load("digits_demo")
    first = held["summary"]["shown_seed"]
    rows = [row for row in held["rows"] if row["seed"] == first and "runtime" in row]
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
    return markdown(
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


def clones() -> str:
    """What `edgewm demo` printed of the clone."""
    rows = [
        (
            row["suspect"],
            f"{row['accuracy']:.1%}",
            f"{row['groups_hit']}/{row['groups_asked']}",
            f"{row['triggers_log10_p']:.1f}",
            f"{row['tilt_z']:.1f}",
            f"{row['tilt_log10_p']:.1f}",
            "OWNED" if row["owned_if_stamped"] else "not shown",
        )
        for row in load("digits_demo")["summary"]["clone"]
    ]
    head = ("suspect", "accuracy", "triggers hit", "log10 p", "tilt z", "log10 p", "stamped claim")
    return markdown(head, rows)


def _line(parts: Sequence[str]) -> str:
    widths = (10, 24, 11, 9, 7, 8, 10)
    aligned = [
        part.rjust(width) if 3 <= at <= 5 else part.ljust(width)
        for at, (part, width) in enumerate(zip(parts, widths, strict=True))
    ]
    return " ".join(aligned).rstrip()


TABLES = {
    "demo": demo,
    "digits": digits,
    "clones": clones,
}
