"""Firmware on emulated Cortex-M boards, asked over its serial line: the verdict is that of the file."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edgewm import spec
from edgewm.content import of_bytes
from edgewm.device_mark import make_device_mark, quantised
from edgewm.errors import BadInput
from edgewm.firmware import boards, build_firmware, running
from edgewm.key import Key, load_key
from edgewm.patterns.abstract import field
from edgewm.runtimes.board import Board, Lost
from edgewm.tflite import read_tflite
from edgewm.triggers import load_triggers, recommitted
from edgewm.verification import verify
from tests import golden
from tests.needs import needs

CELLS = 4
"""Of the golden set's lattice: half as many as its pictures of 8x8 have samples along an axis."""

pytestmark = [needs("serial"), needs("arm-none-eabi-gcc"), needs("qemu-system-arm")]

TRIGGERS, KEY, OTHER = load_triggers(golden.TRIGGERS), load_key(golden.KEY), Key(secret=b"o" * 32)


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(golden.MARKED, "an386", tmp_path_factory.mktemp("marked"))


def built(file: Path, board: str, folder: Path) -> Path:
    return build_firmware(file.read_bytes(), board, folder).path


def spelled(port: str) -> str:
    return f"serial:port={port},model={golden.UNMARKED},timeout_s=20.0"


@pytest.mark.parametrize("board", boards())
def test_every_core_gives_the_labels_of_the_interpreter(board: str, tmp_path: Path) -> None:
    """Ten questions on each board are answered as TensorFlow Lite Micro answers them."""
    inputs = TRIGGERS.inputs[:10]
    program = built(golden.MARKED, board, tmp_path)
    with (
        running(program, board) as port,
        spec.parse("runtimes", spelled(port)).open(None) as session,
    ):
        found = session.ask(inputs)
        assert session.engine.version.startswith(f"edgewm-{board}")
    assert found.reason == ""
    with spec.parse("runtimes", "tflm").open(golden.MARKED.read_bytes()) as session:
        assert np.array_equal(found.labels, session.ask(inputs).labels)


def test_a_marked_board_is_owned_and_its_twin_is_not(marked: Path, tmp_path: Path) -> None:
    """64 questions over the protocol; the controls are another key and the unmarked network."""
    twin = built(golden.UNMARKED, "an386", tmp_path)
    for program, triggers, key, owned in (
        (marked, TRIGGERS, KEY, True),
        (marked, recommitted(TRIGGERS, OTHER), OTHER, False),
        (twin, TRIGGERS, KEY, False),
    ):
        with running(program, "an386") as port:
            verdict = verify(spelled(port), triggers=triggers, key=key, stamped=True)
        assert verdict.owned is owned
        assert verdict.worst.failed == 0


def test_instructions_are_counted_the_same_twice(marked: Path) -> None:
    """The emulator's clock counts instructions: within a step of the timer, whatever the host does."""
    import serial

    counts = []
    for _ in range(2):
        with running(marked, "an386") as port, serial.serial_for_url(port, timeout=0.02) as line:
            board = Board(line, 20.0)
            board.greet()
            board.load(bytes(64))
            board.infer()
            counts.append(board.counted())
    assert abs(counts[0].instructions - counts[1].instructions) <= 80
    assert counts[0].instructions > 235_520  # multiply-accumulates of the network
    assert counts[0].stack_bytes == counts[1].stack_bytes < 2048


def test_a_board_draws_the_inputs_of_a_seed_and_finds_its_mark(tmp_path: Path) -> None:
    """What `edgewm draw` leaves on the board is what loading the input leaves; not so another number."""
    mark = make_device_mark(golden.MARKED.read_bytes(), TRIGGERS, KEY)
    program = build_firmware(golden.MARKED.read_bytes(), "an386", tmp_path, mark=mark).path
    assert mark.seed is not None
    (taken,) = read_tflite(of_bytes(golden.MARKED.read_bytes())).inputs
    with running(program, "an386") as port, opened(port) as board:
        for index in (0, 7, 63):
            board.load(quantised(TRIGGERS.inputs[index], taken).tobytes())
            loaded = board.infer().values
            board.load(bytes(64))
            board.draw(index, mark.seed)
            assert board.infer().values == loaded
            board.draw(index + 1, mark.seed)
            assert board.infer().values != loaded
        assert board.check() == (1, 7, 7, 0, 7)


def test_a_board_draws_inputs_of_long_numbers(tmp_path: Path) -> None:
    """Seed and number together would be cut at 80 characters; a command that was cut draws nothing."""
    mark = make_device_mark(golden.MARKED.read_bytes(), TRIGGERS, KEY)
    program = build_firmware(golden.MARKED.read_bytes(), "an386", tmp_path, mark=mark).path
    assert mark.seed is not None
    low, high = 0.0, 1.0  # of the golden set's pixels
    (taken,) = read_tflite(of_bytes(golden.MARKED.read_bytes())).inputs
    shape = TRIGGERS.inputs.shape[1:]
    with running(program, "an386") as port, opened(port) as board:
        answers = set()
        for index in (1000, 65_536, 999_999_999):
            drawn = field(mark.seed, index, shape, CELLS).astype(np.float32) / 255
            board.load(quantised(low + drawn * (high - low), taken).tobytes())
            loaded = board.infer().values
            board.draw(index, mark.seed)
            assert board.infer().values == loaded
            answers.add(loaded)
        assert len(answers) == 3
        for index, seed in ((1_000_000_000, mark.seed), (-1, mark.seed), (0, mark.seed + b"!")):
            with pytest.raises(Lost, match="the board said 'e-"):
                board.draw(index, seed)
            board.greet()


def test_a_board_that_is_not_marked_says_so(marked: Path, tmp_path: Path) -> None:
    """`edgewm check` with stored inputs; the controls are the twin and another key."""
    other = recommitted(TRIGGERS, OTHER)
    for file, triggers, key, stored, said in (
        (golden.MARKED, TRIGGERS, KEY, True, (1, 7, 7, 0, 7)),
        (golden.UNMARKED, TRIGGERS, KEY, False, None),
        (golden.MARKED, other, OTHER, True, None),
    ):
        model = file.read_bytes()
        mark = make_device_mark(model, triggers, key, stored=stored)
        program = build_firmware(model, "an386", tmp_path, mark=mark).path
        with running(program, "an386") as port, opened(port) as board:
            found = board.check()
        assert found == (said or (0, 64, found[2], 0, 64))
        assert found[2] < 20 or said
    with running(marked, "an386") as port, opened(port) as board:
        with pytest.raises(Lost, match="knows no mark"):
            board.check()
        board.greet()
        with pytest.raises(Lost, match="makes no inputs"):
            board.draw(0, bytes(32))


@needs("cmake")
def test_cmake_builds_the_same_firmware(marked: Path, tmp_path: Path) -> None:
    """With the toolchain file beside it: the same bytes of code, the same answers; refused without it."""
    project, build = marked.parent, tmp_path / "build"
    own = [str(part) for part in ("cmake", "-S", project, "-B", build)]
    refused = subprocess.run(
        [*own[:-1], str(tmp_path / "host")], capture_output=True, text=True, check=False
    )
    assert refused.returncode
    assert "give --toolchain arm-none-eabi.cmake" in refused.stderr
    subprocess.run([*own, "--toolchain", str(project / "arm-none-eabi.cmake")], check=True)
    subprocess.run(["cmake", "--build", str(build)], check=True)
    program = build / "firmware.elf"
    sizes = [
        subprocess.run(
            ["arm-none-eabi-size", str(path)], capture_output=True, text=True, check=True
        )
        .stdout.splitlines()[1]
        .split()[:3]
        for path in (program, marked)
    ]
    assert sizes[0] == sizes[1]
    answers = []
    for path in (program, marked):
        with running(path, "an386") as port, opened(port) as board:
            board.load(bytes(range(64)))
            answers.append(board.infer().values)
    assert answers[0] == answers[1]


@contextmanager
def opened(port: str) -> Iterator[Board]:
    import serial

    with serial.serial_for_url(port, timeout=0.02) as line:
        board = Board(line, 20.0)
        board.greet()
        yield board


def test_what_cannot_be_built_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"--board: got 'uno', expected one of an385"):
        build_firmware(golden.MARKED.read_bytes(), "uno", tmp_path)
    with pytest.raises(BadInput):
        build_firmware(golden.KEY.read_bytes(), "an386", tmp_path)


def test_what_is_no_program_is_refused() -> None:
    """An emulator would run nothing for ever."""
    with pytest.raises(BadInput, match="no ELF file"), running(golden.KEY, "an386"):
        pass
