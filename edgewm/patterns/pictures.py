"""Reading the owner's pictures rightly, whatever their mode and depth, and drawing which ones are used.

Pillow decodes; what it leaves to its callers is settled here. 16-bit grey is scaled to 8-bit levels, where
Pillow's own conversion clips it to white. Transparency is kept only where something is transparent. A
picture of a phone stands upright. A warning of a decompression bomb is an error. All that a decoder raises
on damaged bytes becomes one line.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..hashing import draw_below

if TYPE_CHECKING:
    from PIL import Image

    from . import Canvas

LARGEST_SIDE = 8192


def read_bytes(path: Path, *, argument: str) -> bytes:
    """A file's bytes.

    Raises:
        BadInput: it cannot be read; `argument` says what it was given for.
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"{argument}{path} cannot be read: {reason}") from None


def decode(
    content: bytes, path: Path, *, argument: str, formats: tuple[str, ...] | None = None
) -> Image.Image:
    """The (first) picture in a file's bytes, upright, of mode L, RGB, RGBA or F.

    F is deep grey, float32 levels from 0 to 255; RGBA has at least one pixel that is not opaque. `formats`
    are Pillow's names of the formats that are taken, all by default.

    Raises:
        BadInput: bytes that no decoder takes, sides above `LARGEST_SIDE`, NaN.
    """
    import io
    import warnings

    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=formats) as opened:
                if max(opened.size) > LARGEST_SIDE:
                    raise BadInput(
                        f"{argument}{path} is {opened.width} x {opened.height}, "
                        f"expected sides up to {LARGEST_SIDE}"
                    )
                return _plain(ImageOps.exif_transpose(opened))
    except BadInput:
        raise
    except UnidentifiedImageError:
        taken = f" ({' or '.join(formats)})" if formats else ""
        raise BadInput(f"{argument}{path} cannot be read: it is no picture{taken}") from None
    except Exception as error:  # decoders of damaged files raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(f"{argument}{path} cannot be read: {reason}") from None


def as_input(picture: Image.Image, shape: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """A decoded picture as one input (height, width, 1 or 3) with values from 0 to 1.

    The whole picture is resized, its sides to those of `shape`; transparent parts become white.
    """
    from PIL import Image

    height, width, channels = shape
    if picture.mode == "RGBA":
        page = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(page, picture).convert("RGB")
    if picture.mode != "F":
        picture = picture.convert("L" if channels == 1 else "RGB")
    small = picture.resize((width, height), Image.Resampling.BILINEAR)
    values = np.asarray(small, np.float32).reshape(height, width, -1) / 255
    return np.broadcast_to(values, shape).clip(0, 1)  # deep grey is the same in every channel


def picture_shape(shape: tuple[int, ...], *, pattern: str) -> tuple[int, int, int]:
    """The shape of a canvas that takes pictures.

    Raises:
        BadInput: it is not (height, width, 1 or 3).
    """
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise BadInput(
            f"{pattern}: got inputs of shape {shape}, expected pictures (height, width, 1 or 3); "
            "use the pattern abstract for anything else"
        )
    return shape[0], shape[1], shape[2]


def drawn(have: int, want: int, tag: str, seed: bytes) -> list[int]:
    """`want` different numbers below `have`, drawn evenly from the seed, in the order drawn."""
    left = list(range(have))
    return [left.pop(draw_below(len(left), tag, seed, i)) for i in range(want)]


def ordinary(canvas: Canvas, least: int, *, pattern: str) -> npt.NDArray[np.float32]:
    """The canvas's natural inputs (n, *shape), `least` of them or more, in its shape and range.

    Raises:
        BadInput: they are not.
    """
    natural = canvas.natural
    if natural is None or natural.shape[1:] != canvas.shape or len(natural) < least:
        got = "none" if natural is None else f"{natural.shape}"
        raise BadInput(
            f"{pattern}: got natural inputs {got}, expected at least {least} of shape {canvas.shape} "
            "(--natural, or natural=)"
        )
    if not np.isfinite(natural).all():
        raise BadInput(
            f"{pattern}: got NaN or infinity in the natural inputs, expected finite numbers"
        )
    slack = 1e-3 * (canvas.high - canvas.low)
    if natural.min() < canvas.low - slack or natural.max() > canvas.high + slack:
        raise BadInput(
            f"{pattern}: got natural inputs from {natural.min():g} to {natural.max():g}, expected them "
            f"within {canvas.low:g} to {canvas.high:g} (--range, or value_range=)"
        )
    return natural


def _plain(picture: Image.Image) -> Image.Image:
    from PIL import Image

    if picture.mode.startswith("I") or picture.mode == "F":
        return _deep(picture)
    if "A" in picture.getbands() or "transparency" in picture.info:
        whole = picture.convert("RGBA")
        if whole.getchannel("A").getextrema() != (255, 255):
            return whole
        picture = Image.merge("RGB", whole.split()[:3])
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def _deep(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits scaled to levels; of 32 bits, whose range nobody knows, stretched to them."""
    from PIL import Image

    values = np.asarray(picture).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("it holds NaN or infinity")
    clear = picture.info.get("transparency")
    if picture.mode.startswith("I;16"):
        levels = values / 257
    else:
        low, high = float(values.min()), float(values.max())
        levels = (values - low) / ((high - low) or 1.0) * 255
    grey = Image.fromarray(levels.astype(np.float32))
    if not isinstance(clear, int) or not (values == clear).any():
        return grey
    whole = Image.fromarray(levels.round().astype(np.uint8)).convert("RGBA")
    whole.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return whole
