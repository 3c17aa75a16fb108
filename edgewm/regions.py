"""Where a tilt leans: cells of ordinary inputs, told from a reference network and the inputs themselves.

A cell is a pair of classes (the reference's first two choices for an input, in ascending order) and a
region of the inputs of that pair. Regions are the leaves of a k-d tree (Bentley 1975) over leading
principal components: each node halves the most undecided inputs of its pair across the component along
which they spread widest, so that all cells hold about as many questions and weigh about alike.

Components are those of the inputs, not of the reference's features: measured, a network takes in a lean
on features less than half as well (near its last layer the differences within a pair are gone), and
none on cells that follow no visible direction. Nothing here knows a key; what is made is stored with the
mark and never made again, so a library that computes other last digits breaks nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int32]

NOWHERE = np.int32(-(2**31))
"""In `Regions.roots` and in cell numbers' place: inputs of such a pair belong to no cell."""

_COMPONENTS = 24
"""Of all inputs; what networks tell apart early lies in these."""
_OF_A_PAIR = 6
"""Of the inputs of one pair, among the components above."""
_SAMPLE = 2000
_SMALLEST = 0.6
"""Of a cell's share of questions; a pair with fewer gets no cell."""


@dataclass(frozen=True, kw_only=True)
class Regions:
    """Trees over flattened inputs of d numbers; a child below 0 is the leaf -1 - cell."""

    roots: Whole = field(repr=False)
    """(K, K), filled for a < b: the pair's first node, or its only leaf, or `NOWHERE`."""
    directions: Floats = field(repr=False)
    """(nodes, d)."""
    thresholds: Floats = field(repr=False)
    """(nodes,): an input goes to the first child where directions @ input is at most this."""
    children: Whole = field(repr=False)
    """(nodes, 2)."""

    @property
    def depth(self) -> int:
        """Nodes on the longest way from a root to a leaf."""
        below = np.zeros(len(self.children) + 1, np.int64)  # the last stands for every leaf
        for node in reversed(range(len(self.children))):  # children come after their parents
            below[node] = 1 + max(below[max(int(child), -1)] for child in self.children[node])
        return int(max(below[np.maximum(self.roots, -1)].max(initial=0), 0))

    def cells_of(self, inputs: Floats, pairs: Whole) -> Whole:
        """The cell of each input, int32 (n,), -1 for none.

        Args:
            inputs: (n, *shape), as the reference takes them.
            pairs: (n, 2), two classes each, ascending.
        """
        flat = inputs.reshape(len(inputs), -1)
        at = self.roots[pairs[:, 0], pairs[:, 1]].copy()
        for _ in range(self.depth):
            inside = np.flatnonzero(at >= 0)
            node = at[inside]
            over = np.einsum("nd,nd->n", self.directions[node], flat[inside])
            at[inside] = self.children[node, (over > self.thresholds[node]).astype(np.int64)]
        return np.where(at == NOWHERE, -1, -1 - at).astype(np.int32)


def pairs_of(logits: npt.NDArray[np.float64]) -> tuple[Whole, npt.NDArray[np.float64]]:
    """The two likeliest classes of each input, ascending (n, 2), and the first's lead over the second.

    The lead is logit a - logit b of the pair (a, b), (n,): above zero where a is likelier.
    """
    first_two = np.sort(np.argsort(-logits, axis=1, kind="stable")[:, :2], axis=1)
    rows = np.arange(len(logits))
    leads = logits[rows, first_two[:, 0]] - logits[rows, first_two[:, 1]]
    return first_two.astype(np.int32), leads


def grow(
    natural: Floats, asked: npt.NDArray[np.intp], pairs: Whole, *, classes: int, cells: int
) -> Regions:
    """Regions with about `cells` cells, of which each holds about as many of the asked inputs.

    Args:
        natural: (n, *shape), for the components of all inputs.
        asked: (q,) indices of the questions, whose pairs and places the trees divide.
        pairs: (n, 2), as `pairs_of` gives them.
        classes: K.
        cells: how many to aim at; pairs with too few questions are left out.
    """
    flat = natural.reshape(len(natural), -1)
    basis = _components(flat[:: max(1, len(flat) // _SAMPLE)], _COMPONENTS)
    share = len(asked) / cells
    roots = np.full((classes, classes), NOWHERE, np.int32)
    tree = _Tree(directions=[], thresholds=[], children=[])
    for a, b in _with_questions(pairs[asked], least=share * _SMALLEST):
        members = asked[(pairs[asked] == (a, b)).all(axis=1)]
        places = (flat[members] @ basis.T).astype(np.float64)
        own = _components(places, _OF_A_PAIR)
        leaves = max(1, round(len(members) / share))
        roots[a, b] = tree.divide(places @ own.T, own @ basis, leaves)
    return Regions(
        roots=roots,
        directions=np.array(tree.directions, np.float32).reshape(-1, flat.shape[1]),
        thresholds=np.array(tree.thresholds, np.float32),
        children=np.array(tree.children, np.int32).reshape(-1, 2),
    )


@dataclass(kw_only=True)
class _Tree:
    """Nodes as they grow, parents before children."""

    directions: list[npt.NDArray[np.float64]]
    thresholds: list[float]
    children: list[list[int]]
    leaves: int = 0

    def divide(
        self, places: npt.NDArray[np.float64], axes: npt.NDArray[np.float64], leaves: int
    ) -> int:
        """The node over these places (n, axes), or the leaf where they are not divided further."""
        if leaves <= 1 or len(axes) == 0:
            return self._leaf()
        widest = int(np.argmax(places.std(axis=0)))
        first = leaves // 2
        threshold = float(np.quantile(places[:, widest], first / leaves))
        low = places[:, widest] <= threshold
        if low.all():
            return self._leaf()
        node = len(self.thresholds)
        self.directions.append(axes[widest])
        self.thresholds.append(threshold)
        self.children.append([0, 0])
        self.children[node] = [
            self.divide(places[low], axes, first),
            self.divide(places[~low], axes, leaves - first),
        ]
        return node

    def _leaf(self) -> int:
        self.leaves += 1
        return -self.leaves


def _with_questions(pairs: Whole, *, least: float) -> Iterator[tuple[int, int]]:
    """The pairs that at least so many questions have, in ascending order."""
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    for (a, b), count in zip(found.tolist(), counts.tolist(), strict=True):
        if count >= least:
            yield a, b


def _components(places: npt.NDArray[np.floating[Any]], count: int) -> npt.NDArray[np.float64]:
    """The leading principal components of places (n, d), (count or fewer, d), widest first."""
    centred = places.astype(np.float64) - places.mean(axis=0, dtype=np.float64)
    if centred.shape[0] < centred.shape[1]:  # the smaller of the two matrices has the same spectrum
        widths, mixtures = np.linalg.eigh(centred @ centred.T)
        kept = [k for k in np.argsort(-widths)[:count] if widths[k] > 1e-9 * max(widths[-1], 1e-30)]
        rows = mixtures[:, kept].T @ centred
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    widths, vectors = np.linalg.eigh(centred.T @ centred)
    kept = [k for k in np.argsort(-widths)[:count] if widths[k] > 1e-9 * max(widths[-1], 1e-30)]
    return np.asarray(vectors[:, kept].T)
