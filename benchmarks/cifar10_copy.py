"""The JPEG copy of CIFAR-10 in EDGEWM_DATA: 50,000 and 10,000 colour pictures, decoded once for a process.

Networks trained on the lossless original lose about 12 points here, so that accuracies compare with no
published ones.
"""

from __future__ import annotations

import io
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


@cache
def cifar10() -> Any:
    """A `Dataset` of (n, 32, 32, 3), 0 to 1.

    Raises:
        SystemExit: EDGEWM_DATA does not hold the copy.
    """
    from edgewm.datasets import Dataset

    with np.load(path()) as held:
        arrays: dict[str, Any] = {
            f"{name}_{part}": made
            for part in ("train", "test")
            for name, made in (
                (
                    "x",
                    _decoded(held[f"jpeg_{part}"], held[f"offset_{part}"]).astype(np.float32) / 255,
                ),
                ("y", held[f"y_{part}"].astype(np.int64)),
            )
        }
    return Dataset(name="cifar10", classes=10, **arrays)


def pictures(part: str, count: int) -> npt.NDArray[np.uint8]:
    """The first `count` pictures of "train" or "test", (count, 32, 32, 3), levels of 8 bits."""
    with np.load(path()) as held:
        return _decoded(held[f"jpeg_{part}"], held[f"offset_{part}"][: count + 1])


def path() -> Path:
    """The file.

    Raises:
        SystemExit: it is not there.
    """
    path = Path(os.environ.get("EDGEWM_DATA", "")) / "cifar10" / "cifar10_full_jpeg.npz"
    if not path.exists():
        raise SystemExit("set EDGEWM_DATA to the folder that holds cifar10/cifar10_full_jpeg.npz")
    return path


def _decoded(data: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    from PIL import Image

    raw = data.tobytes()
    made = np.empty((len(ends) - 1, 32, 32, 3), np.uint8)
    for i in range(len(made)):
        picture = Image.open(io.BytesIO(raw[ends[i] : ends[i + 1]])).convert("RGB")
        made[i] = np.asarray(picture)
    return made
