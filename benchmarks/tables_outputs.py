"""Marks in models that do not classify."""

from __future__ import annotations

from markdown_tables import load, markdown


def outputs_marks() -> str:
    """Evidence and cost by model."""
    rows = [
        (
            name,
            f"{found['pairs']}",
            f"{found['log10_p_median']:.1f} ({found['log10_p_worst']:.1f})",
            f"{found['hits_worst']} of {found['groups']}",
            f"{found['measure']} {found['quality_unmarked']:.3f}",
            f"{found['quality_change']:+.4f} ({found['quality_change_worst']:+.4f})",
            f"{found['controls_owned']} of {found['controls']}",
        )
        for name, found in load("outputs_marks")["summary"].items()
    ]
    head = ("model", "pairs", "log10 p, median (worst)", "groups hit, worst", "unmarked")
    return markdown((*head, "change, mean (worst)", "controls owned"), rows)


def outputs_innocent() -> str:
    """How often keys without a part in them accuse independent models."""
    rows = [
        (
            name,
            f"{found['models']} x {found['keys']:,}",
            f"{found['mean_hits']:.3f} of {whole['groups']}",
            f"{found['most_hits']}",
            *(
                f"{found['accused'][alpha]:,} ({share * found['models'] * found['keys']:,.1f})"
                for alpha, share in found["share_allowed"].items()
            ),
        )
        for name, whole in load("outputs_marks")["summary"].items()
        for found in [whole["innocent"]]
    ]
    levels = load("outputs_marks")["summary"]["anomaly"]["innocent"]["accused"]
    head = ("model", "models x keys", "groups hit, mean", "most")
    return markdown((*head, *(f"p <= {alpha}" for alpha in levels)), rows)


TABLES = {"outputs_marks": outputs_marks, "outputs_innocent": outputs_innocent}
