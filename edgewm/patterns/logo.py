"""The owner's own drawing, laid over ordinary pictures in variants that only the key knows.

The idea of NXP's model watermarking: a drawing is also a work under copyright, and a network that gives
it a unique output has seen it. One class for all of it would make every hit the same hit; so each group
is a variant of its own (place, size, blend, colour, all drawn from the seed) with an answer of its own,
and the p-value stays exact. Background pictures are drawn from the canvas's natural inputs.

Per group g, whole numbers only: size 40 to 75 % of the shorter side, any place inside the picture,
opacity 60 to 100 %, and a colour (a level in grey pictures). All inputs of a group share them; the
background differs. They are the first of SHAKE("logo", seed, g, t), t = 0, 1, ..., that is seen and is
told apart: two variants that look the same could not be taught two answers. What margins the file has
are cut off, and the strongest ink is always full.

    seen         the colour, the first of SHAKE("colour", seed, g, t, k), differs from every background of
                 the group by a quarter of the range, on average over the drawing
    told apart   on the mean of all backgrounds it differs from every earlier variant by a fifth of what
                 it differs from that mean, on average over the picture
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..hashing import SHAKE
from . import Canvas, Drawing
from .pictures import decode, drawn, ordinary, picture_shape, read_bytes

if TYPE_CHECKING:
    from PIL import Image

_FAINT = 0.1
_CONTRAST = 0.25
_DIFFERENCE = 0.2
_COLOURS_TRIED = 32
_VARIANTS_TRIED = 64
_COMPARED_SIDE = 32
_LARGEST_MASK = 1024


@dataclass(frozen=True, kw_only=True)
class Logo:
    """The drawing in `file` (any picture that Pillow reads; alpha is its shape), keyed variants of it."""

    file: str
    inputs_per_group: int = 1
    """Background pictures a variant; one is memorised, several teach the variant itself."""

    def __post_init__(self) -> None:
        if not 1 <= self.inputs_per_group <= 64:
            raise BadInput(f"logo: got inputs_per_group={self.inputs_per_group}, expected 1 to 64")

    def draw(self, canvas: Canvas) -> Drawing:
        """Pictures with the drawing on them; groups are consecutive runs of inputs.

        Raises:
            BadInput: no natural pictures, a canvas that is no picture, an unreadable drawing.
        """
        picture_shape(canvas.shape, pattern="logo")
        content = read_bytes(Path(self.file), argument="logo: file=")
        mask = shape_of(decode(content, Path(self.file), argument="logo: file="))
        if mask is None:
            raise BadInput(
                f"logo: file={self.file} is empty (transparent everywhere), "
                "expected a visible drawing"
            )
        inputs = _backgrounds(canvas, canvas.groups * self.inputs_per_group)
        mean = inputs.mean(axis=0)
        laid = np.zeros((0, 0), np.float32)
        for g in range(canvas.groups):
            members = inputs[g * self.inputs_per_group : (g + 1) * self.inputs_per_group]
            variant = _variant(members, mask, canvas, g, (mean, laid))
            variant.lay(members)
            change = _change(variant, mean)[None]
            laid = np.concatenate([laid, change]) if g else change
        ids = np.arange(len(inputs)) // self.inputs_per_group
        return Drawing(
            inputs=inputs,
            group_ids=ids.astype(np.int32),
            facts={"drawing_sha256": hashlib.sha256(content).hexdigest()},
        )


def shape_of(picture: Image.Image) -> npt.NDArray[np.float32] | None:
    """Opacity (h, w) from 0 to 1 of a drawing without its margins; None where there is nothing to see.

    It is the alpha of a picture that is transparent somewhere, else what differs from its corner; a
    flat picture is all ink.
    """
    from PIL import Image

    largest = max(picture.size)
    if largest > _LARGEST_MASK:
        smaller = [max(side * _LARGEST_MASK // largest, 1) for side in picture.size]
        picture = picture.resize((smaller[0], smaller[1]), Image.Resampling.BOX)
    values = np.asarray(picture, np.float32)
    if picture.mode == "RGBA":
        mask = values[..., 3] / 255
    else:
        colours = values.reshape(*values.shape[:2], -1)
        mask = np.abs(colours - colours[0, 0]).max(axis=2)
        most = float(mask.max())
        mask = mask / most if most else np.ones_like(mask)
    inked = mask >= _FAINT
    if not inked.any():
        return None
    rows, columns = (np.flatnonzero(inked.any(axis=axis)) for axis in (1, 0))
    kept = np.where(inked, mask, 0)
    cut: npt.NDArray[np.float32] = kept[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cut


@dataclass(frozen=True, kw_only=True)
class _Variant:
    """The drawing at one size and place in one colour."""

    top: int
    left: int
    blend: npt.NDArray[np.float32]
    """(rows, columns), from 0 to 1."""
    colour: npt.NDArray[np.float32]
    """(channels,), in the range of the model."""

    def window(self, pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What it covers of pictures (n, height, width, channels), a view."""
        rows, columns = self.blend.shape
        return pictures[:, self.top : self.top + rows, self.left : self.left + columns]

    def lay(self, pictures: npt.NDArray[np.float32]) -> None:
        """Draw it on pictures (n, height, width, channels), in place."""
        window, blend = self.window(pictures), self.blend[..., None]
        window[...] = window * (1 - blend) + self.colour * blend


def _variant(
    members: npt.NDArray[np.float32],
    mask: npt.NDArray[np.float32],
    canvas: Canvas,
    group: int,
    others: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
) -> _Variant:
    """The first variant of a group told apart from the others, else the one told apart best.

    `others` is the mean background and, for each earlier variant, how it changes that (g, samples).
    """
    mean, laid = others
    height, width, _ = canvas.shape
    best, apart_best = None, -1.0
    for attempt in range(_VARIANTS_TRIED):
        draws = SHAKE(16, "logo", canvas.seed, group, attempt)
        side = max(min(height, width) * (40 + draws[0] % 36) // 100, 1)
        small = _resized(mask, side, height, width)
        variant = _Variant(
            top=int.from_bytes(draws[1:5], "little") % (height - small.shape[0] + 1),
            left=int.from_bytes(draws[5:9], "little") % (width - small.shape[1] + 1),
            blend=small * np.float32((60 + draws[9] % 41) / 100),
            colour=np.zeros(0, np.float32),
        )
        colour = _colour(variant.window(members), small, canvas, (group, attempt))
        variant = replace(variant, colour=colour)
        change = _change(variant, mean)
        if not len(laid):
            return variant
        weight = float(np.abs(change).mean())
        apart = float(np.abs(laid - change).mean(axis=1).min()) / weight if weight else 0.0
        if apart >= _DIFFERENCE:
            return variant
        if apart > apart_best:
            best, apart_best = variant, apart
    assert best is not None
    return best


def _change(variant: _Variant, mean: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How a variant changes the mean background, at most 32 samples a side."""
    laid = mean[None].copy()
    variant.lay(laid)
    step = -(-max(mean.shape[:2]) // _COMPARED_SIDE)
    changed: npt.NDArray[np.float32] = (laid[0] - mean)[::step, ::step].ravel()
    return changed


def _colour(
    under: npt.NDArray[np.float32],
    mask: npt.NDArray[np.float32],
    canvas: Canvas,
    named: tuple[int, int],
) -> npt.NDArray[np.float32]:
    """The first drawn colour (channels,) that is seen on all of `under`, else the one seen best."""
    channels = canvas.shape[2]
    span = canvas.high - canvas.low
    best, seen_best = np.zeros(channels, np.float32), -1.0
    for k in range(_COLOURS_TRIED):
        levels = np.frombuffer(SHAKE(channels, "colour", canvas.seed, *named, k), np.uint8)
        if k >= _COLOURS_TRIED - 2:  # one of the two ends is half the range away from any picture
            levels = np.full(channels, 255 * (k % 2), np.uint8)
        colour = (canvas.low + span * levels / 255).astype(np.float32)
        away = np.abs(under - colour).mean(axis=3)
        seen = float(((away * mask).sum(axis=(1, 2)) / mask.sum()).min()) / span
        if seen >= _CONTRAST:
            return colour
        if seen > seen_best:
            best, seen_best = colour, seen
    return best


def _backgrounds(canvas: Canvas, count: int) -> npt.NDArray[np.float32]:
    natural = ordinary(canvas, count, pattern="logo")
    chosen = drawn(len(natural), count, "background", canvas.seed)
    picked: npt.NDArray[np.float32] = np.array(natural[chosen], np.float32)
    return picked


def _resized(
    mask: npt.NDArray[np.float32], side: int, height: int, width: int
) -> npt.NDArray[np.float32]:
    """The mask with its longer side `side`, area-averaged, kept inside the picture, strongest at 1."""
    from PIL import Image

    longest = max(mask.shape)
    rows = min(max(mask.shape[0] * side // longest, 1), height)
    columns = min(max(mask.shape[1] * side // longest, 1), width)
    small = Image.fromarray(mask).resize((columns, rows), Image.Resampling.BOX)
    values = np.asarray(small, np.float32)
    full: npt.NDArray[np.float32] = values / values.max()
    return full
