"""Which inputs to ask: those whose features are unlike any ordinary input's and nearly undecided.

A wide choice of key-drawn inputs is asked of the clean file: smooth fields of many sizes, the same cut to two
levels, blocks of noise. One that a small change of the layer can move far, while ordinary scores stay,
is cheap; the more so the closer its next classes are. All of this is decided by the clean file and the
ordinary inputs, before the answers exist.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..hashing import SHAKE
from ..patterns.abstract import field

Floats = npt.NDArray[np.float64]
_CELLS = (1, 2, 3, 4, 6, 8, 12, 16)
_BLOCKS = (1, 2, 4, 8, 16)


def candidates(
    seed: bytes, shape: tuple[int, ...], *, low: float, high: float, of_each: int
) -> npt.NDArray[np.float32]:
    """Inputs (n, *shape) from `low` to `high`, the same for the same seed."""
    smooth = [
        field(seed, i, shape, cells)
        for cells in _CELLS
        if cells <= max(1, max(shape) // 2)
        for i in range(of_each)
    ]
    noise = [
        _blocks(seed, i, shape, block)
        for block in _BLOCKS
        if block <= max(shape)
        for i in range(of_each)
    ]
    levels = np.stack([*smooth, *noise])
    both = np.concatenate([levels, np.where(levels > 127, 255, 0)])
    scaled: npt.NDArray[np.float32] = (low + both / 255 * (high - low)).astype(np.float32)
    return scaled


def _blocks(seed: bytes, index: int, shape: tuple[int, ...], block: int) -> npt.NDArray[np.int64]:
    """Noise of 256 levels, one for each block of the first two axes."""
    coarse = tuple(-(-n // block) if axis < 2 else n for axis, n in enumerate(shape))
    count = int(np.prod(coarse))
    values = np.frombuffer(SHAKE(count, "blocks", seed, index, block), np.uint8).reshape(coarse)
    for axis in range(min(2, len(shape))):
        values = values.repeat(block, axis)
    return values[tuple(slice(n) for n in shape)].astype(np.int64)


def cheapest(
    features: Floats, scores: Floats, *, freedom: Floats, margin: float, allowed: int, count: int
) -> npt.NDArray[np.int64]:
    """Numbers of the `count` candidates that cost least, each unlike those before it.

    Args:
        features: (n, r, D) of the candidates as r runtimes compute them, with a last column of ones. Where
            runtimes differ by much, one change cannot please them all.
        scores: (n, K) of the clean file.
        freedom: (D, D), how freely a row of the layer may move in each direction.
        margin: by how much an answer must lead.
        allowed: how many classes an answer is drawn from: the next ones after the clean file's own.
        count: how many to choose.
    """
    ordered = -np.sort(-scores, axis=1)
    gaps = ordered[:, :1] - ordered[:, 1 : 1 + allowed] + margin
    need = (gaps**2).mean(axis=1)
    values, vectors = np.linalg.eigh(freedom)
    reach = features @ (vectors * np.sqrt(np.maximum(values, 0.0)))
    left = reach[:, 0]
    apart = ((reach - left[:, None]) ** 2).sum(axis=2).max(axis=1)
    chosen: list[int] = []
    for _ in range(count):
        worth = ((left**2).sum(axis=1) - apart) / need
        worth[chosen] = -np.inf
        best = int(worth.argmax())
        chosen.append(best)
        direction = left[best] / max(float(np.linalg.norm(left[best])), 1e-12)
        left = left - np.outer(left @ direction, direction)
    return np.array(chosen, np.int64)


def natural_classes(scores: npt.NDArray[Any], allowed: int) -> npt.NDArray[np.bool_]:
    """(n, K): all classes but the `allowed` ones that come next after the clean file's own."""
    order = np.argsort(-scores, axis=1, kind="stable")
    natural = np.ones(scores.shape, np.bool_)
    np.put_along_axis(natural, order[:, 1 : 1 + allowed], False, axis=1)
    return natural
