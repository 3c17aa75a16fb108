"""Draws results/robustness*.svg from robustness.json: a heat map, attack strength, and what evidence costs.

python benchmarks/robustness_pictures.py
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from markdown_tables import RESULTS, load
from tables_robustness import NONE, SCHEMES

STRENGTHS = {
    "noise, share of the weights (%)": r"noise (\d+) %",
    "pruned, share of the weights (%)": r"prune (\d+) %",
    "bits a weight": r"(\d)-bit weights",
}
PICTURES = ("robustness_map.svg", "robustness_strength.svg", "robustness_cost.svg")
DARKEST = -20.0
"""log10 p at which the map is darkest."""
BAR = -6.0


def heat_map(case_of: dict[str, dict[str, Any]], attacks: list[str], axes: Any) -> None:
    """Worst log10 p of every scheme and attack; a cross where every such thief lost 5 points or more."""
    found = np.full((len(attacks), len(case_of)), np.nan)
    for column, case in enumerate(case_of.values()):
        for at, attack in enumerate(attacks):
            said = case["attacks"].get(attack)
            if said is None:
                continue
            found[at, column] = max(said["log10_p_worst"], DARKEST)
            text = f"{said['hit_rate_worst']:.0%}, {said['log10_p_worst']:.0f}"
            text += "" if said["within_5_points"] else " ✗"
            pale = said["log10_p_worst"] > DARKEST / 2
            axes.text(
                *(column, at, text), ha="center", va="center", color="black" if pale else "white"
            )
    axes.imshow(-found, aspect="auto", cmap="viridis_r", vmin=0, vmax=-DARKEST)
    axes.set_xticks(range(len(case_of)), [SCHEMES[s].replace(" (", "\n(") for s in case_of])
    axes.set_yticks(range(len(attacks)), ["stolen as it is" if a == NONE else a for a in attacks])
    axes.set_title(
        "Fashion-MNIST, int8: groups hit, log10 p of the worst seed\n"
        "✗ the thief lost 5 points or more",
        fontsize=9,
    )


def against_strength(rows: list[dict[str, Any]], all_axes: Any) -> None:
    """Hit rate of the triggers and log10 p of each mark against how hard the thief hits."""
    for axes, (title, pattern) in zip(all_axes, STRENGTHS.items(), strict=True):
        of_seed = [(re.fullmatch(pattern, row["attack"]), row) for row in rows if row["seed"] == 0]
        points = [(int(match.group(1)), row) for match, row in of_seed if match]
        points.sort(key=lambda point: point[0])
        strength = [s for s, _ in points]
        for name, label in (("log10_p_triggers", "triggers"), ("log10_p_tilt", "tilt")):
            axes.plot(strength, [row[name] for _, row in points], "o-", label=label)
        axes.axhline(BAR, color="black", lw=1, ls="--")
        axes.set_xlabel(title)
        beside = axes.twinx()
        lost = [100 * (row["marked_accuracy"] - row["thief_accuracy"]) for _, row in points]
        beside.plot(strength, lost, "x:", color="grey", label="thief's loss")
        beside.set_ylabel("thief's loss, points")
    all_axes[0].set_ylabel("log10 p")
    all_axes[0].legend(frameon=False, fontsize=8)


def cost_and_evidence(rows: list[dict[str, Any]], axes: Any) -> None:
    """What each thief lost against what is left of the evidence."""
    for scheme, label in SCHEMES.items():
        of = [row for row in rows if row["scheme"] == scheme]
        if not of:
            continue
        lost = [100 * (row["marked_accuracy"] - row["thief_accuracy"]) for row in of]
        axes.plot(lost, [row["log10_p"] for row in of], "o", label=label, alpha=0.6)
    axes.axhline(BAR, color="black", lw=1, ls="--")
    axes.axvline(5, color="grey", lw=1, ls=":")
    axes.set_xscale("symlog", linthresh=10)
    axes.set_xlabel("accuracy that the attack cost the thief, points")
    axes.set_ylabel("log10 p that is left")
    axes.set_title("one dot a thief; left of the dotted line the model is still of use", fontsize=9)
    axes.legend(frameon=False, fontsize=8)


def main() -> None:
    """Draw all three."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "edgewm"
    from matplotlib import pyplot

    held = load("robustness")
    cases = {
        case["scheme"]: case
        for case in held["summary"]["cases"]
        if case["dataset"] == "fashion_mnist"
    }
    rows = [
        row for row in held["rows"] if row["control"] is None and row["dataset"] == "fashion_mnist"
    ]
    attacks = [a for a in held["settings"]["attacks"] if a in cases["default"]["attacks"]]
    figures = []
    size = (2.4 + 1.7 * len(cases), 0.34 * len(attacks) + 1.6)
    figure, axes = pyplot.subplots(figsize=size, layout="constrained")
    heat_map(cases, attacks, axes)
    figures.append(figure)
    figure, several = pyplot.subplots(1, len(STRENGTHS), figsize=(10, 3.2), layout="constrained")
    against_strength([row for row in rows if row["scheme"] == "default"], several)
    figures.append(figure)
    figure, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
    cost_and_evidence(rows, axes)
    figures.append(figure)
    for figure, name in zip(figures, PICTURES, strict=True):
        figure.savefig(RESULTS / name, metadata={"Date": None})


if __name__ == "__main__":
    main()
