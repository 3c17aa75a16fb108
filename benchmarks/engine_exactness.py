"""The C engine against TensorFlow Lite Micro, row by row, and the instructions that an inference takes.

Every model is written by `edgewm.engine`, compiled with gcc -O2 for this machine and for Cortex-M cores, and
asked the same inputs as the interpreter: those of `silicon_kws` for keyword spotting, random int8 for the
others. On the cores it runs in QEMU, where `-icount shift=0` makes an instruction 1 ns of virtual time and
the board's 25 MHz timer counts steps of 40. Networks of `edgewm.networks` are converted here, untrained.
LiteRT with XNNPACK, which rounds once, is the control: where it agrees on every row, equal rows say little.

    EDGEWM_DATA=... python benchmarks/engine_exactness.py [--rows 1000] [--emulated-rows 10]
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from results_file import write_result

from edgewm import targets
from edgewm.conversion import Converter
from edgewm.engine import Engine, make_engine, write_engine
from edgewm.engine.graph import Graph, read_graph
from edgewm.networks import ds_cnn, resnet8, small_cnn
from edgewm.runtimes.litert import LiteRT
from edgewm.runtimes.tflm import TFLM

KWS = "mlperf_kws_dscnn_int8"
COUNTED = {"mlperf_ic_resnet8_int8": 4.0, KWS: 5.0, "mlperf_vww_mbv1_int8": 5.0}
"""Most instructions a multiply-accumulate that were asked for."""
CORES = {"cortex-m3": "mps2-an385", "cortex-m4": "mps2-an386", "cortex-m7": "mps2-an500"}
STEP = 40
"""Instructions of 1 ns between two steps of a 25 MHz timer."""
PUBLISHED = "Nucleo-L4R5ZI"
"""The reference board of MLPerf Tiny: Cortex-M4, TensorFlow Lite Micro."""
Rows = npt.NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One model."""

    name: str
    model: bytes
    inputs: Rows
    """(n, input bytes)."""
    asked: str
    """What the inputs are."""


def main() -> None:
    """Measure, print, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1000)
    options.add_argument("--emulated-rows", type=int, default=10)
    options.add_argument("--data", default=os.environ.get("EDGEWM_DATA"))
    chosen = options.parse_args()
    if not chosen.data:
        raise SystemExit("set EDGEWM_DATA to the folder that holds models/ and silicon_kws/")
    data = Path(chosen.data)
    rows = []
    for subject in subjects(data, chosen.rows):
        row = measured(subject, chosen.emulated_rows)
        if subject.name == KWS:
            row |= boards(data, on_host(make_engine(subject.model), subject.inputs))
        print(row, flush=True)
        rows.append(row)
    write_result(
        "engine_exactness",
        settings={
            "rows": chosen.rows,
            "emulated_rows": chosen.emulated_rows,
            "compilers": {name: version(name) for name in ("gcc", "arm-none-eabi-gcc")},
            "emulator": version("qemu-system-arm"),
            "flags": "-O2",
            "boards": CORES,
            "seed": 1,
        },
        rows=rows,
        summary={
            "rows_asked": sum(row["rows"] for row in rows),
            "rows_equal": sum(row["rows_equal"] for row in rows),
            "emulated_rows": sum(row["emulated_rows"] for row in rows),
            "emulated_rows_equal": sum(row["emulated_rows_equal"] for row in rows),
            "kernel_text_bytes": kernel_text_bytes(),
            "bars_instructions_per_mac": COUNTED,
            "published_cycles_per_mac": published(data),
        },
    )


def subjects(data: Path, count: int) -> Iterator[Subject]:
    """The published models, then the networks of edgewm's own examples in two formats."""
    with np.load(data / "silicon_kws" / "inputs.npz") as held:
        recorded = held["inputs"].reshape(len(held["inputs"]), -1)
    names = ["mlperf_*_int8", "tflm_micro_speech_quantized", "tflm_hello_world_int8", "haverland_*"]
    paths = [path for name in names for path in sorted((data / "models").glob(f"{name}.tflite"))]
    paths += sorted((Path(__file__).parent.parent / "tests" / "golden" / "v1").glob("*.tflite"))
    for path in paths:
        model = path.read_bytes()
        if path.stem == KWS:
            inputs, asked = recorded[:count], "silicon_kws"
            yield Subject(name=path.stem, model=model, inputs=inputs, asked=asked)
        else:
            yield random_subject(path.stem, model, count)
        if "vww" in path.stem:  # two classes give few different rows
            yield random_subject(f"{path.stem}, features", features(model), count)
    rng = np.random.default_rng(1)
    with Converter() as converter:
        for make, shape in ((small_cnn, (8, 8, 1)), (ds_cnn, (49, 10, 1)), (resnet8, (32, 32, 3))):
            network = make(shape, 10)
            network.set_weights([drawn(rng, variable) for variable in network.weights])
            calibration = rng.uniform(-1, 1, (100, *shape)).astype(np.float32)
            for format in ("int8", "int8_per_tensor"):
                made = converter.convert(network, calibration, format=format)
                yield random_subject(f"{make.__name__} {format}", made.model, count)
                if make is resnet8:
                    name = f"{make.__name__} {format}, features"
                    yield random_subject(name, features(made.model), count)


def features(model: bytes) -> bytes:
    """The model up to its last dense layer, whose inputs become the output."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(model), 0))
    graph = tree.subgraphs[0]
    codes = [code.builtinCode for code in tree.operatorCodes]
    last = max(
        at
        for at, operator in enumerate(graph.operators)
        if codes[operator.opcodeIndex] == schema.BuiltinOperator.FULLY_CONNECTED
    )
    graph.outputs = graph.operators[last].inputs[:1]
    graph.operators = graph.operators[:last]
    tree.signatureDefs = None
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def drawn(rng: np.random.Generator, variable: Any) -> npt.NDArray[np.float32]:
    """Weights that let every layer say something; as keras makes them, the deepest layers are constant."""
    shape, kind = tuple(variable.shape), variable.name
    if kind == "moving_variance":
        return rng.uniform(0.3, 1.0, shape).astype(np.float32)
    if kind == "gamma":
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    fan = max(1, int(np.prod(shape[: 2 if "depthwise" in variable.path else -1])))
    spread = 0.2 if len(shape) == 1 else (2.0 / fan) ** 0.5
    return rng.normal(0.0, spread, shape).astype(np.float32)


def random_subject(name: str, model: bytes, count: int) -> Subject:
    """Uniform int8 inputs."""
    size = read_graph(model).input.size
    inputs = np.random.default_rng(1).integers(-128, 128, (count, size)).astype(np.int8)
    return Subject(name=name, model=model, inputs=inputs, asked="random")


def measured(subject: Subject, emulated: int) -> dict[str, Any]:
    """Rows equal to the interpreter's, here and on a core, and instructions on every core."""
    engine, graph = make_engine(subject.model), read_graph(subject.model)
    expected = interpreted(subject, graph, TFLM())
    answered = on_host(engine, subject.inputs)
    equal = (answered == expected).all(axis=1)
    once = (answered == interpreted(subject, graph, LiteRT())).all(axis=1)
    few = subject.inputs[:emulated]
    per_core: dict[str, int] = {}
    matches: list[bool] = []
    for core in CORES if subject.name in COUNTED else ("cortex-m4",):
        answers, instructions = emulated_rows(engine, few, core)
        matches += (answers == expected[:emulated]).all(axis=1).tolist()
        per_core[core] = int(np.median(instructions))
    return {
        "model": subject.name,
        "inputs": subject.asked,
        "rows": len(equal),
        "rows_equal": int(equal.sum()),
        "rows_equal_to_xnnpack": int(once.sum()),
        "distinct_rows": len({row.tobytes() for row in answered}),
        "emulated_rows": len(matches),
        "emulated_rows_equal": sum(matches),
        "macs": engine.macs,
        "arena_bytes": engine.arena_bytes,
        "constant_bytes": engine.constant_bytes,
        "instructions": per_core,
        "instructions_per_mac": per_core["cortex-m4"] / engine.macs,
    }


def interpreted(subject: Subject, graph: Graph, runtime: TFLM | LiteRT) -> Rows:
    """What an interpreter answers, int8; the float ends of a file are taken off again."""
    given, taken = graph.input, graph.output
    with runtime.open(subject.model) as session:
        assert session.facts is not None
        shape = session.facts.inputs[0].shape[1:]
        values = (subject.inputs.astype(np.float32) - given.zero_point) * np.float32(given.scale)
        outputs = np.asarray(session.ask(values.reshape(-1, *shape)).outputs)
    rows = outputs.reshape(len(outputs), -1)
    if rows.dtype == np.int8:
        return np.asarray(rows, np.int8)
    steps = np.rint(rows.astype(np.float32) / np.float32(taken.scale))
    return np.asarray(steps + taken.zero_point, np.int8)


def on_host(engine: Engine, inputs: Rows) -> Rows:
    """What the C answers here."""
    with tempfile.TemporaryDirectory() as folder:
        write_engine(engine, Path(folder))
        library = str(Path(folder) / "model.so")
        sources = sorted(map(str, Path(folder).glob("*.c")))
        built = ["gcc", "-std=c99", "-O2", "-shared", "-fPIC", *sources, "-o", library]
        subprocess.run(built, check=True)
        infer = ctypes.CDLL(library).edgewm_model_infer
        answers = np.zeros((len(inputs), engine.output_bytes), np.int8)
        for row, answer in zip(np.ascontiguousarray(inputs), answers, strict=True):
            infer(ctypes.c_void_p(row.ctypes.data), ctypes.c_void_p(answer.ctypes.data))
    return answers


def emulated_rows(engine: Engine, inputs: Rows, core: str) -> tuple[Rows, npt.NDArray[np.int64]]:
    """What the C answers on a core in QEMU, and the instructions of each inference."""
    bench = targets.folder() / "cortex_m" / "bench"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_engine(engine, folder)
        sources = [*map(str, folder.glob("*.c")), str(bench / "startup.c"), str(bench / "count.c")]
        machine = [f"-mcpu={core}", "-mthumb", "-mfloat-abi=soft", "-std=c99", "-O2"]
        linked = ["--specs=rdimon.specs", "-T", str(bench / "mps2.ld"), "-o", "firmware.elf"]
        built = ["arm-none-eabi-gcc", *machine, "-I.", *sources, *linked]
        subprocess.run(built, cwd=folder, check=True)
        (folder / "inputs.bin").write_bytes(np.ascontiguousarray(inputs).tobytes())
        quiet = ["-nographic", "-monitor", "none", "-serial", "none"]
        files = ["-semihosting-config", "enable=on,target=native", "-kernel", "firmware.elf"]
        run = ["qemu-system-arm", "-M", CORES[core], "-icount", "shift=0", *quiet, *files]
        subprocess.run(run, cwd=folder, check=True)
        answers = np.frombuffer((folder / "answers.bin").read_bytes(), np.int8)
        steps = np.frombuffer((folder / "steps.bin").read_bytes(), "<u4")
    return answers.reshape(len(inputs), -1), steps.astype(np.int64) * STEP


def boards(data: Path, answers: Rows) -> dict[str, Any]:
    """Recorded runs of boards that printed exactly what the engine answers, on all inputs."""
    with np.load(data / "silicon_kws" / "outputs.npz") as held:
        printed, runs = held["outputs"][:, : len(answers)], held["runs"]
    shares = (answers.astype(np.float32) + 128) / 256
    equal = (np.abs(printed - shares) <= 0.001).all(axis=2).sum(axis=1)
    exact = sorted(str(run) for run in runs[equal == len(answers)])
    return {"boards_equal": exact, "boards": len(runs)}


def kernel_text_bytes() -> dict[str, int]:
    """`.text` of all kernels together on Cortex-M4."""
    found = {}
    for level in ("-Os", "-O2"):
        with tempfile.TemporaryDirectory() as folder:
            sources = [
                str(path) for path in sorted((targets.folder() / "cortex_m" / "engine").glob("*.c"))
            ]
            given = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", level, "-c", *sources]
            subprocess.run(given, cwd=folder, check=True)
            objects = [str(path) for path in Path(folder).glob("*.o")]
            told = subprocess.run(
                ["arm-none-eabi-size", "-t", *objects], capture_output=True, text=True, check=True
            )
            found[level] = int(told.stdout.splitlines()[-1].split()[0])
    return found


def published(data: Path) -> dict[str, float]:
    """Cycles a multiply-accumulate of the reference board, by benchmark."""
    lines = (data / "mlperf_tiny" / "calibration.csv").read_text(encoding="utf-8").splitlines()
    head = lines[0].split(",")
    found = {}
    for line in lines[1:]:
        row = dict(zip(head, line.split(","), strict=False))
        if row["org"] == "reference" and row["system"] == PUBLISHED:
            found[row["bench"]] = float(row["cycles_per_mac"])
    return found


def version(program: str) -> str:
    """The first number that a program says of itself."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    matched = re.search(r"\d+\.\d+(\.\d+)?", told.stdout)
    return matched.group() if matched else "unknown"


if __name__ == "__main__":
    main()
