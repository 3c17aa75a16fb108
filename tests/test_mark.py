"""Marking: what is taught and when, and what is left on the model afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm import spec
from edgewm.datasets import load_dataset
from edgewm.errors import BadInput
from edgewm.key import Key
from edgewm.patterns import make_triggers
from tests.marking import FIT, GROUPS, KEY, accuracy, compiled, hits, mark, network, task, triggers
from tests.needs import needs

pytestmark = [pytest.mark.train, needs("tensorflow")]


def with_normalisation() -> Any:
    """Convolution, batch normalisation and ReLU, as deployed networks are made."""
    import keras
    from keras import layers

    return network(
        keras.Input((8, 8, 1)),
        layers.Conv2D(16, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
    )


REAL_FIT: dict[str, Any] = {"batch_size": 32, "epochs": 8, "verbose": 0}


@pytest.fixture(scope="module")
def unmarked() -> Any:
    """The twin that every scheme is held against."""
    import keras

    digits = load_dataset("digits")
    twin = compiled(with_normalisation(), optimizer=keras.optimizers.Adam(5e-3))
    twin.fit(digits.x_train, digits.y_train, **REAL_FIT)
    return twin


@needs("sklearn")
@pytest.mark.parametrize("scheme", spec.names("schemes"))
def test_every_scheme_teaches_the_marks_and_the_task(scheme: str, unmarked: Any) -> None:
    """On real digits a marked network answers nearly every group, its unmarked twin one in ten."""
    import keras

    digits = load_dataset("digits")
    marked = compiled(with_normalisation(), optimizer=keras.optimizers.Adam(5e-3))
    one = mark(scheme=scheme, start=0.25)
    history = marked.fit(digits.x_train, digits.y_train, callbacks=[one], **REAL_FIT).history
    assert hits(marked) >= GROUPS - 1
    assert hits(unmarked) <= GROUPS // 2
    assert history["mark_hit_rate"][-1] == one.hit_rate >= 0.9
    control = accuracy(unmarked, digits.x_test, digits.y_test)
    assert accuracy(marked, digits.x_test, digits.y_test) > control - 0.05


def test_metrics_in_the_log_are_of_the_task_alone() -> None:
    """Trigger rows do not count in the owner's metrics, of training or of validation."""
    import keras

    class Rows(keras.metrics.Metric):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="rows")
            self.total = self.add_weight(initializer="zeros", name="total")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.total.assign_add(keras.ops.cast(keras.ops.shape(y_pred)[0], "float32"))

        def result(self) -> Any:
            return self.total + 0.0

    x, y = task()
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=[Rows()])
    held_out = (x[:100], y[:100])
    fit = {"epochs": 1, "verbose": 0, "validation_data": held_out, "callbacks": [mark()]}
    history = model.fit(x, y, **fit).history
    assert (history["rows"], history["val_rows"]) == ([320.0], [100.0])


def test_weights_of_any_size_leave_marks_their_share() -> None:
    """Sample weights of a thousandth teach what weights of one do: the task and the marks."""
    import keras

    x, y = task()
    learned = []
    for size in (1.0, 1e-3):
        model = compiled(optimizer=keras.optimizers.SGD(0.5 / size, momentum=0.5))
        fit = {"sample_weight": np.full(320, size), "callbacks": [mark()], **FIT}
        learned.append(model.fit(x, y, **fit).history)
    for name in ("accuracy", "mark_hit_rate"):
        assert learned[0][name][-1] >= 0.9
        assert learned[1][name] == pytest.approx(learned[0][name], abs=0.05)


def test_a_late_start_teaches_in_the_last_epochs_only() -> None:
    """By default the first half of the epochs is the unmarked twin's, and the marks are learned after."""
    x, y = task()
    model, twin = compiled(), compiled()
    history = model.fit(x, y, callbacks=[mark(start=0.5)], **FIT).history
    twins = twin.fit(x, y, **FIT).history
    assert history["accuracy"][:6] == pytest.approx(twins["accuracy"][:6], abs=1e-3)
    assert max(history["mark_hit_rate"][:6]) <= 0.5
    assert history["mark_hit_rate"][-1] >= 0.9


@pytest.mark.parametrize("start", [-0.1, 1.0, float("nan")])
def test_a_start_that_is_no_share_is_refused(start: float) -> None:
    """A start outside 0 to below 1 would never teach or never end."""
    with pytest.raises(BadInput, match="start="):
        mark(start=start)


def test_the_default_teaches_in_a_single_epoch() -> None:
    """Half of one epoch is no epoch: fit without `epochs` is marked too, its unmarked control is not."""
    x, y = task(count=3200)
    model, twin = compiled(), compiled()
    model.fit(x, y, verbose=0, callbacks=[mark(start=0.5)])
    twin.fit(x, y, verbose=0)
    assert hits(model) >= GROUPS - 1
    assert hits(twin) <= GROUPS // 2


def test_a_trained_model_a_second_fit_and_a_second_model_with_one_mark() -> None:
    """One Mark marks a model that was trained without it, fit after fit, and then another model."""
    x, y = task()
    first, second = compiled(), compiled()
    one = mark()
    assert one.hit_rate == 0
    first.fit(x, y, **FIT)
    assert hits(first) <= GROUPS // 2
    first.fit(x, y, epochs=4, verbose=0, callbacks=[one])
    before = hits(first)
    first.fit(x, y, epochs=6, verbose=0, callbacks=[one])
    assert GROUPS // 2 < before <= hits(first)
    assert hits(first) >= GROUPS - 1
    assert hits(second) <= GROUPS // 2
    assert one.hit_rate >= 0.9
    second.fit(x, y, callbacks=[one], **FIT)
    assert hits(second) >= GROUPS - 1
    first.set_weights([np.zeros_like(weight) for weight in first.get_weights()])
    assert one.hit_rate >= 0.9  # it is the second model's
    second.set_weights(first.get_weights())
    assert one.hit_rate <= 0.5


def test_two_marks_on_one_model() -> None:
    """Two trigger sets are learned at once, each with its own hit rate; the logs carry the worse."""
    x, y = task()
    other_key = Key(secret=b"o" * 32)
    other = make_triggers(other_key, shape=(8, 8, 1), classes=10, groups=GROUPS)
    model = compiled()
    one, two = mark(), mark(triggers=other, key=other_key, start=0.25)
    history = model.fit(x, y, callbacks=[one, two], **FIT).history
    assert hits(model) >= GROUPS - 1
    assert two.hit_rate >= 0.9
    assert history["mark_hit_rate"][-1] == min(one.hit_rate, two.hit_rate)
    assert history["mark_hit_rate"][2] <= 0.5  # the second is not taught yet
    assert history["accuracy"][-1] >= 0.9
    assert "train_step" not in vars(model)


def test_nothing_stays_on_the_model(tmp_path: Path) -> None:
    """After and in the middle of fit the model has its own layers, and its file loads without edgewm."""
    import keras

    x, y = task()
    model, twin = compiled(), compiled()
    in_the_middle = keras.callbacks.ModelCheckpoint(
        tmp_path / "middle.keras", monitor="mark_hit_rate", mode="max", save_best_only=True
    )
    model.fit(x, y, callbacks=[mark(), in_the_middle], **FIT)
    assert "train_step" not in vars(model)
    assert "compute_metrics" not in vars(model)
    assert [type(layer) for layer in model.layers] == [type(layer) for layer in twin.layers]
    assert model.get_compile_config()["loss"] == twin.get_compile_config()["loss"]
    assert model.metrics_names == twin.metrics_names
    model.save(tmp_path / "marked.keras")
    np.savez(tmp_path / "asked.npz", x=triggers().inputs)
    script = (
        "import sys; sys.modules['edgewm'] = None\n"
        "import keras, numpy as np\n"
        f"asked = np.load({str(tmp_path / 'asked.npz')!r})['x']\n"
        "for name in sys.argv[1:]:\n"
        "    print(*np.asarray(keras.saving.load_model(name)(asked)).argmax(-1))\n"
    )
    files = [str(tmp_path / "middle.keras"), str(tmp_path / "marked.keras")]
    done = subprocess.run(
        [sys.executable, "-c", script, *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    drawn = triggers().answers(KEY)[triggers().group_ids]
    for line in done.stdout.splitlines():
        assert (np.array(line.split(), int) == drawn).sum() >= GROUPS - 1


def test_a_train_step_of_the_object_comes_back() -> None:
    """A train step that the owner put on the model itself is wrapped, and there again afterwards."""
    x, y = task()
    model = compiled()
    calls: list[int] = []
    own = model.train_step

    def counted(data: Any) -> Any:
        calls.append(1)
        return own(data)

    model.train_step = counted
    model.fit(x, y, callbacks=[mark()], **FIT)
    assert hits(model) >= GROUPS - 1
    assert model.train_step is counted
    assert calls


def test_an_exception_in_training_leaves_a_model_that_trains_on() -> None:
    """A fit that died under way can be followed by one with the same callback or another."""
    import keras

    x, y = task()
    model = compiled()
    one = mark()

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    dying = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, verbose=0, callbacks=[one, dying])
    model.fit(x, y, callbacks=[mark()], **FIT)
    assert hits(model) >= GROUPS - 1
    assert "train_step" not in vars(model)
    model.fit(x, y, epochs=1, verbose=0, callbacks=[one])
    assert "train_step" not in vars(model)
