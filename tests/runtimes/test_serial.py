"""Boards on a serial line: MLPerf Tiny's protocol, and every way in which a line disappoints."""

from __future__ import annotations

import time

import numpy as np
import pytest

from edgewm import spec
from edgewm.errors import BadInput, RuntimeUnavailable
from edgewm.key import load_key
from edgewm.runtimes import FAILED
from edgewm.triggers import load_triggers, recommitted
from edgewm.verification import verify
from tests import golden
from tests.needs import needs
from tests.runtimes.dut import Device, on_a_line, on_a_socket

pytestmark = needs("serial")

INPUTS = np.arange(12 * 49 * 10, dtype=np.float32).reshape(12, 49, 10, 1) % 251 - 120
"""Whole numbers from -120 to 130: 490 bytes each, 13 lines."""


def row(content: bytes) -> list[float]:
    """Five classes; which is first depends on the bytes."""
    first = sum(content) % 5
    return [0.9 if at == first else 0.025 for at in range(5)]


def expected(inputs: np.ndarray) -> np.ndarray:
    return np.array([sum(np.clip(x, -128, 127).astype(np.int8).tobytes()) % 5 for x in inputs])


def asked(device: Device, more: str = "scale=1.0,timeout_s=0.4") -> tuple[np.ndarray, str, float]:
    with on_a_line(device) as port:
        board = spec.parse("runtimes", f"serial:port={port},{more}")
        with board.open(None) as session:
            found = session.ask(INPUTS)
            assert session.engine.version == "dut-[unspecified]"
    return found.labels, found.reason, found.latency_ms


def test_a_board_answers_for_the_bytes_it_was_sent() -> None:
    """Every input once, whole, in lines that no board cuts; the board's own clock gives the latency."""
    device = Device(network=row, input_bytes=490)
    labels, reason, latency_ms = asked(device)
    assert np.array_equal(labels, expected(INPUTS))
    assert reason == ""
    assert device.longest <= 80
    assert [len(content) for content in device.seen] == [490] * 12
    assert latency_ms == pytest.approx(12 * 2.5)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("silent", "did not answer"),
        ("reset", "was reset"),
        ("reset in load", "was reset"),
        ("error", "hex digits"),
        ("no results", "no results"),
        ("other length", "gave 3 results, and 5 before"),
        ("garbage", "no numbers"),
    ],
)
def test_a_fault_costs_one_question(fault: str, said: str) -> None:
    """It fails with its reason after a second try, and all others are answered."""
    device = Device(network=row, input_bytes=490, faults={3: fault, 4: fault})
    labels, reason, _ = asked(device)
    assert labels[3] == FAILED
    assert said in reason
    others = np.delete(np.arange(12), 3)
    assert np.array_equal(labels[others], expected(INPUTS)[others])


@pytest.mark.parametrize(
    "fault", ["silent once", "late", "lost line", "noise", "reset in load", "results apart"]
)
def test_what_a_second_try_mends_costs_nothing(fault: str) -> None:
    """A reply that is late or never comes, lost lines, noise, a reset; and results that must be asked for.

    A late reply is to its own question: no label moves to the next one.
    """
    labels, reason, _ = asked(Device(network=row, input_bytes=490, faults={3: fault}))
    assert np.array_equal(labels, expected(INPUTS))
    assert reason == ""


def test_a_board_that_falls_silent_is_not_waited_for_again_and_again() -> None:
    """Three questions without an answer, and the rest fail at once."""
    faults = dict.fromkeys(range(2, 99), "silent")
    begun = time.monotonic()
    labels, reason, _ = asked(Device(network=row, input_bytes=490, faults=faults))
    assert time.monotonic() - begun < 8
    assert (labels[:2] >= 0).all()
    assert (labels[2:] == FAILED).all()
    assert "3 questions in a row" in reason


def test_nobody_on_the_line_is_said_at_once() -> None:
    class Dead(Device):
        def answer(self, command: str) -> bytes:
            return b"\xff" * 40

    with on_a_line(Dead(network=row, input_bytes=490)) as port:
        board = spec.parse("runtimes", f"serial:port={port},scale=1.0,timeout_s=0.2")
        with pytest.raises(RuntimeUnavailable, match="did not answer 'name'"):
            board.open(None)
    with pytest.raises(RuntimeUnavailable, match="port=/dev/none"):
        spec.parse("runtimes", "serial:port=/dev/none,scale=1.0").open(None)


def test_a_buffer_of_another_size_is_said_and_not_overrun() -> None:
    """Public firmware writes past its buffer what it is sent after it refused the size."""
    device = Device(network=row, input_bytes=100)
    labels, reason, _ = asked(device)
    assert (labels == FAILED).all()
    assert "did not accept 490 bytes: 'Supplied buffer size 490 exceeds maximum of 100'" in reason
    assert not device.crashed


def test_a_board_behind_a_socket_answers_too() -> None:
    device = Device(network=row, input_bytes=490)
    with (
        on_a_socket(device) as port,
        spec.parse("runtimes", f"serial:port={port},scale=1.0").open(None) as session,
    ):
        found = session.ask(INPUTS)
    assert found.reason == ""
    assert np.array_equal(found.labels, expected(INPUTS))


@pytest.mark.parametrize(
    ("more", "values", "sent"),
    [
        ("scale=0.5,zero_point=3", [0.0, 1.0, 1000.0, -1000.0], [3, 5, 127, 128]),
        ("encoding=uint8", [0.0, 7.0, 1000.0, -1000.0], [0, 7, 255, 0]),
        ("encoding=float32", [1.0], [0, 0, 128, 63]),
    ],
)
def test_inputs_become_the_bytes_of_the_encoding(
    more: str, values: list[float], sent: list[int]
) -> None:
    device = Device(network=row, input_bytes=4 * len(values))
    with on_a_line(device) as port:
        board = spec.parse("runtimes", f"serial:port={port},{more}")
        with board.open(None) as session:
            session.ask(np.array([values], np.float32))
    assert list(device.seen[0]) == sent


def test_what_says_nothing_of_the_input_is_refused() -> None:
    with pytest.raises(BadInput, match="encoding=int8 alone"):
        spec.parse("runtimes", "serial:port=/dev/none").open(None)
    with pytest.raises(BadInput, match="no TensorFlow Lite model"):
        spec.parse("runtimes", f"serial:port=/dev/none,model={golden.KEY}").open(None)


def litert(model: bytes) -> tuple[Device, object]:
    """A board whose network is a file on LiteRT, its scores as firmware prints them."""
    from edgewm.content import of_bytes
    from edgewm.tflite import read_tflite

    taken = read_tflite(of_bytes(model)).inputs[0]
    session = spec.parse("runtimes", "litert").open(model)

    def network(content: bytes) -> list[float]:
        steps = np.frombuffer(content, np.int8).astype(np.float32).reshape(1, *taken.shape[1:])
        outputs = session.ask((steps - taken.zero_point) * np.float32(taken.scale)).outputs
        assert outputs is not None
        return [(int(v) + 128) / 256 for v in outputs[0]]

    return Device(network=network, input_bytes=int(np.prod(taken.shape))), session


@needs("litert")
@pytest.mark.parametrize("scores", [False, True], ids=["labels", "scores"])
def test_a_verdict_over_the_line_is_that_of_the_file(scores: bool) -> None:
    """The marked model is owned; its unmarked twin, and another key, are not."""
    from edgewm.key import Key

    triggers, key = load_triggers(golden.TRIGGERS), load_key(golden.KEY)
    other = Key(secret=b"o" * 32)
    for file, asked_of, who, owned in (
        (golden.MARKED, triggers, key, True),
        (golden.UNMARKED, triggers, key, False),
        (golden.MARKED, recommitted(triggers, other), other, False),
    ):
        device, session = litert(file.read_bytes())
        with on_a_line(device) as port:
            board = f"serial:port={port},model={golden.UNMARKED}"
            verdict = verify(board, triggers=asked_of, key=who, stamped=True, scores=scores)
        here = verify(file, triggers=asked_of, key=who, stamped=True, scores=scores)
        session.close()  # type: ignore[attr-defined]
        assert verdict.owned is owned
        assert verdict.log10_p == pytest.approx(
            here.log10_p, abs=0.05 if scores else 0
        )  # 3 decimals
        assert verdict.worst.name == "serial"


@needs("litert")
@pytest.mark.parametrize("scores", [False, True], ids=["labels", "scores"])
def test_a_verdict_says_how_a_board_failed(scores: bool) -> None:
    """Sixty questions without an answer are misses, and the reason is among the notes."""
    triggers, key = load_triggers(golden.TRIGGERS), load_key(golden.KEY)
    device, session = litert(golden.MARKED.read_bytes())
    device.faults = dict.fromkeys(range(4, 999), "reset")
    with on_a_line(device) as port:
        board = f"serial:port={port},model={golden.UNMARKED},timeout_s=0.5"
        verdict = verify(board, triggers=triggers, key=key, stamped=True, scores=scores)
    session.close()  # type: ignore[attr-defined]
    assert not verdict.owned
    assert (verdict.worst.groups_hit, verdict.worst.failed) == (4, 60)
    said = "60 queries failed and count as missed: the board was reset; 3 questions in a row, so"
    assert any(flag.startswith(said) for flag in verdict.flags)
