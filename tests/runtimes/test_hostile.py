"""Files that are not models, and models that somebody broke: refused or answered, never a crash here."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import numpy as np
import pytest

from edgewm.errors import ModelRefused, RuntimeUnavailable
from edgewm.runtimes import child, probe
from edgewm.runtimes.litert import LiteRT
from edgewm.runtimes.tflite_runtime import TFLiteRuntime
from edgewm.runtimes.tflm import TFLM
from tests.needs import needs
from tests.runtimes.broken_files import BrokenFiles, corrupted, kind_of
from tests.runtimes.models import edited, with_second_output

ENGINES = [
    pytest.param(LiteRT(timeout_s=20), id="litert"),
    pytest.param(TFLiteRuntime(timeout_s=20), marks=needs("tflite_runtime"), id="tflite_runtime"),
    pytest.param(TFLM(timeout_s=20), marks=needs("tflm"), id="tflm"),
]
NOT_MODELS = {
    "text": b"this is not a model at all, only a line of text that goes on for a while",
    "zip": b"PK\x03\x04" + bytes(200),
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "one byte": b"\x00",
    "magic only": b"\x1c\x00\x00\x00TFL3",
    "magic and zeros": b"\x1c\x00\x00\x00TFL3" + bytes(500),
}


@pytest.mark.parametrize("name", NOT_MODELS)
@pytest.mark.parametrize("runtime", ENGINES)
def test_not_a_model(runtime: Any, name: str):
    """What is no flatbuffer is refused with one line, whatever the interpreter does with it."""
    with pytest.raises(ModelRefused) as refused:
        runtime.open(NOT_MODELS[name])
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    ("runtime", "step"),
    [
        pytest.param(LiteRT(timeout_s=20), 64, id="litert"),
        # this one checks nothing and dies every time, at the price of a new worker
        pytest.param(TFLiteRuntime(timeout_s=20), 2048, marks=needs("tflite_runtime"), id="2.14"),
        pytest.param(TFLM(timeout_s=20), 64, marks=needs("tflm"), id="tflm"),
    ],
)
def test_truncated(runtime: Any, step: int):
    """A model that ends early is refused or ends its worker, wherever it was cut, and never hangs."""
    model = probe.load().model
    asker = BrokenFiles(runtime)
    cuts = range(64, len(model), step)
    for length in cuts:
        asker.ask(model[:length])
    assert asker.outcomes["answered"] == 0
    assert sum(asker.outcomes.values()) == len(cuts)
    asker.ask(model)  # the control: whole, it is answered
    asker.close()
    assert asker.outcomes["answered"] == 1


@pytest.mark.parametrize(
    ("runtime", "tries"),
    [
        pytest.param(LiteRT(timeout_s=20), 500, id="litert"),
        pytest.param(
            TFLiteRuntime(timeout_s=20), 100, marks=needs("tflite_runtime"), id="tflite_runtime"
        ),
        pytest.param(TFLM(timeout_s=20), 200, marks=needs("tflm"), id="tflm"),
    ],
)
def test_corrupted(runtime: Any, tries: int):
    """A model with one random byte changed ends in an answer, a refusal or a reported crash, in time."""
    rng = np.random.default_rng(7)
    model = probe.load().model
    asker = BrokenFiles(runtime)
    started = time.monotonic()
    for _ in range(tries):
        asker.ask(corrupted(model, rng))
    asker.close()
    assert sum(asker.outcomes.values()) == tries
    assert asker.outcomes["answered"] > 0
    assert asker.refused + asker.died > 0
    assert time.monotonic() - started < 300


def test_outcomes_are_told_apart():
    """What edgewm refuses, what the interpreter refuses, and what ends the worker are counted apart."""
    known = probe.load()
    asker = BrokenFiles(LiteRT())
    asker.ask(known.model)
    asker.ask(edited(known.model, with_second_output))
    asker.ask(NOT_MODELS["zeros"])
    asker.close()
    asker.runtime = LiteRT(timeout_s=1e-9)
    with pytest.raises(RuntimeUnavailable, match="took longer") as late:
        asker.ask(known.model)
    asker.close()
    assert asker.outcomes == {
        **dict.fromkeys(asker.outcomes, 0),
        **{"answered": 1, "refused_by_edgewm": 1, "refused_by_runtime": 1},
    }
    assert kind_of(str(late.value)) == "timed_out"
    started = child.start("litert", {})
    started.ready()
    os.kill(started._process._pid, signal.SIGSEGV)
    with pytest.raises(ModelRefused) as dead:
        started.load(known.model)
    assert kind_of(str(dead.value)) == "crashed"


def test_replies_are_checked():
    """A reply that a taken-over worker could forge is refused, not believed."""
    known = probe.load()
    good = {"dtype": "int8", "shape": [1, 2], "failed": [], "reason": "", "latency_ms": 1.0}
    forged: list[tuple[Any, bytes]] = [
        ({**good, "dtype": "O"}, bytes(16)),
        ({**good, "shape": [2, 1]}, bytes(2)),
        ({**good, "shape": [1, 10**12]}, bytes(2)),
        ({**good, "shape": "1x2"}, bytes(2)),
        ({**good, "latency_ms": "soon"}, bytes(2)),
        ({}, b""),
    ]
    for header, payload in [(good, bytes(2)), *forged]:
        started = child.start("litert", {})
        started.ready()
        started._process.receive = lambda h=header, p=payload: (h, p)  # type: ignore[method-assign]
        if header is good:
            assert started.run(known.inputs[:1])[0].shape == (1, 2)
        else:
            with pytest.raises(ModelRefused, match="not one"):
                started.run(known.inputs[:1])
        started.close()
