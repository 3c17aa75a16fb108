"""The orders in which code generators and inference libraries store the weights of a TFLite tensor.

Rows are output channels; TFLite keeps a convolution as OHWI, a depthwise one as 1HWC, a dense layer as OI.
A layout is bytes in a line; two names for the same bytes are one layout, the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .tflite import Weights

Bytes = npt.NDArray[np.uint8]

_PADDED_TO = (4, 8, 16)
_BLOCKS = ((2, 1), (4, 1), (2, 2), (2, 4), (4, 4), (8, 4), (4, 16))
"""Rows and columns of the blocks that dense kernels read at once."""


def layouts_of(weights: Weights) -> dict[str, Bytes]:
    """Name of each layout and the tensor's bytes in it, the stored one first."""
    found: dict[str, Bytes] = {}
    known: set[bytes] = set()
    for name, values in _all(weights):
        line = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        content = line.tobytes()
        if content not in known:
            known.add(content)
            found[name] = line
    return found


def orders_of(weights: Weights) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """Name of each layout, and which weight (counted as stored) each of its bytes is; -1 for padding."""
    numbers = np.arange(1, weights.values.size + 1).reshape(weights.values.shape)
    for name, laid in _all(replace(weights, values=numbers)):
        yield name, np.ascontiguousarray(laid).reshape(-1) - 1


def _all(weights: Weights) -> Iterator[tuple[str, npt.NDArray[np.int8]]]:
    values = weights.values
    yield "stored", values
    depthwise = weights.operator == "DEPTHWISE_CONV_2D" and values.ndim == 4
    if depthwise:
        yield "oihw", values[0].transpose(2, 0, 1)
    elif values.ndim == 4:
        for name, axes in (
            ("oihw", (0, 3, 1, 2)),
            ("hwio", (1, 2, 3, 0)),
            ("hwoi", (1, 2, 0, 3)),
            ("ihwo", (3, 1, 2, 0)),
            ("iohw", (3, 0, 1, 2)),
        ):
            yield name, values.transpose(axes)
    if values.ndim > 1:
        yield from _of_matrix(_matrix(values, depthwise=depthwise))
        for multiple in _PADDED_TO:
            yield f"padded-{multiple}", padded(values, multiple)
    for ways in (2, 4):
        if values.size % ways == 0:
            flat = values.reshape(-1)
            yield f"interleaved-{ways}", flat.reshape(ways, -1).T
            yield f"split-{ways}", flat.reshape(-1, ways).T


def _of_matrix(matrix: npt.NDArray[np.int8]) -> Iterator[tuple[str, npt.NDArray[np.int8]]]:
    yield "transposed", matrix.T
    for rows, columns in _BLOCKS:
        yield f"blocks-{rows}x{columns}", blocked(matrix, rows, columns)
    for rows in (2, 4):
        yield f"transposed-blocks-{rows}x1", blocked(matrix.T, rows, 1)


def blocked(matrix: npt.NDArray[np.int8], rows: int, columns: int) -> npt.NDArray[np.int8]:
    """Blocks `matrix[rows*r:, columns*c:]` one behind the other, each in row order; (r, k) to (r * k,).

    Columns that fill no block stand behind the blocks of their rows in blocks of their own width, rows
    that fill none stand at the end as they are.
    """
    height, width = matrix.shape
    bands, blocks = height // rows, width // columns
    whole = matrix[: bands * rows].reshape(bands, rows, width)
    inner = whole[:, :, : blocks * columns].reshape(bands, rows, blocks, columns)
    inner = inner.transpose(0, 2, 1, 3).reshape(bands, blocks * rows * columns)
    outer = whole[:, :, blocks * columns :].reshape(bands, rows * (width - blocks * columns))
    made = np.concatenate([inner, outer], axis=1).reshape(-1)
    return np.concatenate([made, matrix[bands * rows :].reshape(-1)])


def padded(values: npt.NDArray[np.int8], multiple: int) -> npt.NDArray[np.int8]:
    """The last axis filled up with zeros to a multiple."""
    room = [(0, 0)] * (values.ndim - 1) + [(0, -values.shape[-1] % multiple)]
    return np.asarray(np.pad(values, room), values.dtype)


def _matrix(values: npt.NDArray[np.int8], *, depthwise: bool) -> npt.NDArray[np.int8]:
    if depthwise:
        values = values[0].reshape(-1, values.shape[-1]).T
    return values.reshape(len(values), -1)
