"""Which weights carry the code: those whose change costs least, thinned by the key.

A step of one in a weight of an output channel adds noise to that channel; its power relative to the
channel's own output is E[x_i^2] / sum_j w_j^2 E[x_j^2], where x are the channel's inputs. With calibration
data the moments are measured, without it they are taken as equal. Twice as many weights as are needed are
kept as candidates, the cheapest; the key picks among them, so that nobody else knows the positions. A plan is
a function of the base file, the key and the calibration data, never of a recipient.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..content import of_bytes
from ..errors import BadInput
from ..flatbuffer import NotFlatbuffer
from ..key import Key
from ..tflite import Weights, read_tflite, weights_of
from . import code
from .tail import Floats, Numbers

FEWEST, MOST = 1024, 8192
"""Positions: with fewer, a copy that was worked on names nobody; with more, accuracy begins to move."""
_SHARE = 4
"""One in so many of the weights that may carry a symbol does; one in two of them is a candidate."""
_KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_SMALLEST, _LARGEST = 2, 126
"""Sizes of weights that may carry a symbol: a step neither changes a sign nor leaves the range."""

Moments = Mapping[str, npt.NDArray[np.float64]]
"""Name of a weight tensor, and the mean square of each of its input channels."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where the code of every copy of one base file stands."""

    base_sha256: str
    tensors: tuple[Weights, ...] = field(repr=False)
    """The base file's kernels, in the order of the file."""
    positions: Numbers = field(repr=False)
    """(m,) sorted, counted through all the tensors one behind the other."""
    biased: Numbers = field(repr=False)
    """(m,) which bias each position has."""
    name: str
    """Hex digest of base file and positions: what copies and records name."""

    @property
    def starts(self) -> Numbers:
        """(tensors + 1,) where each tensor begins in the count of positions."""
        return np.cumsum([0, *(tensor.values.size for tensor in self.tensors)])


def make_plan(model: bytes, key: Key, *, moments: Moments | None = None) -> Plan:
    """The plan of a base file under a key.

    Raises:
        BadInput: not a .tflite file, or too few int8 weights in it.
    """
    tensors = kernels_of(model)
    cost = np.concatenate([_costs(tensor, moments) for tensor in tensors] or [np.zeros(0)])
    eligible = np.flatnonzero(np.isfinite(cost))
    wanted = min(MOST, len(eligible) // _SHARE)
    if wanted < FEWEST:
        raise BadInput(
            f"MODEL: got {len(eligible)} int8 weights that can carry a trace, expected "
            f"{_SHARE * FEWEST} or more"
        )
    sha256 = hashlib.sha256(model).hexdigest()
    cheapest = eligible[np.argsort(cost[eligible], kind="stable")[: 2 * wanted]]
    drawn = np.frombuffer(key.stream(f"trace positions {sha256}", 8 * len(cheapest)), "<u8")
    positions = np.sort(cheapest[np.argsort(drawn, kind="stable")[:wanted]])
    name = hashlib.sha256(sha256.encode() + positions.astype("<i8").tobytes()).hexdigest()
    return Plan(
        base_sha256=sha256,
        tensors=tensors,
        positions=positions,
        biased=code.biases(key, name, wanted),
        name=name,
    )


def kernels_of(model: bytes) -> tuple[Weights, ...]:
    """The int8 kernels of convolutions and dense layers.

    Raises:
        BadInput: not a .tflite file.
    """
    try:
        found = weights_of(read_tflite(of_bytes(model)))
    except NotFlatbuffer as error:
        raise BadInput(f"MODEL: no TensorFlow Lite model: {error}") from None
    return tuple(w for w in found if w.operator in _KERNELS and w.values.ndim >= 2)


def by_channel(tensor: Weights, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """`values` in the tensor's shape as (channels, rest); a depthwise kernel's channels are its last axis."""
    axis = tensor.values.ndim - 1 if tensor.operator == "DEPTHWISE_CONV_2D" else 0
    moved = np.moveaxis(values.reshape(tensor.values.shape), axis, 0)
    return moved.reshape(len(moved), -1)


def _costs(tensor: Weights, moments: Moments | None) -> Floats:
    """Relative noise of one step in each weight, flat; infinite where it may carry nothing."""
    values = tensor.values.astype(np.float64)
    square = np.ones(values.shape)
    measured = None if moments is None else moments.get(tensor.name)
    if measured is not None and len(measured) == values.shape[-1]:
        square = np.broadcast_to(measured, values.shape)
    channels = by_channel(tensor, values * values * square).sum(axis=1)
    whole = np.maximum(channels, 1e-12)
    axis = values.ndim - 1 if tensor.operator == "DEPTHWISE_CONV_2D" else 0
    shape = [1] * values.ndim
    shape[axis] = len(whole)
    cost = square / whole.reshape(shape)
    size = np.abs(values)
    return np.where((size >= _SMALLEST) & (size <= _LARGEST), cost, np.inf).reshape(-1)
