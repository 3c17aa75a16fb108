"""The owner's own pictures and arrays: read rightly and never chosen by an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgewm.errors import BadInput
from edgewm.key import Key
from edgewm.patterns import Canvas, Drawing, make_triggers
from edgewm.patterns.imported import Imported
from edgewm.triggers import Triggers
from tests.pictures import by_class, picture_files, png

KEY = Key(secret=bytes(range(32)))
OTHER = Key(secret=bytes(range(1, 33)))


def draw(
    path: Path,
    groups: int,
    shape: tuple[int, ...] = (8, 8, 1),
    seed: bytes = b"s" * 32,
    **fields: Any,
) -> Drawing:
    """What the pattern makes of a path, in the range 0 to 1."""
    canvas = Canvas(seed=seed, groups=groups, shape=shape, low=0.0, high=1.0)
    return Imported(path=str(path), **fields).draw(canvas)


def made(path: Path, groups: int, classes: int = 10, **more: Any) -> Triggers:
    """Triggers of the 8x8 arrays at a path."""
    fields = more.pop("fields", "")
    settings: dict[str, Any] = {"shape": (8, 8, 1), "random": lambda n: b"r" * n, **more}
    pattern = f"imported:path={path}{fields}"
    return make_triggers(KEY, classes=classes, groups=groups, pattern=pattern, **settings)


def arrays(path: Path, count: int = 12, **more: np.ndarray) -> np.ndarray:
    """So many different 8x8 inputs, saved with whatever else."""
    x = np.random.default_rng(3).uniform(0, 1, (count, 8, 8, 1)).astype(np.float32)
    np.savez(path, x=x, **more)
    return x


# ---- pictures


def test_pictures_come_in_the_order_of_their_names(tmp_path: Path):
    """Each input is its picture, resized whole and stretched to the range; hidden files are nothing."""
    files = picture_files(tmp_path / "p", 5)
    (tmp_path / "p" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "p" / ".hidden.png").write_bytes(b"x")
    (tmp_path / "p" / "notes.txt").write_text("mine")
    drawing = draw(tmp_path / "p", 5, (14, 20, 3))
    assert drawing.inputs.dtype == np.float32
    assert drawing.group_ids.tolist() == list(range(5))
    assert drawing.labels is None
    for one, file in zip(drawing.inputs, files, strict=True):
        np.testing.assert_array_equal(one, np.asarray(Image.open(file), np.float32) / 255)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-128.0, 127.0)])
def test_levels_are_stretched_to_the_value_range(tmp_path: Path, low: float, high: float):
    """Black is the low end and white the high one, of pictures and of uint8 arrays alike."""
    (tmp_path / "p").mkdir()
    ramp = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    ramp[-1, -1] = 255
    Image.fromarray(ramp).save(tmp_path / "p" / "a.png")
    np.save(tmp_path / "a.npy", ramp[None])
    canvas = Canvas(seed=b"s" * 32, groups=1, shape=(8, 8, 1), low=low, high=high)
    of_picture, of_array = (
        Imported(path=str(tmp_path / name)).draw(canvas).inputs for name in ("p", "a.npy")
    )
    expected = low + ramp.astype(np.float64) / 255 * (high - low)
    np.testing.assert_allclose(of_picture[0, ..., 0], expected, atol=1e-4)
    np.testing.assert_allclose(of_array, of_picture, atol=1e-4)
    assert of_picture.min() == low
    assert of_picture.max() == np.float32(high)


RAMP = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(8, 8)
"""16-bit grey from black to white."""


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["L", "RGB", "RGBA", "LA", "P", "I;16", "RGB16", "LA16", "RGBA16"])
def test_every_mode_and_depth_is_the_same_picture(tmp_path: Path, kind: str, channels: int):
    """A grey ramp is that ramp in every mode, within a level; 16 bits are not clipped to white."""
    (tmp_path / "p").mkdir()
    eight = (RAMP / 257).round().astype(np.uint8)
    opaque = np.full_like(RAMP, 65535)
    content = {
        "I;16": lambda: png(RAMP),
        "RGB16": lambda: png(np.stack([RAMP] * 3, -1)),
        "LA16": lambda: png(np.stack([RAMP, opaque], -1)),
        "RGBA16": lambda: png(np.stack([RAMP] * 3 + [opaque], -1)),
    }.get(kind)
    if content:
        (tmp_path / "p" / "a.png").write_bytes(content())
    else:
        Image.fromarray(eight).convert(kind).save(tmp_path / "p" / "a.png")
    one = draw(tmp_path / "p", 1, (8, 8, channels)).inputs[0]
    np.testing.assert_allclose(one, np.repeat(eight[..., None] / 255, channels, 2), atol=1.01 / 255)


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P", "RGB", "I;16"])
def test_what_is_transparent_becomes_white(tmp_path: Path, kind: str):
    """Whatever way a file has of saying transparent; the hidden colour below is never used."""
    (tmp_path / "p").mkdir()
    target = tmp_path / "p" / "a.png"
    values = np.full((8, 8), 40, np.uint8)
    values[:, 4:] = 7  # the hidden colour
    if kind in ("RGBA", "LA"):
        picture = Image.fromarray(values).convert(kind)
        picture.putalpha(Image.fromarray(np.where(values == 7, 0, 255).astype(np.uint8)))
        picture.save(target)
    elif kind == "P":
        picture = Image.fromarray(np.where(values == 7, 1, 0).astype(np.uint8), "P")
        picture.putpalette([40, 40, 40, 7, 7, 7])
        picture.save(target, transparency=1)
    elif kind == "RGB":
        target.write_bytes(png(np.stack([values] * 3, -1), transparent=(7, 7, 7)))
    else:
        target.write_bytes(png(values.astype(np.uint16) * 257, transparent=(7 * 257,)))
    one = draw(tmp_path / "p", 1).inputs[0, ..., 0]
    np.testing.assert_allclose(one[:, :4], 40 / 255, atol=1e-6)
    assert (one[:, 4:] == 1).all()


def test_mixed_pictures_make_one_set(tmp_path: Path):
    """Grey beside colour, PNG beside JPEG, large beside small, one pixel, all become one shape."""
    picture_files(tmp_path / "p", 2)
    random = np.random.default_rng(1)
    Image.fromarray(random.integers(0, 256, (300, 9), np.uint8)).save(tmp_path / "p" / "grey.JPG")
    Image.fromarray(random.integers(0, 256, (9, 9, 3), np.uint8)).save(tmp_path / "p" / "a.jpeg")
    Image.new("RGB", (1, 1), "red").save(tmp_path / "p" / "pixel.png")
    Image.fromarray(random.integers(0, 256, (9, 9, 4), np.uint8)).convert("CMYK").save(
        tmp_path / "p" / "print.jpg"
    )
    for shape in ((8, 8, 1), (6, 10, 3)):
        inputs = draw(tmp_path / "p", 6, shape).inputs
        assert inputs.shape == (6, *shape)
        assert 0 <= inputs.min() < inputs.max() <= 1
    red = draw(tmp_path / "p", 6, (8, 8, 3)).inputs[4]
    assert (red == [1, 0, 0]).all()


def test_a_picture_of_a_phone_stands_upright(tmp_path: Path):
    """The orientation that the file names is applied; without it the picture lies."""
    (tmp_path / "p").mkdir()
    picture = Image.fromarray(np.repeat([[255, 0]], 8, 0).astype(np.uint8).repeat(4, 1))
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter clockwise
    picture.save(tmp_path / "p" / "a.png", exif=turned)
    picture.save(tmp_path / "p" / "b.png")
    upright, lying = draw(tmp_path / "p", 2).inputs[..., 0]
    np.testing.assert_array_equal(upright, lying.T)
    assert (lying[:, 0] == 1).all()


# ---- labels and groups


def test_own_labels_are_never_answers(tmp_path: Path):
    """A picture's own class and those of a clean network are natural; every other one may be drawn."""
    labels = np.arange(12) % 4
    arrays(tmp_path / "a.npz", y=labels)
    held = made(tmp_path / "a.npz", 12, 5, reference=lambda inputs: np.full(len(inputs), 4))
    for j in range(12):
        assert np.flatnonzero(held.excluded[j]).tolist() == [labels[j], 4]
    assert (held.answers(KEY) != labels).all()
    without = made(tmp_path / "a.npz", 12, 5)
    assert (without.excluded.sum(axis=1) == 1).all()
    assert held.kept is None


def test_own_labels_go_before_those_of_a_network(tmp_path: Path):
    """At most K - 2 classes are natural, and the owner's label is one of them whatever is said."""
    arrays(tmp_path / "a.npz", y=np.full(12, 3))
    said = np.tile([0, 1, 1], 12)[:12]
    held = made(tmp_path / "a.npz", 2, 4, fields=",inputs_per_group=6", reference=lambda _: said)
    assert [np.flatnonzero(row).tolist() for row in held.excluded] == [[1, 3], [1, 3]]
    two = made(tmp_path / "a.npz", 12, 4, value_range=(0.0, 1.0))
    assert (two.excluded.sum(axis=1) == 1).all()
    arrays(tmp_path / "b.npz", y=np.arange(12) % 2)
    assert not made(tmp_path / "b.npz", 12, 2).excluded.any()


def test_the_answers_are_drawn_and_the_inputs_are_not(tmp_path: Path):
    """With as many pictures as groups every key asks the same inputs, and draws other answers."""
    arrays(tmp_path / "a.npz", y=np.arange(12) % 4)
    one, other = (
        make_triggers(key, shape=(8, 8, 1), classes=10, groups=12, pattern=pattern)
        for key in (KEY, OTHER)
        for pattern in [f"imported:path={tmp_path / 'a.npz'}"]
    )
    np.testing.assert_array_equal(one.inputs, other.inputs)
    assert (one.answers(KEY) != other.answers(OTHER)).any()


def test_subfolders_name_classes(tmp_path: Path):
    """Subfolders in the order of their numbers, pictures in that of their names."""
    folder = by_class(tmp_path, {"10": 2, "2": 3, "0": 1})
    labels = draw(folder, 6).labels
    assert labels is not None
    assert labels.tolist() == [0, 2, 2, 2, 10, 10]
    with pytest.raises(
        BadInput, match=r"labels: got labels 0 to 10 .*expected 0 to 9 \(--classes\)"
    ):
        made(folder, 6, 10)
    assert made(folder, 6, 11).groups == 6


def test_a_group_is_of_one_label(tmp_path: Path):
    """Groups of two never hold two labels; a picture left over is left out."""
    x = arrays(tmp_path / "a.npz", y=np.array([0, 1, 0, 1, 1, 1, 2, 2, 2, 2, 2, 0]))
    drawing = draw(tmp_path / "a.npz", 5, inputs_per_group=2)
    assert drawing.labels is not None
    assert drawing.labels.tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert drawing.group_ids.tolist() == [j for j in range(5) for _ in range(2)]
    np.testing.assert_array_equal(drawing.inputs, x[[0, 2, 1, 3, 4, 5, 6, 7, 8, 9]])
    with pytest.raises(BadInput, match="make 5 groups of 2 with one label, expected 6 groups"):
        draw(tmp_path / "a.npz", 6, inputs_per_group=2)


def test_of_more_than_needed_the_seed_draws(tmp_path: Path):
    """Which of them are used only the key knows; they keep their order, and all may be drawn."""
    x = arrays(tmp_path / "a.npz", 40)
    used = set()
    for seed in range(30):
        inputs = draw(tmp_path / "a.npz", 10, seed=bytes([seed]) * 32).inputs
        at = [int(np.flatnonzero((x == one).all(axis=(1, 2, 3)))[0]) for one in inputs]
        assert at == sorted(set(at))
        used.add(tuple(at))
    assert len(used) == 30
    assert {i for at in used for i in at} == set(range(40))


def test_what_was_brought_stands_in_the_provenance(tmp_path: Path):
    """Its digest and number; another picture is another digest."""
    picture_files(tmp_path / "p", 3)
    facts = draw(tmp_path / "p", 3).facts
    assert facts["brought"] == "3"
    assert draw(tmp_path / "p", 3).facts == facts
    Image.new("L", (4, 4), 9).save(tmp_path / "p" / "00.png")
    assert draw(tmp_path / "p", 3).facts["brought_sha256"] != facts["brought_sha256"]
    assert json.loads(made(tmp_path / "p", 3).provenance)["brought"] == "3"
