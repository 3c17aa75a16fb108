"""The whole story on real data in one run: mark, export, verify everywhere, controls, thieves.

    unmarked twin     same seed, same data, no mark                       control
    marked            what ships
    wrong key         the marked file, asked with another key's answers   control
    finetuned, pruned what a thief makes of the marked network, on samples the owner never had
    clone             what a thief makes of its answers alone, see `edgewm.cloning_demo`

The claim is signed and stamped before training; a report on the fine-tuned copy is left at the end.

Everything is exported to full int8 and asked on every runtime arithmetic that works here.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import spec, stats
from .cloning_demo import CloneRow, run_cloning
from .datasets import Dataset, load_dataset
from .demo_records import Authority, Clock, Papers, claim_before_training, report_on
from .errors import BadInput, EdgewmError, RuntimeUnavailable
from .exporting import Converter, export
from .files import write_file
from .hashing import SHAKE
from .key import Key, save_key
from .patterns import make_triggers
from .runtimes.begin import LOCAL_RUNTIMES
from .sheet import contact_sheet
from .triggers import Triggers, recommitted, save_triggers
from .verdict import NotRun
from .verification import verify

if TYPE_CHECKING:
    from .artifact import Artifact

PATTERN = "abstract"
_ACCURACY_SAMPLES = 1000
_LARGEST_TRAINING_SET = 10_000


@dataclass(frozen=True, kw_only=True)
class Row:
    """One suspect on one runtime."""

    suspect: str
    mark: str
    format: str
    runtime: str
    arithmetic: str
    accuracy: float
    """Share of held-out samples labelled correctly on this runtime, 0 to 1."""
    groups_asked: int
    groups_hit: int
    log10_p: float
    owned: bool


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a demo found and where it left it."""

    dataset: str
    rows: tuple[Row, ...]
    not_run: tuple[NotRun, ...]
    clone_rows: tuple[CloneRow, ...]
    """A network with both marks, the clone of its answers, and controls."""
    hits_needed: int | None
    """Fewest groups whose hits show ownership without a stamp; None if all are too few."""
    folder: Path
    report: Path | None = None
    """The report on the fine-tuned copy."""
    papers: str = ""
    """Why there is no report, or no stamp; empty where there are both."""


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def run_demo(
    *,
    data: str,
    folder: Path,
    key: Key,
    seed: int = 1,
    authority: Authority | None = None,
    clock: Clock = _utc_now,
    say: Callable[[str], None] = lambda step: None,
) -> Story:
    """Run the story on a data set and leave models, key, triggers, sheet, picture and demo.json.

    `say` is called with the name of each step as it begins. Without an `authority`, one for show stamps the
    claim.

    Raises:
        BadInput: an unknown data set, or a folder that already holds a demo.
        RuntimeUnavailable: TensorFlow is not installed.
    """
    if (folder / "owner.key").exists():
        raise BadInput(f"--out: {folder} holds a demo already, name another folder or remove it")
    with Converter() as converter:
        converter.start()  # imports TensorFlow while this process does
        say("load data")
        held = load_dataset(data)
        folder.mkdir(parents=True, exist_ok=True)
        save_key(key, folder / "owner.key")
        triggers = make_triggers(
            key,
            shape=held.shape,
            classes=held.classes,
            pattern=PATTERN,
            random=lambda count: SHAKE(count, "demo salt", key.commitment),
        )
        save_triggers(triggers, folder / "triggers.npz")
        sheet = contact_sheet(triggers)  # as secret as the file; its answers need the key
        write_file(folder / "triggers.png", sheet, argument="--out", mode=0o600)
        owner = _Owner(held=held, triggers=triggers, key=key, seed=seed)
        say("claim and stamp")
        papers = _papers(folder, owner, authority, clock)
        artifacts = _train_and_export(owner, folder, converter, say)
        if isinstance(papers, Papers):
            papers.note("marked", "marked.tflite", artifacts["marked"], metrics={})
            papers.note("release", "marked.tflite", artifacts["marked"], to="a customer")
        seen = clock()
        clone_rows = run_cloning(
            held, key=key, seed=seed, folder=folder, converter=converter, say=say
        )
    rows, not_run = _ask_everywhere(held, artifacts, triggers, key, say)
    report = None
    if isinstance(papers, Papers):
        say("write the report")
        asked = list(dict.fromkeys(row.runtime for row in rows))
        report = _report(papers, folder, artifacts, asked, seen)
    story = Story(
        dataset=held.name,
        rows=tuple(rows),
        not_run=tuple(not_run),
        clone_rows=clone_rows,
        hits_needed=stats.hits_needed(triggers.allowed, alpha=1e-6, stamped=False),
        folder=folder,
        report=report,
        papers=papers.without if isinstance(papers, Papers) else papers,
    )
    _leave(story)
    return story


@dataclass(frozen=True, kw_only=True)
class _Owner:
    """What the owner has before training."""

    held: Dataset
    triggers: Triggers
    key: Key
    seed: int


def _papers(folder: Path, owner: _Owner, authority: Authority | None, clock: Clock) -> Papers | str:
    """The ledger with the claim, or why there is none: the extra `report` is not installed."""
    try:
        return claim_before_training(
            folder, owner.key, owner.triggers, authority=authority or Authority(), clock=clock
        )
    except BadInput as missing:
        if authority is not None:
            raise
        return str(missing)


def _report(
    papers: Papers,
    folder: Path,
    artifacts: dict[str, Artifact],
    on: Sequence[str],
    seen: dt.datetime,
) -> Path | None:
    """The report on the fine-tuned copy; None without Jinja2."""
    try:
        return report_on(
            papers,
            folder,
            suspect=("finetuned", artifacts["finetuned"]),
            control=("unmarked", artifacts["unmarked"]),
            on=on,
            seen=seen,
        )
    except RuntimeUnavailable:
        return None


def _train_and_export(
    owner: _Owner, folder: Path, converter: Converter, say: Callable[[str], None]
) -> dict[str, Artifact]:
    from .attacks import Victim
    from .schemes.mark import Mark

    held = owner.held
    # the thief's samples are the last fifth of the training set, which the owner leaves out
    split = len(held.x_train) * 4 // 5
    owners = min(_LARGEST_TRAINING_SET, split)
    x, y = held.x_train[:owners], held.y_train[:owners]
    thief = slice(split, split + owners // 4)
    x_thief, y_thief = held.x_train[thief], held.y_train[thief]

    say("train unmarked")
    unmarked = _trained(owner, x, y, [])
    say("train marked")
    marked = _trained(owner, x, y, [Mark(triggers=owner.triggers, key=owner.key)])
    say("fine-tune and prune, as a thief")

    def stolen(attack: str) -> Any:
        victim = Victim(float_network=marked)
        return spec.parse("attacks", attack).steal(victim, x_thief, y_thief).network

    models = {
        "marked": marked,
        "unmarked": unmarked,
        "finetuned": stolen("finetune"),
        "pruned": stolen("prune"),
    }
    say("export to int8")
    (folder / "models").mkdir(exist_ok=True)
    exported = {}
    for name, model in models.items():
        model.save(folder / "models" / f"{name}.keras")
        path = folder / "models" / f"{name}.tflite"
        exported[name] = export(model, x, path=path, converter=converter)
    return exported


def _trained(
    owner: _Owner,
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.int64],
    callbacks: Sequence[Any],
) -> Any:
    """A small network, trained as any script would: small pictures take many cheap epochs."""
    import keras

    from .networks import small_cnn

    epochs, batch_size = (30, 32) if max(owner.held.shape[:2]) <= 8 else (8, 64)
    keras.utils.set_random_seed(owner.seed)
    model = small_cnn(owner.held.shape, owner.held.classes)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * -(-len(x) // batch_size))
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model


def _ask_everywhere(
    held: Dataset,
    artifacts: dict[str, Artifact],
    triggers: Triggers,
    key: Key,
    say: Callable[[str], None],
) -> tuple[list[Row], list[NotRun]]:
    other = Key(secret=SHAKE(32, "demo wrong key", key.commitment))
    of_other = recommitted(triggers, other)
    asked = [(name, artifact, triggers, key) for name, artifact in artifacts.items()]
    asked.insert(2, ("wrong-key", artifacts["marked"], of_other, other))
    rows: list[Row] = []
    not_run: list[NotRun] = []
    x, y = held.x_test[:_ACCURACY_SAMPLES], held.y_test[:_ACCURACY_SAMPLES]
    for runtime in LOCAL_RUNTIMES:
        say(f"ask on {runtime}")
        try:
            accuracy = {}
            for artifact in artifacts.values():
                with spec.parse("runtimes", runtime).open(artifact.model) as session:
                    accuracy[artifact.sha256] = float((session.ask(x).labels == y).mean())
            for suspect, artifact, questions, secret in asked:
                verdict = verify(artifact, triggers=questions, key=secret, on=[runtime])
                result = verdict.worst
                rows.append(
                    Row(
                        suspect=suspect,
                        mark=PATTERN,
                        format=artifact.format,
                        runtime=runtime,
                        arithmetic=result.arithmetic,
                        accuracy=accuracy[artifact.sha256],
                        groups_asked=result.groups_asked,
                        groups_hit=result.groups_hit,
                        log10_p=result.log10_p,
                        owned=verdict.owned,
                    )
                )
        except EdgewmError as error:
            not_run.append(NotRun(spelling=runtime, reason=str(error)))
    if not rows:
        raise BadInput(f"demo: no runtime works here: {not_run[0].reason}")
    told = {name: at for at, (name, *_) in enumerate(asked)}
    return sorted(rows, key=lambda row: told[row.suspect]), not_run


def _leave(story: Story) -> None:
    """demo.json and demo.png."""
    content = {
        "dataset": story.dataset,
        "rows": [asdict(row) for row in story.rows],
        "clone": [asdict(row) for row in story.clone_rows],
        "not_run": [{"runtime": n.spelling, "reason": n.reason} for n in story.not_run],
    }
    text = json.dumps(content, indent=1) + "\n"
    write_file(story.folder / "demo.json", text.encode("utf-8"), argument="--out")
    try:
        picture = _chart(story)
    except ImportError:
        return  # matplotlib comes with the extra `plots`
    write_file(story.folder / "demo.png", picture, argument="--out")


def _chart(story: Story) -> bytes:
    """Groups hit by suspect and runtime, with the number that shows ownership, as PNG."""
    import io

    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    suspects = list(dict.fromkeys(row.suspect for row in story.rows))
    runtimes = list(dict.fromkeys(row.runtime for row in story.rows))
    figure, axes = pyplot.subplots(figsize=(8, 3.6), layout="constrained")
    width = 0.8 / len(runtimes)
    for at, runtime in enumerate(runtimes):
        hits = [row.groups_hit for row in story.rows if row.runtime == runtime]
        axes.bar(np.arange(len(hits)) + at * width, hits, width, label=runtime)
    groups = story.rows[0].groups_asked
    needed = story.hits_needed
    if needed is not None:
        axes.axhline(needed, color="black", lw=1, ls="--")
        axes.text(len(suspects) - 0.2, needed, f" owned from {needed}", va="bottom", ha="right")
    axes.set_xticks(np.arange(len(suspects)) + 0.4 - width / 2, suspects)
    axes.set_ylabel(f"groups hit of {groups}")
    axes.set_title(f"{story.dataset}, int8: groups hit by suspect and runtime")
    axes.legend(fontsize=8, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    pyplot.close(figure)
    return buffer.getvalue()
