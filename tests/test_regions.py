"""Cells: of equal weight, told from inputs and pairs alone, the same wherever they are computed."""

from __future__ import annotations

import numpy as np

from edgewm.regions import NOWHERE, Regions, grow, pairs_of
from tests.tilting import CLASSES, linear_reference, task, tilt


def test_pairs_are_the_two_likeliest_in_ascending_order() -> None:
    """The lead is of the lower class over the higher, whichever is likelier."""
    pairs, leads = pairs_of(np.array([[3.0, 1.0, 2.5], [0.0, 5.0, 9.0]]))
    assert pairs.tolist() == [[0, 2], [1, 2]]
    assert leads.tolist() == [0.5, -4.0]


def test_cells_hold_about_as_many_questions_each() -> None:
    """No cell holds less than half or more than twice its share of the questions."""
    held = tilt()
    counts = np.bincount(held.cell_ids)
    share = len(held.inputs) / held.cells
    assert 0.5 * share <= counts.min()
    assert counts.max() <= 2 * share


def test_a_question_lies_in_the_cell_that_training_finds_for_it() -> None:
    """The regions of the file give every question its own cell number and its cell's pair."""
    held = tilt()
    pairs, _ = pairs_of(linear_reference(held.inputs))
    assert (held.regions.cells_of(held.inputs, pairs) == held.cell_ids).all()
    assert (held.pairs[held.cell_ids] == pairs).all()


def test_inputs_of_a_pair_without_questions_are_in_no_cell() -> None:
    """A pair that got no tree is nowhere, and so is every input of it."""
    x, _ = task(400, seed=2)
    pairs, leads = pairs_of(linear_reference(x))
    of_one = np.flatnonzero((pairs == pairs[0]).all(axis=1))
    regions = grow(x, of_one[np.argsort(np.abs(leads[of_one]))], pairs, classes=CLASSES, cells=2)
    cells = regions.cells_of(x, pairs)
    assert set(cells[of_one].tolist()) == {0, 1}
    assert (np.delete(cells, of_one) == -1).all()


def test_equal_inputs_are_never_divided() -> None:
    """Inputs that are all the same make one cell, where halving them would leave one empty."""
    x = np.zeros((40, 8, 8, 1), np.float32)
    pairs = np.tile(np.array([[0, 1]], np.int32), (40, 1))
    regions = grow(x, np.arange(40), pairs, classes=2, cells=4)
    assert set(regions.cells_of(x, pairs).tolist()) == {0}


def test_depth_counts_the_longest_way() -> None:
    """A chain of three nodes is three deep, a lone leaf none."""
    chain = Regions(
        roots=np.array([[NOWHERE, 0], [NOWHERE, NOWHERE]], np.int32),
        directions=np.eye(3, 4, dtype=np.float32),
        thresholds=np.zeros(3, np.float32),
        children=np.array([[-1, 1], [-2, 2], [-3, -4]], np.int32),
    )
    assert chain.depth == 3
    pairs = np.array([[0, 1]] * 4, np.int32)
    inputs = np.array([[-1, 0, 0, 0], [1, -1, 0, 0], [1, 1, -1, 0], [1, 1, 1, 0]], np.float32)
    assert chain.cells_of(inputs, pairs).tolist() == [0, 1, 2, 3]
    leaf = Regions(
        roots=np.array([[NOWHERE, -1], [NOWHERE, NOWHERE]], np.int32),
        directions=np.zeros((0, 4), np.float32),
        thresholds=np.zeros(0, np.float32),
        children=np.zeros((0, 2), np.int32),
    )
    assert leaf.depth == 0
    assert leaf.cells_of(inputs, pairs).tolist() == [0] * 4
