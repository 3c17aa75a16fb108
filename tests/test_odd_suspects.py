"""Suspects that are no classifier of one input: each is a miss or one line, on every interpreter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgewm.errors import BadInput, EdgewmError, ModelRefused
from tests.needs import needs
from tests.rewritten import MARKED, RUNTIMES, asked, file_of
from tests.runtimes import models


def free(*signature: int) -> Callable[[Any, Any], None]:
    """Declare axes of the input as free (-1)."""

    def change(schema: Any, tree: Any) -> None:
        tensor = tree.subgraphs[0].tensors[tree.subgraphs[0].inputs[0]]
        tensor.shapeSignature = np.array(signature, np.int32)

    return change


def of_type(code: int) -> Callable[[Any, Any], None]:
    """Another type of input: 5 is a string, 2 int32."""

    def change(schema: Any, tree: Any) -> None:
        tree.subgraphs[0].tensors[tree.subgraphs[0].inputs[0]].type = code

    return change


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_misses(runtime: str, bad: float):
    """NaN has no largest value: the question failed, its group missed, and the verdict says so."""
    weights, bias = MARKED
    verdict = asked(file_of(np.full_like(weights, bad) * np.sign(weights), bias), on=[runtime])
    assert not verdict.owned
    assert (verdict.worst.failed, verdict.worst.groups_hit) == (60, 0)
    assert verdict.log10_p == 0.0
    assert any(f.startswith("60 queries failed and count as missed: ") for f in verdict.flags)
    assert asked(file_of(*MARKED), on=[runtime]).worst.failed == 0


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (models.with_second_input, "has two inputs, expected one"),
        (of_type(5), "failed to prepare"),
        (of_type(2), "failed to prepare"),
    ],
    ids=["two inputs", "texts", "whole numbers"],
)
def test_odd_files_are_one_line(runtime: str, change: Any, said: str):
    """Two inputs, texts and whole numbers for floats are refused with the reason; the file itself is not."""
    with pytest.raises(ModelRefused, match=said) as caught:
        asked(models.edited(file_of(*MARKED), change), on=[runtime])
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.exit_code == EdgewmError.exit_code == 2
    assert asked(file_of(*MARKED), on=[runtime]).owned


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_free_batch_is_one_input(runtime: str):
    """A free batch axis is asked one input at a time, as a fixed one is."""
    model = models.edited(file_of(*MARKED), free(-1, 8, 8, 1))
    assert asked(model, on=[runtime]).worst.groups_hit == 60


@needs("litert")
def test_a_free_picture_size_is_refused():
    """Such a file is asked at no size at all rather than at a wrong one."""
    model = models.edited(file_of(*MARKED), free(1, -1, -1, 1))
    for adapters in ((), ["resize"], "try"):
        with pytest.raises(BadInput, match="inputs of a free size, -1x-1x1, expected a fixed one"):
            asked(model, adapters)
