"""The interpreters of Linux boards beside those of this machine: arithmetic and silicon.

Each runtime replays the probe and answers the 1,000 keyword inputs that boards answered; verdicts are in
one_verdict.py. The two classes of boards are named by a run of each: TFLM's reference firmware, X-CUBE-AI.

    EDGEWM_DATA=... EDGEWM_LINUX_ROOTS=... python benchmarks/linux_runtimes.py
    (the second holds arm64 and armhf, made by `edgewm device linux-root`)
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from results_file import write_result

from edgewm import spec
from edgewm.runtimes.begin import begin
from edgewm.silicon import read_recordings, replay

GOLDEN = Path(__file__).parent.parent / "tests/golden/v1/marked.tflite"
RUNTIMES = (
    "litert",
    "tflite_runtime",
    "tflm",
    "qemu_aarch64:root={roots}/arm64,package=litert",
    'qemu_aarch64:root={roots}/arm64,package=litert,delegate="none"',
    "qemu_aarch64:root={roots}/arm64,package=tflite_runtime",
    "qemu_arm:root={roots}/armhf,package=tflite_runtime",
)
BOARDS = {
    "tflm_board": "reference|Nucleo-L4R5ZI",
    "x_cube_ai_board": "STMicroelectronics|NUCLEO-H7A3ZI-Q",
}


def engine_of(spelled: str) -> dict[str, Any]:
    """What one runtime says of itself on a small file."""
    with spec.parse("runtimes", spelled).open(GOLDEN.read_bytes()) as session:
        return {"arithmetic": session.engine.arithmetic, "version": session.engine.version}


def main() -> None:
    """Ask every runtime and write the result."""
    data, roots = os.environ.get("EDGEWM_DATA"), os.environ.get("EDGEWM_LINUX_ROOTS")
    if not data or not roots:
        sys.exit("set EDGEWM_DATA and EDGEWM_LINUX_ROOTS, see the first lines of this file")
    held = read_recordings(Path(data) / "silicon_kws")
    rows = []
    for template in RUNTIMES:
        spelled = template.format(roots=roots)
        likenesses, not_run = replay(held, begin([spelled]))
        if not_run:
            sys.exit(f"{spelled}: {not_run[0].reason}")
        row: dict[str, Any] = {"runtime": re.sub(r"root=[^,]*,", "", template)}
        for name, part in BOARDS.items():
            of = next(like for like in likenesses if part in like.run)
            row |= {
                f"{name}_run": of.run,
                f"{name}_rows": of.rows_identical,
                "rows": of.rows_compared,
            }
        row["runs_bit_exact"] = sum(x.rows_identical == x.rows_compared for x in likenesses)
        row |= engine_of(spelled)
        rows.append(row)
        print(row, flush=True)
    write_result(
        "linux_runtimes",
        settings={"keyword_inputs": len(held.inputs), "boards": BOARDS},
        rows=rows,
        summary={"arithmetics": sorted({row["arithmetic"] for row in rows})},
    )


if __name__ == "__main__":
    main()
