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
    "clone, hard labels": "extract:architecture={other}",
    "overwrite": "overwrite",
    "overwrite, last layer solved": "solve_last",
    "invert and unlearn": "invert",
    "clone, other domain": "extract:architecture={other}",
    "clone, Jacobian queries": "extract:augment=jacobian,architecture={other}",
}
"""The core grid: name and spelling, cheap ones first; {other} and {same} architecture than the owner's."""
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
    "clone, soft labels": "extract:labels=soft,architecture={other}",
    "clone, hard labels, same architecture": "extract:architecture={same}",
    "clone, soft labels, same architecture": "extract:labels=soft,architecture={same}",
    "clone, hard labels, 6,000 queries": "extract:queries=6000,architecture={other}",
    "clone, hard labels, 12,000 queries": "extract:queries=12000,architecture={other}",
    "clone, soft labels, other domain": "extract:labels=soft,architecture={other}",
    "clone, soft labels, Jacobian queries": "extract:labels=soft,augment=jacobian,architecture={other}",
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
        return CACHE / f"thief-{self.pair}-{name}.json"

    @property
    def spelling(self) -> str:
        """The attack's own spelling: a clone is of the architecture that the data set's protocol names."""
        spelled = SPELLINGS[self.attack]
        if "{" not in spelled:
            return spelled
        protocol = PROTOCOLS[self.pair.dataset]
        return spelled.format(other=protocol.clone, same=protocol.owner_network)


@cache
def converter() -> Any:
    """One for all cells of a process."""
    from edgewm import Converter

    return Converter()


def run(cell: Cell) -> Path:
    """Do a cell, unless it is kept; trains what it needs first.

    Kept are the facts, and beside them what everybody answered: evidence is judged from that whenever
    rows are written, so that another statistic needs no new thieves.
    """
    if cell.path.exists():
        return cell.path
    prepare(cell.pair)
    facts, answers = facts_and_answers(cell)
    np.savez_compressed(cell.path.with_suffix(".npz"), **answers)
    unfinished = cell.path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    unfinished.rename(cell.path)
    return cell.path


def facts_and_answers(cell: Cell) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is the same in all rows of a cell, and labels and values of the thief's file and the innocents."""
    from edgewm.attacks import Victim
    from edgewm.attacks.theft import run_attack
    from edgewm.errors import ModelRefused

    pair, marks, held = cell.pair, marks_of(cell.pair), data_of(cell.pair.dataset)
    victim = Victim(file=marked_file(pair, converter()))
    files: dict[str, bytes | None] = dict(control_files(pair, converter()))
    accuracy = {name: accuracy_of(file, pair.dataset) for name, file in files.items()}
    marked = accuracy_of(victim.file or b"", pair.dataset)
    asked = marks.inputs
    if cell.attack == STOLEN_AS_IT_IS:
        files["thief"], accuracy["thief"] = victim.file or b"", marked
        more = {"spelling": "", "needs": "file", "thief_queries": 0, "seconds": 0.0}
    else:
        x, y = thiefs_samples(cell)
        more = {
            "spelling": cell.spelling,
            "needs": "answers" if cell.attack.startswith("clone") else "file",
        }
        try:
            theft = run_attack(
                cell.spelling,
                victim,
                x,
                y,
                held_out=(held.x_test, held.y_test),
                converter=converter(),
            )
        except ModelRefused:  # a training that diverged leaves a file that no interpreter opens
            files["thief"], accuracy["thief"] = None, 0.0
            more |= {"thief_queries": 0, "seconds": 0.0}
        else:
            files["thief"], accuracy["thief"] = theft.file, theft.accuracy
            asked = theft.arriving(asked)
            more |= {"spelling": theft.attack, "thief_queries": theft.loot.queries}
            more |= {"seconds": round(theft.seconds, 1)}
    facts: dict[str, Any] = {
        "dataset": pair.dataset,
        "model": PROTOCOLS[pair.dataset].owner_network,
        "scheme": pair.scheme,
        "default": pair.scheme == "default",
        "attack": cell.attack,
        "seed": pair.seed,
        "clean_accuracy": accuracy["unmarked_twin"],
        "marked_accuracy": marked,
        "queries": len(asked),
        "accuracy": accuracy,
    }
    answers: dict[str, Any] = {}
    for name, file in files.items():
        if file is None:
            labels, values = np.full(len(asked), -1), np.full((len(asked), held.classes), np.nan)
        else:
            said = Victim(file=file).ask(asked)
            labels, values = said.labels, said.scores
        answers |= {f"{name}_labels": labels, f"{name}_values": values}
    return facts | more, answers


def rows_of(cell: Cell) -> list[dict[str, Any]]:
    """The thief's row and the three controls of a cell that is done."""
    from edgewm.hashing import H
    from edgewm.key import Key

    facts = json.loads(cell.path.read_text("utf-8"))
    accuracy = facts.pop("accuracy")
    marks = marks_of(cell.pair)
    other = marks.under(Key(secret=H("benchmark wrong key", cell.pair.seed)))
    rows = []
    with np.load(cell.path.with_suffix(".npz")) as answers:
        for control, file, judge in (
            (None, "thief", marks.judge),
            ("wrong_key", "thief", other.judge),
            ("unmarked_twin", "unmarked_twin", marks.judge),
            ("independent", "independent", marks.judge),
        ):
            said = judge(answers[f"{file}_labels"], answers[f"{file}_values"])
            rows.append(
                facts | asdict(said) | {"thief_accuracy": accuracy[file], "control": control}
            )
    return rows


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
