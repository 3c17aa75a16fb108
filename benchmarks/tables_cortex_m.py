"""What firmware takes on emulated Cortex-M boards."""

from __future__ import annotations

from markdown_tables import load, markdown

_NETWORKS = ("KWS", "IC", "VWW", "AD", "golden")


def cortex_m_instructions() -> str:
    """Instructions of one inference, by board and network."""
    rows = []
    held = load("cortex_m")["rows"]
    for board in dict.fromkeys(row["board"] for row in held):
        of = {row["network"]: row for row in held if row["board"] == board}
        cells = []
        for network in _NETWORKS:
            row = of[network]
            cells.append(
                "does not fit"
                if "macs" not in row
                else f"{row['instructions'] / 1e6:.2f} M ({row['instructions_per_mac']:.2f})"
            )
        rows.append((f"{of['golden']['core']} (mps, {board})", *cells))
    return markdown(("board", *(f"{network}, a MAC" for network in _NETWORKS)), rows)


def cortex_m_bytes() -> str:
    """Flash, RAM and stack on Cortex-M4."""
    rows = [
        (
            row["network"],
            f"{row['text_bytes'] + row['data_bytes']:,}",
            f"{row['data_bytes'] + row['bss_bytes']:,}",
            f"{row['arena_bytes']:,}",
            f"{row['stack_bytes']:,}",
        )
        for row in load("cortex_m")["rows"]
        if row["board"] == "an386" and "macs" in row
    ]
    head = ("network, Cortex-M4", "flash", "RAM without stack", "of it arena", "deepest stack")
    return markdown(head, rows)


TABLES = {
    "cortex_m_instructions": cortex_m_instructions,
    "cortex_m_bytes": cortex_m_bytes,
}
