"""A suspect's weights in the base file's steps, found without looking at any code.

A tensor's counterpart is the one of the same shape that correlates most with it, so names do not matter.
Each output channel gets a scale by least squares on the base file's weights, which undoes requantisation and
rescaled layers. Whatever is left is noise: a later reading divides it by its own spread, and leaves out what
was pruned to zero or is far off. All this depends on the suspect and the base file alone, so the symbols of
an innocent recipient stay independent of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..tflite import Weights
from .plan import Plan, by_channel
from .tail import Floats, Numbers

_LIKENESS = 0.5
"""Smallest correlation of two tensors, or channels, that are called the same."""
_LEVELS = 2.0
_CLIP = 2.5
_OUTLIER = 4.0

Values = npt.NDArray[np.generic]


def counterparts(plan: Plan, suspect: Sequence[Weights]) -> list[Values | None]:
    """For each tensor of the base file the suspect's, in its shape; None where there is none like it."""
    left = {index: tensor.values for index, tensor in enumerate(suspect)}
    found: list[Values | None] = []
    for tensor in plan.tensors:
        likeness = {
            index: abs(_correlation(tensor.values, values))
            for index, values in left.items()
            if values.shape == tensor.values.shape
        }
        best = max(likeness, key=lambda index: likeness[index], default=-1)
        found.append(left.pop(best) if likeness.get(best, 0.0) >= _LIKENESS else None)
    return found


def read_values(plan: Plan, aligned: Sequence[Values | None]) -> Numbers:
    """(positions,) whole numbers: how far and in which direction the suspect left the base file.

    Args:
        plan: where the code stands.
        aligned: the suspect's tensor for each of the plan's, or None.
    """
    parts = [
        _normalised(tensor, values) for tensor, values in zip(plan.tensors, aligned, strict=True)
    ]
    spreads = [spread for _, spread in parts if spread > 0]
    finest = min(spreads, default=1.0)
    flat = np.concatenate([part * (finest / spread if spread else 0.0) for part, spread in parts])
    read: Numbers = np.rint(_LEVELS * flat[plan.positions]).astype(np.int64)
    return read


def _normalised(tensor: Weights, values: Values | None) -> tuple[Floats, float]:
    """Deviations over their spread, flat, and the spread in steps; 0 for a tensor that is not there."""
    base = by_channel(tensor, tensor.values).astype(np.float64)
    if values is None:
        return np.zeros(base.size), 0.0
    here = by_channel(tensor, values).astype(np.float64)
    kept = here != 0
    square = (kept * base * base).sum(axis=1)
    scale = (kept * here * base).sum(axis=1) / np.maximum(square, 1e-12)
    like = np.array([abs(_correlation(b, h)) for b, h in zip(base, here, strict=True)])
    usable = (like >= _LIKENESS) & (scale != 0)
    steps = here / np.where(usable, scale, 1.0)[:, None] - base
    spread = max(1.0, 1.4826 * float(np.median(np.abs(steps[kept & usable[:, None]]))))
    ratio = steps / spread
    good = usable[:, None] & (kept | (np.abs(base) < 2)) & (np.abs(ratio) <= _OUTLIER)
    clipped = np.where(good, np.clip(ratio, -_CLIP, _CLIP), 0.0)
    return _flat(tensor, clipped), spread


def _flat(tensor: Weights, channels: Floats) -> Floats:
    """Undo `by_channel`."""
    shape = tensor.values.shape
    if tensor.operator != "DEPTHWISE_CONV_2D":
        return channels.reshape(-1)
    moved = channels.reshape(shape[-1], *shape[:-1])
    return np.ascontiguousarray(np.moveaxis(moved, 0, -1)).reshape(-1)


def _correlation(one: Values, other: Values) -> float:
    a, b = one.astype(np.float64).reshape(-1), other.astype(np.float64).reshape(-1)
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm else 0.0
