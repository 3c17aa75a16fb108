"""The smallest change of a dense layer that gives chosen answers, where labels can turn counted most.

Let f be features with a one behind them, W the layer's rows, and D the change of W. Ordinary inputs whose
first two classes a, b are close turn their label when (D_a - D_b) f outweighs their lead, so a change costs

    cost(D) = mean over ordinary inputs of exp(-(lead / width)^2) ((D_a - D_b) f)^2 + mu mean |D f|^2

which is quadratic. It is least under the linear conditions "the answer leads every class by `margin`" where
Hildreth's method (1957) puts it, row by row of the conditions. Groups whose answer costs most are given up
while enough others are left. Rounding to int8 is Babai's nearest plane on the same cost.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .file import LastLayer

Floats = npt.NDArray[np.float64]
_WIDTH_OF_LEADS = 1 / 3
"""Of the median lead of ordinary inputs; half and double of it were no better on two MLPerf Tiny files."""
_EVERYWHERE = 0.01
"""mu: what a change of scores costs where no label can turn."""
_LEAST = 1e-5
_MOST_NUMBERS = 8000
_SWEEPS = 2000
_FEWEST = 4
"""Groups below which none is given up."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Surroundings:
    """What ordinary inputs say about a change of the layer."""

    cost: Floats = field(repr=False)
    """(K D, K D), symmetric and positive."""
    freedom: Floats = field(repr=False)
    """Its inverse."""

    def of_a_row(self, classes: int) -> Floats:
        """(D, D): the inverse's blocks on the diagonal, averaged over classes."""
        size = len(self.freedom) // classes
        blocks = self.freedom.reshape(classes, size, classes, size)
        return np.asarray(np.mean([blocks[k, :, k, :] for k in range(classes)], axis=0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Rounded:
    """A layer as it is stored."""

    weights: npt.NDArray[np.int8]
    biases: npt.NDArray[np.int32]
    weight_scales: npt.NDArray[np.float32]


def real_features(layer: LastLayer, quantised: npt.NDArray[Any]) -> Floats:
    """(n, d + 1) of int8 features (n, d): as real numbers, a one behind them."""
    values = (np.asarray(quantised, np.float64) - layer.feature_zero_point) * layer.feature_scale
    return np.concatenate([values, np.ones((len(values), 1))], axis=1)


def real_layer(layer: LastLayer) -> Floats:
    """(K, d + 1): the layer's weights as real numbers, its biases behind them."""
    scales = np.broadcast_to(layer.weight_scales.astype(np.float64), (layer.classes,))[:, None]
    biases = layer.biases[:, None] * layer.feature_scale * scales
    return np.concatenate([layer.weights * scales, biases], axis=1)


def surroundings(rows: Floats, features: Floats) -> Surroundings:
    """The cost of changing `rows` (K, D), from features of ordinary inputs (n, D).

    Raises:
        BadInput: a layer of more than 8,000 numbers.
    """
    classes, size = rows.shape
    if rows.size > _MOST_NUMBERS:
        raise BadInput(
            f"MODEL: its last layer has {rows.size} numbers, expected at most {_MOST_NUMBERS}"
        )
    scores = features @ rows.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :2]
    first, second = (np.take_along_axis(scores, order[:, k : k + 1], 1)[:, 0] for k in (0, 1))
    lead = first - second
    width = max(float(np.median(lead)) * _WIDTH_OF_LEADS, 1e-9)
    weights = np.exp(-((lead / width) ** 2))
    cost = np.kron(np.eye(classes), _EVERYWHERE * features.T @ features / len(features))
    blocks = cost.reshape(classes, size, classes, size)
    for a in range(classes):
        for b in range(classes):
            between = (order[:, 0] == a) & (order[:, 1] == b)
            if a != b and between.any():
                part = features[between] * np.sqrt(weights[between])[:, None]
                moment = part.T @ part / len(features)
                blocks[a, :, a, :] += moment
                blocks[b, :, b, :] += moment
                blocks[a, :, b, :] -= moment
                blocks[b, :, a, :] -= moment
    cost += _LEAST * np.eye(rows.size)
    return Surroundings(cost=cost, freedom=np.linalg.inv(cost))


@dataclass(frozen=True, kw_only=True, eq=False)
class Questions:
    """What the layer has to answer."""

    features: Floats = field(repr=False)
    """(m, r, D): one question a group, as r runtimes compute its features."""
    answers: npt.NDArray[np.int64]
    """(m,)."""
    natural: npt.NDArray[np.bool_]
    """(m, K): classes whose votes do not count. A group that is given up shall name one of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Conditions:
    """Linear conditions on a change, and the groups that they are of."""

    rows: Floats
    """(c, K D)."""
    least: Floats
    groups: npt.NDArray[np.int64]


def by_price(
    rows: Floats, questions: Questions, *, around: Surroundings, margin: float
) -> npt.NDArray[np.int64]:
    """Groups in the order in which they are given up, the costliest first, as the first runtime has them.

    Args:
        rows: (K, D), as they are.
        questions: what is asked, and the answers.
        around: what a change costs.
        margin: how far an answer must lead, in scores.
    """
    kept, gone = np.arange(len(questions.answers)), []
    first = replace(questions, features=questions.features[:, :1])
    while len(kept) > _FEWEST:
        conditions = _answering(rows, first, kept, np.full(len(questions.answers), margin))
        shares = _least_change(
            conditions.rows @ around.freedom @ conditions.rows.T, conditions.least
        )
        spent = shares * conditions.least
        price = np.array([spent[conditions.groups == group].sum() for group in kept])
        dearest = np.argsort(-price, kind="stable")[: max(1, len(kept) // 8)]
        gone += kept[dearest].tolist()
        kept = np.delete(kept, dearest)
    return np.array([*gone, *kept], np.int64)


def solve(
    rows: Floats,
    questions: Questions,
    kept: npt.NDArray[np.int64],
    *,
    around: Surroundings,
    margins: Floats,
) -> tuple[Floats, Floats]:
    """Changed rows (K, D) that give the answers of the groups kept, and the conditions they meet (c, K D).

    On every runtime whose features the questions hold; the other groups stay silent. `margins` (m,) are one a
    group, else as `by_price`.
    """
    parts = [_answering(rows, questions, kept, margins), _silent(rows, questions, kept, margins)]
    conditions = np.concatenate([part.rows for part in parts])
    towards = around.freedom @ conditions.T
    shares = _least_change(conditions @ towards, np.concatenate([part.least for part in parts]))
    return rows + (towards @ shares).reshape(rows.shape), conditions


def _answering(
    rows: Floats, questions: Questions, kept: npt.NDArray[np.int64], margins: Floats
) -> _Conditions:
    """Each answer leads every other class."""
    pairs = [
        (group, features, questions.answers[group], other)
        for group in kept
        for features in np.unique(questions.features[group], axis=0)
        for other in range(len(rows))
        if other != questions.answers[group]
    ]
    return _leading(rows, pairs, margins)


def _silent(
    rows: Floats, questions: Questions, kept: npt.NDArray[np.int64], margins: Floats
) -> _Conditions:
    """In the other groups, the first of the natural classes leads every class that would count."""
    pairs = []
    for group in np.setdiff1d(np.arange(len(questions.answers)), kept):
        natural = questions.natural[group]
        for features in np.unique(questions.features[group], axis=0):
            first = int(np.where(natural, rows @ features, -np.inf).argmax())
            pairs += [(group, features, first, other) for other in np.flatnonzero(~natural)]
    return _leading(rows, pairs, margins)


def _leading(
    rows: Floats, pairs: list[tuple[Any, Floats, Any, Any]], margins: Floats
) -> _Conditions:
    """Conditions from (group, features, class that leads, class that is led)."""
    made, least = np.zeros((len(pairs), *rows.shape)), np.zeros(len(pairs))
    for at, (group, features, first, other) in enumerate(pairs):
        made[at, first] += features
        made[at, other] -= features
        least[at] = margins[group] - (rows[first] - rows[other]) @ features
    groups = np.array([group for group, _, _, _ in pairs], np.int64)
    return _Conditions(rows=made.reshape(len(pairs), rows.size), least=least, groups=groups)


def _least_change(gram: Floats, least: Floats) -> Floats:
    """Multipliers (c,), none below 0, of the conditions `gram @ x >= least` (Hildreth 1957)."""
    shares, missing = np.zeros(len(least)), -least
    close = 1e-3 * max(float(np.abs(least).max()), 1e-9)
    for _ in range(_SWEEPS):
        worst = 0.0
        for k in range(len(least)):
            step = max(-shares[k], -missing[k] / gram[k, k])
            if step:
                shares[k] += step
                missing = missing + step * gram[:, k]
                worst = max(worst, abs(step) * gram[k, k])
        if worst < close:
            break
    return shares


def rounded(layer: LastLayer, changed: Floats, conditions: Floats, cost: Floats) -> Rounded:
    """The layer (K, d + 1) in int8 and int32, near `changed` where it matters.

    The scale of the weights grows where they would not fit. `conditions` are held as firmly as all else.
    """
    wide = np.abs(changed[:, :-1])
    largest = wide.max(axis=1) if len(layer.weight_scales) > 1 else wide.max(keepdims=True)[0]
    scales = np.maximum(layer.weight_scales, (largest / 127).astype(np.float32))
    steps = np.repeat(
        np.broadcast_to(scales.astype(np.float64), (layer.classes,))[:, None],
        changed.shape[1],
        axis=1,
    )
    steps[:, -1] *= layer.feature_scale
    size = steps.ravel()
    held = conditions.T @ conditions
    matrix = cost + held * (np.diag(cost).mean() / max(float(np.diag(held).mean()), 1e-12))
    highest = np.full(changed.shape, 127.0)
    highest[:, -1] = np.inf
    numbers = nearest_numbers(
        matrix * np.outer(size, size), changed.ravel() / size, highest.ravel()
    )
    table = numbers.reshape(changed.shape)
    return Rounded(
        weights=table[:, :-1].astype(np.int8),
        biases=table[:, -1].astype(np.int32),
        weight_scales=scales.astype(np.float32),
    )


def nearest_numbers(matrix: Floats, wanted: Floats, highest: Floats) -> Floats:
    """Whole numbers x (n,) up to `highest` either way for which (x - wanted) matrix (x - wanted) is small.

    Babai's nearest plane (1986), stiff directions first: what one rounding spoils, later ones mend. Then a
    descent by one step of one number each.
    """
    order = np.argsort(np.diag(matrix), kind="stable")
    upper = np.linalg.cholesky(matrix[np.ix_(order, order)]).T
    numbers, missed = np.zeros(len(wanted)), np.zeros(len(wanted))
    for row in range(len(wanted) - 1, -1, -1):
        at = order[row]
        moved = wanted[at] + upper[row, row + 1 :] @ missed[row + 1 :] / upper[row, row]
        numbers[at] = np.clip(np.rint(moved), -highest[at], highest[at])
        missed[row] = wanted[at] - numbers[at]
    pull, curve = matrix @ (numbers - wanted), np.diag(matrix)
    for _ in range(8 * len(numbers)):
        up, down = curve + 2 * pull, curve - 2 * pull
        up[numbers >= highest] = np.inf
        down[numbers <= -highest] = np.inf
        best = int(np.minimum(up, down).argmin())
        if min(up[best], down[best]) >= 0:
            break
        step = 1 if up[best] < down[best] else -1
        numbers[best] += step
        pull = pull + step * matrix[:, best]
    return numbers
