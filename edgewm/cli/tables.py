"""Tables that verbs print; rich draws them, and without a terminal they are plain text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from ..cost import VerificationCost
    from ..cost_figures import Figure
    from ..demo import Story
    from ..doctor import RuntimeStatus
    from ..silicon import Likeness
    from ..targets import Target


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0) -> Table:
    """A plain table; its last `numbers` columns are aligned to the right."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for at, column in enumerate(columns):
        right = at >= len(columns) - numbers
        drawn.add_column(column, justify="right" if right else "left", no_wrap=True)
    for row in rows:
        drawn.add_row(*map(Text, row))  # a Text is never read as markup
    return drawn


def plain_console() -> Console:
    """Where tables go; wide enough for every row where no terminal sets a width."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def demo_table(story: Story) -> Table:
    """One row a suspect and runtime."""
    rows = [
        (
            row.suspect if at == 0 or story.rows[at - 1].suspect != row.suspect else "",
            row.runtime,
            row.arithmetic,
            f"{row.accuracy:.1%}",
            f"{row.groups_hit}/{row.groups_asked}",
            f"{row.log10_p:.1f}",
            "OWNED" if row.owned else "not shown",
        )
        for at, row in enumerate(story.rows)
    ]
    columns = ("suspect", "runtime", "arithmetic", "accuracy", "groups hit", "log10 p", "verdict")
    return table(columns, rows, numbers=4)


def clone_table(story: Story) -> Table:
    """One row a suspect: what triggers and natural inputs say of a clone."""
    rows = [
        (
            row.suspect,
            f"{row.accuracy:.1%}",
            f"{row.groups_hit}/{row.groups_asked}",
            f"{row.triggers_log10_p:.1f}",
            str(row.natural_queries),
            f"{row.tilt_z:.1f}",
            f"{row.tilt_log10_p:.1f}",
            "OWNED" if row.owned_if_stamped else "not shown",
        )
        for row in story.clone_rows
    ]
    columns = (
        *("suspect", "accuracy", "groups hit", "log10 p"),
        *("natural inputs", "z", "log10 p", "verdict, stamped"),
    )
    return table(columns, rows, numbers=7)


def doctor_table(found: Sequence[RuntimeStatus]) -> Table:
    """One row a runtime."""
    rows = [
        (
            s.spec,
            "works" if s.available else "missing",
            s.version,
            s.arithmetic if s.available else "",
        )
        for s in found
    ]
    return table(("runtime", "state", "version", "arithmetic"), rows)


def silicon_table(found: Sequence[Likeness]) -> Table:
    """One row a run of a board, one column a runtime: how many rows are identical."""
    runtimes = list(dict.fromkeys(one.runtime for one in found))
    cells = {(one.run, one.runtime): one for one in found}
    rows = []
    for run in dict.fromkeys(one.run for one in found):
        beside = [cells[run, runtime] for runtime in runtimes]
        rows.append(
            (
                run.strip("|").replace("|", " "),
                *(f"{one.rows_identical}{' exact' if one.bit_exact else ''}" for one in beside),
                str(beside[0].rows_compared),
            )
        )
    headings = (name.replace("litert:delegate=", "litert ") for name in runtimes)
    return table(("board", *headings, "of"), rows, numbers=len(runtimes) + 1)


def target_table(found: Sequence[Target]) -> Table:
    """One row a device; a question mark behind a number that nobody has looked up."""

    def cell(target: Target, number: str, text: str) -> str:
        return text if target.checked(number) else f"{text} ?"

    rows = [
        (
            target.name,
            target.cpu,
            target.engine,
            ""
            if target.clock_hz is None
            else cell(target, "clock_hz", f"{target.clock_hz / 1e6:g}"),
            *(
                "" if size is None else cell(target, number, f"{size // 1024:,}")
                for number, size in (
                    ("flash_bytes", target.flash_bytes),
                    ("ram_bytes", target.ram_bytes),
                )
            ),
            ", ".join(target.runtimes),
        )
        for target in found
    ]
    return table(
        ("target", "CPU", "engine", "MHz", "flash, KiB", "RAM, KiB", "answered here by"), rows
    )


_WORDS = {"macs": "MACs", "mj": "mJ", "ram": "RAM"}


def cost_table(found: Sequence[VerificationCost], letters: dict[str, str]) -> Table:
    """One row a figure, one column a target, and behind each number the letter of its origin.

    `letters` holds the letters by their origins, and takes new ones.
    """
    rows = []
    for name in found[0].figures():
        cells = [_figure(cost.figures()[name], letters) for cost in found]
        words = " ".join(_WORDS.get(word, word) for word in name.split("_"))
        rows.append((words.replace("non persistent", "non-persistent"), *cells))
    rows.append(("", *("fits" if cost.fits else "DOES NOT FIT" for cost in found)))
    return table(("", *(cost.target for cost in found)), rows, numbers=len(found))


def _figure(figure: Figure, letters: dict[str, str]) -> str:
    parts = figure.origin.split("; ")
    letter = ",".join(letters.setdefault(part, _letter(len(letters))) for part in parts)
    if figure.value is None:
        return f"- {letter}"
    whole = float(figure.value).is_integer() or figure.value >= 1000
    return f"{figure.value:{',.0f' if whole else '.3g'}} {letter}"


def _letter(number: int) -> str:
    """a to z, then aa, ab, ..."""
    first = _letter(number // 26 - 1) if number >= 26 else ""
    return first + chr(ord("a") + number % 26)
