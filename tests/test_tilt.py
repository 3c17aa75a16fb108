"""A tilt: everything that is public fixes every sign, and nothing but the key shows one."""

from __future__ import annotations

import dataclasses
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm.errors import BadInput, DoesNotCheck, EdgewmError
from edgewm.key import load_key
from edgewm.regions import NOWHERE, Regions
from edgewm.tilt import ONE, Tilt, commit_tilt, load_tilt, recommitted_tilt, save_tilt
from edgewm.undecided import expected_of, logits_of, make_tilt
from tests import golden
from tests.tilting import KEY, OTHER, innocent_labels, linear_reference, task, tilt


def small(**changed: Any) -> Tilt:
    """Three cells of two inputs each."""
    facts: dict[str, Any] = {
        "inputs": np.arange(6, dtype=np.float32).reshape(6, 1),
        "cell_ids": np.array([0, 1, 2, 0, 1, 2], np.int32),
        "pairs": np.array([[0, 1], [0, 2], [1, 2]], np.int32),
        "weights": np.array([1, 2, 3, 4, 5, 6], np.int16),
        "expected": np.array([0, ONE // 2, -ONE, ONE, 0, 7], np.int16),
        "classes": 3,
        "salt": b"s" * 32,
        "provenance": {},
        "regions": regions(),
    }
    facts |= changed
    inputs, ids = facts.pop("inputs"), facts.pop("cell_ids")
    return commit_tilt(facts.pop("key", KEY), inputs, ids, **facts)


def regions() -> Regions:
    """One node over one number, for one pair."""
    roots = np.full((3, 3), NOWHERE, np.int32)
    roots[0, 1], roots[0, 2], roots[1, 2] = -1, -2, -3
    return Regions(
        roots=roots,
        directions=np.zeros((0, 1), np.float32),
        thresholds=np.zeros(0, np.float32),
        children=np.zeros((0, 2), np.int32),
    )


def test_scores_are_the_sums_that_the_docstring_says() -> None:
    """Weight times (16384 d - expected) for an input that is given a or b, nothing for any other."""
    held = small()
    labels = np.array([0, 2, 0, 1, 1, 2])
    first = 1 * (ONE - 0) + 4 * (-ONE - ONE)
    second = 2 * (-ONE - ONE // 2) + 0  # label 1 is neither 0 nor 2
    third = 0 + 6 * (-ONE - 7)
    assert held.scores(labels).tolist() == [first, second, third]
    assert held.scores(np.full(6, -1)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("count", [0, 5, 7])
def test_scores_need_one_label_for_each_input(count: int) -> None:
    """Any other number is refused."""
    with pytest.raises(BadInput, match="labels"):
        small().scores(np.zeros(count, np.int64))


def test_signs_are_fair_and_fixed_by_all_that_is_committed() -> None:
    """Over many keys both signs come up about as often; the same key gives the same signs again."""
    drawn = np.array([recommitted_tilt(tilt(), k).signs(k) for k in (KEY, OTHER, _key(1), _key(2))])
    assert set(np.unique(drawn)) == {-1, 1}
    assert abs(drawn.sum()) < 4 * np.sqrt(drawn.size)
    assert (tilt().signs(KEY) == drawn[0]).all()
    assert (drawn[0] != drawn[1]).any()


@pytest.mark.parametrize(
    "changed",
    [
        {"inputs": np.arange(1, 7, dtype=np.float32).reshape(6, 1)},
        {"cell_ids": np.array([1, 0, 2, 0, 1, 2], np.int32)},
        {"pairs": np.array([[0, 2], [0, 2], [1, 2]], np.int32)},
        {"weights": np.array([1, 2, 3, 4, 5, 7], np.int16)},
        {"expected": np.array([1, ONE // 2, -ONE, ONE, 0, 7], np.int16)},
        {"salt": b"t" * 32},
        {"beacon": b"a stamp"},
        {"key": OTHER},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_changing_any_fact_changes_the_root(changed: dict[str, Any]) -> None:
    """Inputs, cells, pairs, weights, expected values, salt, beacon and key all stand in the root."""
    assert small(**changed).root != small().root


def test_regions_and_provenance_do_not_stand_in_the_root() -> None:
    """They serve training and readers; no sign hangs on them."""
    assert small(provenance={"x": 1}).root == small().root
    assert small(provenance={"x": 1}).sha256 != small().sha256


def test_another_key_is_refused() -> None:
    """Signs come only from the key that was committed to."""
    with pytest.raises(BadInput, match="did not make this tilt"):
        tilt().signs(OTHER)


def test_repr_shows_the_digest_and_no_input() -> None:
    """What a log may hold."""
    assert re.fullmatch(r"Tilt\(cells=3, inputs=6, sha256=[0-9a-f]{16}\.\.\.\)", repr(small()))


def test_questions_are_a_fixed_share_of_every_cell() -> None:
    """Fewer queries take the first inputs of each cell, cells in the committed order, none left out."""
    held = tilt()
    whole, part = held.questions(), held.questions(held.cells * 5)
    assert sum(map(len, whole)) == len(held.inputs)
    assert [held.cell_ids[cell[0]] for cell in whole] == held.order
    for all_of, some in zip(whole, part, strict=True):
        assert 1 <= len(some) <= len(all_of)
        assert (all_of[: len(some)] == some).all()
    assert sum(map(len, part)) <= held.cells * 5
    with pytest.raises(BadInput, match="queries"):
        held.questions(held.cells - 1)


def test_the_golden_tilt_is_read_for_ever() -> None:
    """Root, signs, order and scores of the file that version 0.1.0 wrote."""
    held, key = load_tilt(golden.TILT), load_key(golden.KEY)
    assert held.root.hex() == "8a095caf9105449509d7734c7b33b50ef6929fecd8b80aa76976944886b4ec73"
    assert held.signs(key).tolist() == [-1, -1, -1, 1, 1, -1, 1]
    assert held.order == [0, 4, 1, 5, 3, 6, 2]
    scores = held.scores(np.arange(len(held.inputs)) % 10).tolist()
    assert scores == [0, 4001792, 4516906, 4547870, -12321113, 3985664, -3865545]


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    """Root, digest, signs and regions are those that were saved; the file is for the owner alone."""
    path = tmp_path / "tilt.npz"
    save_tilt(tilt(), path)
    read = load_tilt(path)
    assert (read.root, read.sha256) == (tilt().root, tilt().sha256)
    assert (read.signs(KEY) == tilt().signs(KEY)).all()
    assert (read.regions.directions == tilt().regions.directions).all()
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    """200 single bytes changed anywhere in the file: each is refused, none is read."""
    path = tmp_path / "tilt.npz"
    save_tilt(small(), path)
    content = path.read_bytes()
    random = np.random.default_rng(1)
    for at in random.integers(0, len(content), 200):
        changed = bytearray(content)
        changed[at] ^= int(random.integers(1, 256))
        path.write_bytes(changed)
        with pytest.raises(EdgewmError):
            load_tilt(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """A trigger file, a text and a zip are named as what they are not."""
    path = tmp_path / "other.npz"
    path.write_text("tilt")
    with pytest.raises(BadInput, match="edgewm tilt make"):
        load_tilt(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inputs.npy", b"")
    with pytest.raises(DoesNotCheck):
        load_tilt(path)


BROKEN: dict[str, dict[str, Any]] = {
    "a pair the wrong way round": {"pairs": np.array([[1, 0], [0, 2], [1, 2]], np.int32)},
    "a class that is not there": {"pairs": np.array([[0, 1], [0, 2], [1, 3]], np.int32)},
    "an empty cell": {"cell_ids": np.array([0, 1, 1, 0, 1, 1], np.int32)},
    "a weight below 0": {"weights": np.array([1, 2, 3, 4, 5, -6], np.int16)},
    "an expected value beyond 1": {"expected": np.array([0, 0, 0, 0, 0, ONE + 1], np.int16)},
    "NaN": {"inputs": np.full((6, 1), np.nan, np.float32)},
    "a short salt": {"salt": b"s"},
    "one class": {"classes": 1},
    "too few weights": {"weights": np.ones(5, np.int16)},
}


@pytest.mark.parametrize("changed", BROKEN.values(), ids=BROKEN)
def test_facts_that_do_not_fit_are_refused(changed: dict[str, Any]) -> None:
    """In one line, when they are committed to and when they are read."""
    with pytest.raises(BadInput, match=r"tilt|inputs"):
        small(**changed)


@pytest.mark.parametrize(
    "children",
    [np.array([[0, -1]]), np.array([[5, -1]]), np.array([[-9, -1]])],
    ids=["to itself", "beyond", "to no cell"],
)
def test_trees_that_lead_nowhere_are_refused(children: np.ndarray) -> None:
    """A forged tree must not run for ever or beyond an array."""
    forged = dataclasses.replace(
        regions(),
        directions=np.zeros((1, 1), np.float32),
        thresholds=np.zeros(1, np.float32),
        children=children.astype(np.int32),
    )
    with pytest.raises(BadInput, match="nowhere"):
        small(regions=forged)


def test_probabilities_and_logits_make_the_same_tilt() -> None:
    """A reference may end in softmax or not."""

    def softmax(inputs: np.ndarray) -> np.ndarray:
        shares = np.exp(linear_reference(inputs))
        return shares / shares.sum(axis=1, keepdims=True)

    natural = task(6000, seed=5)[0]
    made = make_tilt(
        KEY,
        reference=[softmax, linear_reference],
        natural=natural,
        cells=32,
        questions=800,
        random=lambda count: b"s" * count,
    )
    assert (made.expected == tilt().expected).all()
    assert (made.cell_ids == tilt().cell_ids).all()


def test_a_single_output_counts_as_two_classes() -> None:
    """A sigmoid p is the probabilities 1 - p and p, a logit z is 0 and z."""
    assert logits_of(np.array([[0.5]])).argmax() == 0
    assert np.diff(logits_of(np.array([[0.9]])))[0, 0] == pytest.approx(np.log(9), rel=1e-6)
    assert logits_of(np.array([[-3.0], [2.0]])).tolist() == [[0.0, -3.0], [0.0, 2.0]]


def test_expected_values_are_near_those_of_a_normal_spread() -> None:
    """Within 0.04 of 2 Phi(x / 1.36) - 1, odd, and never beyond 1."""
    from math import erf

    leads = np.linspace(-6, 6, 241)
    exact = np.array([erf(x / 1.36 / 2**0.5) for x in leads])
    assert np.abs(expected_of(leads) - exact).max() < 0.04
    assert (expected_of(-leads) == -expected_of(leads)).all()


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"natural": np.zeros((0, 8, 8, 1), np.float32)}, "natural"),
        ({"natural": np.full((500, 8, 8, 1), np.nan, np.float32)}, "natural"),
        ({"natural": task(50, seed=1)[0]}, "natural"),
        ({"cells": 0}, "cells"),
        ({"questions": 40}, "questions"),
        ({"reference": []}, "references"),
        ({"reference": lambda inputs: inputs[:, 0, 0]}, "cells"),
        ({"reference": lambda inputs: np.full((len(inputs), 3), np.nan)}, "reference"),
    ],
    ids=[
        "empty",
        "nan",
        "few",
        "no cells",
        "few questions",
        "no reference",
        "one logit",
        "nan out",
    ],
)
def test_what_cannot_become_a_tilt_is_refused(changed: dict[str, Any], word: str) -> None:
    """In one line that names the argument."""
    settings = {
        "reference": linear_reference,
        "natural": task(500, seed=1)[0],
        "cells": 32,
        "questions": 400,
    }
    if word == "cells" and "reference" in changed:  # two classes, one pair: fewer cells than asked
        settings["natural"] = np.zeros((500, 8, 8, 1), np.float32)
    with pytest.raises(BadInput, match=word):
        make_tilt(KEY, **(settings | changed))


def test_innocents_lean_no_way() -> None:
    """z of 40 innocents under one key has about mean 0 and never reaches 4."""
    signs = tilt().signs(KEY)
    found = []
    for seed in range(40):
        scores = tilt().scores(innocent_labels(tilt(), seed)).astype(float)
        found.append((scores @ signs) / np.sqrt((scores**2).sum()))
    assert abs(np.mean(found)) < 1.0  # they share the signs, so their mean varies as one does
    assert np.abs(found).max() < 4


def _key(number: int) -> Any:
    from edgewm.key import Key

    return Key(secret=bytes([number]) * 32)
