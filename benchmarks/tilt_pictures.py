"""benchmarks/results/tilt.svg: the evidence against every suspect, a dot a pair, from tilt.json.

python benchmarks/tilt_pictures.py
"""

from __future__ import annotations

import json
from typing import Any

from results_file import RESULTS
from tables_tilt import SUSPECTS, TILT_DATA


def main() -> None:
    """Draw."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "edgewm"
    from matplotlib import pyplot

    held: dict[str, Any] = json.loads((RESULTS / "tilt.json").read_text(encoding="utf-8"))
    datasets = list(held["summary"])
    figure, all_axes = pyplot.subplots(
        1, len(datasets), figsize=(7.5 * len(datasets), 4.2), layout="constrained", squeeze=False
    )
    for axes, dataset in zip(all_axes[0], datasets, strict=True):
        rows = [r for r in held["rows"] if r["dataset"] == dataset and r["form"] == "fixed"]
        rows = [r for r in rows if r["queries_named"] is None]
        suspects = [name for name in SUSPECTS if any(r["suspect"] == name for r in rows)]
        for place, suspect in enumerate(reversed(suspects)):
            worst: dict[int, float] = {}
            for row in rows:
                if row["suspect"] == suspect:
                    worst[row["seed"]] = max(row["log10_p"], worst.get(row["seed"], -1e9))
            control = "control" in SUSPECTS[suspect]
            axes.plot(
                [-p for p in worst.values()],
                [place] * len(worst),
                "x" if control else "o",
                color="0.45" if control else "black",
                mfc="none",
                ms=6,
            )
        axes.axvline(6, color="black", lw=1, ls="--")
        axes.text(6.15, -0.45, "p = 1e-6", fontsize=8, va="bottom")
        axes.set_ylim(-0.5, len(suspects) - 0.5)
        axes.set_yticks(range(len(suspects)), [SUSPECTS[s] for s in reversed(suspects)], fontsize=8)
        axes.set_xlabel("-log10 p, one mark a pair of key and seed")
        axes.set_title(f"{TILT_DATA[dataset]}, int8, labels only", fontsize=10)
        axes.set_xlim(left=-0.3)
    figure.savefig(RESULTS / "tilt.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
