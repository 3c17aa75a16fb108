"""``edgewm scan``: every model in other people's files against every mark."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadInput
from .hunting import unpack_option, watching
from .proof import Proof, proof_options
from .scan_marks import SeveralValues, marks_of

if TYPE_CHECKING:
    from ..scanning.course import Summary
    from ..scanning.plan import Plan

_IN = click.Path(path_type=Path)
_SHOWN = 20


@click.command(cls=SeveralValues)
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option("-t", "--triggers", "triggers_paths", type=_IN, multiple=True, help="Trigger files.")
@click.option("--tilt", "tilt_paths", type=_IN, multiple=True, help="Tilt files.")
@click.option("-k", "--key", "key_paths", type=_IN, multiple=True, help="Key file or files.")
@click.option("--on", multiple=True, default=["litert"], show_default=True, help="Runtime, or all.")
@click.option(
    "--alpha", type=float, default=1e-6, show_default=True, help="False accusations in the scan."
)
@click.option("--tests", type=int, default=1, show_default=True, help="Other scans and claims.")
@click.option("--adapter", "adapters", multiple=True, help="A step to the suspects' inputs.")
@click.option("--try-adapters", is_flag=True, help="Try the usual chains; each is a test more.")
@click.option("--jobs", type=click.IntRange(min=1), help="Workers here; one a core by default.")
@click.option("--scheduler", help="Dask scheduler, tcp://host:8786, whose workers ask.")
@click.option(
    "--out", type=_IN, default=Path("scan.jsonl"), show_default=True, help="Table: .jsonl or .csv."
)
@click.option(
    "--memory-mib",
    type=click.IntRange(min=64),
    default=1024,
    show_default=True,
    help="A suspect's.",
)
@click.option(
    "--timeout-s",
    type=click.FloatRange(min=0, min_open=True, max=86_400),
    default=20.0,
    show_default=True,
    help="For opening a suspect, and for 64 questions.",
)
@unpack_option
@click.option("--whole-files", is_flag=True, help="Take every file as it is, model or not.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@proof_options
def scan(
    paths: tuple[str, ...],
    *,
    triggers_paths: tuple[Path, ...],
    tilt_paths: tuple[Path, ...],
    key_paths: tuple[Path, ...],
    on: tuple[str, ...],
    alpha: float,
    tests: int,
    adapters: tuple[str, ...],
    try_adapters: bool,
    jobs: int | None,
    scheduler: str | None,
    out: Path,
    memory_mib: int,
    timeout_s: float,
    unpack_mib: int,
    whole_files: bool,
    as_json: bool,
    proof: Proof,
) -> int:
    """Find every model in PATH... and ask each different one the questions of every mark.

    Rows go to the table as they come; the same command goes on where a scan was interrupted. The number of
    tests, suspects x marks, is fixed before the first question. Give paths before --triggers A B C.
    Exit code 0: a suspect is owned, 1: none is.
    """
    from ..runtimes.begin import spelled
    from ..scanning.asking import Orders
    from ..scanning.course import run
    from ..scanning.plan import Plan
    from ..scanning.pools import LocalPool, Pool
    from ..scanning.suspects import suspects_in
    from ..scanning.table import Table

    if not paths:
        raise BadInput(
            "PATH: got none: give paths before --triggers and --key, which take every word behind them"
        )
    if adapters and try_adapters:
        raise BadInput("--try-adapters: got --adapter too, give one of them")
    if scheduler is not None and jobs is not None:
        raise BadInput(
            "--jobs: got --scheduler too, whose workers set the number; give one of them"
        )
    if proof.disclosure is not None:
        raise BadInput("--disclosure: a package is for one suspect, use edgewm verify")
    marks, claims = marks_of(triggers_paths, tilt_paths, key_paths, proof)
    orders = Orders(
        on=spelled(on),
        adapters="try" if try_adapters else adapters,
        memory_mib=memory_mib,
        timeout_s=timeout_s,
    )
    folder = out.with_name(out.name + ".models")
    with watching(visible=not as_json) as watch:
        suspects = suspects_in(
            paths,
            folder=folder,
            whole_files=whole_files,
            unpacked_bytes=unpack_mib << 20,
            watch=watch,
            note=lambda text: click.echo(f"note: {text}", err=True),
        )
    plan = Plan(
        suspects=tuple(suspects),
        marks=marks,
        orders=orders,
        alpha=alpha,
        more_tests=tests * claims,
    )
    _check(plan, here=scheduler is None)
    table = Table(out, plan)
    if not as_json:
        click.echo(_planned(plan))
    pool: Pool | None = None
    try:
        terms = plan.terms
        if scheduler is None:
            pool = LocalPool(jobs or os.cpu_count() or 1, marks=marks, orders=orders, terms=terms)
        else:
            from ..scanning.cluster import ClusterPool

            pool = ClusterPool(scheduler, marks=marks, orders=orders, terms=terms)
        with _progress(visible=not as_json) as watch_rows:
            summary = run(plan, pool=pool, table=table, watch=watch_rows)
    except KeyboardInterrupt:
        left = f"{plan.rows - len(table.done)} rows to go"
        click.echo(f"edgewm: {left}; the same command goes on from here", err=True)
        raise
    finally:
        if pool is not None:
            pool.close()
        table.close()
    _forget(folder)
    if as_json:
        click.echo(json.dumps({**summary.as_dict(), "table": str(out), "owned": table.owned}))
    else:
        _print(summary, table.owned, out)
    return 0 if table.owned else 1


def _check(plan: Plan, *, here: bool) -> None:
    """Refuse what would fail for every suspect, before the first.

    Raises:
        BadInput, RuntimeUnavailable: which.
    """
    from .. import spec, stats
    from ..tilt import Tilt

    if plan.orders.adapters != "try":
        for spelled in plan.orders.adapters:
            spec.parse("adapters", spelled)
    terms = plan.terms
    stats.owned(0.0, alpha=terms.alpha, tests=terms.tests, stamped=False)
    parts = plan.orders.adapters == "try" and any(
        isinstance(mark.held, Tilt) for mark in plan.marks
    )
    if parts:
        raise BadInput(
            "--try-adapters: got a tilt too, which takes one chain: name it by --adapter"
        )
    opened = any(mark.run.first_group for mark in plan.marks)
    if plan.orders.adapters == "try" and opened:
        raise BadInput("--try-adapters: groups of a mark were opened; name one chain by --adapter")
    if here:
        plan.orders.check()


def _planned(plan: Plan) -> str:
    """What was found and fixed, in a line."""
    copies = sum(len(suspect.seen) for suspect in plan.suspects)
    more = f" x {plan.more_tests}" if plan.more_tests > 1 else ""
    chains = ", x chains of adapters for each suspect" if plan.orders.adapters == "try" else ""
    return (
        f"{_count(copies, 'model')}, {len(plan.suspects)} different, {plan.asked} to be asked; tests: "
        f"{_count(plan.asked, 'suspect')} x {_count(len(plan.marks), 'mark')}{more} = "
        f"{plan.terms.tests}{chains}; plan {plan.digest}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


@contextmanager
def _progress(*, visible: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr where a person waits more than two seconds."""
    if not (visible and sys.stderr.isatty()):
        yield lambda done, rows: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    started = time.monotonic()
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    task = progress.add_task("scan")

    def watch(done: int, rows: int) -> None:
        progress.update(task, completed=done, total=rows)
        if time.monotonic() - started > 2:
            progress.start()

    try:
        yield watch
    finally:
        progress.stop()


def _forget(folder: Path) -> None:
    """Remove the models that were unpacked for the scan: it is done."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _print(summary: Summary, owned: list[dict[str, Any]], out: Path) -> None:
    for row in owned[:_SHOWN]:
        seen = row["seen"]
        more = f" and {_count(len(seen) - 1, 'more place')}" if len(seen) > 1 else ""
        click.echo(
            f"{click.style('OWNED', bold=True)}  {row['suspect'][:12]}  log10 p "
            f"{float(row['log10_p']):.1f}  by {row['mark_name']}  {seen[0]}{more}"
        )
    if len(owned) > _SHOWN:
        click.echo(f"and {len(owned) - _SHOWN} more, in {out}")
    told = ", ".join(f"{count} {outcome}" for outcome, count in summary.outcomes.items())
    before = f", {summary.resumed} of them before" if summary.resumed else ""
    click.echo(f"{_count(summary.rows, 'row')} in {out}{before}: {told or 'no model found'}")
