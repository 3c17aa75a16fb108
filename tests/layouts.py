"""Re-lays weights as code generators do, by plain loops: what `edgewm match` must recognise.

Nothing here uses edgewm.weight_layouts. A tensor is int8: OHWI, 1HWC for a depthwise convolution, OI.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray


def rows_of(values: Array) -> Array:
    """One row an output channel."""
    if values.ndim == 4 and values.shape[0] == 1:
        return values[0].reshape(-1, values.shape[-1]).T
    return values.reshape(values.shape[0], -1)


def pairs(values: Array) -> bytes:
    """`W[2r:2r+2, 4c:4c+4]`, as X-CUBE-AI stores dense layers."""
    matrix = rows_of(values)
    if values.shape[0] == 1:
        return values.tobytes()
    out = bytearray()
    for row in range(0, matrix.shape[0] - 1, 2):
        for column in range(0, matrix.shape[1] - 3, 4):
            out += matrix[row : row + 2, column : column + 4].tobytes()
    return bytes(out)


def channel_first(values: Array) -> bytes:
    """OIHW, of a depthwise convolution too."""
    if values.ndim != 4:
        return values.tobytes()
    outputs, inputs = values.shape[0], values.shape[3]
    if outputs == 1:
        return b"".join(values[0, :, :, c].tobytes() for c in range(inputs))
    return b"".join(values[o, :, :, i].tobytes() for o in range(outputs) for i in range(inputs))


def hwcn(values: Array) -> bytes:
    """Height, width, input channel, output channel."""
    if values.ndim != 4 or values.shape[0] == 1:
        return values.tobytes()
    _, height, width, inputs = values.shape
    places = [(h, w, c) for h in range(height) for w in range(width) for c in range(inputs)]
    return b"".join(values[:, h, w, c].tobytes() for h, w, c in places)


def transposed(values: Array) -> bytes:
    """Columns one behind the other."""
    matrix = rows_of(values)
    return b"".join(matrix[:, column].tobytes() for column in range(matrix.shape[1]))


def interleaved_rows(ways: int) -> Callable[[Array], bytes]:
    """One value of each of `ways` rows in turn."""

    def laid(values: Array) -> bytes:
        matrix = rows_of(values)
        out = bytearray()
        for row in range(0, matrix.shape[0] - ways + 1, ways):
            for column in range(matrix.shape[1]):
                out += matrix[row : row + ways, column].tobytes()
        return bytes(out)

    return laid


def padded(multiple: int) -> Callable[[Array], bytes]:
    """Every row of the last axis filled with zeros."""

    def laid(values: Array) -> bytes:
        fill = bytes(-values.shape[-1] % multiple)
        return b"".join(row.tobytes() + fill for row in values.reshape(-1, values.shape[-1]))

    return laid


LAYOUTS: dict[str, Callable[[Array], bytes]] = {
    "stored": lambda values: values.tobytes(),
    "pairs": pairs,
    "channel first": channel_first,
    "hwcn": hwcn,
    "transposed": transposed,
    "2 rows": interleaved_rows(2),
    "4 rows": interleaved_rows(4),
    "padded to 4": padded(4),
    "padded to 16": padded(16),
}
