"""``edgewm mark``: a trained .keras file in, the same file with marks out."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm.key import save_key
from edgewm.triggers import save_triggers
from tests.cli.command import EDGEWM, printed_json, refused
from tests.marking import FIT, GROUPS, KEY, compiled, hits, network, task, triggers
from tests.needs import needs

pytestmark = [pytest.mark.train, needs("tensorflow")]

FILES = {"--data": "d.npz", "-t": "mine.npz", "-k": "mine"}


@pytest.fixture(autouse=True)
def _owners_files(_elsewhere: None) -> None:
    """The owner's key, triggers and data; every test adds a model."""
    x, y = task(count=640)
    np.savez("d.npz", x_train=x, y_train=y, x_test=x[:100], y_test=y[:100])
    save_key(KEY, Path("mine"))
    save_triggers(triggers(), Path("mine.npz"))


def trained(model: Any = None) -> Any:
    """A network that knows the task and no mark, as m.keras."""
    made = compiled() if model is None else model
    made.fit(*task(), **{**FIT, "epochs": 4})
    made.save("m.keras")
    return made


def marking(*more: str, **other: str) -> list[str]:
    """The arguments of one marking, at a rate for a network this small; the last of two options counts."""
    files = {**FILES, "--learning-rate": "0.01", "--epochs": "6", **other}
    return ["mark", "m.keras", *(part for pair in files.items() for part in pair), *more]


def loaded(path: str) -> Any:
    import keras

    return keras.saving.load_model(path)


def test_a_trained_file_is_marked_and_the_old_one_is_left():
    """Marks go from chance to nearly all, accuracy stays, and all but the weights is as it was."""
    unmarked = trained()
    old = Path("m.keras").read_bytes()
    done = subprocess.run([*EDGEWM, *marking()], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")  # nothing of TensorFlow's start-up either
    lines = done.stdout.splitlines()
    assert lines[0].startswith("accuracy 100.0% before, ")
    assert "marks " in lines[0]
    assert lines[1:] == ["wrote m-marked.keras"]
    assert Path("m.keras").read_bytes() == old
    marked = loaded("m-marked.keras")
    assert hits(unmarked) <= GROUPS // 2  # the control: what the same questions get before
    assert hits(marked) >= GROUPS - 1
    assert marked.get_compile_config() == loaded("m.keras").get_compile_config()
    assert marked.optimizer.iterations == unmarked.optimizer.iterations
    assert marked.get_config() == loaded("m.keras").get_config()


def softmax_without_compile() -> Any:
    return network()


def logits_without_compile() -> Any:
    return network(activation=None)


def one_hot_and_a_rate_that_ended_at_nothing() -> Any:
    import keras

    fading = keras.optimizers.schedules.PolynomialDecay(1e-2, 20, 0.0)
    return compiled(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(fading))


@pytest.mark.parametrize(
    "make",
    [
        softmax_without_compile,
        logits_without_compile,
        one_hot_and_a_rate_that_ended_at_nothing,
    ],
    ids=lambda make: make.__name__,
)
def test_any_compile_or_none(cli, make):
    """The loss fits the output or is the model's own, and the rate is not the one training ended with."""
    make().save("m.keras")
    found = printed_json(cli(*marking("--json", "-o", "o.keras")))
    assert found["out"] == "o.keras"
    assert found["accuracy_before"] <= 0.4
    assert found["accuracy"] >= 0.9
    assert found["mark_hit_rate"] >= 0.9
    model = loaded("o.keras")
    assert hits(model) >= GROUPS - 1
    assert model.compiled == loaded("m.keras").compiled


def test_marks_that_are_not_learned_are_not_written(cli):
    """Too little training is exit code 1, says what to do, and leaves no file."""
    trained()
    before = sorted(path.name for path in Path().iterdir())
    code, out, err = cli(*marking("--epochs", "1", "--learning-rate", "1e-6"))
    assert (code, err) == (1, "")
    assert "NOT WRITTEN" in out
    assert "more --epochs" in out
    assert sorted(path.name for path in Path().iterdir()) == before


def test_what_cannot_be_marked_is_one_line(cli):
    """Exit code 2, the reason, and no file that was not there before."""
    import keras

    x, y = task()
    trained()
    other = network(keras.Input((8, 8, 3)))
    other.save("wide.keras")
    Path("text.keras").write_text("hello")
    np.savez("bytes.npz", x_train=x * 255, y_train=y, x_test=x * 255, y_test=y)
    np.savez("classes.npz", x_train=x, y_train=y + 5, x_test=x, y_test=y)
    np.savez("few.npz", x_train=x, y_train=y)
    before = sorted(path.name for path in Path().iterdir())
    for arguments, said in [
        (["mark", "none.keras", *marking()[2:]], "expected a .keras or .tflite file"),
        (["mark", "mine.npz", *marking()[2:]], "expected a .keras or .tflite file"),
        (["mark", "text.keras", *marking()[2:]], "MODEL: text.keras cannot be loaded"),
        (["mark", "wide.keras", *marking()[2:]], "Mark: got a model that takes (8, 8, 3)"),
        (marking("-o", "m.keras"), "m.keras exists, name another or give --force"),
        (marking("-o", "m.tflite"), "expected a .keras file in a folder"),
        (marking("-o", "none/m.keras"), "expected a .keras file in a folder"),
        (marking("--scheme", "mixx"), "expected one of"),
        (marking("--epochs", "0"), "--epochs"),
        (marking("--learning-rate", "0"), "--learning-rate"),
        (marking(**{"-k": "k"}), "did not make these triggers"),
        (marking(**{"-t": "t.npz"}), "did not make these triggers"),
        (marking(**{"--data": "bytes.npz"}), "edgewm triggers make --range"),
        (marking(**{"--data": "classes.npz"}), "got the label 14 in y_train"),
        (marking(**{"--data": "few.npz"}), "holds no x_test"),
        (marking(**{"--data": "none.npz"}), "none.npz cannot be read"),
        (marking(**{"--data": "digit"}), "expected digits"),
    ]:
        assert said in refused(cli(*arguments)), arguments
    assert sorted(path.name for path in Path().iterdir()) == before


def test_force_replaces_the_model_itself(cli):
    """With --force the file that was read may be the one that is written."""
    trained()
    old = Path("m.keras").read_bytes()
    assert printed_json(cli(*marking("-o", "m.keras", "--force", "--json")))
    assert Path("m.keras").read_bytes() != old
    assert hits(loaded("m.keras")) >= GROUPS - 1


def test_ctrl_c_leaves_nothing():
    """130, one line and the folder as it was, however far the training is."""
    trained()
    before = sorted(path.name for path in Path().iterdir())
    process = subprocess.Popen(
        [*EDGEWM, *marking("--epochs", "100000")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    time.sleep(9)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "interrupted" in refused((process.returncode, out, err), 130)
    assert sorted(path.name for path in Path().iterdir()) == before
