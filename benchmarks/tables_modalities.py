"""What marks in sound and movements cost, and what a played challenge survives."""

from __future__ import annotations

from typing import Any

from markdown_tables import load, markdown

_NAMES = {
    "sound": "Speech Commands, DS-CNN, `tone`",
    "movement": "gesture wand, 300x6, `motion`, ten folds",
}


def modalities() -> str:
    """Cost, and hits on the runtime where they are fewest."""
    rows = []
    for name, found in load("modalities")["summary"].items():
        suspects = found["suspects"]
        rows.append(
            (
                _NAMES[name],
                f"{found['pairs']}",
                f"{found['unmarked_accuracy']:.1%}",
                f"{found['accuracy_difference_points']:+.2f} ({found['worst_difference_points']:+.2f})",
                _worst(suspects["marked"]),
                _owned(suspects["marked"]),
                _owned(suspects["unmarked"]),
                _owned(suspects["another key"]),
            )
        )
    head = (
        "int8",
        "pairs",
        "unmarked accuracy",
        "points: mean (worst)",
        "groups hit, worst runtime",
    )
    return markdown((*head, "owned", "unmarked owned", "another key owned"), rows)


def played() -> str:
    """Share of melodies that still hit."""
    rows = [
        (name, f"{said['hit_rate_mean']:.1%}", f"{said['hit_rate_worst']:.1%}")
        for name, said in load("modalities")["summary"]["sound"]["played"].items()
    ]
    return markdown(("played", "groups hit, mean", "worst pair"), rows)


def _worst(by_runtime: dict[str, Any]) -> str:
    least = min(by_runtime.values(), key=lambda said: said["hit_rate_worst"])
    return f"{least['hit_rate_mean']:.1%} ({least['hit_rate_worst']:.1%})"


def _owned(by_runtime: dict[str, Any]) -> str:
    return str(min(said["owned"] for said in by_runtime.values()))


TABLES = {"modalities": modalities, "played": played}
