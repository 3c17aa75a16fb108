"""What a ledger survives, and how fast it checks."""

from __future__ import annotations

from markdown_tables import load, markdown


def records() -> str:
    """What a ledger survives, how fast it checks, and whether damage is noticed."""
    crash = load("ledger_crash")["summary"]
    held = load("record_checks")
    damage = load("mutations")
    noticed = damage["summary"]["damages"] - damage["summary"]["not_noticed"]
    what = ", ".join(row["what"] for row in damage["rows"])
    return markdown(
        ("records", "measured", "bar"),
        [
            (
                f"{crash['kills']} kill -9 while {crash['writers']} processes append: acknowledged "
                "records lost",
                f"{crash['lost']} of {crash['acknowledged']:,}",
                "0",
            ),
            (
                f"`edgewm record check` on {held['summary']['records']:,} records",
                f"{held['summary']['check_s']:.1f} s",
                "10 s",
            ),
            (
                f"bytes changed, removed, inserted, cut ({what}): noticed",
                f"{noticed - damage['summary']['crashed']:,} of {damage['summary']['damages']:,}",
                f"{damage['summary']['damages']:,}",
            ),
        ],
    )


TABLES = {
    "records": records,
}
