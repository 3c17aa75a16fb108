"""Pictures of what was measured: margins before and after, groups hit by file and runtime.

Functions take values and give the bytes of a PNG or SVG; they measure nothing. The same values give the
same bytes on one version of matplotlib: no date, no random ids, and no style of the user's own. Colours
are told apart by everybody (Okabe and Ito, 2008), and nothing is said by colour alone.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import BadInput, RuntimeUnavailable

if TYPE_CHECKING:
    from .comparison import HitTable, Margins
    from .cost import VerificationCost

FORMATS = ("png", "svg")
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#9a9a9a"
_BINS = 40


def chart_format(path: Path, argument: str = "--out") -> str:
    """png or svg, by the ending of a file's name.

    Raises:
        BadInput: another ending.
    """
    ending = path.suffix.removeprefix(".")
    if ending not in FORMATS:
        raise BadInput(f"{argument}: got {path}, expected a name that ends in .png or .svg")
    return ending


def margin_chart(found: Sequence[Margins], *, control: str, format: str = "png") -> bytes:
    """One histogram a file, one under the other on the same axis, its control in grey.

    `control` says in words what the grey is.

    Raises:
        RuntimeUnavailable: matplotlib is not installed.
    """
    values = np.concatenate([part for one in found for part in (one.marked, one.control)])
    span = max(float(np.abs(values).max()), 1e-9)
    bins = np.linspace(-span, span, _BINS + 1)
    with _figure(7.0, 0.9 + 1.9 * len(found)) as figure:
        panels = figure.subplots(len(found), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, one, colour in zip(panels, found, _colours(len(found)), strict=True):
            axes.hist(one.control, bins, color=_GREY, alpha=0.6, label=control)
            axes.hist(one.marked, bins, color=colour, alpha=0.8, label="owner's answers")
            axes.axvline(0, color="black", lw=1)
            axes.set_ylabel("inputs")
            axes.yaxis.get_major_locator().set_params(integer=True)
            axes.set_title(
                f"{one.name}: {one.kept:.0%} answer as drawn, median margin "
                f"{np.median(one.marked):.2f}, least {one.marked.min():.2f}",
                fontsize=9,
                loc="left",
            )
            axes.legend(fontsize=8, framealpha=1, edgecolor="none", loc="upper center")
        panels[-1].set_xlabel("output of the answer minus the largest other output")
        return _bytes(figure, format)


def hit_chart(table: HitTable, *, format: str = "png") -> bytes:
    """A heat map: a row a file, a column a runtime, groups hit in each cell; hatched where it cannot run.

    Raises:
        RuntimeUnavailable: matplotlib is not installed.
    """
    rows, columns = len(table.files), len(table.runtimes)
    with _figure(2.6 + 1.35 * columns, 1.5 + 0.45 * rows) as figure:
        from matplotlib.patches import Rectangle

        axes = figure.subplots()
        shares = np.full((rows, columns), np.nan)
        for at, cell in enumerate(table.cells):
            row, column = divmod(at, columns)
            if cell.groups_hit is None:
                corner = (column - 0.5, row - 0.5)
                hatched = Rectangle(corner, 1, 1, fill=False, hatch="////", ec=_GREY, lw=0)
                axes.add_patch(hatched)
                text, dark = "cannot", False
            else:
                shares[row, column] = cell.groups_hit / table.groups
                text, dark = f"{cell.groups_hit}/{table.groups}", shares[row, column] < 0.5
            box = (
                {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
                if text == "cannot"
                else None
            )
            colour = "white" if dark else "black"
            axes.text(
                column, row, text, ha="center", va="center", color=colour, bbox=box, fontsize=9
            )
        image = axes.imshow(shares, vmin=0, vmax=1, cmap="cividis", aspect="auto")
        axes.set_xticks(range(columns), [_heading(table, name) for name in table.runtimes])
        axes.set_yticks(range(rows), table.files)
        axes.tick_params(length=0, labelsize=8)
        for axis, count in ((axes.xaxis, columns), (axes.yaxis, rows)):
            axis.set_ticks(np.arange(1, count) - 0.5, minor=True)
        axes.grid(which="minor", color="white", lw=2)
        axes.tick_params(which="minor", length=0)
        axes.set_title("groups hit of all that were committed", fontsize=9, loc="left")
        bar = figure.colorbar(image, ax=axes, ticks=[0, 0.5, 1])
        bar.ax.tick_params(labelsize=8)
        bar.ax.set_yticklabels(["none", "half", "all"])
        return _bytes(figure, format)


def cost_chart(costs: Sequence[VerificationCost], *, format: str = "png") -> bytes:
    """Seconds of a verification by target on a logarithmic axis, all queries and until it is shown.

    A target without a time says so, and one that it does not fit on is hatched.

    Raises:
        RuntimeUnavailable: matplotlib is not installed.
    """
    with _figure(8.0, 1.3 + 0.5 * len(costs)) as figure:
        from matplotlib.patches import Patch

        axes = figure.subplots()
        kinds = (
            ("total_full_s", "all queries", _GREY),
            ("total_sequential_s", "until shown", _BLUE),
        )
        least = min(
            (value for cost in costs for name, *_ in kinds if (value := _seconds(cost, name))),
            default=1.0,
        )
        for row, cost in enumerate(costs):
            for (name, _, colour), up in zip(kinds, (0.2, -0.2), strict=True):
                value = _seconds(cost, name)
                hatch = None if cost.fits else "////"
                axes.barh(row - up, value, 0.36, color=colour, hatch=hatch)
                text = f" {value:.3g} s" if value else " no time known"
                axes.text(value or least / 2, row - up, text, va="center", fontsize=8)
            if not cost.fits:
                axes.text(
                    0.99, row, "does not fit", transform=axes.get_yaxis_transform(),
                    ha="right", va="center", fontsize=8, color=_ORANGE,
                )  # fmt: skip
        axes.set_xscale("log")
        longest = max((_seconds(cost, name) for cost in costs for name, *_ in kinds), default=0.0)
        axes.set_xlim(least / 2, 4 * max(longest, least))
        axes.set_yticks(range(len(costs)), [cost.target for cost in costs])
        axes.invert_yaxis()
        axes.tick_params(labelsize=8)
        axes.set_xlabel("seconds of one verification, inference and upload")
        swatches = [Patch(color=colour, label=label) for _, label, colour in kinds]
        figure.legend(handles=swatches, fontsize=8, loc="outside upper right", ncols=2)
        return _bytes(figure, format)


def _seconds(cost: VerificationCost, name: str) -> float:
    return float(cost.figures()[name].value or 0.0)


def _heading(table: HitTable, runtime: str) -> str:
    name, _, options = runtime.partition(":")
    arithmetic = table.arithmetic(runtime)
    return "\n".join(
        part for part in (name, options, f"({arithmetic})" if arithmetic else "") if part
    )


def _colours(count: int) -> list[str]:
    return [_BLUE if at == 0 and count > 1 else _ORANGE for at in range(count)]


@contextmanager
def _figure(width_in: float, height_in: float) -> Iterator[Any]:
    """An empty figure, in matplotlib's own style whatever the user's is."""
    try:
        import matplotlib as mpl
        from matplotlib import style
        from matplotlib.figure import Figure
    except ImportError:
        raise RuntimeUnavailable(
            "charts: matplotlib is missing: pip install 'edgewm[plots]'"
        ) from None
    with style.context("default"), mpl.rc_context({"svg.hashsalt": "edgewm"}):
        yield Figure(figsize=(width_in, height_in), layout="constrained")


def _bytes(figure: Any, format: str) -> bytes:
    stream = io.BytesIO()
    unsaid = {"Date": None, "Creator": None} if format == "svg" else {"Software": None}
    figure.savefig(stream, format=format, dpi=120, metadata=unsaid)
    return stream.getvalue()
