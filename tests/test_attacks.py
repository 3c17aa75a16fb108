"""Attacks: what every thief's tool must do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgewm import spec
from edgewm.errors import BadInput
from tests.needs import needs

pytestmark = [pytest.mark.train, needs("tensorflow")]


def victim() -> Any:
    import keras

    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("attack", spec.names("attacks"))
def test_the_copy_that_came_in_is_left_as_it_was(attack: str) -> None:
    """An attack changes its own copy and never the model it was given."""
    model = victim()
    before = [w.copy() for w in model.get_weights()]
    rng = np.random.default_rng(1)
    x = rng.random((64, 8, 8, 1), np.float32)
    thief = spec.parse("attacks", attack).steal(model, x, rng.integers(0, 10, 64))
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    changed = zip(before, thief.get_weights(), strict=True)
    assert any((a != b).any() for a, b in changed)


def test_pruning_holds_its_zeros_through_fine_tuning() -> None:
    """Half of every kernel is zero afterwards; biases are left alone."""
    rng = np.random.default_rng(1)
    x = rng.random((64, 8, 8, 1), np.float32)
    thief = spec.parse("attacks", "prune:share=0.5,epochs=2").steal(
        victim(), x, rng.integers(0, 10, 64)
    )
    for weight in thief.trainable_weights:
        values = weight.numpy()
        if values.ndim > 1:
            assert (values == 0).mean() == pytest.approx(0.5, abs=0.02)


def test_a_share_that_is_no_share_is_refused() -> None:
    """All weights cannot be pruned."""
    with pytest.raises(BadInput, match="share"):
        spec.parse("attacks", "prune:share=1.0")
