"""A full-int8 copy behind layers of its own: three channels in front, twice the size, -1 to 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgewm.errors import BadInput
from edgewm.exporting import export
from edgewm.key import Key
from edgewm.patterns import make_triggers
from edgewm.triggers import Triggers, recommitted
from edgewm.verification import verify
from tests.needs import needs

pytestmark = [pytest.mark.train, needs("tensorflow"), needs("sklearn"), needs("tflm")]

KEY, OTHER_KEY = Key(secret=bytes(range(32))), Key(secret=bytes(range(1, 33)))
CHAIN = ["grey_to_rgb", "range:low=-1,high=1", "resize", "nchw"]


@pytest.fixture(scope="module")
def suspects(tmp_path_factory: pytest.TempPathFactory) -> tuple[Triggers, bytes, bytes]:
    """The triggers, a marked network in another form as int8, and its twin without a mark."""
    import keras
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = (digits.images[..., None] / 16).astype(np.float32)
    triggers = make_triggers(
        KEY, shape=(8, 8, 1), classes=10, groups=48, random=lambda n: bytes([7]) * n
    )
    marks = triggers.answers(KEY)[triggers.group_ids]
    made = []
    for copies in (12, 0):
        keras.utils.set_random_seed(1)
        inner = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Conv2D(16, 3, activation="relu"),
                keras.layers.Flatten(),
                keras.layers.Dense(64, "relu"),
                keras.layers.Dense(10, "softmax"),
            ]
        )
        inner.compile("adam", "sparse_categorical_crossentropy")
        inner.fit(
            np.concatenate([x, *[triggers.inputs] * copies]),
            np.concatenate([digits.target, *[marks] * copies]),
            epochs=15,
            batch_size=32,
            verbose=0,
        )
        outer = [
            keras.Input((3, 16, 16)),
            keras.layers.Permute((2, 3, 1)),
            keras.layers.Rescaling(0.5, offset=0.5),
            keras.layers.AveragePooling2D(2),
            keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones"),
            keras.layers.Rescaling(1 / 3),
        ]
        large = 2 * x[:200].repeat(2, axis=1).repeat(2, axis=2).repeat(3, axis=3) - 1
        path = Path(tmp_path_factory.mktemp("int8")) / "suspect.tflite"
        planes = np.moveaxis(large, 3, 1).astype(np.float32)
        artifact = export(keras.Sequential([*outer, inner]), planes, path=path)
        made.append(artifact.model)
    return triggers, made[0], made[1]


@pytest.mark.parametrize("on", [["litert"], ["tflm"], ["litert:delegate=none", "tflite_runtime"]])
def test_an_int8_copy_in_another_form_is_shown(
    suspects: tuple[Triggers, bytes, bytes], on: list[str]
) -> None:
    """With its chain the copy is owned; refused without; twin and other key are not owned."""
    triggers, copy, twin = suspects
    given = {"triggers": triggers, "key": KEY, "stamped": True, "on": on}
    verdict = verify(copy, **given, adapters=CHAIN)
    assert verdict.owned
    assert verdict.worst.groups_hit > 24
    assert not any("another range" in flag for flag in verdict.flags)
    assert not verify(twin, **given, adapters=CHAIN).owned
    other = {**given, "triggers": recommitted(triggers, OTHER_KEY), "key": OTHER_KEY}
    assert not verify(copy, **other, adapters=CHAIN).owned
    with pytest.raises(BadInput, match="try --adapter grey_to_rgb --adapter resize --adapter nchw"):
        verify(copy, **given)


def test_the_range_is_told_by_the_step_and_found_by_trying(
    suspects: tuple[Triggers, bytes, bytes],
) -> None:
    """Without the range a note names it, and the usual chains contain the right one."""
    triggers, copy, twin = suspects
    given = {"triggers": triggers, "key": KEY, "stamped": True}
    halfway = verify(copy, **given, adapters=[step for step in CHAIN if "range" not in step])
    assert any("try --adapter range:low=-1,high=1" in flag for flag in halfway.flags)
    tried = verify(copy, **given, adapters="try")
    assert tried.owned
    assert tried.tests == len(tried.chains) == 5
    assert not verify(twin, **given, adapters="try").owned
