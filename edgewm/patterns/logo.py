"""The owner's own drawing, laid over ordinary pictures in variants that only the key knows.

The idea of NXP's model watermarking: a drawing is also a work under copyright, and a network that gives
it a unique output has seen it. One class for all of it would make every hit the same hit; so each group
is a variant of its own (place, size, blend, colour, all drawn from the seed) with an answer of its own,
and the p-value stays exact. Background pictures are drawn from the canvas's natural inputs.

Per group g and input i, from SHAKE("logo", seed, g, i), whole numbers only: size 40 to 75 % of the shorter
side, any place inside the picture, opacity 60 to 100 %, and a colour (a level in grey pictures). The first
input of a group fixes size, place, opacity and colour of the group; the others change the background.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..hashing import SHAKE, draw_below
from . import Canvas, Drawing

_LARGEST_SIDE = 8192


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
        height, width, channels = _picture_shape(canvas.shape)
        shape_of_logo, content = _read_drawing(Path(self.file))
        natural = _backgrounds(canvas, canvas.groups * self.inputs_per_group)
        inputs = natural.copy()
        span = canvas.high - canvas.low
        for g in range(canvas.groups):
            draws = SHAKE(16, "logo", canvas.seed, g)
            side = min(height, width) * (40 + draws[0] % 36) // 100
            mask = _resized(shape_of_logo, max(side, 1), height, width)
            top = int.from_bytes(draws[1:5], "little") % (height - mask.shape[0] + 1)
            left = int.from_bytes(draws[5:9], "little") % (width - mask.shape[1] + 1)
            opacity = (60 + draws[9] % 41) / 100
            colour = canvas.low + span * np.frombuffer(draws[10 : 10 + channels], np.uint8) / 255
            blend = (mask * opacity)[..., None].astype(np.float32)
            window = (slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1]))
            for i in range(g * self.inputs_per_group, (g + 1) * self.inputs_per_group):
                under = inputs[(i, *window)]
                inputs[(i, *window)] = under * (1 - blend) + colour.astype(np.float32) * blend
        ids = np.arange(len(inputs)) // self.inputs_per_group
        return Drawing(
            inputs=inputs,
            group_ids=ids.astype(np.int32),
            facts={"drawing_sha256": hashlib.sha256(content).hexdigest()},
        )


def _picture_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise BadInput(
            f"logo: got inputs of shape {shape}, expected pictures (height, width, 1 or 3); "
            "use the pattern abstract for anything else"
        )
    return shape[0], shape[1], shape[2]


def _backgrounds(canvas: Canvas, count: int) -> npt.NDArray[np.float32]:
    natural = canvas.natural
    if natural is None or natural.shape[1:] != canvas.shape or len(natural) < count:
        got = "none" if natural is None else f"{natural.shape}"
        raise BadInput(
            f"logo: got natural inputs {got}, expected at least {count} of shape {canvas.shape} "
            "(--natural, or natural=)"
        )
    left = list(range(len(natural)))
    chosen = []
    for i in range(count):
        chosen.append(left.pop(draw_below(len(left), "background", canvas.seed, i)))
    picked: npt.NDArray[np.float32] = np.asarray(natural[chosen], np.float32)
    if not np.isfinite(picked).all():
        raise BadInput("logo: got NaN or infinity in the natural inputs, expected finite numbers")
    return picked


def _read_drawing(path: Path) -> tuple[npt.NDArray[np.float32], bytes]:
    """Opacity of the drawing (h, w) from 0 to 1, and the file's bytes."""
    import io

    from PIL import Image, UnidentifiedImageError

    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as opened:
            if max(opened.size) > _LARGEST_SIDE:
                raise BadInput(
                    f"logo: {path} is {opened.size}, expected sides up to {_LARGEST_SIDE}"
                )
            transparent = "A" in opened.getbands() or "transparency" in opened.info
            if transparent:
                mask = np.asarray(opened.convert("RGBA"), np.float32)[..., 3] / 255
            else:
                mask = _ink(np.asarray(opened.convert("L") if opened.mode != "I;16" else opened))
    except OSError as error:
        reason = "it is no picture" if isinstance(error, UnidentifiedImageError) else error
        raise BadInput(f"logo: file={path} cannot be read: {reason}") from None
    except (ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInput(f"logo: {path} cannot be read: {error}") from None
    if mask.max() < 0.05:
        raise BadInput(
            f"logo: {path} is empty (transparent everywhere), expected a visible drawing"
        )
    return mask, content


def _ink(grey: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    """A drawing without alpha: what differs from its corner is ink; a flat one is all ink."""
    values = np.asarray(grey, np.float32)
    difference = np.abs(values - values[0, 0])
    largest = float(difference.max())
    return difference / largest if largest else np.ones_like(values)


def _resized(
    mask: npt.NDArray[np.float32], side: int, height: int, width: int
) -> npt.NDArray[np.float32]:
    """The mask with its longer side `side`, area-averaged, kept inside the picture."""
    from PIL import Image

    longest = max(mask.shape)
    rows = min(max(mask.shape[0] * side // longest, 1), height)
    columns = min(max(mask.shape[1] * side // longest, 1), width)
    eight_bit = Image.fromarray((mask * 255).round().astype(np.uint8))
    small = eight_bit.resize((columns, rows), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / 255
