"""What the interpreters of Linux boards compute."""

from __future__ import annotations

from typing import Any

from markdown_tables import load, markdown


def linux_runtimes() -> str:
    """Arithmetic, likeness to silicon and verdicts of every interpreter."""
    held = load("linux_runtimes")
    rows = [
        (
            f"`{row['runtime'].rstrip(':')}`",
            row["version"].removesuffix(", emulated"),
            row["arithmetic"],
            f"{row['tflm_board_rows']}",
            f"{row['x_cube_ai_board_rows']}",
            _said(row, "marked"),
            _said(row, "unmarked"),
        )
        for row in held["rows"]
    ]
    like = ("rows of 1,000 as TFLM's board", "as X-CUBE-AI's")
    return markdown(
        ("runtime", "engine", "arithmetic", *like, "marked file", "its unmarked twin"), rows
    )


def _said(row: dict[str, Any], which: str) -> str:
    word = "owned" if row[f"{which}_owned"] else "not shown"
    return f"{row[f'{which}_hits']}/{row['groups']} {word}"


TABLES = {
    "linux_runtimes": linux_runtimes,
}
