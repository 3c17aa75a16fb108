"""What ships: the bytes of a model file and the facts about its inputs and outputs.

Facts come from the worker that opened the file (`edgewm.runtimes`), never from parsing suspect bytes
here; measurements (`accuracy`, groups hit) come from `edgewm.export` when it was given data to measure on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LARGEST_MODEL_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One input or output of a model file."""

    name: str
    shape: tuple[int, ...]
    """With the batch axis, as the file declares it; a free axis is -1."""
    dtype: str
    """numpy's name: float32, int8, uint8, int16."""
    scale: float
    """Quantisation step; 0.0 where the tensor is not quantised."""
    zero_point: int

    def real(self, raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """What raw values of any shape, taken as float64, stand for."""
        return (raw - self.zero_point) * (self.scale or 1.0)


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A model file as it ships, with what is known about it."""

    model: bytes = field(repr=False)
    format: str
    """How the numbers are stored: int8, float32, or unknown for a file that edgewm did not export."""
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    float_accuracy: float | None = None
    """Share of held-out samples that the Keras model labels correctly, 0 to 1."""
    accuracy: float | None = None
    """The same for these bytes."""
    float_groups_hit: int | None = None
    groups_hit: int | None = None

    @property
    def sha256(self) -> str:
        """Hex digest of the model bytes."""
        return hashlib.sha256(self.model).hexdigest()


def read_model(path: Path, argument: str = "SUSPECT") -> bytes:
    """The bytes of a model file, unopened: what they are is for a worker to find out.

    Raises:
        BadInput: a directory, an unreadable or empty file, or one above 512 MiB.
    """
    try:
        if path.is_dir():
            raise BadInput(f"{argument}: got the folder {path}, expected a model file")
        size = path.stat().st_size
        if size > LARGEST_MODEL_BYTES:
            raise BadInput(f"{argument}: {path} has {size} bytes, expected at most 512 MiB")
        model = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{argument}: {path} cannot be read: {error.strerror}") from None
    if not model:
        raise BadInput(f"{argument}: {path} is empty, expected a .tflite model")
    return model
