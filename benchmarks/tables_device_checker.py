"""What the on-device checker takes, and how much of a full verification it asks."""

from __future__ import annotations

from markdown_tables import load, markdown


def device_checker() -> str:
    """The figures with bars, on a Cortex-M4 at -Os."""
    held = load("device_checker")
    facts = held["summary"]
    rows = [
        ("code and constants without the engine, bytes", f"{facts['text_bytes']:,}", "2,048"),
        ("static RAM besides the input buffer, bytes", f"{facts['static_bytes']}", "64"),
        (
            "stack, bytes: of a run (by the compiler)",
            f"{facts['stack_bytes']} ({facts['stack_bytes_by_compiler']})",
            "512",
        ),
        (
            "perfect mark, golden network: inferences of the full 64",
            f"{facts['sequential_share_of_inferences']:.2f}",
            "0.15",
        ),
        (
            "instructions of the full 64",
            f"{facts['sequential_share_of_instructions']:.2f}",
            "0.15",
        ),
    ]
    return markdown(("Cortex-M4, -Os", "measured", "bar, at most"), rows)


def device_checker_cores() -> str:
    """Code and stack by core."""
    rows = [
        (row["core"], f"{row['text_bytes']:,}", str(row["stack_bytes"]))
        for row in load("device_checker")["rows"]
        if row["kind"] == "size"
    ]
    return markdown(("core, -Os", "code, bytes", "stack by the compiler, bytes"), rows)


def device_checker_inputs() -> str:
    """By network: flash of the header, instructions of one drawn input, inferences of a perfect mark."""
    rows = [
        (
            f"{row['network'].upper()}, {row['input_bytes']:,} bytes an input",
            f"{row['seeded_flash_bytes']:,}",
            f"{row['stored_flash_bytes']:,}",
            f"{row['instructions_of_a_drawn_input'] / 1e6:.2f} M",
            f"{row['stack_bytes']}",
            f"{row['inferences']} of 64 ({row['share_of_full']:.2f})",
        )
        for row in load("device_checker")["rows"]
        if row["kind"] == "checker alone" and row["perfect_mark"]
    ]
    head = (
        *("inputs of", "flash seeded, bytes", "stored, bytes", "instructions of one drawn input"),
        *("stack, bytes", "perfect mark: inferences"),
    )
    return markdown(head, rows)


TABLES = {
    "device_checker": device_checker,
    "device_checker_cores": device_checker_cores,
    "device_checker_inputs": device_checker_inputs,
}
