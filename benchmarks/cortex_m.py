"""What an inference and a verification take on emulated Cortex-M boards, counted, and whether all agree.

Instructions come from the board's timer under QEMU's -icount shift=0 (1 ns each), bytes from the linker, the
stack from its paint. The golden marked network is verified over the serial protocol on every board, in full
and until the e-process stops, beside its unmarked twin; the MLPerf Tiny networks of EDGEWM_DATA are counted.

    EDGEWM_DATA=... python benchmarks/cortex_m.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import serial
from results_file import write_result
from rich.progress import track

from edgewm import verify
from edgewm.content import of_bytes
from edgewm.errors import BadInput
from edgewm.firmware import boards, build_firmware, running
from edgewm.key import load_key
from edgewm.runtimes.board import Board
from edgewm.tflite import read_tflite
from edgewm.triggers import load_triggers

GOLDEN = Path(__file__).parent.parent / "tests/golden/v1"
NETWORKS = {
    "AD": "mlperf_ad_autoenc_int8.tflite",
    "IC": "mlperf_ic_resnet8_int8.tflite",
    "KWS": "mlperf_kws_dscnn_int8.tflite",
    "VWW": "mlperf_vww_mbv1_int8.tflite",
}
INFERENCES = 3
LOCAL = ("litert", "tflite_runtime", "tflm")


def main() -> None:
    """Build, run, count, write."""
    data = Path(os.environ["EDGEWM_DATA"])
    files = {"golden": GOLDEN / "marked.tflite"}
    files |= {name: data / "models" / file for name, file in NETWORKS.items()}
    rows = []
    for board in track(boards(), "boards"):
        for name, file in files.items():
            rows.append(counted(board, name, file.read_bytes()))
    verdicts = [
        verified(board, name, sequential=sequential)
        for board in track(boards(), "verifying")
        for name in ("marked", "unmarked")
        for sequential in (False, True)
    ]
    verdicts += [local(runtime, name) for runtime in LOCAL for name in ("marked", "unmarked")]
    print(
        write_result(
            "cortex_m",
            settings={
                "compiler": version("arm-none-eabi-gcc"),
                "emulator": version("qemu-system-arm"),
                "level": "-O2",
            },
            rows=[*rows, *verdicts],
            summary=summary_of(rows, verdicts),
        )
    )


def counted(board: str, name: str, model: bytes) -> dict[str, Any]:
    """One network on one board: instructions of an inference, and what it takes."""
    row: dict[str, Any] = {"kind": "inference", "board": board, "network": name}
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = build_firmware(model, board, Path(folder))
        except BadInput as error:
            return row | {"reason": str(error)}
        facts = read_tflite(of_bytes(model))
        size = int(np.prod([abs(n) for n in facts.inputs[0].shape]))
        random = np.random.default_rng(0)
        counts, labels = [], []
        with running(made.path, board) as port, serial.serial_for_url(port, timeout=0.02) as line:
            asked = Board(line, 300.0)
            asked.greet()
            for _ in range(INFERENCES):
                asked.load(random.integers(0, 256, size, np.uint8).tobytes())
                labels.append(int(np.argmax(asked.infer().values)))
                counts.append(asked.counted())
    instructions = [count.instructions for count in counts]
    return row | {
        "core": boards()[board].core,
        "macs": facts.macs,
        "instructions": statistics.median(instructions),
        "instructions_spread": max(instructions) - min(instructions),
        "instructions_per_mac": statistics.median(instructions) / facts.macs,
        "text_bytes": made.text_bytes,
        "data_bytes": made.data_bytes,
        "bss_bytes": made.bss_bytes,
        "arena_bytes": made.arena_bytes,
        "stack_bytes": counts[-1].stack_bytes,
        "labels": labels,
    }


def verified(board: str, name: str, *, sequential: bool) -> dict[str, Any]:
    """One verification over the serial protocol."""
    with tempfile.TemporaryDirectory() as folder:
        made = build_firmware((GOLDEN / f"{name}.tflite").read_bytes(), board, Path(folder))
        with running(made.path, board) as port:
            spelled = f"serial:port={port},model={GOLDEN / 'marked.tflite'},timeout_s=30.0"
            return verdict_of(spelled, (), board, name, sequential=sequential)


def local(runtime: str, name: str) -> dict[str, Any]:
    """The same on an interpreter of this machine."""
    return verdict_of(GOLDEN / f"{name}.tflite", (runtime,), runtime, name, sequential=False)


def verdict_of(
    suspect: str | Path, on: tuple[str, ...], where: str, name: str, *, sequential: bool
) -> dict[str, Any]:
    """A row of the verdict on the golden marks."""
    verdict = verify(
        suspect,
        triggers=load_triggers(GOLDEN / "triggers.npz"),
        key=load_key(GOLDEN / "owner.key"),
        on=on,
        sequential=sequential,
        stamped=True,
    )
    return {
        "kind": "verdict",
        "board": where,
        "network": name,
        "sequential": sequential,
        "owned": verdict.owned,
        "log10_p": verdict.log10_p,
        "groups_hit": verdict.worst.groups_hit,
        "queries": verdict.worst.queries,
        "failed": verdict.worst.failed,
    }


def summary_of(rows: list[dict[str, Any]], verdicts: list[dict[str, Any]]) -> dict[str, Any]:
    """What the tables show: instructions, bytes, and the share of a verification that stops early."""
    inference = {
        (row["board"], row["network"]): row["instructions"] for row in rows if "macs" in row
    }
    asked = {(row["board"], row["network"], row["sequential"]): row["queries"] for row in verdicts}
    verifications = {
        board: {
            "full_queries": asked[board, "marked", False],
            "sequential_queries": asked[board, "marked", True],
            "full_instructions": asked[board, "marked", False] * inference[board, "golden"],
            "sequential_share": asked[board, "marked", True] / asked[board, "marked", False],
        }
        for board in boards()
    }
    same = {
        name: len(
            {
                (r["owned"], r["groups_hit"])
                for r in verdicts
                if r["network"] == name and not r["sequential"]
            }
        )
        == 1
        for name in ("marked", "unmarked")
    }
    return {"verifications": verifications, "same_verdict_everywhere": same}


def version(program: str) -> str:
    """First line of what it says of itself."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


if __name__ == "__main__":
    main()
