"""Marking a model that does not classify: one line, int8 on every runtime, and the controls beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm.cli import run
from edgewm.errors import BadInput
from edgewm.key import Key, save_key
from edgewm.parts import make_output_triggers
from edgewm.patterns import make_triggers
from edgewm.triggers import load_triggers
from tests.needs import needs

KEY = Key(secret=b"k" * 32)
RANDOM = np.random.default_rng(0)
X = (RANDOM.normal(size=(512, 4)) @ RANDOM.normal(size=(4, 24))).astype(np.float32)
"""24 numbers that hang together, as an autoencoder likes them."""
GROUPS = 24

pytestmark = [pytest.mark.train, needs("tensorflow")]


def triggers() -> Any:
    return make_output_triggers(KEY, natural=X, groups=GROUPS, random=lambda n: b"s" * n)


def trained(*callbacks: Any, outputs: tuple[int, ...] = (24,), epochs: int = 25) -> Any:
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


@pytest.mark.parametrize("outputs", [(24,), (4, 6), (1,)], ids=str)
def test_a_marked_model_is_owned_in_int8_and_its_twin_is_not(
    outputs: tuple[int, ...], tmp_path: Path
) -> None:
    """An autoencoder, outputs like a picture, and a regression of one number."""
    from edgewm import Converter, MarkOutputs, export, verify

    held = triggers()
    mark = MarkOutputs(triggers=held, key=KEY)
    marked = trained(mark, outputs=outputs)
    assert marked.history.history["mark_hit_rate"][-1] == mark.hit_rate == 1.0
    assert "train_step" not in vars(marked)
    with Converter() as converter:
        files = {
            name: export(model, X[:200], triggers=held, key=KEY, converter=converter)
            for name, model in (("marked", marked), ("twin", trained(outputs=outputs)))
        }
    assert files["marked"].float_groups_hit == GROUPS
    found = verify(files["marked"], triggers=held, key=KEY, on=["all"], stamped=True)
    assert found.owned
    assert found.worst.groups_hit >= 23
    assert files["marked"].groups_hit >= 23
    assert not verify(files["twin"], triggers=held, key=KEY, stamped=True).owned


def test_the_command_line_takes_such_triggers_as_any_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from edgewm import MarkOutputs, export

    np.save(tmp_path / "x.npy", X)
    save_key(KEY, tmp_path / "owner.key")
    asked = ["--key", str(tmp_path / "owner.key")]
    made = ["triggers", "make", *asked, "--out", str(tmp_path / "t.npz"), "--outputs"]
    assert run([*made, "--groups", "84", "--natural", str(tmp_path / "x.npy")]) == 0
    held = load_triggers(tmp_path / "t.npz")
    export(
        trained(MarkOutputs(triggers=held, key=KEY), epochs=60),
        X[:200],
        path=tmp_path / "marked.tflite",
    )
    export(trained(epochs=2), X[:200], path=tmp_path / "twin.tflite")
    verify = ["--triggers", str(tmp_path / "t.npz"), *asked, "--tests", "1"]
    capsys.readouterr()
    assert run(["verify", str(tmp_path / "twin.tflite"), *verify]) == 1
    assert "NOT SHOWN" in capsys.readouterr().out
    run(["verify", str(tmp_path / "marked.tflite"), *verify])
    log10_p = float(capsys.readouterr().out.split("(log10 ")[1].split(")")[0])
    assert log10_p < -18
    assert run([*made[:-2], str(tmp_path / "u.npz"), "--outputs"]) == 2
    assert "--natural" in capsys.readouterr().err
    assert run(["ask", *verify[:2], "--out", str(tmp_path / "q.npz")]) == 2
    assert "labels do not tell outputs" in capsys.readouterr().err


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
