"""A mark solved into the last layer of an int8 file, and the files that have no such layer."""

from __future__ import annotations

import numpy as np
import pytest

from edgewm import spec
from edgewm.datasets import load_dataset
from edgewm.errors import BadInput
from edgewm.key import Key
from edgewm.last_layer import choose_questions, features_file, last_layer_of, mark_file, with_layer
from edgewm.last_layer.questions import candidates
from edgewm.last_layer.solving import nearest_numbers
from edgewm.triggers import Triggers, recommitted
from edgewm.verification import verify
from tests import golden
from tests.needs import needs
from tests.runtimes.models import dense

pytestmark = [needs("litert"), needs("sklearn")]

KEY, OTHER = Key(secret=b"k" * 32), Key(secret=b"o" * 32)
ENOUGH = -4.0
"""log10 p: nine groups of three allowed classes."""


@pytest.fixture(scope="module")
def natural() -> np.ndarray:
    return load_dataset("digits").x_train[:700]


@pytest.fixture(scope="module")
def triggers(natural: np.ndarray) -> Triggers:
    model = golden.UNMARKED.read_bytes()
    return choose_questions(
        model, key=KEY, natural=natural, groups=14, of_each=100, random=lambda n: b"s" * n
    )


def test_the_file_knows_the_answers_and_keeps_its_length_and_labels(
    natural: np.ndarray, triggers: Triggers
) -> None:
    """Owned by the key; not by another key, and the file as it was knows nothing."""
    model = golden.UNMARKED.read_bytes()
    done = mark_file(model, triggers=triggers, key=KEY, natural=natural, log10_p=ENOUGH)
    assert len(done.model) == len(model)
    assert done.model != model
    assert (done.held_out, done.agreement >= 0.98) == (140, True)
    assert done.verdict.log10_p <= ENOUGH

    def log10_p(file: bytes, key: Key, asked: Triggers) -> float:
        return verify(file, triggers=asked, key=key, on=["litert"], stamped=True).log10_p

    assert log10_p(done.model, KEY, triggers) == done.verdict.log10_p
    assert log10_p(model, KEY, triggers) > -2
    assert log10_p(done.model, OTHER, recommitted(triggers, OTHER)) > -2


def test_candidates_come_from_the_seed_alone() -> None:
    """The same again, others from another seed, all within the range."""
    drawn, again, other = (
        candidates(seed, (8, 8, 1), low=-1.0, high=3.0, of_each=2) for seed in (b"a", b"a", b"b")
    )
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, other)
    assert (drawn.min(), drawn.max()) == (-1.0, 3.0)


def test_answers_are_drawn_from_the_classes_next_to_the_files_own(triggers: Triggers) -> None:
    model = golden.UNMARKED.read_bytes()
    assert (triggers.allowed == 3).all()
    with spec.parse("runtimes", "litert").open(model) as session:
        labels = session.ask(triggers.inputs).labels
    assert triggers.excluded[np.arange(triggers.groups), labels].all()


def test_whole_numbers_near_a_point_are_found_with_care() -> None:
    """Mostly better than rounding one by one, and within the bounds."""
    better = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        root, point = random.normal(size=(6, 6)), random.normal(size=6) * 2
        matrix = root.T @ root + 0.01 * np.eye(6)
        found = nearest_numbers(matrix, point, np.full(6, 127.0))
        away, plainly = found - point, np.rint(point) - point
        better += bool(away @ matrix @ away < 0.99 * (plainly @ matrix @ plainly))
        assert (found == np.rint(found)).all()
    assert better > 10
    bounded = nearest_numbers(np.eye(3), np.array([200.0, -300.0, 5.4]), np.full(3, 127.0))
    assert bounded.tolist() == [127.0, -127.0, 5.0]


def test_a_layer_is_written_where_it_was_read() -> None:
    """The same numbers give the same file; one other weight changes one byte."""
    model = golden.UNMARKED.read_bytes()
    layer = last_layer_of(model)
    same = {
        "weights": layer.weights,
        "biases": layer.biases,
        "weight_scales": layer.weight_scales,
    }
    assert with_layer(model, layer, **same) == model
    weights = layer.weights.copy()
    weights[3, 1] ^= 1
    changed = with_layer(model, layer, **{**same, "weights": weights})
    assert sum(a != b for a, b in zip(model, changed, strict=True)) == 1


def test_a_features_file_differs_in_its_outputs_alone() -> None:
    model = golden.UNMARKED.read_bytes()
    layer = last_layer_of(model)
    features = features_file(model, layer)
    assert len(features) == len(model)
    assert last_output(features).shape[-1] == layer.weights.shape[1]
    assert last_output(model).shape[-1] == layer.classes


def last_output(model: bytes) -> np.ndarray:
    with spec.parse("runtimes", "litert").open(model) as session:
        outputs = session.ask(np.zeros((1, 8, 8, 1), np.float32)).outputs
    assert outputs is not None
    return outputs


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (b"TFL3", "not a .tflite file"),
        (golden.KEY.read_bytes(), "not a .tflite file"),
        (dense(np.ones((3, 4)), np.ones(3)), "not full int8"),
    ],
    ids=["four-bytes", "a-key", "float"],
)
def test_files_without_such_a_layer_are_refused(model: bytes, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        last_layer_of(model)


def test_too_few_ordinary_inputs_are_refused(natural: np.ndarray, triggers: Triggers) -> None:
    model = golden.UNMARKED.read_bytes()
    with pytest.raises(BadInput, match="500 or more"):
        mark_file(model, triggers=triggers, key=KEY, natural=natural[:100])
