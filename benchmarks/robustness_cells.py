"""One attack on one owner's file, with its controls: a small JSON in results/cache.

What the thief has, the same for every scheme: for attacks on the copied file a fifth as many labelled
samples as the owner, none of them the owner's; for clones as many unlabelled ones as the owner has, or
pictures of another domain. The row of a cell is the thief's file under the owner's key; beside it stand the
same file under another key, the unmarked twin and an independent network, the last two asked through the
thief's filter where there is one.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from results_file import CACHE
from robustness_victims import Pair, control_files, marked_file, marks_of, prepare
from tilt_training import PROTOCOLS, Job, data_of, queries_of

STOLEN_AS_IT_IS = "none"
ATTACKS = {
    STOLEN_AS_IT_IS: "",
    "noise 10 %": "noise:strength=0.1",
    "4-bit weights": "requantize:bits=4",
    "JPEG in front": "filter:kind=jpeg",
    "fine-tune FTAL 1e-3": "finetune",
    "fine-tune FTAL 1e-2": "finetune:learning_rate=0.01",
    "fine-tune RTAL 1e-3": "finetune:mode=RTAL",
    "prune 50 %": "prune",
    "fine-prune": "fine_prune",
    "clone, hard labels": "extract",
    "overwrite": "overwrite",
    "overwrite, last layer solved": "solve_last",
    "invert and unlearn": "invert",
    "clone, other domain": "extract",
    "clone, Jacobian queries": "extract:augment=jacobian",
}
"""The core grid: name and spelling, cheap ones first."""
MORE_ATTACKS = {
    "fine-tune FTAL 1e-4": "finetune:learning_rate=0.0001",
    "fine-tune FTLL 1e-4": "finetune:mode=FTLL,learning_rate=0.0001",
    "fine-tune FTLL 1e-3": "finetune:mode=FTLL",
    "fine-tune FTLL 1e-2": "finetune:mode=FTLL,learning_rate=0.01",
    "fine-tune RTLL 1e-4": "finetune:mode=RTLL,learning_rate=0.0001",
    "fine-tune RTLL 1e-3": "finetune:mode=RTLL",
    "fine-tune RTLL 1e-2": "finetune:mode=RTLL,learning_rate=0.01",
    "fine-tune RTAL 1e-4": "finetune:mode=RTAL,learning_rate=0.0001",
    "fine-tune RTAL 1e-2": "finetune:mode=RTAL,learning_rate=0.01",
    "prune 30 %": "prune:share=0.3",
    "prune 70 %": "prune:share=0.7",
    "prune 90 %": "prune:share=0.9",
    "noise 5 %": "noise:strength=0.05",
    "noise 20 %": "noise:strength=0.2",
    "noise 30 %": "noise:strength=0.3",
    "other calibration": "requantize",
    "calibrated on noise": "requantize:calibration=noise",
    "one scale a tensor": "requantize:format=int8_per_tensor",
    "int16x8": "requantize:format=int16x8",
    "dynamic": "requantize:format=dynamic",
    "float16": "requantize:format=float16",
    "4-bit file": "requantize:four_bit_file=true",
    "4-bit, flipped rounding": "requantize:bits=4,flip=0.1",
    "6-bit weights": "requantize:bits=6",
    "3-bit weights": "requantize:bits=3",
    "blur in front": "filter:kind=blur",
    "4 bits a pixel in front": "filter:kind=bits",
    "half size in front": "filter:kind=resize",
    "flip in front": "filter:kind=flip",
    "noise in front": "filter:kind=noise",
    "clone, soft labels": "extract:labels=soft",
    "clone, hard labels, same architecture": "extract:architecture=ds_cnn",
    "clone, soft labels, same architecture": "extract:labels=soft,architecture=ds_cnn",
    "clone, hard labels, 6,000 queries": "extract:queries=6000",
    "clone, hard labels, 12,000 queries": "extract:queries=12000",
    "clone, soft labels, other domain": "extract:labels=soft",
    "clone, soft labels, Jacobian queries": "extract:labels=soft,augment=jacobian",
}
"""The rest of the list, for one pair."""
SPELLINGS = ATTACKS | MORE_ATTACKS
OTHER_DOMAIN = "cifar10"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One attack, by its name in ATTACKS or MORE_ATTACKS, on one owner."""

    pair: Pair
    attack: str

    @property
    def path(self) -> Path:
        """Where its rows are kept."""
        name = "".join(c if c.isalnum() else "_" for c in self.attack)
        return CACHE / f"robustness-{self.pair}-{name}.json"


@cache
def converter() -> Any:
    """One for all cells of a process."""
    from edgewm import Converter

    return Converter()


def run(cell: Cell) -> Path:
    """Do a cell, unless it is kept; trains what it needs first."""
    if cell.path.exists():
        return cell.path
    prepare(cell.pair)
    rows = rows_of(cell)
    unfinished = cell.path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    unfinished.rename(cell.path)
    return cell.path


def rows_of(cell: Cell) -> list[dict[str, Any]]:
    """The thief's row and the three controls."""
    from edgewm.attacks import Victim
    from edgewm.attacks.theft import run_attack
    from edgewm.hashing import H
    from edgewm.key import Key

    pair, marks, held = cell.pair, marks_of(cell.pair), data_of(cell.pair.dataset)
    victim = Victim(file=marked_file(pair, converter()))
    controls = control_files(pair, converter())
    accuracy = {name: accuracy_of(file, pair.dataset) for name, file in controls.items()}
    same: dict[str, Any] = {
        "dataset": pair.dataset,
        "model": "ds_cnn",
        "scheme": pair.scheme,
        "default": pair.scheme == "default",
        "attack": cell.attack,
        "seed": pair.seed,
        "clean_accuracy": accuracy["unmarked_twin"],
        "marked_accuracy": accuracy_of(victim.file or b"", pair.dataset),
    }
    questions = marks.inputs
    asked = questions
    if cell.attack == STOLEN_AS_IT_IS:
        file, thief = victim.file or b"", same["marked_accuracy"]
        more = {"spelling": "", "needs": "file", "thief_queries": 0, "seconds": 0.0}
    else:
        x, y = thiefs_samples(cell)
        theft = run_attack(
            SPELLINGS[cell.attack],
            victim,
            x,
            y,
            held_out=(held.x_test, held.y_test),
            converter=converter(),
        )
        file, thief, asked = theft.file, theft.accuracy, theft.arriving(questions)
        more = {
            "spelling": theft.attack,
            "needs": "answers" if cell.attack.startswith("clone") else "file",
            "thief_queries": theft.loot.queries,
            "seconds": round(theft.seconds, 1),
        }
    labels = Victim(file=file).ask(asked).labels
    other = marks.under(Key(secret=H("benchmark wrong key", pair.seed)))
    rows = [
        row(same | more, marks.judge(labels), thief, len(asked), None),
        row(same | more, other.judge(labels), thief, len(asked), "wrong_key"),
    ]
    for name, innocent in controls.items():
        said = marks.judge(Victim(file=innocent).ask(asked).labels)
        rows.append(row(same | more, said, accuracy[name], len(asked), name))
    return rows


def row(
    same: dict[str, Any], said: Any, accuracy: float, queries: int, control: str | None
) -> dict[str, Any]:
    """One row of results/robustness.json."""
    return (
        same | asdict(said) | {"thief_accuracy": accuracy, "queries": queries, "control": control}
    )


@cache
def accuracy_of(file: bytes, dataset: str) -> float:
    """Share of the test set that a file labels correctly, 0 to 1."""
    from edgewm.attacks import Victim

    held = data_of(dataset)
    return float((Victim(file=file).ask(held.x_test).labels == held.y_test).mean())


def thiefs_samples(cell: Cell) -> tuple[Any, Any]:
    """What the thief has: (n, *shape) and labels (n,), which clones do not look at."""
    held, protocol = data_of(cell.pair.dataset), PROTOCOLS[cell.pair.dataset]
    if "other domain" in cell.attack:
        x = queries_of(
            Job(dataset=cell.pair.dataset, seed=cell.pair.seed, stage=f"clone_{OTHER_DOMAIN}")
        )
        return x, np.zeros(len(x), np.int64)
    has = protocol.thief if cell.attack.startswith("clone") else protocol.fresh
    return held.x_train[has], held.y_train[has]
