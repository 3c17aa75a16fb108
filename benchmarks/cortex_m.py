"""What an inference takes on emulated Cortex-M boards, counted; their verdicts are those of one_verdict.py.

Instructions come from the board's timer under QEMU's -icount shift=0 (1 ns each), bytes from the linker, the
stack from its paint: of the golden marked network, and of the MLPerf Tiny networks of EDGEWM_DATA.

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

from edgewm.content import of_bytes
from edgewm.errors import BadInput
from edgewm.firmware import boards, build_firmware, running
from edgewm.runtimes.board import Board
from edgewm.tflite import read_tflite

GOLDEN = Path(__file__).parent.parent / "tests/golden/v1"
NETWORKS = {
    "AD": "mlperf_ad_autoenc_int8.tflite",
    "IC": "mlperf_ic_resnet8_int8.tflite",
    "KWS": "mlperf_kws_dscnn_int8.tflite",
    "VWW": "mlperf_vww_mbv1_int8.tflite",
}
INFERENCES = 3


def main() -> None:
    """Build, run, count, write."""
    data = Path(os.environ["EDGEWM_DATA"])
    files = {"golden": GOLDEN / "marked.tflite"}
    files |= {name: data / "models" / file for name, file in NETWORKS.items()}
    rows = []
    for board in track(boards(), "boards"):
        for name, file in files.items():
            rows.append(counted(board, name, file.read_bytes()))
    print(
        write_result(
            "cortex_m",
            settings={
                "compiler": version("arm-none-eabi-gcc"),
                "emulator": version("qemu-system-arm"),
                "level": "-O2",
            },
            rows=rows,
            summary={"largest_spread": max(row.get("instructions_spread", 0) for row in rows)},
        )
    )


def counted(board: str, name: str, model: bytes) -> dict[str, Any]:
    """One network on one board: instructions of an inference, and what it takes."""
    row: dict[str, Any] = {"board": board, "network": name}
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


def version(program: str) -> str:
    """First line of what it says of itself."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


if __name__ == "__main__":
    main()
