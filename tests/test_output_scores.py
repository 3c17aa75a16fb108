"""Output values as evidence: what is left of a mark below the first place, and nothing for innocents.

Suspects are the golden files, copies of them with their weights shaken, and rows made here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edgewm.content import of_bytes
from edgewm.drawn_sum import drawn_log10_p
from edgewm.errors import BadInput, RuntimeUnavailable
from edgewm.key import Key
from edgewm.output_scores import SMALLEST_SHARE, cell_scores, levels, log_shares
from edgewm.signed_sum import fixed_log10_p, signed_sum
from edgewm.tflite import read_tflite, weights_of
from edgewm.triggers import recommitted
from edgewm.verification import verify
from tests import golden
from tests.needs import needs
from tests.recordings import ANSWERS, KEY, TRIGGERS, saying, set_of
from tests.tilting import CLASSES, linear_reference, tilt
from tests.tilting import KEY as TILT_KEY

OTHER = Key(secret=b"o" * 32)
NONE = np.zeros((64, 10), bool)


def shaken(model: bytes, strength: float) -> bytes:
    """The file with noise on every int8 weight, in standard deviations of its kernel."""
    content, random = bytearray(model), np.random.default_rng(1)
    for weights in weights_of(read_tflite(of_bytes(model))):
        if weights.values.dtype == np.int8:
            wide = weights.values.astype(np.float64)
            noisy = wide + random.normal(0, strength * wide.std(), wide.shape)
            held = np.clip(np.rint(noisy), -127, 127).astype(np.int8)
            content[weights.offset : weights.offset + held.nbytes] = held.tobytes()
    return bytes(content)


# ---- verdicts


@needs("litert")
@pytest.mark.parametrize("runtime", ["litert", "litert:delegate=none"])
def test_a_shaken_copy_is_shown_by_scores_and_not_by_labels(runtime: str) -> None:
    """Few groups hit, but their scores still lean to the answers. Twin and other key: nothing."""
    copy, twin = (shaken(path.read_bytes(), 0.7) for path in (golden.MARKED, golden.UNMARKED))
    asked: dict[str, Any] = {"triggers": TRIGGERS, "key": KEY, "on": [runtime], "stamped": True}
    by_labels, by_scores = verify(copy, **asked), verify(copy, scores=True, **asked)
    assert not by_labels.owned
    assert not by_labels.scores
    assert by_scores.owned
    assert by_scores.scores
    assert by_scores.worst.groups_hit == by_labels.worst.groups_hit
    innocent = verify(twin, scores=True, **asked)
    assert not innocent.owned
    assert innocent.log10_p > -3
    others = {**asked, "triggers": recommitted(TRIGGERS, OTHER), "key": OTHER}
    wrong = verify(copy, scores=True, **others)
    assert not wrong.owned
    assert wrong.log10_p > -3


@needs("litert")
def test_the_marked_file_keeps_its_evidence() -> None:
    """Every group hit: next to nothing is lost by judging scores."""
    verdict = verify(golden.MARKED, triggers=TRIGGERS, key=KEY, scores=True)
    assert verdict.owned
    assert verdict.log10_p < -55


def test_labels_alone_are_refused() -> None:
    """A recording of labels has no values to judge."""
    with pytest.raises(RuntimeUnavailable, match="--scores: got labels only"):
        verify(golden.MARKED, triggers=TRIGGERS, key=KEY, on=[saying(64)], scores=True)


@needs("litert")
def test_kept_labels_are_refused() -> None:
    """Answers that nobody drew give no p-value, by scores either."""
    from edgewm.triggers import commit

    kept = commit(
        KEY,
        TRIGGERS.inputs,
        TRIGGERS.group_ids,
        excluded=TRIGGERS.excluded,
        salt=b"s" * 32,
        provenance={},
        kept=ANSWERS,
    )
    with pytest.raises(BadInput, match="--scores: these triggers have kept labels"):
        verify(golden.MARKED, triggers=kept, key=KEY, scores=True)


# ---- levels of classes


def drawn_second(random: np.random.Generator) -> np.ndarray:
    """Probabilities (64, 10) that never put the drawn answer first, and mostly second."""
    logits, rows = random.normal(0, 1, (64, 10)), np.arange(64)
    logits[rows, ANSWERS] = -np.inf
    logits[rows, ANSWERS] = logits.max(axis=1) - 0.1
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_second_place_is_evidence() -> None:
    """No group hits, labels show nothing, scores do; the same rows under other answers do not."""
    values = drawn_second(np.random.default_rng(5))
    assert not (values.argmax(axis=1) == ANSWERS).any()
    found, failed = levels(log_shares(values), np.arange(64), groups=64)
    assert not failed.any()
    assert drawn_log10_p(found, excluded=NONE, answers=ANSWERS) < -10
    others = np.random.default_rng(6).integers(0, 10, (20, 64))
    innocent = [drawn_log10_p(found, excluded=NONE, answers=drawn) for drawn in others]
    assert min(innocent) > -3


def test_logits_and_probabilities_say_the_same() -> None:
    """A thief who cuts the softmax off the file changes nothing; nor does the constant that it hides."""
    values = drawn_second(np.random.default_rng(7))
    logits = np.log(values) + np.random.default_rng(8).normal(0, 3, (64, 1))
    assert np.allclose(log_shares(values), log_shares(logits))


def test_one_class_for_everything_says_little() -> None:
    """A suspect that puts one class first everywhere is told apart by the others."""
    values = np.full((64, 10), 0.01)
    values[:, 3] = 0.91
    found, _ = levels(log_shares(values), np.arange(64), groups=64)
    assert len(np.unique(found)) == 1
    assert drawn_log10_p(found, excluded=NONE, answers=ANSWERS) == 0.0


def test_rows_that_are_missing_fail_their_group() -> None:
    """NaN and inputs that were not asked; a group of two inputs is the mean of both."""
    values = np.full((5, 3), 1 / 3)
    values[0] = (0.8, 0.1, 0.1)
    values[1] = (0.1, 0.8, 0.1)
    values[3, 1] = np.nan
    found, failed = levels(log_shares(values), np.array([0, 0, 1, 2, 3, 3]), groups=4)
    assert failed.tolist() == [False, False, True, True]
    assert found[0, 0] == found[0, 1] > found[0, 2]


def test_a_single_output_is_two_classes() -> None:
    """A sigmoid's probability, or the logit before it."""
    probabilities = np.array([[0.1], [0.9], [0.5]])
    found = log_shares(probabilities)
    assert np.allclose(
        found, np.log(np.hstack([1 - probabilities, probabilities]) + SMALLEST_SHARE)
    )
    logits = np.log(probabilities / (1 - probabilities)) + np.array([[5.0], [-5.0], [0.0]])
    assert log_shares(logits).shape == (3, 2)


def test_more_classes_than_a_byte_tells_apart_are_probabilities_still() -> None:
    """int8 softmax over 100 classes: every share is rounded, and the sum is off by more than one step."""
    shares = np.random.default_rng(9).dirichlet(np.ones(100), 50)
    coarse = np.rint(shares * 256) / 256
    assert abs(coarse.sum(axis=1) - 1).max() > 1 / 256
    assert np.allclose(log_shares(coarse), np.log(coarse + SMALLEST_SHARE))


# ---- cells of a tilt


def leaning(strength: float, seed: int) -> np.ndarray:
    """Output values of a rule of its own that leans by the signs: weakly, it tips no label."""
    held = tilt()
    own = np.random.default_rng(seed).normal(0.0, 0.15, (64, CLASSES))
    logits = linear_reference(held.inputs) + held.inputs.reshape(len(held.inputs), -1) @ own
    pairs, rows = held.pairs[held.cell_ids], np.arange(len(logits))
    signs = held.signs(TILT_KEY)[held.cell_ids]
    logits[rows, pairs[:, 0]] += strength * signs
    logits[rows, pairs[:, 1]] -= strength * signs
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def p_of(scores: np.ndarray) -> float:
    """log10 p of cells under the tilt's own signs."""
    return fixed_log10_p(scores, signed_sum(scores, tilt().signs(TILT_KEY)))


def test_a_lean_shows_in_scores_before_it_shows_in_labels() -> None:
    """A lean that tips few inputs; without any lean the same rule shows nothing."""
    values = leaning(0.6, 4)
    by_scores = p_of(cell_scores(tilt(), log_shares(values)))
    by_labels = p_of(tilt().scores(values.argmax(axis=1)))
    assert by_scores < by_labels - 1
    assert by_scores < -4
    assert p_of(cell_scores(tilt(), log_shares(leaning(0.0, 4)))) > -2


def test_a_drift_of_classes_hides_no_lean() -> None:
    """Training on favours some classes: labels of the leaning copy drown in it, scores do not."""
    values = leaning(0.6, 4) * np.array([3.0, 0.5, 1.0, 0.3, 2.0])
    values /= values.sum(axis=1, keepdims=True)
    straight = p_of(cell_scores(tilt(), log_shares(leaning(0.6, 4))))
    assert p_of(cell_scores(tilt(), log_shares(values))) < straight + 1


def test_inputs_without_an_answer_add_nothing() -> None:
    """Nothing answered: every cell is 0 and p is 1."""
    nothing = np.full((len(tilt().inputs), CLASSES), np.nan)
    scores = cell_scores(tilt(), nothing)
    assert not scores.any()
    assert p_of(scores) == 0.0
    with pytest.raises(BadInput, match="one for each"):
        cell_scores(tilt(), nothing[1:])


def test_innocents_are_accused_as_rarely_as_alpha_says() -> None:
    """Cells of one innocent under 2,000 sign patterns: the share of p <= a is a within 4 sigma."""
    scores = cell_scores(tilt(), log_shares(leaning(0.0, 11)))
    signs = np.random.default_rng(1).choice([-1, 1], (2000, tilt().cells))
    found = np.array([fixed_log10_p(scores, signed_sum(scores, row)) for row in signs])
    for alpha in (0.1, 0.01):
        share = (found <= math.log10(alpha)).mean()
        assert abs(share - alpha) < 4 * math.sqrt(alpha * (1 - alpha) / len(found))


@needs("litert")
def test_other_classes_are_mapped_before_they_are_judged() -> None:
    """A suspect whose classes stand in another order is judged in the owner's."""
    triggers = set_of(10, (8, 8, 1), groups=64)
    asked: dict[str, Any] = {"triggers": triggers, "key": KEY, "scores": True}
    order = "x".join(str(c) for c in range(10))
    same = verify(golden.MARKED, adapters=[f"classes:order={order}"], **asked)
    assert same.log10_p == pytest.approx(verify(golden.MARKED, **asked).log10_p)
