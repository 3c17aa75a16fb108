"""Which ordinary inputs a tilt asks about: those that clean networks can hardly decide, in cells.

Tipping an input that is nearly undecided costs almost no accuracy, since the network is wrong about it
as often as not, and shows in its label; tipping a clear one shows nothing. So the most undecided of the
owner's natural inputs are the questions, and what is left of their lead is what a network without the
mark is expected to say. Several references, averaged, are better than one: their disagreement is what a
clone's own training will do to each input anyway. Everything here is key-free, done before the salt is
drawn, and stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import BadInput
from .key import Key
from .regions import grow, pairs_of
from .tilt import ONE, Tilt, commit_tilt

Inputs = npt.NDArray[np.float32]
Outputs = npt.NDArray[np.floating[Any]]
Reference = Callable[[Inputs], Outputs]
"""A network: inputs (n, *shape) in, its outputs (n, K) out, probabilities or logits."""

SPREAD = 1.36
"""Standard deviation of the difference between the leads that two trainings give one undecided input,
in logits; measured on a DS-CNN with Fashion-MNIST, about the same for all leads below 3."""
_HEAVIEST = 256


def make_tilt(
    key: Key,
    *,
    reference: Reference | Any | Sequence[Reference | Any],
    natural: Inputs,
    cells: int = 128,
    questions: int = 4000,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Tilt:
    """Choose questions and cells among natural inputs, and commit to them.

    Args:
        key: draws the signs.
        reference: one or several clean networks of the task (Keras models, or functions from inputs to
            outputs). They must be made without this key; the owner's own network before it is marked is
            what works best.
        natural: (n, *shape) ordinary inputs in the range that the model takes, best not trained on.
        cells: how many signs to draw; evidence cannot exceed that many bits.
        questions: how many inputs to ask at most.
        random: the source of the salt.

    Raises:
        BadInput: inputs or outputs that cannot be used, or too few undecided inputs for the cells.
    """
    references = list(reference) if isinstance(reference, list | tuple) else [reference]
    if natural.ndim < 2 or len(natural) == 0 or not np.isfinite(natural).all():
        raise BadInput(
            f"natural: got an array of {natural.shape}, expected finite numbers (n, *shape)"
        )
    if not references or cells < 1 or questions < 2 * cells:
        raise BadInput(
            f"tilt: got {len(references)} references, {cells} cells and {questions} questions, "
            "expected a reference, a cell or more and twice as many questions as cells"
        )
    natural = np.ascontiguousarray(natural, np.float32)
    logits = np.mean([logits_of(_outputs(one, natural)) for one in references], axis=0)
    pairs, leads = pairs_of(logits)
    asked = np.argsort(np.abs(leads), kind="stable")[:questions]
    if len(asked) < 2 * cells:
        raise BadInput(
            f"natural: got {len(natural)} inputs, expected {2 * cells} or more for {cells} cells"
        )
    classes = int(logits.shape[1])
    regions = grow(natural, asked, pairs, classes=classes, cells=cells)
    found = regions.cells_of(natural[asked], pairs[asked])
    asked, found = asked[found >= 0], found[found >= 0]
    used, ids = np.unique(found, return_inverse=True)
    if len(used) < max(1, cells // 2) or len(used) != int(found.max(initial=0)) + 1:
        raise BadInput(
            f"natural: their undecided inputs fill {len(used)} cells, expected about {cells}; "
            "give more inputs or ask for fewer cells"
        )
    first = np.full(len(used), -1)
    first[ids[::-1]] = np.arange(len(ids))[::-1]
    return commit_tilt(
        key,
        natural[asked],
        ids.astype(np.int32),
        pairs=pairs[asked][first],
        weights=np.rint(_HEAVIEST * np.exp(-((leads[asked] / SPREAD) ** 2) / 2)).astype(np.int16),
        expected=np.rint(ONE * expected_of(leads[asked])).astype(np.int16),
        classes=classes,
        regions=regions,
        salt=random(32),
        provenance={
            "natural": len(natural),
            "references": len(references),
            "spread": SPREAD,
            "widest_lead": round(float(np.abs(leads[asked]).max()), 3),
        },
    )


def logits_of(outputs: Outputs) -> npt.NDArray[np.float64]:
    """Logits (n, K) of outputs that are probabilities or logits, K = 2 for a single output (n, 1).

    Raises:
        BadInput: outputs of another form.
    """
    values = np.asarray(outputs, np.float64)
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise BadInput(f"reference: got outputs {values.shape}, expected one finite row an input")
    if probabilities(values):
        least = np.finfo(np.float32).tiny
        if values.shape[1] == 1:
            values = np.concatenate([1.0 - values, values], axis=1)
        values = np.log(np.maximum(values, least))
    elif values.shape[1] == 1:
        values = np.pad(values, ((0, 0), (1, 0)))
    return values


def probabilities(outputs: Outputs) -> bool:
    """Whether rows of outputs (n, K) can only be meant as probabilities."""
    shares = bool((outputs >= 0).all() and (outputs <= 1).all())
    whole = outputs.shape[1] == 1 or bool(np.allclose(outputs.sum(axis=1), 1.0, atol=1e-2))
    return shares and whole


def expected_of(leads: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """P(a) - P(b) that a network of another training gives an input of this lead, (n,).

    The lead of another training is normal around this one with `SPREAD`; tanh(0.8 x / spread) is within
    0.04 of 2 Phi(x / spread) - 1.
    """
    share: npt.NDArray[np.float64] = np.tanh(0.8 * leads / SPREAD)
    return share


def _outputs(reference: Reference | Any, natural: Inputs) -> Outputs:
    if hasattr(reference, "predict"):
        return np.asarray(reference.predict(natural, batch_size=256, verbose=0))
    return np.asarray(reference(natural))
