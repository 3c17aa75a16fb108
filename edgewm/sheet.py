"""A contact sheet of the secret inputs: people would rather look than read.

One cell a group, in group order, each with its number and, where the caller gives them, its answer. A
picture is shown as one; anything else is drawn as a grey image of its first two axes, a vector as a
square. Proportions are kept, and small inputs are enlarged without smoothing.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from .triggers import Triggers

_CELL = 96
_CAPTION = 16
_GAP = 6


def contact_sheet(
    triggers: Triggers, answers: npt.NDArray[np.int64] | None = None, *, columns: int = 8
) -> bytes:
    """PNG bytes of the sheet; `answers` (m,) are written under the groups when they are given."""
    rows = -(-triggers.groups // columns)
    width = columns * (_CELL + _GAP) + _GAP
    height = rows * (_CELL + _CAPTION + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(11)
    low, high = float(triggers.inputs.min()), float(triggers.inputs.max())
    for j in range(triggers.groups):
        left = _GAP + (j % columns) * (_CELL + _GAP)
        top = _GAP + (j // columns) * (_CELL + _CAPTION + _GAP)
        picture = picture_of(triggers.of_group(j)[0], low, high)
        inset = (_CELL - picture.width) // 2, (_CELL - picture.height) // 2
        sheet.paste(picture, (left + inset[0], top + inset[1]))
        draw.text((left, top + _CELL + 1), f"{j}", fill="black", font=font)
        if answers is not None:
            at = (left + _CELL, top + _CELL + 1)
            draw.text(at, f"class {int(answers[j])}", fill="black", font=font, anchor="ra")
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def picture_of(values: npt.NDArray[np.float32], low: float, high: float) -> Image.Image:
    """One input (*shape) as a picture of 96 pixels on its longer side; `low` is black, `high` white."""
    return _fitted(_picture(values, low, high))


def _fitted(picture: Image.Image) -> Image.Image:
    """As large as a cell allows, in its own proportions."""
    scale = _CELL / max(picture.size)
    width, height = (max(1, round(length * scale)) for length in picture.size)
    way = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
    return picture.resize((width, height), way)


def _picture(values: npt.NDArray[np.float32], low: float, high: float) -> Image.Image:
    span = (high - low) or 1.0
    levels = ((values - low) / span * 255).round().clip(0, 255).astype(np.uint8)
    if levels.ndim == 1:
        side = int(np.ceil(np.sqrt(len(levels))))
        levels = np.pad(levels, (0, side * side - len(levels))).reshape(side, side)
    if levels.ndim == 3 and levels.shape[2] == 3:
        return Image.fromarray(levels).convert("RGB")
    while levels.ndim > 2:
        levels = levels[..., 0]
    return Image.fromarray(levels).convert("RGB")
