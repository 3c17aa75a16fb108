"""Mark beside the callbacks that Keras brings."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.marking import FIT, GROUPS, compiled, hits, mark, task
from tests.needs import needs

pytestmark = [pytest.mark.train, needs("tensorflow")]


def test_logs_reach_every_callback_after_mark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """History, the progress bar and every callback after Mark see its two numbers; one before does not."""
    from keras import callbacks

    x, y = task()
    model = compiled()
    before, after = tmp_path / "before.csv", tmp_path / "after.csv"
    beside = [
        callbacks.CSVLogger(before),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.99),
        mark(),
        callbacks.CSVLogger(after),
        callbacks.ReduceLROnPlateau(monitor="mark_margin", mode="max", patience=20),
        callbacks.EarlyStopping(monitor="mark_hit_rate", mode="max", baseline=0.9, patience=9),
    ]
    arguments = {**FIT, "epochs": 10, "verbose": 1, "validation_data": (x, y)}
    history = model.fit(x, y, callbacks=beside, **arguments).history
    assert hits(model) >= GROUPS - 1
    assert len(history["mark_hit_rate"]) == len(history["mark_margin"]) == 10
    last_line = capsys.readouterr().out.strip().splitlines()[-1]
    assert "mark_hit_rate: " in last_line
    assert "mark_margin: " in last_line
    columns = {path: next(csv.reader(path.open())) for path in (before, after)}
    assert "accuracy" in columns[before]
    assert "mark_hit_rate" not in columns[before]
    assert "mark_hit_rate" in columns[after]
    assert float(list(csv.DictReader(after.open()))[-1]["mark_hit_rate"]) >= 0.9


def taught(model: Any, into: list[tuple[int, bool]]) -> Any:
    """Notes for every epoch whether marks are taught in it."""
    import keras

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: into.append((epoch, "train_step" in vars(model)))
    )


def test_a_training_that_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    """Resumed by BackupAndRestore after the start has passed, marks are taught from its first epoch."""
    import keras

    x, y = task()
    seen: list[tuple[int, bool]] = []

    def run(stop_at: int) -> Any:
        def stop(epoch: int, logs: Any) -> None:
            if epoch == stop_at:
                raise KeyboardInterrupt

        model = compiled()
        beside = [
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
            mark(start=0.5),
            taught(model, seen),
            keras.callbacks.LambdaCallback(on_epoch_begin=stop),
        ]
        model.fit(x, y, callbacks=beside, **FIT)
        return model

    with pytest.raises(KeyboardInterrupt):
        run(7)
    assert seen == [(epoch, epoch >= 6) for epoch in range(8)]
    seen.clear()
    model = run(99)
    assert seen == [(epoch, True) for epoch in range(7, 12)]
    assert hits(model) >= GROUPS - 1


def test_start_is_a_share_of_the_epochs_that_fit_names() -> None:
    """With initial_epoch, in one fit after another, marks begin at the same epoch as in one fit."""
    x, y = task()
    model = compiled()
    seen: list[tuple[int, bool]] = []
    one = mark(start=0.75)
    for first in (0, 2):
        model.fit(
            x, y, epochs=4, initial_epoch=first, verbose=0, callbacks=[one, taught(model, seen)]
        )
    plan = [(0, False), (1, False), (2, False), (3, True)]
    assert seen == plan + plan[2:]


def test_a_training_that_ends_before_the_start_is_told() -> None:
    """Early stopping in the unmarked epochs is a warning; one after them is not."""
    import keras

    x, y = task()

    def run(start: float) -> Any:
        model = compiled()
        stop = keras.callbacks.EarlyStopping(monitor="loss", mode="max", patience=1)
        model.fit(x, y, callbacks=[mark(start=start), stop], **FIT)
        return model

    with pytest.warns(UserWarning, match="no mark was taught; give start=0"):
        assert hits(run(0.5)) <= GROUPS // 2
    with pytest.WarningsRecorder(_ispytest=True) as told:
        run(0)
    assert not [one for one in told if "Mark" in str(one.message)]
