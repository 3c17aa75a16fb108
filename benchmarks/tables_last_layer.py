"""What a mark in the last layer of an int8 file costs."""

from __future__ import annotations

from markdown_tables import load, markdown


def last_layer() -> str:
    """Evidence and labels kept, by file."""
    rows = [
        (
            f"MLPerf Tiny {name}",
            f"{found['keys']}",
            f"{found['log10_p_median']:.1f} ({found['log10_p_worst']:.1f})",
            f"{found['owned']} of {found['keys']}",
            f"{found['agreement_mean']:.2%} ({found['agreement_worst']:.2%}) of {found['held_out']:,}",
            f"{found['bytes_added']}",
            f"{found['controls_owned']} of {found['controls']}",
        )
        for name, found in load("last_layer")["summary"].items()
    ]
    head = ("int8 file", "keys", "log10 p, median (worst)", "owned", "labels kept, mean (worst)")
    return markdown((*head, "bytes added", "controls owned"), rows)


TABLES = {"last_layer": last_layer}
