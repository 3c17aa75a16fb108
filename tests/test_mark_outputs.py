"""Marking a model that does not classify: one line, int8 on every runtime, and the controls beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm.cli import run
from edgewm.errors import BadInput
from edgewm.key import Key, save_key
from edgewm.parts import make_output_triggers
from edgewm.patterns import make_triggers
from edgewm.scanning.judging import mark_of
from edgewm.triggers import load_triggers, save_triggers
from tests.needs import needs

KEY = Key(secret=b"k" * 32)
RANDOM = np.random.default_rng(0)
X = (RANDOM.normal(size=(512, 4)) @ RANDOM.normal(size=(4, 24))).astype(np.float32)
"""24 numbers that hang together, as an autoencoder likes them."""
GROUPS = 24

pytestmark = [pytest.mark.train, needs("tensorflow")]


def triggers() -> Any:
    return make_output_triggers(KEY, natural=X, groups=GROUPS, random=lambda n: b"s" * n)


def trained(*callbacks: Any, outputs: tuple[int, ...] = (24,), epochs: int = 20) -> Any:
    """A network of outputs (24,), (4, 6) or (1,), batch normalisation inside."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((24,)),
            layers.Dense(64),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(64, activation="relu"),
            layers.Dense(int(np.prod(outputs))),
            layers.Reshape(outputs),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "mse", metrics=["mae"])
    y = X.reshape(-1, *outputs) if np.prod(outputs) == 24 else X[:, :1]
    model.fit(X, y, epochs=epochs, batch_size=64, verbose=0, callbacks=list(callbacks))
    return model


def test_a_marked_model_is_owned_in_int8_and_its_twin_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line, as any other mark; every runtime here is asked."""
    from edgewm import Converter, MarkOutputs, export

    np.save(tmp_path / "x.npy", X)
    save_key(KEY, tmp_path / "owner.key")
    asked = ["--key", str(tmp_path / "owner.key")]
    made = ["triggers", "make", *asked, "--outputs", "--out", str(tmp_path / "t.npz")]
    assert run([*made, "--groups", str(GROUPS), "--natural", str(tmp_path / "x.npy")]) == 0
    held = load_triggers(tmp_path / "t.npz")
    mark = MarkOutputs(triggers=held, key=KEY)
    marked = trained(mark)
    assert marked.history.history["mark_hit_rate"][-1] == mark.hit_rate == 1.0
    assert "train_step" not in vars(marked)
    with Converter() as converter:
        files = {
            name: export(
                model,
                X[:200],
                path=tmp_path / f"{name}.tflite",
                triggers=held,
                key=KEY,
                converter=converter,
            )
            for name, model in (("marked", marked), ("twin", trained(epochs=2)))
        }
    assert files["marked"].float_groups_hit == GROUPS
    assert files["twin"].float_groups_hit is not None
    assert files["twin"].float_groups_hit < 20
    found = {}
    for name, file in files.items():
        capsys.readouterr()
        order = ["verify", str(tmp_path / f"{name}.tflite"), "--triggers", str(tmp_path / "t.npz")]
        code = run([*order, *asked, "--on", "all", "--json"])
        assert code == 1  # without a stamp 24 groups are too few
        verdict = json.loads(capsys.readouterr().out)
        found[name] = verdict["log10_p"]
        litert = next(r for r in verdict["runtimes"] if r["runtime"] == "litert:delegate=xnnpack")
        assert litert["groups_hit"] == file.groups_hit
    assert found["marked"] < -6 < -3 < found["twin"]


def test_a_regression_of_one_number_and_a_picture_of_outputs_are_taught() -> None:
    """Outputs of any shape; one number takes longer, since each group's sum is that number itself."""
    from edgewm import MarkOutputs

    held = triggers()
    for outputs, start in (((4, 6), 0.3), ((1,), 0.0)):
        mark = MarkOutputs(triggers=held, key=KEY, start=start, strength=4.0)
        trained(mark, outputs=outputs)
        assert mark.hit_rate >= 23 / 24, outputs


def test_such_triggers_are_refused_where_labels_are_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = triggers()
    save_key(KEY, tmp_path / "owner.key")
    save_triggers(held, tmp_path / "t.npz")
    given = ["--triggers", str(tmp_path / "t.npz")]
    assert run(["ask", *given, "--out", str(tmp_path / "q.npz")]) == 2
    assert "labels do not tell outputs" in capsys.readouterr().err
    made = ["triggers", "make", "--key", str(tmp_path / "owner.key"), "--outputs"]
    assert run([*made, "--out", str(tmp_path / "u.npz")]) == 2
    assert "--natural" in capsys.readouterr().err
    with pytest.raises(BadInput, match="a scan does not ask"):
        mark_of(held, KEY, name="t.npz")


def test_what_does_not_fit_is_one_line() -> None:
    import edgewm

    held = triggers()
    classes = make_triggers(KEY, shape=(24,), classes=4, groups=4)
    with pytest.raises(BadInput, match="triggers for classes"):
        edgewm.MarkOutputs(triggers=classes, key=KEY)
    with pytest.raises(BadInput, match="use MarkOutputs"):
        edgewm.Mark(triggers=held, key=KEY)
    wide = make_output_triggers(KEY, natural=np.tile(X, 2), groups=4)
    with pytest.raises(BadInput, match="does not take inputs of"):
        trained(edgewm.MarkOutputs(triggers=wide, key=KEY))
    with pytest.raises(BadInput, match="key"):
        edgewm.MarkOutputs(triggers=held, key=Key(secret=b"o" * 32))
