"""What the interpreters of Linux boards compute."""

from __future__ import annotations

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
        )
        for row in held["rows"]
    ]
    like = ("rows of 1,000 as TFLM's board", "as X-CUBE-AI's")
    return markdown(("runtime", "engine", "arithmetic", *like), rows)


TABLES = {
    "linux_runtimes": linux_runtimes,
}
