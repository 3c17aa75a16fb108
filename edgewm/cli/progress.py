"""A bar on stderr for verbs that keep a person waiting."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Show = Callable[[str, float | None], None]
"""Takes what is being done, and the share of it that is done."""


@contextlib.contextmanager
def progress(*, visible: bool) -> Iterator[Show]:
    """A bar on stderr where a person watches a terminal, nothing elsewhere."""
    if not (visible and sys.stderr.isatty()):
        yield lambda text, share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as drawn:
        task = drawn.add_task("start", total=None)

        def show(text: str, share: float | None) -> None:
            total = None if share is None else 1.0
            drawn.update(task, description=text, total=total, completed=share or 0.0)

        yield show
