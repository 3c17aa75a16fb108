"""The C engine: rows equal to the interpreter's, and instructions of an inference."""

from __future__ import annotations

from markdown_tables import load, markdown


def engine_exactness() -> str:
    """One row a model."""
    held = load("engine_exactness")
    rows = [
        (
            f"`{row['model']}`",
            row["inputs"],
            f"{row['rows_equal']} of {row['rows']}",
            f"{row['rows_equal_to_xnnpack']}",
            f"{row['emulated_rows_equal']} of {row['emulated_rows']}",
            f"{row['macs']:,}",
            f"{row['arena_bytes']:,}",
            f"{row['constant_bytes']:,}",
        )
        for row in held["rows"]
    ]
    head = (
        *(
            "model",
            "inputs",
            "rows equal to TFLM's, x86-64",
            "to XNNPACK's",
            "to TFLM's, Cortex-M in QEMU",
        ),
        *("MACs", "arena, bytes", "constants, bytes"),
    )
    return markdown(head, rows)


def engine_instructions() -> str:
    """One row a model of MLPerf Tiny whose instructions were counted."""
    held = load("engine_exactness")
    bars = held["summary"]["bars_instructions_per_mac"]
    cycles = held["summary"]["published_cycles_per_mac"]
    rows = []
    for row in held["rows"]:
        if row["model"] not in bars:
            continue
        name = row["model"].split("_")[1]
        counted = row["instructions"]
        rows.append(
            (
                name.upper(),
                f"{row['instructions_per_mac']:.2f}",
                f"{bars[row['model']]:.0f}",
                *(
                    f"{counted[core] / 1e6:.2f} M"
                    for core in ("cortex-m4", "cortex-m3", "cortex-m7")
                ),
                f"{cycles[name]:.1f}",
            )
        )
    head = (
        *("model", "instructions a MAC, M4", "bar", "instructions an inference, M4", "M3", "M7"),
        "TFLM on a board, *cycles* a MAC",
    )
    return markdown(head, rows)


def engine_boards() -> str:
    """Recorded boards that answer as the engine does."""
    (row,) = (row for row in load("engine_exactness")["rows"] if "boards" in row)
    names = []
    for run in row["boards_equal"]:
        round_, organisation, system, _ = run.split("|")
        names.append(f"{system} ({organisation}, {round_})")
    return (
        f"{len(names)} of {row['boards']} recorded runs printed the engine's answer to every one of the "
        f"{row['rows']:,} keyword inputs: {', '.join(names)}."
    )


def engine_kernels() -> str:
    """What the kernels take of flash."""
    sizes = load("engine_exactness")["summary"]["kernel_text_bytes"]
    told = " and ".join(f"{size:,} bytes at {level}" for level, size in sizes.items())
    return f"All kernels together take {told} on Cortex-M4."


TABLES = {
    "engine_kernels": engine_kernels,
    "engine_boards": engine_boards,
    "engine_exactness": engine_exactness,
    "engine_instructions": engine_instructions,
}
