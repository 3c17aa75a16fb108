"""Which boards each runtime answers like: 1,000 published inputs, 80 runs of real devices.

Then a residual network, of which no board's outputs are at hand: random inputs, runtime against runtime,
which tells apart arithmetics that keyword spotting does not.

    EDGEWM_DATA=... python benchmarks/silicon_replay.py
"""

from __future__ import annotations

import os
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from results_file import write_result

from edgewm.artifact import read_model
from edgewm.runtimes.begin import begin
from edgewm.silicon import RUNTIMES, read_recordings, replay

RESIDUAL = "mlperf_ic_resnet8_int8.tflite"
INPUTS, SEED = 1000, 1


def main() -> None:
    """Replay, compare, write the result."""
    folder = os.environ.get("EDGEWM_DATA")
    if not folder:
        raise SystemExit("set EDGEWM_DATA to the folder that holds silicon_kws/ and models/")
    held = read_recordings(Path(folder) / "silicon_kws")
    found, not_run = replay(held, begin(RUNTIMES), watch=print)
    if not_run:
        raise SystemExit(f"{not_run[0].spelling}: {not_run[0].reason}")
    pairs = _pairs(read_model(Path(folder) / "models" / RESIDUAL, "--data"))
    write_result(
        "silicon_replay",
        settings={
            "inputs": len(held.inputs),
            "runs": len(held.runs),
            "residual_model": RESIDUAL,
            "residual_inputs": INPUTS,
            "residual_seed": SEED,
        },
        rows=[asdict(one) for one in found],
        summary={
            "bit_exact_runs": {
                name: [one.run for one in found if one.runtime == name and one.bit_exact]
                for name in RUNTIMES
            },
            "residual_pairs": pairs,
        },
    )


def _pairs(model: bytes) -> list[dict[str, object]]:
    """Rows that two runtimes give identically on the residual network."""
    inputs = np.random.default_rng(SEED).integers(0, 256, (INPUTS, 32, 32, 3)).astype(np.float32)
    rows: dict[str, npt.NDArray[np.generic]] = {}
    for part in begin(RUNTIMES):
        with part.runtime.open(model) as session:
            outputs = session.ask(inputs).outputs
        assert outputs is not None
        rows[part.spelling] = outputs
    return [
        {
            "runtimes": [one, other],
            "rows_identical": int((rows[one] == rows[other]).all(axis=1).sum()),
            "top1_identical": int((rows[one].argmax(1) == rows[other].argmax(1)).sum()),
        }
        for one, other in combinations(rows, 2)
    ]


if __name__ == "__main__":
    main()
