"""A contact sheet of the secret inputs: people would rather look than read.

One cell a group, in group order, each with its number and, when a key was given, its drawn answer. A
picture is shown as one; anything else is drawn as a grey image of its first two axes, a vector as a strip.
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
        picture = _picture(triggers.of_group(j)[0], low, high)
        sheet.paste(picture.resize((_CELL, _CELL), Image.Resampling.NEAREST), (left, top))
        caption = f"{j}" if answers is None else f"{j} \u2192 {int(answers[j])}"
        draw.text((left, top + _CELL + 1), caption, fill="black", font=font)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


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
