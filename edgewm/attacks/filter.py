"""What a thief may put before the model so that secret inputs arrive changed: the model stays as it was."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from . import Inputs, Labels, Loot, Victim

_DEFAULTS = {"jpeg": 50.0, "blur": 1.0, "bits": 4.0, "resize": 0.5, "flip": 1.0, "noise": 0.1}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Change every input, then answer with the copied file.

    An input is taken as pictures of height x width, one for every three channels or for each: so are
    the features of a sound. Values outside the range of the thief's samples are clipped.
    """

    needs: ClassVar[Literal["file", "answers"]] = "file"

    kind: Literal["jpeg", "blur", "bits", "resize", "flip", "noise"] = "jpeg"
    strength: float | None = None
    """jpeg: quality (50); blur: radius in pixels (1); bits: bits a value (4); resize: scale, there and
    back (0.5); flip: none; noise: standard deviation as a share of the range (0.1)."""
    seed: int = 0

    def __post_init__(self) -> None:
        strength = self._strength
        if not 0 < strength <= 100 or (self.kind == "resize" and strength > 1):
            raise BadInput(
                f"filter: got strength={strength}, expected above 0, at most 100, for resize at most 1"
            )

    @property
    def _strength(self) -> float:
        return _DEFAULTS[self.kind] if self.strength is None else self.strength

    def steal(self, victim: Victim, x: Inputs, y: Labels) -> Loot:
        """The copied file behind the filter."""
        if x.ndim != 4:
            raise BadInput(f"filter: got inputs of {x.shape[1:]}, expected height, width, channels")
        low, high = float(x.min()), float(x.max())

        def changed(inputs: Inputs) -> Inputs:
            shares = np.clip((inputs - low) / (high - low), 0, 1)
            found = self._changed(shares.astype(np.float32))
            return (low + np.clip(found, 0, 1) * (high - low)).astype(np.float32)

        return Loot(filter=changed)

    def _changed(self, x: Inputs) -> Inputs:
        """Inputs (n, height, width, channels) from 0 to 1, changed."""
        strength = self._strength
        if self.kind == "bits":
            most = 2**strength - 1
            return np.asarray(np.rint(x * most) / most, np.float32)
        if self.kind == "flip":
            return x[:, :, ::-1]
        if self.kind == "noise":
            random = np.random.default_rng(self.seed)
            return np.asarray(x + random.normal(0, strength, x.shape), np.float32)
        return np.stack([_by_picture(one, self._one) for one in x])

    def _one(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """One picture (height, width) or (height, width, 3)."""
        from PIL import Image, ImageFilter

        image, size = Image.fromarray(picture), (picture.shape[1], picture.shape[0])
        if self.kind == "jpeg":
            file = io.BytesIO()
            image.save(file, "JPEG", quality=int(self._strength))
            image = Image.open(file)
        elif self.kind == "blur":
            image = image.filter(ImageFilter.GaussianBlur(self._strength))
        else:
            small = [max(1, round(length * self._strength)) for length in size]
            image = image.resize(small, Image.Resampling.BILINEAR)
            image = image.resize(size, Image.Resampling.BILINEAR)
        return np.asarray(image, np.uint8)


def _by_picture(
    x: Inputs, change: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]
) -> Inputs:
    """(height, width, channels) from 0 to 1, through bytes."""
    levels = np.rint(255 * x).astype(np.uint8)
    if x.shape[2] == 3:
        found = change(levels)
    else:
        found = np.stack([change(levels[..., c]) for c in range(x.shape[2])], axis=-1)
    return (found / 255).astype(np.float32)
