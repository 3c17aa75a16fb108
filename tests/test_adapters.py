"""Adapters: what each computes, that it sees nothing but inputs, and which chain fits a suspect."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgewm import spec
from edgewm.adapters import Questions
from edgewm.adapters.chain import adapted, chains_of, value_range
from edgewm.adapters.suggestion import IMAGENET, nearest_range, plausible, suggested
from edgewm.errors import BadInput
from edgewm.triggers import Triggers, commit
from tests.recordings import KEY, set_of

SPELLINGS = {
    "classes": "classes:order=1x0x-1x2",
    "grey_to_rgb": "grey_to_rgb",
    "mfcc": "mfcc:frame=16,step=8,points=16,mels=6,coefficients=4",
    "nchw": "nchw",
    "range": "range:low=-1,high=1",
    "reshape": "reshape:shape=8x6",
    "resize": "resize:height=5,width=9",
    "rgb_to_grey": "rgb_to_grey",
    "standardise": "standardise:mean=0.5,deviation=0.25",
}
PINNED = "a53d20ac759e0f765c0557bdd79b9d157d58af070dacc7230d3f7cd310f697eb"


def asked(shape: tuple[int, ...] = (8, 6, 1), **more: Any) -> Questions:
    """Five random inputs in 0 to 1, of triggers of four classes."""
    inputs = np.random.default_rng(7).uniform(0, 1, (5, *shape)).astype(np.float32)
    held = {"classes": 4, "value_range": (0.0, 1.0), "takes": None}
    return Questions(inputs=inputs.astype(np.float64), **{**held, **more})


def over(inputs: np.ndarray) -> Questions:
    """Questions with these inputs."""
    return Questions(inputs=inputs, classes=4, value_range=(0.0, 1.0), takes=None)


def of_range(shape: tuple[int, ...], ends: Any = (0.0, 1.0)) -> Triggers:
    """Triggers that say their value range."""
    held = set_of(10, shape, groups=4)
    return commit(
        KEY,
        held.inputs,
        held.group_ids,
        excluded=held.excluded,
        salt=held.salt,
        provenance={"value_range": ends},
    )


# ---- every adapter


def test_every_adapter_is_covered():
    """An adapter that appears in the folder is tested here the same day."""
    assert set(SPELLINGS) == set(spec.names("adapters"))


@pytest.fixture(params=sorted(SPELLINGS))
def case(request: pytest.FixtureRequest) -> tuple[Any, Questions]:
    shape = (8, 6, 3) if request.param == "rgb_to_grey" else (8, 6, 1)
    return spec.parse("adapters", SPELLINGS[request.param]), asked(shape)


def test_every_adapter_is_one_frozen_dataclass(case: tuple[Any, Questions]):
    """Frozen, keywords only, and back from its spelling."""
    adapter, _ = case
    assert type(adapter).__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(adapter))
    assert spec.parse("adapters", spec.spell(adapter)) == adapter


def test_every_adapter_changes_each_input_by_itself(case: tuple[Any, Questions]):
    """An input alone becomes what it becomes among others, so groups may be asked in any parts."""
    adapter, questions = case
    together = adapter.adapt(questions).inputs
    assert together.dtype == np.float64
    assert len(together) == 5
    for at in range(5):
        one = dataclasses.replace(questions, inputs=questions.inputs[at : at + 1])
        assert adapter.adapt(one).inputs.tobytes() == together[at : at + 1].tobytes()


def test_every_adapter_leaves_the_questions_alone(case: tuple[Any, Questions]):
    """What it is given is read and never written, and the answer is another value."""
    adapter, questions = case
    before = questions.inputs.tobytes()
    assert adapter.adapt(questions) is not questions
    assert questions.inputs.tobytes() == before


def test_every_adapter_keeps_what_is_not_its_own(case: tuple[Any, Questions]):
    """Only `classes` names an order, and only range, standardise and mfcc move the range."""
    adapter, questions = case
    name = spec.spell(adapter).partition(":")[0]
    after = adapter.adapt(questions)
    assert (after.order is not None) is (name == "classes")
    assert (after.value_range != (0.0, 1.0)) is (name in ("range", "standardise", "mfcc"))
    assert (after.shape != questions.shape) is (name not in ("range", "standardise", "classes"))
    low, high = after.value_range or (-math.inf, math.inf)
    assert low - 1e-12 <= after.inputs.min() < after.inputs.max() <= high + 1e-12


# ---- resize


def by_hand(row: list[float], length: int) -> list[Fraction]:
    """The definition as an area under a triangle's centre line, in fractions, one result at a time."""
    had = len(row)
    support = max(Fraction(1), Fraction(had, length))
    out = []
    for i in range(length):
        centre = (i + Fraction(1, 2)) * Fraction(had, length) - Fraction(1, 2)
        weights = [max(Fraction(0), 1 - abs(j - centre) / support) for j in range(had)]
        summed = sum((w * Fraction(x) for w, x in zip(weights, row, strict=True)), Fraction(0))
        out.append(summed / sum(weights))
    return out


@pytest.mark.parametrize(
    ("had", "length"), [(8, 16), (16, 8), (7, 5), (5, 7), (1, 4), (4, 1), (28, 32), (9, 9)]
)
def test_resize_is_its_definition(had: int, length: int):
    """Along one axis the result is the definition in exact fractions, to the last bits."""
    questions = asked((had, 3, 2))
    found = spec.parse("adapters", f"resize:height={length},width=3").adapt(questions).inputs
    assert found.shape == (5, length, 3, 2)
    row = questions.inputs[2, :, 1, 1].tolist()
    exact = [float(value) for value in by_hand(row, length)]
    np.testing.assert_allclose(found[2, :, 1, 1], exact, rtol=1e-14)


@pytest.mark.parametrize("size", [(32, 32), (14, 20), (7, 7), (28, 56), (1, 1), (61, 3)])
def test_resize_is_what_pillow_calls_bilinear(size: tuple[int, int]):
    """A library of somebody else's agrees to its own float32 rounding."""
    questions = asked((28, 28, 1))
    found = spec.parse("adapters", f"resize:height={size[0]},width={size[1]}").adapt(questions)
    for one, after in zip(questions.inputs, found.inputs, strict=True):
        picture = Image.fromarray(one[..., 0].astype(np.float32)).resize(
            size[::-1], Image.Resampling.BILINEAR
        )
        np.testing.assert_allclose(after[..., 0], np.asarray(picture), atol=1e-6)


def test_resize_is_pinned():
    """These bytes are the definition for ever; they are whole numbers and divisions, no library's sum."""
    grid = np.arange(2 * 12 * 10 * 3, dtype=np.float64).reshape(2, 12, 10, 3) * 37 % 256 / 255
    digest = hashlib.sha256()
    for size in ((24, 20), (5, 7), (16, 6), (1, 1)):
        adapter = spec.parse("adapters", f"resize:height={size[0]},width={size[1]}")
        made = adapter.adapt(over(grid)).inputs
        digest.update(made.astype("<f4").tobytes())
    assert digest.hexdigest() == PINNED


def test_resize_takes_the_suspects_size():
    """The size comes from what the suspect takes, channels in front or at the end, and is spelled out."""
    held = of_range((8, 8, 1))
    for takes, chain in (
        ((12, 9, 1), ["resize"]),
        ((1, 12, 9), ["resize", "nchw"]),
        ((3, 12, 9), ["grey_to_rgb", "resize", "nchw"]),
        ((12, 9), ["resize", "reshape"]),
    ):
        spelled, questions = adapted(chain, held, takes=takes)
        assert questions.shape == takes
        assert "resize:height=12,width=9" in spelled
        again, repeated = adapted(spelled, held, takes=None)  # what is recorded repeats it
        assert again == spelled
        assert repeated.inputs.tobytes() == questions.inputs.tobytes()
    with pytest.raises(BadInput, match="write resize:height=H,width=W"):
        adapted(["resize"], held, takes=None)
    with pytest.raises(BadInput, match="names no picture size"):
        adapted(["resize"], held, takes=(64,))


# ---- the others


def test_colours():
    """Grey is three times itself; the luma is 299, 587 and 114 thousandths, and grey comes back."""
    grey = asked((4, 4, 1))
    colour = spec.parse("adapters", "grey_to_rgb").adapt(grey)
    np.testing.assert_array_equal(colour.inputs, np.repeat(grey.inputs, 3, axis=3))
    back = spec.parse("adapters", "rgb_to_grey").adapt(colour)
    np.testing.assert_allclose(back.inputs, grey.inputs, rtol=1e-15)
    pure = spec.parse("adapters", "rgb_to_grey").adapt(over(np.eye(3).reshape(1, 3, 1, 3)))
    assert pure.inputs.ravel().tolist() == [0.299, 0.587, 0.114]


def test_layouts():
    """nchw puts channel c of pixel (y, x) at (c, y, x); reshape keeps the order of the numbers."""
    questions = asked((4, 5, 3))
    planes = spec.parse("adapters", "nchw").adapt(questions).inputs
    assert planes.shape == (5, 3, 4, 5)
    assert planes[1, 2, 3, 4] == questions.inputs[1, 3, 4, 2]
    flat = spec.parse("adapters", "reshape:shape=60").adapt(questions).inputs
    np.testing.assert_array_equal(flat.ravel(), questions.inputs.ravel())


def test_ranges():
    """The ends go to the ends, a range after a range starts from it, and standardising is per channel."""
    questions = asked((4, 4, 3))
    chain = [spec.parse("adapters", t) for t in ("range:low=-1,high=1", "range:low=0,high=255")]
    after = chain[1].adapt(chain[0].adapt(questions))
    np.testing.assert_allclose(after.inputs, questions.inputs * 255, atol=1e-12)
    assert after.value_range == (0.0, 255.0)
    standard = spec.parse("adapters", IMAGENET).adapt(questions)
    for channel, (mean, deviation) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]):
        expected = (questions.inputs[..., channel] - mean) / deviation
        np.testing.assert_array_equal(standard.inputs[..., channel], expected)
    assert standard.value_range == pytest.approx((-0.485 / 0.229, 0.594 / 0.225))


def test_classes_from_a_file_are_the_order_itself(tmp_path: Path):
    """What is spelled, and so recorded, holds the order and no file; -1 is read as none."""
    path = tmp_path / "order.txt"
    path.write_text("2\n-1\n0\n")
    adapter = spec.parse("adapters", f"classes:file={path}")
    assert adapter.order == (2, -1, 0)
    assert spec.spell(adapter) == "classes:order=2x-1x0,file=none"
    assert adapter.adapt(asked()).order == (2, -1, 0)


@pytest.mark.parametrize(
    ("text", "shape", "said"),
    [
        ("resize:height=0", (8, 8, 1), "height=0, expected 1 to 4096"),
        ("resize:height=4,width=4", (8,), "expected .height, width, channels"),
        ("grey_to_rgb", (8, 8, 3), "expected one channel"),
        ("rgb_to_grey", (8, 8, 1), "expected three channels"),
        ("nchw", (8, 8), "expected .height, width, channels"),
        ("reshape", (8, 8), "write reshape:shape=784"),
        ("reshape:shape=63", (8, 8), "as many values in both"),
        ("reshape:shape=-8x-8", (8, 8), "as many values in both"),
        ("range:low=1,high=1", (8,), "expected low < high"),
        ("range:low=0,high=inf", (8,), "expected a number"),
        ("range:low=0", (8,), "got no 'high'"),
        ("standardise:mean=0,deviation=0", (8,), "deviations above 0"),
        ("standardise:mean=0x1,deviation=1", (8, 8, 3), "expected 1 or 3"),
        ("standardise:mean=a,deviation=1", (8, 8, 3), "numbers with x between them"),
        ("classes", (8,), "classes:order=2x0x1 or classes:file"),
        ("classes:order=0", (8,), "two or more classes"),
        ("classes:order=-1x-1", (8,), "two or more classes"),
        ("classes:order=0x-2", (8,), "two or more classes"),
        ("classes:order=0x10", (8,), "the triggers have 10"),
        ("classes:file=nowhere.txt", (8,), "nowhere.txt cannot be read"),
        ("bigger", (8,), "expected one of classes, grey_to_rgb"),
    ],
)
def test_what_an_adapter_cannot_do_is_one_line(text: str, shape: tuple[int, ...], said: str):
    """A wrong value or shape names the adapter and what it expected."""
    with pytest.raises(BadInput, match=said) as caught:
        adapted([text], of_range(shape), takes=None)
    assert len(str(caught.value).splitlines()) == 1


def test_an_order_twice_and_numbers_too_large_are_refused():
    """Two orders have no meaning; float32 must hold what is asked."""
    held = of_range((8, 8, 1))
    order = "classes:order=" + "x".join(map(str, range(10)))
    with pytest.raises(BadInput, match="an order twice"):
        adapted([order, order], held, takes=None)
    with pytest.raises(BadInput, match="not finite"):
        adapted(["range:low=0,high=1e39"], held, takes=None)


# ---- chains


def test_a_chain_is_rounded_once_and_does_not_depend_on_batches():
    """Its float32 numbers are those of float64 throughout, over more inputs than a batch."""
    held = set_of(3, (6, 6, 1), groups=150)
    chain = ["standardise:mean=0.3,deviation=0.7", "resize:height=9,width=4", "nchw"]
    _, questions = adapted(chain, held, takes=None)
    once = Questions(inputs=held.inputs.astype(np.float64), classes=3, value_range=None, takes=None)
    for text in chain:
        once = spec.parse("adapters", text).adapt(once)
    assert questions.inputs.dtype == np.float32
    np.testing.assert_array_equal(questions.inputs, once.inputs.astype(np.float32))


def test_one_chain_several_or_the_usual_ones():
    """A flat list is one chain, a list of lists several; a mixture is refused."""
    held = of_range((8, 8, 1))
    named = {"triggers": held, "takes": (8, 8, 1)}
    assert chains_of(["resize", "nchw"], **named) == [["resize", "nchw"]]
    assert chains_of("resize", **named) == [["resize"]]
    assert chains_of([["resize"], []], **named) == [["resize"], []]
    assert chains_of("try", **named) == plausible(held, takes=(8, 8, 1), representable=None)
    with pytest.raises(BadInput, match="adapters beside chains"):
        chains_of(["resize", ["nchw"]], **named)  # type: ignore[list-item]
    with pytest.raises(BadInput, match="name the chain: --adapter"):
        chains_of("try", triggers=held, takes=None)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([0.0, 255.0], (0.0, 255.0)),
        ([-1, 1], (-1.0, 1.0)),
        ([1.0, 0.0], None),
        ([0.0], None),
        (["0", "1"], None),
        ([0.0, float("nan")], None),
        ([True, 2], None),
        ({"low": 0}, None),
        (None, None),
    ],
)
def test_the_range_of_triggers_is_what_their_file_says(ends: Any, expected: Any):
    """A range that is no pair of rising numbers is no range."""
    assert value_range(of_range((4,), ends)) == expected


@pytest.mark.parametrize(
    ("takes", "shape", "chain"),
    [
        ((8, 8, 1), (8, 8, 1), []),
        ((12, 12, 1), (8, 8, 1), ["resize"]),
        ((8, 8, 3), (8, 8, 1), ["grey_to_rgb"]),
        ((8, 8, 1), (8, 8, 3), ["rgb_to_grey"]),
        ((3, 32, 32), (28, 28, 1), ["grey_to_rgb", "resize", "nchw"]),
        ((1, 16, 16), (32, 32, 3), ["rgb_to_grey", "resize", "nchw"]),
        ((3, 8, 8), (8, 8, 3), ["nchw"]),
        ((64,), (8, 8, 1), ["reshape"]),
        ((8, 8), (8, 8, 1), ["reshape"]),
        ((4, 16, 1), (8, 8, 1), ["resize"]),
        ((8, 8, 1), (64,), ["reshape"]),
        ((65,), (8, 8, 1), None),
        ((2, 4, 8, 1), (8, 8, 1), None),
        ((8, 8, 2), (8, 8, 1), None),
        ((), (8, 8, 1), None),
    ],
)
def test_the_shortest_chain_that_fits(takes: Any, shape: Any, chain: Any):
    """What is suggested makes the triggers' shape the suspect's, or nothing is suggested."""
    assert suggested(takes, shape) == chain
    if chain is not None:
        assert adapted(chain, of_range(shape), takes=takes)[1].shape == takes


def test_the_chains_to_try_are_a_fixed_list():
    """One for each usual range, the triggers' own once; what a quantised input holds is one more."""
    held = of_range((28, 28, 1))
    chains = plausible(held, takes=(28, 28, 1), representable=None)
    assert chains == [[], ["range:low=-1,high=1"], ["range:low=0,high=255"]]
    quantised = plausible(held, takes=(28, 28, 1), representable=(-0.424, 2.82))
    assert quantised == [*chains, ["range:low=-0.424,high=2.82"]]
    colours = plausible(held, takes=(3, 32, 32), representable=None)
    assert colours == [
        ["grey_to_rgb", "resize", "nchw"],
        ["grey_to_rgb", "range:low=-1,high=1", "resize", "nchw"],
        ["grey_to_rgb", "range:low=0,high=255", "resize", "nchw"],
        ["grey_to_rgb", "range:low=0,high=1", IMAGENET, "resize", "nchw"],
    ]
    for chain in quantised:  # every one of them can be asked
        assert adapted(chain, held, takes=(28, 28, 1))[1].shape == (28, 28, 1)
    for chain in colours:
        assert adapted(chain, held, takes=(3, 32, 32))[1].shape == (3, 32, 32)
    unknown = plausible(set_of(10, (28, 28, 1)), takes=(32, 32, 1), representable=(0.0, 1.0))
    assert unknown == [["resize"]]
    with pytest.raises(BadInput, match="no adapter leads from"):
        plausible(held, takes=(5,), representable=None)


def test_ranges_that_are_nearly_usual_are_called_usual():
    """A model quantised on a sample is a little off; another range is named as it is."""
    assert nearest_range(-1.0, 0.992) == "range:low=-1,high=1"
    assert nearest_range(0.0, 254.1) == "range:low=0,high=255"
    assert nearest_range(-0.42421296, 2.82) == "range:low=-0.424213,high=2.82"
