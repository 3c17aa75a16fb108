"""Suspects that take other inputs than the triggers: shown through the right adapters and no others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgewm.errors import BadInput
from edgewm.triggers import commit, recommitted
from edgewm.verification import verify
from tests import golden
from tests.needs import needs
from tests.recordings import KEY, TRIGGERS, Says, verdict_on
from tests.rewritten import (
    COLOUR,
    FORMS,
    GREY,
    LINEAR,
    MARKED,
    OTHER_KEY,
    RANDOM,
    REFUSED,
    RUNTIMES,
    UNMARKED,
    as_planes,
    asked,
    file_of,
    trained,
    twice_as_large,
    with_background,
)
from tests.runtimes import models

# ---- a copy in another form


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_copy_is_shown_through_its_adapters_only(runtime: str, form: str):
    """With the chain the copy is owned and its unmarked twin and another key's owner are not."""
    rewritten, chain = FORMS[form]
    copy, twin = rewritten(*MARKED), rewritten(*UNMARKED)
    verdict = asked(copy, chain, on=[runtime])
    assert verdict.owned
    assert verdict.tests == 1
    assert verdict.worst.failed == 0
    assert verdict.adapters[-1].startswith(chain[-1].partition(":")[0])
    assert not asked(twin, chain, on=[runtime]).owned
    other = recommitted(GREY, OTHER_KEY)
    assert not asked(copy, chain, on=[runtime], triggers=other, key=OTHER_KEY).owned
    if form in REFUSED:
        with pytest.raises(BadInput, match=r"^SUSPECT: the model (takes|has) "):
            asked(copy, on=[runtime])
    else:
        without = asked(copy, on=[runtime])
        assert without.owned is (form in LINEAR)
        assert without.worst.groups_hit < verdict.worst.groups_hit


@needs("litert")
def test_the_same_scores_give_the_same_labels():
    """Forms that lose nothing hit every group that the first form hits."""
    assert asked(file_of(*MARKED)).worst.groups_hit == 60
    for form, (rewritten, chain) in FORMS.items():
        hits = asked(rewritten(*MARKED), chain).worst.groups_hit
        if form in ("resize", "three steps"):
            assert 30 < hits <= 60  # a larger picture is blurred
        elif form == "subset":
            assert hits == int((GREY.answers(KEY) >= 2).sum()) < 60
        else:
            assert hits == 60, form


@needs("litert")
def test_colour_triggers_for_a_grey_suspect():
    """The luma of the triggers is what a grey copy is asked; without it the line names the adapter."""
    luma = np.array([0.299, 0.587, 0.114])
    grey = dataclasses.replace(COLOUR, inputs=(COLOUR.inputs @ luma)[..., None].astype("f4"))
    copy = file_of(*trained(grey, COLOUR.answers(KEY)))
    given = {"triggers": COLOUR, "key": KEY}
    assert asked(copy, ["rgb_to_grey"], **given).worst.groups_hit == 60
    assert not asked(file_of(*UNMARKED), ["rgb_to_grey"], **given).owned
    with pytest.raises(
        BadInput, match=r"8x8x1, the triggers are 8x8x3: .* or try --adapter rgb_to_grey$"
    ):
        asked(copy, **given)


@needs("litert")
def test_per_channel_means():
    """ImageNet's numbers, with channels in front at the end of the chain."""
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    weights, bias = trained(COLOUR, COLOUR.answers(KEY))
    shift = (weights * mean).sum(axis=(1, 2, 3))
    copy = as_planes(weights * deviation, bias + shift)
    standard = "standardise:mean=0.485x0.456x0.406,deviation=0.229x0.224x0.225"
    given = {"triggers": COLOUR, "key": KEY}
    assert asked(copy, [standard, "nchw"], **given).worst.groups_hit == 60
    other = "standardise:mean=0.485x4.56x40.6,deviation=0.229x0.224x0.225"
    assert asked(copy, [other, "nchw"], **given).worst.groups_hit < 60
    assert not asked(as_planes(*trained(COLOUR, RANDOM)), [standard, "nchw"], **given).owned
    with pytest.raises(BadInput, match="before nchw"):
        asked(copy, ["nchw", standard], **given)


# ---- what is said when it does not fit


@needs("litert")
@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((3, 32, 32), "or try --adapter grey_to_rgb --adapter resize --adapter nchw"),
        ((16, 16, 1), "or try --adapter resize"),
        ((64,), "or try --adapter reshape"),
        ((2, 4, 8, 1), "and no adapter makes them so"),
        ((8, 8, 5), "and no adapter makes them so"),
    ],
)
def test_a_suspect_that_does_not_fit_names_its_adapters(shape: tuple[int, ...], said: str):
    """One line with both shapes; the chain it names is accepted."""
    model = file_of(np.random.default_rng(1).normal(size=(10, *shape)), np.zeros(10))
    spelled = "x".join(map(str, shape))
    for on in (["litert"], ["all"]):
        with pytest.raises(BadInput) as caught:
            asked(model, on=on)
        assert str(caught.value) == (
            f"SUSPECT: the model takes inputs {spelled}, the triggers are 8x8x1: "
            f"these are not triggers for this model, {said}"
        )
    if said.startswith("or try "):
        assert not asked(model, said.replace("--adapter ", "").split()[2:]).owned


@needs("litert")
def test_the_wrong_chain_says_what_it_made():
    """Half a chain, a chain too many and a wrong number of classes are one line each."""
    large, small = twice_as_large(*MARKED), file_of(*MARKED)
    with pytest.raises(
        BadInput, match=r"8x8x1 and become 8x8x3 by the adapters: .*or try --adapter res"
    ):
        asked(large, ["grey_to_rgb"])
    with pytest.raises(BadInput, match=r"become 1x8x8 by the adapters: .*or try no adapter"):
        asked(small, ["nchw"])
    with pytest.raises(BadInput, match=r"11 classes, the triggers 10: .*classes:order="):
        asked(with_background(*MARKED))
    with pytest.raises(BadInput, match="10 classes, the order of --adapter classes names 3"):
        asked(small, ["classes:order=0x1x2"])


def test_adapters_are_refused_before_anything_is_asked():
    """Names, values and sizes that nobody knows cost no question."""
    runtime = Says(labels=(0,) * 64)
    for chain in (["bigger"], ["resize"], ["range:low=2,high=1"], "try", [["nchw"], "nchw"]):
        with pytest.raises(BadInput):
            verdict_on(runtime, adapters=chain)
    assert runtime.asked == []
    verdict_on(runtime, adapters=["nchw"])
    assert [part.shape for part in runtime.asked] == [(64, 1, 8, 8)]


# ---- the value range of a quantised input


def bytes_in(step: float) -> Callable[[Any, Any], None]:
    """The golden network with an input of larger numbers: codes and answers stay the same."""

    def change(schema: Any, tree: Any) -> None:
        graph = tree.subgraphs[0]
        graph.tensors[graph.inputs[0]].quantization.scale *= step
        for operator in graph.operators:
            if graph.inputs[0] in operator.inputs:
                graph.tensors[operator.inputs[1]].quantization.scale /= step

    return change


@needs("litert")
def test_a_quantised_range_that_is_not_the_triggers_is_flagged():
    """A note names the adapter; with it the note is gone and every number is that of the file itself."""
    pixels = models.edited(golden.MARKED.read_bytes(), bytes_in(255.0))
    given = {"triggers": TRIGGERS, "key": KEY}
    plain = verify(golden.MARKED, **given)
    assert not any("holds" in flag for flag in plain.flags)  # the control
    without = verify(pixels, **given)
    assert not without.owned
    assert [flag for flag in without.flags if "holds" in flag] == [
        "the suspect's input holds 0 to 255, the questions lie in 0 to 1: if it was trained on "
        "another range, try --adapter range:low=0,high=255"
    ]
    through = verify(pixels, **given, adapters=["range:low=0,high=255"])
    assert through.owned
    assert through.flags == plain.flags
    assert (through.log10_p, through.worst.queries) == (plain.log10_p, plain.worst.queries)


@needs("litert")
@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "named"),
    [
        ("int8", 1 / 255, -128, None),
        ("int8", 0.97 / 255, -128, None),  # quantised on a sample without white
        ("int8", 1 / 127, 0, "range:low=-1,high=1"),
        ("uint8", 0.0, 0, "range:low=0,high=255"),
        ("uint8", 1 / 255, 0, None),
        ("int8", 3.2464 / 255, -95, "range:low=-0.420122,high=2.82628"),
        ("float32", 0.0, 0, None),
    ],
)
def test_ranges_that_are_flagged(dtype: str, scale: float, zero_point: int, named: str | None):
    """Steps and zero point tell the range; a few per cent are no reason to doubt."""
    held = commit(
        KEY,
        np.random.default_rng(3).uniform(0, 1, (40, 10)).astype(np.float32),
        np.arange(40, dtype=np.int32),
        excluded=np.zeros((40, 10), bool),
        salt=b"r" * 32,
        provenance={"value_range": [0.0, 1.0]},
    )
    model = models.identity(dtype, scale, zero_point, 10)
    flags = verify(model, triggers=held, key=KEY).flags
    found = [flag.rpartition("--adapter ")[2] for flag in flags if "holds" in flag]
    assert found == ([named] if named else [])
