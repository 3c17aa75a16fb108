"""Firmware for Arm's boards around a model as C, built with Debian's cross-compiler and run in QEMU.

The emulated board is real in what matters here: the instructions are a Cortex-M's, its serial line is a pty,
and with `-icount shift=0` every instruction takes one nanosecond of the board's time, so its timer counts
them. They are instructions, never cycles: a core takes more or fewer cycles for them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import targets
from .content import of_bytes
from .device_header import header
from .device_mark import DeviceMark
from .engine import make_engine, write_engine
from .errors import BadInput, RuntimeUnavailable
from .files import write_file
from .tflite import read_tflite

_COMPILER, _SIZE = "arm-none-eabi-gcc", "arm-none-eabi-size"
_EMULATOR = "qemu-system-arm"
INSTALL = "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
_COMPILED = (
    *("-std=c99", "-mthumb", "-ffunction-sections", "-fdata-sections"),
    *("-Wall", "-Wextra", "-Wpedantic", "-Werror"),
)
_LINKED = ("-mthumb", "-nostartfiles", "--specs=nosys.specs", "-Wl,--gc-sections")
_PTY = re.compile(r"(/dev/pts/\d+)")
_START_S = 20.0


@dataclass(frozen=True, kw_only=True)
class MicrocontrollerBoard:
    """One board of `targets/cortex_m/firmware/boards.toml`."""

    name: str
    core: str
    machine: str
    """What QEMU calls it."""
    compiler: tuple[str, ...]
    clock_hz: int
    """Of the timer that instructions are counted with."""
    definitions: dict[str, int] = field(repr=False)
    """Addresses for the C and the linker, by the name that they have there."""


@dataclass(frozen=True, kw_only=True)
class Firmware:
    """A program for a board, and what it takes of it."""

    path: Path
    board: str
    text_bytes: int
    """Code and constants, flash."""
    data_bytes: int
    """Initialised variables, flash and RAM."""
    bss_bytes: int
    """Zeroed variables, RAM: the arena, the input and the output are among them."""
    arena_bytes: int


def boards() -> dict[str, MicrocontrollerBoard]:
    """Every board that firmware can be built for, by name."""
    described = tomllib.loads((_folder() / "boards.toml").read_text(encoding="utf-8"))
    return {name: _board(name, facts) for name, facts in described.items()}


def build_firmware(
    model: bytes,
    board: str,
    out: Path,
    *,
    mark: DeviceMark | None = None,
    optimise: str = "-O2",
) -> Firmware:
    """Write a model as C into `out`, with firmware around it, and compile it to `out/firmware.elf`.

    The folder is a CMake project too, for whoever goes on from there; `docs/devices.md` has its command.

    Args:
        model: a full-int8 `.tflite`.
        board: a name of `boards()`.
        out: a folder, made where it is not there.
        mark: that the board draws inputs of and tests itself for; without it both verbs say so.
        optimise: the compiler's level.

    Raises:
        BadInput: no such board, a model that the engine cannot write, or one that is too large for the board.
        RuntimeUnavailable: the cross-compiler is not installed.
    """
    facts = _board_named(board)
    if shutil.which(_COMPILER) is None:
        raise RuntimeUnavailable(f"{_COMPILER} is not installed: {INSTALL}")
    engine = make_engine(model)
    write_engine(engine, out)
    shipped = sorted(_shipped(mark))
    for path in shipped:
        write_file(out / path.name, path.read_bytes(), argument="--out")
    if mark is not None:
        write_file(out / "edgewm_device.h", header(mark).encode(), argument="--out", mode=0o600)
    write_file(out / "edgewm_firmware.h", _header(model, facts).encode(), argument="--out")
    program, options = out / "firmware.elf", _options(facts, optimise)
    write_file(out / "board.cmake", options.as_cmake().encode(), argument="--out")
    _compile(facts, out, program, options)
    told = subprocess.run([_SIZE, program], capture_output=True, text=True, check=True).stdout
    text, data, bss = (int(number) for number in told.splitlines()[1].split()[:3])
    return Firmware(
        path=program,
        board=board,
        text_bytes=text,
        data_bytes=data,
        bss_bytes=bss,
        arena_bytes=engine.arena_bytes,
    )


@contextmanager
def running(program: Path, board: str) -> Iterator[str]:
    """The port of an emulated board that runs a program, until the block ends.

    Raises:
        BadInput: no such board, or no program.
        RuntimeUnavailable: the emulator is not installed or does not start.
    """
    with program.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            raise BadInput(
                f"PROGRAM: {program} is no ELF file, expected what edgewm device build made"
            )
    facts = _board_named(board)
    if shutil.which(_EMULATOR) is None:
        raise RuntimeUnavailable(f"{_EMULATOR} is not installed: {INSTALL}")
    command = [_EMULATOR, "-M", facts.machine, "-kernel", str(program), "-display", "none"]
    command += ["-icount", "shift=0", "-serial", "pty", "-monitor", "none", "-S", "-qmp", "stdio"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT
        )
        assert process.stdin is not None
        try:
            port = _port_of(process, said.fileno())
            # the board starts when the line is there, so that nothing of what it says is lost
            process.stdin.write(b'{"execute":"qmp_capabilities"}{"execute":"cont"}\n')
            process.stdin.flush()
            yield port
        finally:
            process.kill()
            process.wait()
            process.stdin.close()


def _folder() -> Path:
    return targets.folder() / "cortex_m" / "firmware"


def _board_named(name: str) -> MicrocontrollerBoard:
    known = boards()
    if name not in known:
        raise BadInput(f"--board: got {name!r}, expected one of {', '.join(known)}")
    return known[name]


def _board(name: str, facts: dict[str, object]) -> MicrocontrollerBoard:
    numbers = {key: value for key, value in facts.items() if isinstance(value, int)}
    compiler = facts["compiler"]
    assert isinstance(compiler, list)
    return MicrocontrollerBoard(
        name=name,
        core=str(facts["core"]),
        machine=str(facts["machine"]),
        compiler=tuple(map(str, compiler)),
        clock_hz=numbers["clock_hz"],
        definitions=numbers,
    )


def _header(model: bytes, board: MicrocontrollerBoard) -> str:
    output = read_tflite(of_bytes(model)).outputs[0]
    lines = [
        "/* What the firmware is told of its board and model. */",
        f'#define EDGEWM_BOARD_NAME "edgewm-{board.name}"',
        f"#define EDGEWM_OUTPUT_SCALE_NANO {round(output.scale * 1e9)}",
        f"#define EDGEWM_OUTPUT_ZERO_POINT ({output.zero_point})",
    ]
    return "\n".join(lines) + "\n"


def _shipped(mark: DeviceMark | None) -> list[Path]:
    """What is copied beside the model: sources, and what CMake needs."""
    own, checker = _folder(), _folder().parent
    folders = [own] if mark is None else [own, checker, checker / "self_test"]
    sources = [path for folder in folders for path in folder.glob("*.[ch]")]
    return [*sources, own / "firmware.ld", own / "CMakeLists.txt", checker / "arm-none-eabi.cmake"]


@dataclass(frozen=True, kw_only=True)
class _Options:
    """Of the compiler and of the linker, the same ones whoever calls them."""

    compile: tuple[str, ...]
    link: tuple[str, ...]

    def as_cmake(self) -> str:
        """What `CMakeLists.txt` includes."""
        return (
            "# The options of one board, written by edgewm device build.\n"
            f"set(EDGEWM_COMPILE_OPTIONS {' '.join(self.compile)})\n"
            f"set(EDGEWM_LINK_OPTIONS {' '.join(self.link)})\n"
        )


def _options(board: MicrocontrollerBoard, optimise: str) -> _Options:
    numbers = dict(board.definitions)
    numbers.setdefault("vectors", numbers["code"])
    defined = [
        f"-DEDGEWM_{name.upper()}={value}u"
        for name, value in numbers.items()
        if name in ("clock_hz", "uart", "uart_interrupt", "timer", "counter")
    ]
    at = {"vectors_at": "vectors", "code_at": "code", "data_at": "data"}
    at |= {"code_bytes": "code_bytes", "data_bytes": "data_bytes"}
    placed = [f"-Wl,--defsym={symbol}={numbers[name]}" for symbol, name in at.items()]
    return _Options(
        compile=(*board.compiler, optimise, *_COMPILED, *defined),
        link=(*board.compiler, *_LINKED, *placed),
    )


def _compile(board: MicrocontrollerBoard, folder: Path, program: Path, options: _Options) -> None:
    sources = sorted(str(path) for path in folder.glob("*.c"))
    command = [_COMPILER, *options.compile, *options.link, f"-I{folder}"]
    command += ["-T", str(folder / "firmware.ld"), *sources, "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        overflow = re.search(r"overflowed by (\d+) bytes", done.stderr)
        if overflow:
            raise BadInput(
                f"MODEL: does not fit on {board.name}: {overflow[1]} bytes too many, choose another --board"
            )
        raise BadInput(f"--board: the firmware does not compile: {done.stderr.strip()[:300]}")


def _port_of(process: subprocess.Popen[bytes], said: int) -> str:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        text = os.pread(said, 4096, 0).decode("utf-8", "replace")
        found = _PTY.search(text)
        if found:
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.01)
    raise RuntimeUnavailable(f"{_EMULATOR}: gave no line: {text.strip()[:200]}")
