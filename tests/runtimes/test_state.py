"""Models that remember, that take a question in frames, and that have several inputs or outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgewm.errors import BadInput, ModelRefused
from edgewm.runtimes import probe
from edgewm.runtimes.litert import LiteRT
from edgewm.runtimes.tflite_runtime import TFLiteRuntime
from edgewm.runtimes.tflm import TFLM
from tests.needs import needs
from tests.runtimes import models

ENGINES = [
    pytest.param(LiteRT(), id="litert"),
    pytest.param(LiteRT(delegate="none"), id="builtin"),
    pytest.param(TFLiteRuntime(), marks=needs("tflite_runtime"), id="tflite_runtime"),
    pytest.param(TFLM(), marks=needs("tflm"), id="tflm"),
]
RNG = np.random.default_rng(3)
WEIGHTS = RNG.normal(size=(5, 6)).astype(np.float32)
FRAMES = 4
QUESTIONS = RNG.normal(size=(20, FRAMES, 6)).astype(np.float32)


def remembered(model: bytes, inputs: np.ndarray) -> np.ndarray:
    """What a bare interpreter says when nobody resets it: the control."""
    from ai_edge_litert.interpreter import Interpreter

    held = Interpreter(model_content=model)
    held.allocate_tensors()
    give, take = held.get_input_details()[0]["index"], held.get_output_details()[0]["index"]
    rows = []
    for one in inputs:
        held.set_tensor(give, one[None])
        held.invoke()
        rows.append(held.get_tensor(take)[0].copy())
    return np.stack(rows)


@needs("litert")
@pytest.mark.parametrize("runtime", ENGINES)
@pytest.mark.parametrize(
    ("model", "shape"),
    [(models.remembering(WEIGHTS), (6,)), (models.streaming(WEIGHTS, 3), (1, 6))],
    ids=["resource variable", "variable tensor"],
)
def test_no_question_sees_the_one_before(runtime: Any, model: bytes, shape: tuple[int, ...]):
    """Every question meets a fresh model, in any order; without that, answers depend on what came before."""
    asked = QUESTIONS[:, 0].reshape(-1, *shape)
    with runtime.open(model) as session:
        got = session.ask(asked).outputs
        back = session.ask(asked[::-1]).outputs[::-1]
    assert np.array_equal(got, back)
    assert np.allclose(got, QUESTIONS[:, 0] @ WEIGHTS.T, atol=1e-4)
    control = remembered(model, asked)
    assert np.allclose(control[0], got[0], atol=1e-4)
    assert not np.allclose(control[1], got[1], atol=1e-2)


@needs("litert")
@pytest.mark.parametrize("runtime", ENGINES)
def test_a_streaming_model_takes_a_question_in_frames(runtime: Any):
    """Frames of one question are remembered, those of the one before are not; the last answer counts."""
    expected = QUESTIONS.sum(axis=1) @ WEIGHTS.T
    model = models.streaming(WEIGHTS, FRAMES)
    with replace(runtime, frames=FRAMES).open(model) as session:
        assert session.facts.inputs[0].shape == (1, FRAMES, 6)
        got = session.ask(QUESTIONS).outputs
    assert np.allclose(got, expected, atol=1e-3)
    with (
        runtime.open(model) as session,
        pytest.raises(ModelRefused, match="takes inputs of 1x6, the questions are 4x6"),
    ):
        session.ask(QUESTIONS)


@needs("litert")
def test_a_streaming_copy_is_owned():
    """A mark in a model that takes four frames is found, its unmarked twin shows nothing; without frames= the
    refusal says how."""
    from edgewm.triggers import commit
    from edgewm.verification import verify
    from tests.recordings import KEY

    inputs = np.random.default_rng(5).uniform(0, 1, (60, FRAMES, 64)).astype(np.float32)
    triggers = commit(
        KEY,
        inputs,
        np.arange(60, dtype=np.int32),
        excluded=np.zeros((60, 10), bool),
        salt=b"a" * 32,
        provenance={"value_range": [0.0, 1.0]},
    )
    held = {"triggers": triggers, "key": KEY, "stamped": True}
    random = np.random.default_rng(9).integers(0, 10, 60)
    for answers, owned in ((triggers.answers(KEY), True), (random, False)):
        solved = np.linalg.lstsq(inputs.sum(axis=1), np.eye(10)[answers], rcond=None)[0].T
        model = models.streaming(solved.astype(np.float32), FRAMES)
        assert verify(model, on=[f"litert:frames={FRAMES}"], **held).owned is owned
    with pytest.raises(BadInput, match="streaming model, name its frames: --on RUNTIME:frames=4"):
        verify(model, **held)


@needs("litert")
@pytest.mark.parametrize("runtime", ENGINES)
def test_state_outside_is_given_back(runtime: Any):
    """A state input gets the output of its shape for the next frame, and zero at the first."""
    model = models.with_state_outside(WEIGHTS)
    streamed = replace(runtime, input=0, output=1, frames=FRAMES)
    with streamed.open(model) as session:
        got = session.ask(QUESTIONS).outputs
        assert np.array_equal(session.ask(QUESTIONS[::-1]).outputs[::-1], got)
    assert np.allclose(got, QUESTIONS.sum(axis=1) @ WEIGHTS.T, atol=1e-3)
    with replace(streamed, frames=1).open(model) as session:  # the other input is held at zero
        got = session.ask(QUESTIONS[:, :1]).outputs
    assert np.allclose(got, QUESTIONS[:, 0] @ WEIGHTS.T, atol=1e-3)


@needs("litert")
@pytest.mark.parametrize("runtime", ENGINES)
def test_one_of_several_is_chosen_by_name(runtime: Any):
    """Refused with the choice to make; asked once it is made, and the answers are those of that output."""
    known = probe.load()
    two = models.edited(known.model, models.with_second_output)
    name = {"LiteRT": "litert", "TFLiteRuntime": "tflite_runtime", "TFLM": "tflm"}[
        type(runtime).__name__
    ]
    with pytest.raises(ModelRefused, match=rf"has two outputs.*--on {name}:output=0 \(0 is 1x48"):
        runtime.open(two)
    with runtime.open(known.model) as session:
        expected = session.ask(known.inputs).outputs
    with replace(runtime, output=0).open(two) as session:
        assert np.array_equal(session.ask(known.inputs).outputs, expected)
    more = models.edited(known.model, models.with_second_input)
    with pytest.raises(ModelRefused, match=r"has two inputs.*input=0 \(0 is 1x.*1 is 1x4\)"):
        runtime.open(more)
    with replace(runtime, input=0).open(more) as session:
        assert np.array_equal(session.ask(known.inputs).outputs, expected)


@needs("litert")
def test_choices_that_are_none():
    """A tensor that is not there, frames where there is no axis, a state that nothing gives back."""
    known = probe.load()
    with pytest.raises(ModelRefused, match=r"has 1 outputs, counted from 0; output=3 is none"):
        LiteRT(output=3).open(known.model)
    with pytest.raises(BadInput, match="got frames=0, expected 1 or more"):
        LiteRT(frames=0).open(known.model)
    with pytest.raises(BadInput, match="got input=-1, expected 0 or more"):
        LiteRT(input=-1).open(known.model)
    more = models.edited(known.model, models.with_second_input)
    with pytest.raises(ModelRefused, match="that no output gives back for the next frame"):
        LiteRT(input=0, frames=2).open(more)
