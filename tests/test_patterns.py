"""Secret inputs: drawn from the seed alone, the same for ever, and different from group to group."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgewm import spec
from edgewm.errors import BadInput
from edgewm.key import Key
from edgewm.patterns import Canvas, Drawing, make_triggers
from edgewm.patterns.abstract import Abstract, field
from tests.pictures import array_of_pictures

KEY = Key(secret=bytes(range(32)))
SEED = b"\x11" * 32
SHAPES = [(8, 8, 1), (28, 28, 1), (49, 10, 1), (32, 32, 3), (640,)]
PINNED = [
    "b2ad722e94f61f9ec366ca6b8656b134b5391b6a2cad12399a31cb623a726cea",
    "6921870289159b674176031ed48bb5a4def87bf3ec1233ae4fb36fc51c97ee93",
    "662e2f3cb6deeb1db9dd8e1f26926213611d972980b2bfb5a338b701f0d36094",
    "6158d84dd620d48c7eb2be304d1f8d0985f5d8dd79fdcb24de364fa02f7d3e98",
    "c91064d87b4cefe0761afa2a26ff8ca8da06c392772e56d63433208ba440b28c",
]


def drawing_of_a_ring(folder: Path) -> str:
    """A transparent picture with a ring on it, wider than high."""
    y, x = np.mgrid[:60, :80]
    radius = np.hypot(y - 30, x - 40)
    picture = np.zeros((60, 80, 4), np.uint8)
    picture[(radius > 12) & (radius < 28)] = 255
    Image.fromarray(picture).save(folder / "ring.png")
    return f"logo:file={folder / 'ring.png'},inputs_per_group=2"


SPELLINGS = {
    "abstract": lambda folder: "abstract:inputs_per_group=2",
    "composite": lambda folder: "composite:inputs_per_group=2",
    "imported": array_of_pictures,
    "logo": drawing_of_a_ring,
    "variants": lambda folder: "variants:inputs_per_group=2",
    "motion": lambda folder: "motion:inputs_per_group=2",
    "tone": lambda folder: "tone:inputs_per_group=2",
}


def canvas(**changes: Any) -> Canvas:
    """Twelve groups of 16x16 pictures, with ordinary ones to draw on."""
    natural = np.random.default_rng(1).uniform(0, 1, (200, 16, 16, 1)).astype(np.float32)
    held = {
        "seed": SEED,
        "groups": 12,
        "shape": (16, 16, 1),
        "low": 0.0,
        "high": 1.0,
        "natural": natural,
    }
    return Canvas(**{**held, **changes})


# ---- every pattern


@pytest.fixture(params=spec.names("patterns"))
def pattern(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return spec.parse("patterns", SPELLINGS[request.param](tmp_path))


def test_every_pattern_draws_what_was_asked(pattern: Any):
    """float32 inputs of the canvas's shape and range, every group in turn, all finite."""
    drawing = pattern.draw(canvas())
    assert drawing.inputs.dtype == np.float32
    assert drawing.inputs.shape == (24, 16, 16, 1)
    assert drawing.group_ids.tolist() == [j for j in range(12) for _ in range(2)]
    assert drawing.group_ids.dtype == np.int32
    assert 0 <= drawing.inputs.min() < drawing.inputs.max() <= 1


def test_every_pattern_is_drawn_from_the_seed_alone(pattern: Any):
    """The same canvas gives the same bytes; one bit of the seed changes most inputs."""
    first, again = pattern.draw(canvas()), pattern.draw(canvas())
    assert first.inputs.tobytes() == again.inputs.tobytes()
    other = pattern.draw(canvas(seed=b"\x10" + SEED[1:]))
    same = (first.inputs == other.inputs).all(axis=(1, 2, 3))
    assert same.sum() == 0


def test_every_pattern_gives_every_group_its_own_inputs(pattern: Any):
    """No two inputs are equal, within a group or across."""
    inputs = pattern.draw(canvas()).inputs
    assert len({one.tobytes() for one in inputs}) == len(inputs)


def test_every_pattern_leaves_its_canvas_alone(pattern: Any):
    """The natural pictures are read and never written."""
    held = canvas()
    assert held.natural is not None
    before = held.natural.copy()
    pattern.draw(held)
    np.testing.assert_array_equal(held.natural, before)


def test_every_pattern_makes_triggers_that_can_be_saved(pattern: Any, tmp_path: Path):
    """The set names its pattern by the spelling that draws it again."""
    held = make_triggers(
        KEY, shape=(16, 16, 1), classes=4, groups=5, pattern=pattern, natural=canvas().natural
    )
    assert held.groups == 5
    provenance = json.loads(held.provenance)
    assert spec.parse("patterns", provenance["pattern"]) == pattern
    assert provenance["value_range"] == [0.0, 1.0]


# ---- abstract


@pytest.mark.parametrize(("shape", "digest"), list(zip(SHAPES, PINNED, strict=True)))
def test_abstract_fields_are_pinned(shape: tuple[int, ...], digest: str):
    """These bytes are what C must repeat, for ever."""
    drawn = np.stack([field(SEED, index, shape, 4) for index in range(3)])
    assert hashlib.sha256(drawn.tobytes()).hexdigest() == digest


@pytest.mark.parametrize(
    ("shape", "cells"),
    [((8, 8, 1), 4), ((49, 10, 1), 4), ((9, 4), 3), ((640,), 16), ((5, 3, 6), 1)],
)
def test_abstract_equals_its_definition_in_whole_numbers(shape: tuple[int, ...], cells: int):
    """numpy's fields equal a reading of the docstring in plain Python integers."""
    for index in range(3):
        assert field(SEED, index, shape, cells).ravel().tolist() == by_hand(index, shape, cells)


def by_hand(index: int, shape: tuple[int, ...], cells: int) -> list[int]:
    """The definition, one sample at a time: lattice, fill axis by axis, stretch."""
    lattice = [cells + 1 if length > 4 else length for length in shape]
    points = list(product(*(range(n) for n in lattice)))
    spelled = b"".join(
        struct.pack("<Q", len(p)) + p for p in (b"abstract", SEED, struct.pack("<Q", index))
    )
    values: dict[tuple[int, ...], int] = dict(
        zip(points, hashlib.shake_256(spelled).digest(len(points)), strict=True)
    )
    sizes = list(lattice)
    for axis, length in enumerate(shape):
        if length <= 4:
            continue
        sizes[axis] = length
        filled = {}
        for at in product(*(range(n) for n in sizes)):
            position = at[axis] * cells * 256 // (length - 1)
            left = min(position // 256, cells - 1)
            fraction = position - 256 * left
            a = values[(*at[:axis], left, *at[axis + 1 :])]
            b = values[(*at[:axis], left + 1, *at[axis + 1 :])]
            filled[at] = (a * (256 - fraction) + b * fraction + 128) >> 8
        values = filled
    low, high = min(values.values()), max(values.values())
    return [(v - low) * 255 // (high - low) for _, v in sorted(values.items())]


@pytest.mark.parametrize("shape", [(2,), (5,), (4,), (300, 6), (1, 1, 5), (3, 5, 7, 2), (1, 640)])
def test_abstract_takes_any_shape(shape: tuple[int, ...]):
    """Fields of any number of axes use the whole range and differ."""
    drawing = Abstract().draw(canvas(shape=shape, natural=None))
    assert drawing.inputs.shape == (12, *shape)
    assert drawing.inputs.min() == 0
    assert drawing.inputs.max() == 1
    if np.prod(shape) > 4:
        assert len({one.tobytes() for one in drawing.inputs}) == 12


def test_a_single_number_has_nothing_to_draw():
    """One sample has no smallest and largest: it is the low end, and no division by zero."""
    assert (Abstract().draw(canvas(shape=(1,), low=-3.0)).inputs == -3).all()


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-128.0, 127.0)])
def test_abstract_fills_the_range_of_the_model(low: float, high: float):
    """Byte q stands for low + q / 255 (high - low), the ends included, the levels unchanged."""
    inputs = Abstract().draw(canvas(low=low, high=high)).inputs
    assert inputs.min() == np.float32(low)
    assert inputs.max() == np.float32(high)
    levels = np.stack([field(SEED, i, (16, 16, 1), 8) for i in range(12)])  # half of 16 samples
    np.testing.assert_allclose(inputs, low + levels / 255.0 * (high - low), rtol=1e-6, atol=1e-4)


def test_more_cells_are_finer():
    """Neighbours differ more where there are more cells along an axis."""
    broad, fine = (
        np.abs(np.diff(Abstract(cells=c).draw(canvas(shape=(64, 64, 1))).inputs, axis=1)).mean()
        for c in (2, 16)
    )
    assert fine > 2 * broad


@pytest.mark.parametrize("text", ["cells=0", "cells=65", "inputs_per_group=0"])
def test_abstract_refuses_what_it_cannot_draw(text: str):
    """Settings out of range are one line that names the range."""
    with pytest.raises(BadInput, match=text):
        spec.parse("patterns", f"abstract:{text}")


# ---- logo


def test_logo_lies_over_natural_pictures(tmp_path: Path):
    """Each input is an ordinary picture outside the drawing, and another one inside it."""
    held = canvas()
    assert held.natural is not None
    inputs = spec.parse("patterns", drawing_of_a_ring(tmp_path)).draw(held).inputs
    backgrounds = set()
    for one in inputs:
        untouched = (one == held.natural).mean(axis=(1, 2, 3))
        assert 0.3 < untouched.max() < 0.97
        backgrounds.add(int(untouched.argmax()))
    assert len(backgrounds) == len(inputs)


def test_logo_variants_of_a_group_share_the_drawing(tmp_path: Path):
    """On flat pictures the inputs of one group are equal and those of two groups differ."""
    flat = np.full((200, 16, 16, 1), 0.5, np.float32)
    inputs = spec.parse("patterns", drawing_of_a_ring(tmp_path)).draw(canvas(natural=flat)).inputs
    np.testing.assert_array_equal(inputs[::2], inputs[1::2])
    assert len({one.tobytes() for one in inputs[::2]}) == 12


def test_logo_records_the_drawing(tmp_path: Path):
    """The digest of the owner's file stands in the provenance, and colour pictures take colours."""
    natural = np.random.default_rng(1).uniform(0, 1, (9, 20, 12, 3)).astype(np.float32)
    held = make_triggers(
        KEY,
        shape=(20, 12, 3),
        classes=4,
        groups=4,
        pattern=drawing_of_a_ring(tmp_path),
        natural=natural,
    )
    digest = hashlib.sha256((tmp_path / "ring.png").read_bytes()).hexdigest()
    assert json.loads(held.provenance)["drawing_sha256"] == digest
    assert held.shape == (20, 12, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (40, 40)])
def test_logo_reads_every_kind_of_picture(tmp_path: Path, mode: str, size: tuple[int, int]):
    """Black and white, grey, palette, print colours and deep pictures all give a drawing."""
    y, x = np.mgrid[: size[1], : size[0]]
    grey = Image.fromarray(((x * 7 + y * 3) % 256).astype(np.uint8))
    picture = grey.convert("L") if mode == "I;16" else grey.convert(mode)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 200)
    picture.save(tmp_path / "a.tif")
    inputs = spec.parse("patterns", f"logo:file={tmp_path / 'a.tif'}").draw(canvas()).inputs
    assert np.isfinite(inputs).all()
    assert inputs.max() <= 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"", "no picture"),
        (b"hello", "no picture"),
        ("cut", "cannot be read"),
    ],
)
def test_logo_refuses_what_is_no_picture(tmp_path: Path, content: Any, said: str):
    """A missing, empty, foreign or truncated file is one line."""
    drawing_of_a_ring(tmp_path)
    path = tmp_path / "a.png"
    if content == "cut":
        path.write_bytes((tmp_path / "ring.png").read_bytes()[:150])
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=said) as caught:
        spec.parse("patterns", f"logo:file={path}").draw(canvas())
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"natural": None}, "got natural inputs none, expected at least 24"),
        ({"natural": np.zeros((23, 16, 16, 1), np.float32)}, "expected at least 24"),
        ({"natural": np.zeros((90, 8, 8, 1), np.float32)}, r"of shape \(16, 16, 1\)"),
        ({"natural": np.full((90, 16, 16, 1), np.nan, np.float32)}, "NaN"),
        ({"shape": (640,)}, "expected pictures"),
        ({"shape": (16, 16, 2)}, "expected pictures"),
    ],
)
def test_logo_refuses_a_canvas_that_is_no_picture(tmp_path: Path, changes: Any, said: str):
    """Without enough ordinary pictures of the same shape nothing is drawn."""
    with pytest.raises(BadInput, match=said):
        spec.parse("patterns", drawing_of_a_ring(tmp_path)).draw(canvas(**changes))


def test_an_empty_drawing_is_refused(tmp_path: Path):
    """A picture that is transparent everywhere marks nothing."""
    Image.fromarray(np.zeros((9, 9, 4), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(BadInput, match="transparent everywhere"):
        spec.parse("patterns", f"logo:file={tmp_path / 'a.png'}").draw(canvas())


# ---- making triggers


def test_the_same_key_and_salt_make_the_same_triggers():
    """Everything random is the key and the salt; another of either is another set."""
    sets = [
        make_triggers(key, shape=(8, 8, 1), classes=10, groups=8, random=lambda n, s=salt: s * n)
        for key, salt in [
            (KEY, b"a"),
            (KEY, b"a"),
            (KEY, b"b"),
            (Key(secret=bytes(32)), b"a"),
        ]
    ]
    assert sets[0].sha256 == sets[1].sha256
    assert len({held.sha256 for held in sets}) == 3
    assert len({held.inputs.tobytes() for held in sets}) == 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Three:
    """Four groups of six inputs, all different: a pattern of somebody else."""

    def draw(self, canvas: Canvas) -> Drawing:
        ids = np.repeat(np.arange(canvas.groups, dtype=np.int32), 6)
        return Drawing(inputs=np.arange(len(ids), dtype=np.float32)[:, None], group_ids=ids)


@pytest.mark.parametrize(
    ("classes", "said", "natural"),
    [
        (10, [3, 3, 3, 3, 3, 3], [3]),
        (10, [3, 1, 3, 1, 3, 7], [1, 3, 7]),
        (4, [0, 1, 2, 3, 3, 2], [2, 3]),  # at most K - 2: the most frequent, then the lowest
        (3, [0, 1, 2, 0, 1, 2], [0]),
        (2, [0, 0, 0, 0, 0, 1], []),
    ],
)
def test_classes_of_a_clean_reference_are_natural(
    classes: int, said: list[int], natural: list[int]
):
    """What a clean network says of a group is never its answer, and two classes always stay."""
    held = make_triggers(
        KEY,
        shape=(1,),
        classes=classes,
        groups=4,
        pattern=Three(),
        reference=lambda inputs: np.array(said * 4, np.int64),
    )
    for j in range(4):
        assert np.flatnonzero(held.excluded[j]).tolist() == natural
        assert int(held.answers(KEY)[j]) not in natural
    assert json.loads(held.provenance)["reference"] is True


@pytest.mark.parametrize("labels", [np.zeros(23, int), np.full(24, -1), np.full(24, 10)])
def test_a_reference_that_gives_no_classes_is_refused(labels: np.ndarray):
    """Too few labels, failures and classes that do not exist are refused."""
    with pytest.raises(BadInput, match="reference: got labels"):
        make_triggers(
            KEY, shape=(1,), classes=10, groups=4, pattern=Three(), reference=lambda _: labels
        )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": 1}, "got 1 classes"),
        ({"groups": 0}, "0 groups"),
        ({"shape": ()}, "got the shape"),
        ({"shape": (8, 0, 1)}, "got the shape"),
        ({"value_range": (1.0, 1.0)}, "expected low < high"),
        ({"value_range": (0.0, float("inf"))}, "expected low < high"),
        ({"value_range": (float("nan"), 1.0)}, "expected low < high"),
        ({"pattern": "abstrakt"}, "expected one of abstract, composite, imported, logo"),
    ],
)
def test_sets_that_cannot_be_made_are_refused(changes: dict[str, Any], said: str):
    """Shapes, ranges and counts that make no sense are one line; the control is made."""
    arguments: dict[str, Any] = {"shape": (8, 8, 1), "classes": 10, "groups": 2}
    with pytest.raises(BadInput, match=said):
        make_triggers(KEY, **{**arguments, **changes})
    assert make_triggers(KEY, **arguments).groups == 2


def test_every_pattern_is_covered():
    """A pattern that appears in the folder is tested here the same day."""
    assert set(SPELLINGS) == set(spec.names("patterns"))
