"""Three marked networks, one verdict: interpreters, emulated ARM Linux, and Cortex-M over a serial line.

    digits     the golden network of the tests, handwritten digits, 64 groups of 9 allowed classes or more
    fashion    the DS-CNN of the robustness benchmark, Fashion-MNIST, 64 groups (its tilt is not asked here)
    movement   three convolutions over a wand's 300x6 windows, fold 0 of modalities.py, 32 groups of two
               movements, 3 classes

All are full int8. Each runtime gives a verdict of its own on the marked file, on its unmarked twin, and on
the marked file under another key, with every group asked and in the sequential form. A runtime opens a file
once and is asked anew for each of these. Networks that are not kept in results/cache are trained first.

    EDGEWM_DATA=... EDGEWM_LINUX_ROOTS=... python benchmarks/one_verdict.py [--jobs 2] [--missing]
    (the second holds arm64 and armhf, made by `edgewm device linux-root`)
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from markdown_tables import load
from results_file import CACHE, write_result
from rich.progress import track

from edgewm import load_key, load_triggers, verify
from edgewm.firmware import boards, build_firmware, running
from edgewm.hashing import H
from edgewm.key import Key
from edgewm.runtimes.begin import begin
from edgewm.triggers import recommitted

GOLDEN = Path(__file__).parent.parent / "tests/golden/v1"
INTERPRETERS = (
    "litert",
    "tflite_runtime",
    "tflm",
    "qemu_aarch64:root={roots}/arm64,package=litert",
    "qemu_aarch64:root={roots}/arm64,package=tflite_runtime",
    "qemu_arm:root={roots}/armhf,package=tflite_runtime",
)
BOARDS = {"digits": tuple(boards()), "fashion": ("an386",), "movement": ("an386",)}
"""Of `edgewm device build`; a Cortex-M4 is among them for every network."""
NETWORKS = tuple(BOARDS)
SUSPECTS = ("marked", "unmarked", "another key")
CASES = 2 * len(SUSPECTS)
"""Verdicts of one runtime on one network: each suspect in both modes."""
OTHER = Key(secret=H("benchmark one verdict, another key"))


@dataclass(frozen=True, kw_only=True)
class Network:
    """One owner's files and questions."""

    name: str
    marked: bytes = field(repr=False)
    unmarked: bytes = field(repr=False)
    key: Key
    triggers: Any = field(repr=False)


def fashion() -> Any:
    """The owner in the robustness benchmark."""
    from robustness_victims import Pair

    return Pair(dataset="fashion_mnist", scheme="default", seed=0)


def files_of(name: str) -> tuple[Path, Path]:
    """Marked and unmarked."""
    if name == "digits":
        return GOLDEN / "marked.tflite", GOLDEN / "unmarked.tflite"
    if name == "fashion":
        pair = fashion()
        return pair.path.with_suffix(".tflite"), pair.clean.path.with_suffix(".tflite")
    from modalities import file_of

    return file_of("movement", "marked", 0), file_of("movement", "unmarked", 0)


@cache
def network_of(name: str) -> Network:
    """One of `NETWORKS`, whose files are there."""
    marked, unmarked = (path.read_bytes() for path in files_of(name))
    if name == "digits":
        key, triggers = load_key(GOLDEN / "owner.key"), load_triggers(GOLDEN / "triggers.npz")
    elif name == "fashion":
        from robustness_victims import triggers_of
        from tilt_training import key_of

        key, triggers = key_of(0), triggers_of(fashion())
    else:
        import modalities

        key, triggers = modalities.key_of("movement", 0), modalities.movements_of(0).triggers
    return Network(name=name, marked=marked, unmarked=unmarked, key=key, triggers=triggers)


def train(network: str) -> None:
    """Make a network's files, in a process of its own: nobody who verifies has TensorFlow in it."""
    from robustness_victims import control_files, marked_file, one_thread, prepare

    from edgewm import Converter

    one_thread()
    CACHE.mkdir(parents=True, exist_ok=True)
    with Converter() as converter:
        if network == "movement":
            from modalities import moving_pair

            moving_pair(0, converter)
        else:
            pair = fashion()
            prepare(pair)
            marked_file(pair, converter)
            control_files(pair, converter)


@dataclass(frozen=True, kw_only=True)
class StillOpen:
    """A runtime that has opened its file already, and stays open after a verification."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False
    session: Any

    def open(self, model: bytes | None) -> Any:
        """The session, for one verification."""
        return nullcontext(self.session)


def verdicts(name: str, runtime: str, roots: str) -> list[dict[str, Any]]:
    """Every verdict of one runtime on one network."""
    network = network_of(name)
    asked = on_board if runtime in boards() else on_interpreter
    return [
        row_of(network, runtime, suspect, verdict)
        for file, suspects in (
            (network.marked, ("marked", "another key")),
            (network.unmarked, ("unmarked",)),
        )
        for suspect, verdict in asked(network, file, suspects, runtime.format(roots=roots))
    ]


def on_interpreter(
    network: Network, file: bytes, suspects: tuple[str, ...], spelled: str
) -> Iterator[tuple[str, Any]]:
    """Verdicts of one that takes a file."""
    (begun,) = begin([spelled])
    with begun.runtime.open(file) as session:
        held = replace(begun, runtime=StillOpen(session=session))
        for suspect in suspects:
            yield from both_modes(network, suspect, file, on=[held])


def on_board(
    network: Network, file: bytes, suspects: tuple[str, ...], board: str
) -> Iterator[tuple[str, Any]]:
    """Verdicts over the serial line of an emulated board, whose firmware holds the file as C."""
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "own.tflite"
        own.write_bytes(network.marked)  # says how inputs become int8
        made = build_firmware(file, board, Path(folder) / board)
        for suspect in suspects:
            with running(made.path, board) as port:
                spelled = f"serial:port={port},model={own},timeout_s=60.0"
                yield from both_modes(network, suspect, spelled)


def both_modes(
    network: Network, suspect: str, file: bytes | str, **on: Any
) -> Iterator[tuple[str, Any]]:
    """Verdicts with every group asked, and until the evidence suffices."""
    key, triggers = network.key, network.triggers
    if suspect == "another key":
        key, triggers = OTHER, recommitted(triggers, OTHER)
    for sequential in (False, True):
        yield (
            suspect,
            verify(file, key=key, triggers=triggers, sequential=sequential, stamped=True, **on),
        )


def shown(runtime: str) -> str:
    """Its spelling without the folder of this machine."""
    return re.sub(r"root=[^,]*,", "", runtime)


def row_of(network: Network, runtime: str, suspect: str, verdict: Any) -> dict[str, Any]:
    """One verdict."""
    worst = verdict.worst
    row = {
        "network": network.name,
        "runtime": shown(runtime),
        "core": boards()[runtime].core if runtime in boards() else None,
        "version": worst.version,
        "arithmetic": worst.arithmetic,
        "suspect": suspect,
        "mode": "sequential" if verdict.sequential else "fixed",
        "owned": verdict.owned,
        "log10_p": worst.log10_p,
        "groups": verdict.groups,
        "groups_asked": worst.groups_asked,
        "groups_hit": worst.groups_hit,
        "queries": worst.queries,
        "failed": worst.failed,
    }
    print(row, flush=True)
    return row


def summary_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Whether all agree, and the worst of all runtimes for each network."""
    found = {}
    for name in dict.fromkeys(row["network"] for row in rows):
        of = [row for row in rows if row["network"] == name]
        fixed = {
            suspect: [r for r in of if (r["suspect"], r["mode"]) == (suspect, "fixed")]
            for suspect in SUSPECTS
        }
        early = [r for r in of if (r["suspect"], r["mode"]) == ("marked", "sequential")]
        found[name] = {
            "runtimes": len(fixed["marked"]),
            "groups": of[0]["groups"],
            "fewest_hits_marked": min(row["groups_hit"] for row in fixed["marked"]),
            "worst_log10_p_marked": max(row["log10_p"] for row in fixed["marked"]),
            "most_groups_asked_sequential": max(row["groups_asked"] for row in early),
            "most_hits_unmarked": max(row["groups_hit"] for row in fixed["unmarked"]),
            "most_hits_another_key": max(row["groups_hit"] for row in fixed["another key"]),
            "failed_queries": sum(row["failed"] for row in of),
        }
    verdicts: dict[tuple[str, ...], set[bool]] = {}
    for row in rows:
        case = (row["network"], row["suspect"], row["mode"])
        verdicts.setdefault(case, set()).add(row["owned"])
    same = all(len(owned) == 1 for owned in verdicts.values())
    right = all(row["owned"] == (row["suspect"] == "marked") for row in rows)
    return {
        "same_verdict_everywhere": same,
        "every_verdict_right": right,
        "missing": missing_in(rows),
        "networks": found,
    }


def missing_in(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Network, runtime, suspect and mode of every verdict that a run which was stopped has not given."""
    there = {tuple(row[n] for n in ("network", "runtime", "suspect", "mode")) for row in rows}
    return [
        [name, shown(runtime), suspect, mode]
        for name in NETWORKS
        for runtime in (*INTERPRETERS, *BOARDS[name])
        for suspect in SUSPECTS
        for mode in ("fixed", "sequential")
        if (name, shown(runtime), suspect, mode) not in there
    ]


def main() -> None:
    """Ask everything and write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--train", choices=NETWORKS)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--missing", action="store_true", help="keep the rows of the last run")
    chosen = options.parse_args()
    if chosen.train:
        train(chosen.train)
        return
    roots = os.environ.get("EDGEWM_LINUX_ROOTS")
    if not os.environ.get("EDGEWM_DATA") or not roots:
        sys.exit("set EDGEWM_DATA and EDGEWM_LINUX_ROOTS, see the first lines of this file")
    kept: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in load("one_verdict")["rows"] if chosen.missing else ():
        kept.setdefault((row["network"], row["runtime"]), []).append(row)
    pairs = [(name, on) for name in NETWORKS for on in (*INTERPRETERS, *BOARDS[name])]
    with ProcessPoolExecutor(chosen.jobs) as pool:
        asked: dict[tuple[str, str], Any] = {}
        for name, runtime in pairs:
            if len(kept.get((name, shown(runtime)), ())) == CASES:
                continue
            if not all(path.exists() for path in files_of(name)):
                subprocess.run([sys.executable, __file__, "--train", name], check=True)
            asked[name, runtime] = pool.submit(verdicts, name, runtime, roots)
        for pair, done in track(asked.items(), "runtimes"):
            kept[pair[0], shown(pair[1])] = done.result()
    rows = [row for name, runtime in pairs for row in kept[name, shown(runtime)]]
    settings = {"interpreters": INTERPRETERS, "boards": BOARDS, "alpha": 1e-6, "stamped": True}
    print(write_result("one_verdict", settings=settings, rows=rows, summary=summary_of(rows)))


if __name__ == "__main__":
    main()
