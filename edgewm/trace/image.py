"""A suspect's weights where only an image is left: code generators strip the model and keep the kernels.

Copies differ from the base file by steps of one, so no window of bytes is equal, but the correlation of a
kernel with the bytes at its place is near one. For every layout that `weight_layouts` knows, a stretch of the
kernel is correlated with the whole image by Fourier transform, and the best place is kept when the whole
kernel there is alike. Which place and layout is found depends on the base file and the image alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..tflite import Weights
from ..weight_layouts import orders_of
from .align import Values
from .plan import Plan
from .tail import Floats

_LIKENESS = 0.9
_STRETCH = 1024
"""Bytes of a kernel that are looked for; long ones name their place beyond doubt."""
_FEWEST = 512
"""Smaller kernels are left out: their places are not certain, and they carry little."""


def counterparts(plan: Plan, held: bytes) -> list[Values | None]:
    """For each tensor of the base file its values in the image, in its shape; None where it is not there."""
    body = np.frombuffer(held, np.int8).astype(np.float32)
    if len(body) < _FEWEST:
        return [None] * len(plan.tensors)
    size = 1 << int(np.ceil(np.log2(len(body) + _STRETCH)))
    turned = np.fft.rfft(body, size)
    squares = np.concatenate([[0.0], np.cumsum(body.astype(np.float64) ** 2)])
    return [_found(tensor, body, turned, squares, size) for tensor in plan.tensors]


def _found(
    tensor: Weights,
    body: npt.NDArray[np.float32],
    turned: npt.NDArray[np.complex128],
    squares: Floats,
    size: int,
) -> Values | None:
    if tensor.values.size < _FEWEST:
        return None
    flat = tensor.values.reshape(-1).astype(np.float32)
    for _, order in orders_of(tensor):
        known = order >= 0
        line = np.where(known, flat[order], np.float32(0))
        room = len(body) - len(line)
        if room < 0:
            continue
        stretch = line[:_STRETCH]
        match = np.fft.irfft(turned * np.conj(np.fft.rfft(stretch, size)), size)[: room + 1]
        energy = squares[len(stretch) : len(stretch) + room + 1] - squares[: room + 1]
        place = int(np.argmax(match / np.sqrt(np.maximum(energy, 1.0))))
        here = body[place : place + len(line)]
        if _alike(line[known], here[known]) >= _LIKENESS:
            values = np.zeros(tensor.values.size, np.int8)
            values[order[known]] = here[known].astype(np.int8)
            return values.reshape(tensor.values.shape)
    return None


def _alike(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm else 0.0
