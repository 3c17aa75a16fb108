"""Compiles what `edgewm device engine` writes, and asks TensorFlow Lite Micro the same questions."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgewm import targets
from edgewm.engine import make_engine

HARNESS = Path(__file__).with_name("harness.c")
BENCH = targets.folder() / "cortex_m" / "bench"
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wshadow", "-Werror")


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """A compiler, and how a program that it made is run."""

    compiler: str
    flags: tuple[str, ...]
    linked: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    """What stands before the program's name."""


HOST = Toolchain(
    compiler="gcc",
    flags=("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
)
"""A read outside an array, or an overflow, ends the program."""


def cortex_m(core: str, board: str, *places: str) -> Toolchain:
    """A core in the emulator, with what its board's memory map differs in; files through semihosting."""
    return Toolchain(
        compiler="arm-none-eabi-gcc",
        flags=(f"-mcpu={core}", "-mthumb", "-mfloat-abi=soft", "-O2"),
        linked=(
            "--specs=rdimon.specs",
            "-T",
            str(BENCH / "mps2.ld"),
            str(BENCH / "startup.c"),
            *places,
        ),
        run=(
            *("qemu-system-arm", "-M", board, "-nographic", "-monitor", "none", "-serial", "none"),
            *("-semihosting-config", "enable=on,target=native", "-kernel"),
        ),
    )


def answers(
    models: Mapping[str, bytes],
    inputs: Mapping[str, np.ndarray],
    folder: Path,
    toolchain: Toolchain = HOST,
    *,
    warnings: Sequence[str] = WARNINGS,
) -> dict[str, np.ndarray]:
    """What the C of each model answers to its rows; one program, every kernel compiled once."""
    (rows,) = {len(held) for held in inputs.values()}
    engines = {name: make_engine(model) for name, model in models.items()}
    for name, text in next(iter(engines.values())).files.items():
        (folder / name).write_text(text)  # the kernels, once
    kernels = [path for path in folder.glob("edgewm_*.c") if path.name != "edgewm_model.c"]
    flags = (*warnings, f"-I{folder}")
    objects, listed = [_compiled(path, toolchain, flags) for path in kernels], []
    for number, engine in enumerate(engines.values()):
        own = folder / str(number)
        own.mkdir()
        for name in ("edgewm_model.h", "edgewm_model.c"):
            (own / name).write_text(engine.files[name])
        renamed = f"-Dedgewm_model_infer=infer_{number}"
        objects.append(_compiled(own / "edgewm_model.c", toolchain, (*flags, renamed)))
        listed.append(f"MODEL({number}, {engine.input_bytes}, {engine.output_bytes})\n")
    (folder / "models.h").write_text("".join(listed))
    (folder / "inputs.bin").write_bytes(b"".join(inputs[name].tobytes() for name in models))
    built = folder / "program"
    given = [*toolchain.flags, f"-I{folder}", f"-DROWS={rows}", str(HARNESS), *objects]
    subprocess.run(
        [toolchain.compiler, *given, *toolchain.linked, "-o", str(built)], check=True, timeout=60
    )
    done = subprocess.run(
        [*toolchain.run, str(built)], cwd=folder, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    sizes = [engine.output_bytes for engine in engines.values()]
    got = np.frombuffer((folder / "answers.bin").read_bytes(), np.int8)
    parts = np.split(got, np.cumsum([rows * size for size in sizes])[:-1])
    return {
        name: part.reshape(rows, size)
        for name, part, size in zip(models, parts, sizes, strict=True)
    }


def _compiled(source: Path, toolchain: Toolchain, more: Sequence[str]) -> str:
    target = source.with_suffix(".o")
    given = [*toolchain.flags, *more, "-c", str(source), "-o", str(target)]
    subprocess.run([toolchain.compiler, *given], check=True, timeout=60)
    return str(target)


_REFERENCE = """
import io, sys
import numpy as np
from tflite_micro.python.tflite_micro import runtime
held = np.load(io.BytesIO(sys.stdin.buffer.read()))
rows = {}
for name in [name[6:] for name in held.files if name.startswith("model ")]:
    opened = runtime.Interpreter.from_bytes(held["model " + name].tobytes(), arena_size=1 << 20)
    shape, got = opened.get_input_details(0)["shape"], []
    for row in held["input " + name]:
        opened.set_input(row.reshape(shape), 0)
        opened.invoke()
        got.append(opened.get_output(0).ravel().copy())
    rows[name] = np.array(got)
np.savez(sys.argv[1], **rows)
"""


def reference_rows(
    models: Mapping[str, bytes], inputs: Mapping[str, np.ndarray], folder: Path
) -> dict[str, np.ndarray]:
    """What TensorFlow Lite Micro answers, a row an input; all models in one process of its own."""
    sent = io.BytesIO()
    told = {f"model {name}": np.frombuffer(model, np.uint8) for name, model in models.items()}
    np.savez(sent, **told, **{f"input {name}": rows for name, rows in inputs.items()})
    written = folder / "reference.npz"
    subprocess.run(
        [sys.executable, "-c", _REFERENCE, str(written)],
        input=sent.getvalue(),
        capture_output=True,
        check=True,
    )
    with np.load(written) as held:
        return {name: held[name] for name in held.files}


def random_inputs(model: bytes, count: int, seed: int = 1) -> np.ndarray:
    """Rows of int8, the extremes among them."""
    size = make_engine(model).input_bytes
    rows = np.random.default_rng(seed).integers(-128, 128, (count, size)).astype(np.int8)
    rows[0], rows[1], rows[2] = -128, 127, 0
    return rows
