"""Networks that were trained on a marked set."""

from __future__ import annotations

from markdown_tables import load, markdown


def marked_data() -> str:
    """One row a network."""
    held = load("marked_data")
    rows = [
        (
            f"`{network}`",
            str(found["pairs"]),
            f"{found['clean_accuracy']:.1%}",
            f"{found['points']:+.2f} ({found['points_worst']:+.2f})",
            f"{found['groups_hit_worst']} of {found['groups']}",
            f"{found['log10_p_worst']:.1f}",
            f"{found['controls_owned']} of {found['controls']}",
            f"{found['controls_log10_p_least']:.1f}",
        )
        for network, found in held["summary"].items()
    ]
    head = (
        *("int8, two arithmetics", "pairs", "clean accuracy", "points, mean (worst)"),
        *("groups hit, worst", "log10 p, worst", "controls owned", "their least log10 p"),
    )
    return markdown(head, rows)


TABLES = {"marked_data": marked_data}
