"""What a ledger survives, and how fast it checks."""

from __future__ import annotations

from markdown_tables import load, markdown


def records() -> str:
    """What a ledger survives, how fast it checks, and whether changed bytes are noticed."""
    crash = load("ledger_crash")["summary"]
    held = load("record_checks")
    changed = sum(row["changes"] for row in held["rows"])
    refused = sum(row["refused"] for row in held["rows"])
    what = ", ".join(row["what"] for row in held["rows"])
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
                f"one changed byte ({what}): refused",
                f"{refused:,} of {changed:,}",
                f"{changed:,}",
            ),
        ],
    )


TABLES = {
    "records": records,
}
