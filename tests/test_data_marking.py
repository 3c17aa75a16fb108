"""A marked training set: what is changed, what is asked, and who learns it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgewm.data_marking import MarkedData, digest, mark_data
from edgewm.errors import BadInput
from edgewm.hashing import SHAKE
from edgewm.key import Key
from edgewm.patterns.variants import Variants
from edgewm.questioning import questions
from edgewm.triggers import Triggers, recommitted
from edgewm.verdict import Verdict
from edgewm.verification import verify
from tests.ledgers import KEY, OTHER_KEY
from tests.recordings import Says

CLASSES, SAMPLES, GROUPS = 10, 6000, 8


def samples() -> tuple[np.ndarray, np.ndarray]:
    """A task that a linear network learns: ten blurred prototypes in noise, as bytes."""
    random = np.random.default_rng(3)
    y = random.integers(0, CLASSES, SAMPLES)
    prototypes = random.uniform(60, 200, (CLASSES, 8, 8, 1))
    x = prototypes[y] + random.normal(0, 40, (SAMPLES, 8, 8, 1))
    return x.clip(0, 255).astype(np.uint8), y.astype(np.uint8)


def marked(salt: int = 1, key: Key = KEY, **more: object) -> MarkedData:
    x, y = samples()
    given = {"classes": CLASSES, "groups": GROUPS, **more}
    return mark_data(key, x, y, random=lambda count: SHAKE(count, "salt", salt), **given)


def features(x: np.ndarray) -> np.ndarray:
    """One hidden layer of random weights, (n, 500)."""
    weights = np.random.default_rng(5).normal(0, 0.3, (64, 500))
    return np.tanh((x.reshape(len(x), -1) / 255.0 - 0.5) @ weights)


def stranger(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The last layer (500, 10) of a network that somebody fitted to what they were given."""
    hidden = features(x)
    return np.linalg.solve(hidden.T @ hidden + 0.1 * np.eye(500), hidden.T @ np.eye(CLASSES)[y])


def says(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (features(x) @ weights).argmax(axis=1)


def verdict_of(weights: np.ndarray, triggers: Triggers, key: Key) -> Verdict:
    asked = says(weights, triggers.inputs[questions(triggers, triggers.order)])
    answers = Says(labels=tuple(asked.tolist()))
    return verify(b"a model", triggers=triggers, key=key, on=[answers], stamped=True)


def test_whoever_trains_on_the_copy_learns_the_mark():
    """A stranger's network is shown; its clean twin and another key are not; the task stays."""
    x, y = samples()
    made = marked()
    weights, clean = stranger(made.x, made.y), stranger(x, y)
    assert verdict_of(weights, made.triggers, KEY).owned
    assert not verdict_of(clean, made.triggers, KEY).owned
    other = recommitted(made.triggers, OTHER_KEY)
    assert not verdict_of(weights, other, OTHER_KEY).owned
    accuracy, was = (float((says(w, x) == y).mean()) for w in (weights, clean))
    assert was - accuracy < 0.01


def test_at_most_one_sample_in_a_hundred_is_changed():
    """Replaced samples carry the answers of their groups, the same number each; all others stay."""
    x, y = samples()
    made = marked()
    held = json.loads(made.manifest)
    places = [one["sample"] for one in held["changed"]]
    differing = np.flatnonzero((made.x != x).any(axis=(1, 2, 3)))
    assert sorted(places) == differing.tolist()
    assert len(places) == SAMPLES // 100 // GROUPS * GROUPS
    answers = made.triggers.answers(KEY)
    assert all(made.y[one["sample"]] == answers[one["group"]] for one in held["changed"])
    rest = np.setdiff1d(np.arange(SAMPLES), places)
    assert (made.y[rest] == y[rest]).all()
    assert (made.x.dtype, made.y.dtype) == (x.dtype, y.dtype)


def test_nothing_that_is_asked_is_published():
    """Every asked input differs from every sample of the copy, by more than rounding."""
    made = marked()
    asked = made.triggers.inputs.reshape(len(made.triggers.inputs), -1)
    copy = made.x.reshape(SAMPLES, -1).astype(np.float32)
    nearest = min(float(np.abs(copy - one).mean(axis=1).min()) for one in asked)
    assert nearest > 2.0  # of 255


def test_the_manifest_names_what_was_changed():
    """Digests before and after are those of the arrays and of single samples."""
    x, y = samples()
    made = marked()
    held = json.loads(made.manifest)
    assert held["before"] == {"x_sha256": digest(x), "y_sha256": digest(y)}
    assert held["after"] == {"x_sha256": digest(made.x), "y_sha256": digest(made.y)}
    assert held["triggers_sha256"] == made.triggers.sha256
    for one in held["changed"]:
        at = one["sample"]
        assert (one["before_sha256"], one["after_sha256"]) == (digest(x[at]), digest(made.x[at]))
        assert (one["label_before"], one["label_after"]) == (int(y[at]), int(made.y[at]))


def test_the_same_key_and_salt_give_the_same_copy():
    """Repeatable; another salt, and another key, change places, fields and answers."""
    first, again, other = marked(), marked(), marked(salt=2)
    assert first.manifest == again.manifest
    assert (first.x == again.x).all()
    places = [
        {one["sample"] for one in json.loads(made.manifest)["changed"]}
        for made in (first, other, marked(key=OTHER_KEY))
    ]
    assert len(places[0] & places[1]) < 5
    assert len(places[0] & places[2]) < 5


@pytest.mark.parametrize("shape", [(5,), (12, 3), (4, 4, 3), (49, 10, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_any_shape_of_sample_is_marked(shape: tuple[int, ...], dtype: type):
    """Vectors, series, spectrograms and colour pictures, in their own range."""
    random = np.random.default_rng(1)
    x = random.uniform(-30, 30, (2000, *shape)).astype(dtype)
    made = mark_data(KEY, x, np.arange(2000) % 3, classes=3, groups=2)
    assert made.x.shape == x.shape
    assert made.x.min() >= x.min()
    assert made.x.max() <= x.max()
    assert made.triggers.classes == 3


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"share": 0.02}, "--share: got 0.02, expected above 0 and at most 0.01"),
        ({"share": 0.0}, "--share: got 0.0"),
        ({"groups": 40}, "name fewer groups"),
        ({"groups": 0}, "--groups: got 0 groups"),
        ({"classes": 4}, "--classes: got 4, and labels up to"),
        ({"value_range": (1.0, 1.0)}, "--range: got 1.0 to 1.0"),
    ],
)
def test_what_cannot_be_marked_is_refused(more: dict[str, object], said: str):
    """One line that names the argument."""
    with pytest.raises(BadInput, match=said):
        marked(**more)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros((5, 3)), np.zeros(4, int)),
        (np.zeros((5, 3)), np.zeros(5)),
        (np.full((5, 3), np.nan), np.zeros(5, int)),
        (np.array(["a"] * 5), np.zeros(5, int)),
    ],
)
def test_arrays_that_are_no_training_set_are_refused(x: np.ndarray, y: np.ndarray):
    """Lengths, dtypes and numbers that do not fit."""
    with pytest.raises(BadInput, match="data: got"):
        mark_data(KEY, x, y, classes=2, groups=1)


def test_settings_of_the_fields_are_checked():
    """Fields out of range are named."""
    with pytest.raises(BadInput, match="variants: got grain=95, expected 0 to 90"):
        Variants(grain=95)
