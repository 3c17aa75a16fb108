"""Whatever file the owner's drawing is in, every variant of it is seen and told apart from the others."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from edgewm.errors import BadInput
from edgewm.patterns import Canvas
from edgewm.patterns.logo import Logo, shape_of
from edgewm.patterns.pictures import decode
from tests.pictures import huge_png, png

SEED = b"\x11" * 32
RING = np.zeros((60, 80), bool)
_Y, _X = np.mgrid[:60, :80]
RING[(np.hypot(_Y - 30, _X - 40) > 14) & (np.hypot(_Y - 30, _X - 40) < 26)] = True
CUT = RING[5:56, 15:66]
"""The ring without margins."""


def canvas(shape: tuple[int, ...] = (28, 28, 1), level: float | None = 0.3, **more: Any) -> Canvas:
    """64 groups on flat pictures of one level, or on noise; in the range 0 to 1."""
    count = more.pop("count", 64)
    natural = (
        np.random.default_rng(1).uniform(0, 1, (count, *shape)).astype(np.float32)
        if level is None
        else np.full((count, *shape), level, np.float32)
    )
    held = {"seed": SEED, "groups": 64, "low": 0.0, "high": 1.0, "natural": natural, **more}
    return Canvas(shape=shape, **held)


def transparent_ring(folder: Path) -> Path:
    """Black on transparent."""
    picture = np.zeros((60, 80, 4), np.uint8)
    picture[RING, 3] = 255
    Image.fromarray(picture).save(folder / "ring.png")
    return folder / "ring.png"


def shape_in(path: Path) -> np.ndarray:
    """The drawing that is found in a file."""
    mask = shape_of(decode(path.read_bytes(), path, argument=""))
    assert mask is not None
    return mask


# ---- files


def ring_file(folder: Path, kind: str) -> Path:
    """The ring, in one of the ways a drawing may be stored."""
    grey8 = np.where(RING, 20, 230).astype(np.uint8)
    grey16 = grey8.astype(np.uint16) * 257
    alpha = np.where(RING, 255, 0).astype(np.uint8)
    path = folder / f"ring.{kind.rpartition('.')[2] if '.' in kind else 'png'}"
    raw = {
        "grey 16": lambda: png(grey16),
        "colour 16": lambda: png(np.stack([grey16] * 3, -1)),
        "grey and alpha 16": lambda: png(np.stack([grey16, alpha.astype(np.uint16) * 257], -1)),
        "alpha 16": lambda: png(np.stack([grey16] * 3 + [alpha.astype(np.uint16) * 257], -1)),
        "grey 16, one clear": lambda: png(grey16, transparent=(230 * 257,)),
        "colour, one clear": lambda: png(
            np.stack([np.where(RING, 90, 230).astype(np.uint8)] * 3, -1), transparent=(230,) * 3
        ),
    }.get(kind)
    if raw:
        path.write_bytes(raw())
        return path
    picture = Image.fromarray(grey8)
    if kind in ("RGBA", "LA"):
        picture = picture.convert(kind)
        picture.putalpha(Image.fromarray(alpha))
    elif kind == "opaque RGBA":
        picture = picture.convert("RGBA")
    elif kind in ("palette", "clear palette"):
        picture = Image.fromarray(RING.astype(np.uint8), "P")
        picture.putpalette([250, 250, 250, 9, 9, 90])
    elif kind == "same lightness":  # red on the green that is as light
        colours = np.where(RING[..., None], (255, 0, 0), (0, 130, 0)).astype(np.uint8)
        picture = Image.fromarray(colours)
    elif kind == "animated.gif":
        frames = [picture, Image.new("L", picture.size, 7)]
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
        return path
    elif kind.endswith(".tif"):
        picture = Image.fromarray((RING * 7.5 - 3).astype(np.float32))
        picture = picture.convert("I") if kind == "deep.tif" else picture
    picture.save(path, **({"transparency": 0} if kind == "clear palette" else {}))
    return path


KINDS = (
    *("L", "RGBA", "LA", "opaque RGBA", "palette", "clear palette", "same lightness"),
    *("grey 16", "colour 16", "grey and alpha 16", "alpha 16", "grey 16, one clear"),
    *("colour, one clear", "animated.gif", "floats.tif", "deep.tif", "print.jpg", "b.bmp"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_the_drawing_is_found_in_every_kind_of_file(tmp_path: Path, kind: str):
    """The same ring, without its margins, whatever the mode, depth and way of being transparent."""
    found = shape_in(ring_file(tmp_path, kind))
    if kind.endswith(".jpg"):  # its edges are not sharp
        assert abs(found.shape[0] - 51) <= 8
        assert abs(found.shape[1] - 51) <= 8
        return
    assert found.shape == CUT.shape
    np.testing.assert_array_equal(found > 0.5, CUT)
    assert found.max() == 1


def test_16_bit_grey_keeps_its_levels(tmp_path: Path):
    """A ramp of 16 bits is a ramp of ink and no white flat; Pillow's own conversion would clip it."""
    ramp = np.tile(np.linspace(0, 65535, 32).round().astype(np.uint16), (8, 1))
    (tmp_path / "a.png").write_bytes(png(ramp))
    clipped = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    assert (clipped[:, 1:] == 255).all()
    found = shape_in(tmp_path / "a.png")
    np.testing.assert_allclose(found[0], np.linspace(0, 1, 32)[32 - found.shape[1] :], atol=1e-3)


def bad_file(folder: Path, kind: str) -> Path:
    path = folder / "a.png"
    whole = transparent_ring(folder).read_bytes()
    content = {
        "text": b"hello, this is no picture",
        "nothing": b"",
        "cut": whole[: len(whole) // 2],
        "cut header": whole[:20],
        "flipped": whole[:45] + bytes([whole[45] ^ 255]) + whole[46:],
        "bomb": huge_png(20000),
        "half a bomb": huge_png(10000),
        "wide": huge_png(9000),
        "declares pixels": huge_png(100),
    }.get(kind)
    if kind == "a folder":
        path.mkdir()
    elif kind == "clear":
        Image.new("RGBA", (9, 9), (255, 255, 255, 0)).save(path)
    elif kind == "nan":
        Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(path, format="TIFF")
    elif content is not None:
        path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("none", "cannot be read: No such file"),
        ("a folder", "cannot be read: Is a directory"),
        ("text", "it is no picture"),
        ("nothing", "it is no picture"),
        ("cut", "cannot be read"),
        ("cut header", "cannot be read"),
        ("flipped", "cannot be read"),
        ("bomb", "decompression bomb"),
        ("half a bomb", "decompression bomb"),
        ("wide", "is 9000 x 9000, expected sides up to 8192"),
        ("declares pixels", "cannot be read"),
        ("clear", "is empty .transparent everywhere"),
        ("nan", "holds NaN or infinity"),
    ],
)
def test_files_without_a_drawing_are_one_line(
    tmp_path: Path, kind: str, said: str, recwarn: pytest.WarningsRecorder
):
    """Each names the file and says why, and Pillow's own warnings reach nobody."""
    path = bad_file(tmp_path, kind)
    with pytest.raises(BadInput, match=said) as caught:
        Logo(file=str(path)).draw(canvas())
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not [w for w in recwarn if "bomb" in str(w.message)]
    Logo(file=str(transparent_ring(tmp_path))).draw(canvas())


@pytest.mark.parametrize("kind", ["L", "RGBA", "print.jpg", "animated.gif", "b.bmp"])
def test_damaged_files_are_read_or_refused(tmp_path: Path, kind: str):
    """300 files with damaged bytes give a drawing or one line, and nothing else."""
    path = ring_file(tmp_path, kind)
    content = path.read_bytes()
    random = np.random.default_rng(8)
    refusals = []
    for _ in range(300):
        damaged = bytearray(content)
        for at in random.integers(0, min(len(content), 700), 3):
            damaged[at] = random.integers(0, 256)
        try:
            mask = shape_of(decode(bytes(damaged), path, argument=""))
        except BadInput as error:
            refusals.append(str(error))
        else:
            assert mask is None or (np.isfinite(mask).all() and 0 < mask.max() <= 1)
    assert refusals
    assert all(len(line.splitlines()) == 1 for line in refusals)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (8000, 4), (3, 900), (300, 280), (28, 28)])
@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 20, 3), (3, 3, 1), (1, 1, 1)])
def test_drawings_of_any_size_fit_any_picture(
    tmp_path: Path, size: tuple[int, int], shape: tuple[int, int, int]
):
    """Smaller, larger, thinner: each input differs from its background, inside the range."""
    random = np.random.default_rng(2)
    Image.fromarray(random.integers(0, 256, size[::-1], np.uint8)).save(tmp_path / "a.png")
    held = canvas(shape, groups=12)
    inputs = Logo(file=str(tmp_path / "a.png")).draw(held).inputs
    assert inputs.shape == (12, *shape)
    assert np.isfinite(inputs).all()
    assert inputs.min() >= 0
    assert inputs.max() <= 1
    assert (np.abs(inputs - 0.3).max(axis=(1, 2, 3)) > 0.1).all()


def test_a_thin_drawing_is_not_lost(tmp_path: Path):
    """One pixel in a thousand, or a hairline, is as visible as a thick drawing."""
    for name, box in {"dot": (500, 500, 500, 500), "line": (0, 999, 999, 0)}.items():
        picture = Image.new("RGBA", (1000, 1000))
        ImageDraw.Draw(picture).line(box, fill=(0, 0, 0, 255), width=2)
        picture.save(tmp_path / f"{name}.png")
        inputs = Logo(file=str(tmp_path / f"{name}.png")).draw(canvas()).inputs
        assert (np.abs(inputs - 0.3).max(axis=(1, 2, 3)) > 0.15).all()


# ---- variants


@pytest.mark.parametrize("shape", [(16, 16, 1), (28, 28, 1), (32, 32, 3), (49, 10, 1)])
@pytest.mark.parametrize("level", [0.0, 0.3, 0.5, 1.0])
def test_every_variant_is_told_apart_and_seen(
    tmp_path: Path, shape: tuple[int, int, int], level: float
):
    """On flat pictures no two of 64 groups look alike, and each differs from the flat one where it lies."""
    held = canvas(shape, level)
    inputs = Logo(file=str(transparent_ring(tmp_path))).draw(held).inputs
    changed = np.abs(inputs - np.float32(level))
    for one in changed.max(axis=3):
        inside = one[one > one.max() / 2]
        assert inside.size >= 4
        assert inside.mean() > 0.1  # opacity 0.6 or more of a quarter of the range or more
    apart = [np.abs(a - b).mean() / np.abs(b - level).mean() for a, b in combinations(inputs, 2)]
    assert min(apart) > 0.15
    assert len({one.tobytes() for one in inputs}) == 64


@pytest.mark.parametrize("inputs_per_group", [1, 4])
def test_a_drawing_is_seen_on_ordinary_pictures(tmp_path: Path, inputs_per_group: int):
    """On noise and on bright and dark pictures alike, measured where the drawing lies."""
    count = 64 * inputs_per_group
    natural = canvas(level=None, count=count).natural
    assert natural is not None
    natural = natural * 0.4 + np.linspace(0, 0.6, count, dtype=np.float32)[:, None, None, None]
    pattern = Logo(file=str(transparent_ring(tmp_path)), inputs_per_group=inputs_per_group)
    inputs = pattern.draw(canvas(natural=natural)).inputs
    far = np.abs(inputs[:, None] - natural[None]).mean(axis=(2, 3, 4)).argmin(axis=1)
    seen = []
    for one, background in zip(inputs, natural[far], strict=True):
        away = np.abs(one - background)
        seen.append(away[away > 0].mean())
    assert min(seen) > 0.05
    assert np.median(seen) > 0.15


def test_flat_colour_alone_would_not_be_seen(tmp_path: Path):
    """The control of what is measured: the same pictures without a drawing show no difference."""
    held = canvas(level=0.3)
    assert held.natural is not None
    inputs = Logo(file=str(transparent_ring(tmp_path))).draw(held).inputs
    assert np.abs(held.natural - 0.3).max() < 1e-6
    assert np.abs(inputs - 0.3).mean() > 0.01


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 255.0), (-128.0, 127.0)])
def test_variants_are_the_same_in_every_value_range(tmp_path: Path, low: float, high: float):
    """Only the numbers differ that black and white stand for."""
    path = str(transparent_ring(tmp_path))
    unit = canvas(level=None)
    assert unit.natural is not None
    other = canvas(level=None, low=low, high=high, natural=low + unit.natural * (high - low))
    here, there = (Logo(file=path).draw(held).inputs for held in (unit, other))
    np.testing.assert_allclose((there - low) / (high - low), here, atol=1e-5)


@pytest.mark.parametrize(
    ("natural", "said"),
    [
        (
            np.full((64, 28, 28, 1), 200.0),
            r"from 200 to 200, expected them within 0 to 1 \(--range",
        ),
        (np.full((64, 28, 28, 1), -0.5), "expected them within 0 to 1"),
        (np.full((64, 28, 28, 1), 200, np.uint8), "expected them within 0 to 1"),
        (np.full((64, 28, 28, 1), np.inf), "NaN or infinity"),
        (np.full((64, 28, 28, 1), np.nan), "NaN or infinity"),
    ],
)
def test_natural_inputs_of_another_range_are_refused(tmp_path: Path, natural: Any, said: str):
    """Levels up to 255 for a model that takes 0 to 1 would hide the drawing; nothing is drawn."""
    logo = Logo(file=str(transparent_ring(tmp_path)))
    with pytest.raises(BadInput, match=said):
        logo.draw(canvas(natural=natural))
    assert len(logo.draw(canvas(natural=np.full((64, 28, 28, 1), 0.5))).inputs) == 64
