"""What a suspect's output rows say beyond their labels, as whole numbers for an exact test.

    output rows --> log shares --> levels of every class of a group      `edgewm.drawn_sum`
                               --> a score for every cell of a tilt      `edgewm.signed_sum`

A thief who trains on, prunes or rounds to 4 bits moves all scores; what that does to a class in
general, or to a pair of classes, is measured on the suspect's own rows and taken out. Answers and signs
have no part in it, so that p is exact whatever is done here; the constants were chosen on thieves' files
of two seeds, and cost power, never correctness, where they fit badly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .drawn_sum import LARGEST_LEVEL, Levels
from .errors import BadInput, RuntimeUnavailable
from .stats import FAILED, Integers

if TYPE_CHECKING:
    from .runtimes.contract import Answers, ModelFacts
    from .tilt import Tilt

Shares = npt.NDArray[np.float64]

SMALLEST_SHARE = 1 / 512
"""Half a step of an int8 softmax: below, an output says nothing."""
_LOWEST, _HIGHEST = -3.0, 4.0
"""Standard deviations between which a class's score is told apart."""
_COMMON = 0.2
"""Of the spread over all classes, added to each class's own: one that hardly moves must not shout."""
_PULL = 10.0
"""Inputs of full weight by which a pair's own line is drawn to the line of all."""
_SCALE = 1 << 10


def said_by(answers: Answers, facts: ModelFacts | None) -> Shares:
    """`log_shares` of what a runtime answered, (n, K), NaN where a question failed.

    Raises:
        RuntimeUnavailable: it gave labels only.
    """
    if answers.outputs is None:
        raise RuntimeUnavailable(
            "--scores: got labels only, expected a runtime that gives the model's output values"
        )
    values = answers.outputs.astype(np.float64)
    if values.shape[1] == 0:
        return values
    if facts is not None:
        values = facts.outputs[0].real(values)
    values[answers.labels == FAILED] = np.nan
    return log_shares(values)


def log_shares(values: npt.NDArray[np.floating[Any]]) -> Shares:
    """ln(share + 1/512) of every class, (n, K), NaN in a row that says nothing.

    Values (n, K) that can only be probabilities are taken as such, others as logits; a single output
    (n, 1) as two classes.
    """
    real = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    logs: Shares = np.log(_shares(real) + SMALLEST_SHARE)
    return logs


def _shares(real: Shares) -> Shares:
    classes = real.shape[1]
    known = real[~np.isnan(real).any(axis=1)]
    inside = bool(((known >= 0) & (known <= 1)).all())
    if classes == 1:
        first = real if inside else 0.5 * (1 + np.tanh(real / 2))
        return np.concatenate([1 - first, first], axis=1)
    # every class of an int8 softmax is rounded by up to half a step
    if inside and bool((np.abs(known.sum(axis=1) - 1) <= 0.01 + classes / 512).all()):
        return real
    grown = np.exp(real - real.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def levels(
    logs: Shares, group_ids: Integers, *, groups: int
) -> tuple[Levels, npt.NDArray[np.bool_]]:
    """Levels 0 to 63 of every class for every group, (m, K), and which groups failed, (m,).

    A group's row is the mean over its inputs; a class's column is measured in its own standard
    deviations around its own mean, over the groups that answered: a suspect that gives everything to one
    class gives it to no group in particular.

    Args:
        logs: (q, K) as `log_shares` gives them, in the order of `group_ids`; NaN fails a group.
        group_ids: (n,), q <= n: inputs that were not asked fail their group.
    """
    ids = np.asarray(group_ids)
    filled = np.full((len(ids), logs.shape[1]), np.nan)
    filled[: len(logs)] = logs
    sums = np.zeros((groups, logs.shape[1]))
    np.add.at(sums, ids, filled)
    means = sums / np.bincount(ids, minlength=groups)[:, None]
    failed: npt.NDArray[np.bool_] = np.isnan(means).any(axis=1)
    spoke = means[~failed]
    found = np.zeros(means.shape, np.int64)
    if len(spoke):
        spread = spoke.std(axis=0) + _COMMON * spoke.std()
        apart = (spoke - spoke.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        share = (np.clip(apart, _LOWEST, _HIGHEST) - _LOWEST) / (_HIGHEST - _LOWEST)
        found[~failed] = np.rint(LARGEST_LEVEL * share)
    return found, failed


def cell_scores(tilt: Tilt, logs: Shares) -> npt.NDArray[np.int64]:
    """A_c of every cell, (C,), from how far each input leans: whole numbers for `signed_sum`.

    An input's lean is ln share of a minus that of b, less what the suspect's own line says for its
    pair and expected value. Each pair (a, b) has a line of its own, drawn to the line of all pairs where
    it has few inputs: training on and rounding favour classes, and that is no sign of a cell.

    Args:
        tilt: the committed cells.
        logs: (n, K) as `log_shares` gives them, in the order of the tilt's inputs; NaN adds nothing.

    Raises:
        BadInput: another number of rows than inputs.
    """
    if len(logs) != len(tilt.inputs):
        raise BadInput(f"scores: got {len(logs)} rows, expected one for each of {len(tilt.inputs)}")
    from .tilt import ONE

    pairs = tilt.pairs[tilt.cell_ids]
    at = np.arange(len(logs))
    leans = logs[at, pairs[:, 0]] - logs[at, pairs[:, 1]]
    answered = ~np.isnan(leans)
    weights = np.where(answered, tilt.weights, 0).astype(np.float64)
    heaviest = float(tilt.weights.max()) or 1.0
    leans = np.where(answered, leans, 0.0)
    design = np.stack([np.ones(len(leans)), tilt.expected / ONE], axis=1)
    common = _line(design, leans, weights / heaviest, pull=1e-6)
    left = leans - design @ common
    for pair in np.unique(pairs, axis=0):
        of_pair = (pairs == pair).all(axis=1)
        own = _line(design[of_pair], left[of_pair], weights[of_pair] / heaviest, pull=_PULL)
        left[of_pair] -= design[of_pair] @ own
    scores = np.zeros(tilt.cells)
    np.add.at(scores, tilt.cell_ids, weights * left)
    whole: npt.NDArray[np.int64] = np.rint(_SCALE * scores).astype(np.int64)
    return whole


def _line(design: Shares, values: Shares, weights: Shares, *, pull: float) -> Shares:
    """Weighted least squares, (2,), drawn to zero by `pull`."""
    weighted = design * weights[:, None]
    found: Shares = np.linalg.solve(
        weighted.T @ design + pull * np.eye(design.shape[1]), weighted.T @ values
    )
    return found
