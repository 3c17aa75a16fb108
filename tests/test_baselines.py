"""The baselines of other papers in the robustness benchmark: what they teach, and how they are judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.needs import needs

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts import each other by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_pictures_of_margins_are_never_asked_for_their_own_class() -> None:
    """100 different held-out pictures, each with its own class excluded; another key draws other answers."""
    import baseline_margin
    from robustness_evidence import Marks
    from tilt_training import key_of

    random = np.random.default_rng(0)
    x, y = random.random((300, 4, 4, 1), np.float32), random.integers(0, 10, 300)
    key, other = key_of(0), key_of(1)
    held = baseline_margin.triggers_among(x, y, key=key, classes=10, seed=0)
    assert len(np.unique(held.inputs, axis=0)) == held.groups == baseline_margin.TRIGGERS
    own = held.excluded.argmax(axis=1)
    for picture, label in zip(held.inputs, own, strict=True):
        assert y[(x == picture).all(axis=(1, 2, 3))] == label
    answers = held.answers(key)
    assert (held.allowed == 9).all()
    assert (answers != own).all()
    marks = Marks(triggers=held, key=key)
    values = np.eye(10, dtype=np.float32)
    found, innocent = (marks.judge(says, values[says]) for says in (answers, own))
    wrong = marks.under(other).judge(answers, values[answers])
    assert found.groups_hit == 100
    assert found.log10_p_labels == pytest.approx(-100 * np.log10(9))
    assert innocent.groups_hit == 0 == innocent.log10_p_labels
    assert min(wrong.log10_p, wrong.log10_p_labels) > -6


def test_one_class_is_one_draw() -> None:
    """Every input hits, and p is 1 in 9; keys draw every class but the inputs' own."""
    from robustness_evidence import OneClass
    from tilt_training import key_of

    asked = OneClass(inputs=np.zeros((50, 2, 2, 1), np.float32), own=8, answer=0, classes=10)
    values = np.eye(10, dtype=np.float32)
    for label, log10_p in ((0, -np.log10(9)), (3, 0.0), (8, 0.0)):
        labels = np.full(50, label)
        said = asked.judge(labels, values[labels])
        assert (said.groups_hit, said.log10_p) == (50 * (label == 0), pytest.approx(log10_p))
    drawn = {asked.under(key_of(seed)).answer for seed in range(100)}
    assert drawn == set(range(10)) - {8}


@needs("tensorflow")
def test_soft_nearest_neighbours() -> None:
    """As its definition says, pair by pair; higher where the kinds lie among each other."""
    import baseline_ewe

    random = np.random.default_rng(1)
    is_trigger = np.repeat(np.float32([1, 0]), 4)
    mixed = random.random((8, 3, 2), np.float32)
    apart = mixed.copy()
    apart[:4, :, 0] += 20
    apart[4:, :, 1] += 20
    said = [
        float(baseline_ewe.soft_nearest_neighbour(x, is_trigger, 1000.0)) for x in (mixed, apart)
    ]
    assert said == [pytest.approx(_by_pairs(x, is_trigger), abs=1e-4) for x in (mixed, apart)]
    assert said[1] < 0.1 < said[0]


def _by_pairs(x: Any, kinds: Any) -> float:
    flat = x.reshape(len(x), -1).astype(float)
    total = 0.0
    for i, row in enumerate(flat):
        cosine = [row @ r / np.linalg.norm(row) / np.linalg.norm(r) for r in flat]
        near = [np.exp(-10 * (1 - c)) if i != j else 0.0 for j, c in enumerate(cosine)]
        total -= np.log(
            sum(n for n, k in zip(near, kinds, strict=True) if k == kinds[i]) / sum(near)
        )
    return total / len(x)


def test_the_patch_lies_where_the_gradient_is_least() -> None:
    """Rows and columns are not confused."""
    import baseline_ewe

    gradient = np.ones((28, 20), np.float32)
    gradient[21:24, 4:7] = -1
    gradient[2, 2] = -5  # one pixel alone outweighs nothing
    assert baseline_ewe.patch_place(gradient) == (21, 4)


@needs("tensorflow")
@pytest.mark.train
def test_baselines_are_learned() -> None:
    """On digits: marked networks send triggers where they were taught to, far more than the twin does."""
    import baseline_ewe
    import baseline_margin
    import keras
    from tilt_training import key_of

    from edgewm.attacks.copying import copy_of, labels_of, train_on
    from edgewm.datasets import load_dataset
    from edgewm.networks import small_cnn

    keras.utils.set_random_seed(0)
    held = load_dataset("digits")
    x, y = held.x_train, held.y_train

    twin = small_cnn(held.shape, 10)
    train_on(twin, x, y, epochs=6, learning_rate=3e-3)
    entangled = copy_of(twin)
    triggers = baseline_ewe.entangle(entangled, x, y, epochs=4, seed=0)
    assert triggers.min() >= 0
    assert triggers.max() <= 1
    hits = [
        float((labels_of(m, triggers) == baseline_ewe.TARGET).mean()) for m in (entangled, twin)
    ]
    assert hits[0] > 0.8
    assert hits[1] < 0.3
    key = key_of(0)
    of_key = baseline_margin.triggers_among(held.x_test, held.y_test, key=key, classes=10, seed=0)
    answers = of_key.answers(key)
    model = small_cnn(held.shape, 10)
    settings = {"epochs": 15, "rate": 3e-3, "batch_size": 64, "seed": 0}
    baseline_margin.train_with_margins(
        model, x, y, triggers=of_key.inputs, answers=answers, **settings
    )
    hits = [float((labels_of(m, of_key.inputs) == answers).mean()) for m in (model, twin)]
    assert hits[0] > hits[1] + 0.15
