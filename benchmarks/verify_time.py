"""Wall time of the whole ``edgewm verify`` command against a bare script that does the same inferences.

Both are fresh processes with a warm file cache, run in turn; the model is MLPerf Tiny's keyword-spotting
network (`models/mlperf_kws_dscnn_int8.tflite` in the data folder), 64 secret inputs, isolation on.

    EDGEWM_DATA=... python benchmarks/verify_time.py [--pairs 11]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results_file import write_result

BARE = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
for sample in np.load(sys.argv[2]):
    interpreter.set_tensor(source["index"], sample[None])
    interpreter.invoke()
    print(interpreter.get_tensor(target["index"]).argmax())
"""


def seconds_of(command: list[str], expected: int) -> float:
    """Wall time of one fresh process; its exit code must be the expected one and stderr empty."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.perf_counter() - started
    noise = [x for x in done.stderr.splitlines() if not x.startswith("INFO: Created TensorFlow")]
    if done.returncode != expected or noise:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {done.stderr}")
    return took


def main() -> None:
    """Measure, print, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=11)
    options.add_argument("--data", default=os.environ.get("EDGEWM_DATA"))
    chosen = options.parse_args()
    if not chosen.data:
        raise SystemExit("set EDGEWM_DATA to the folder that holds models/")
    import numpy as np

    from edgewm import make_triggers, new_key, save_key, save_triggers

    model = Path(chosen.data) / "models" / "mlperf_kws_dscnn_int8.tflite"
    with tempfile.TemporaryDirectory() as folder:
        key = new_key()
        triggers = make_triggers(key, shape=(49, 10, 1), classes=12, value_range=(-120.0, 25.0))
        save_key(key, Path(folder) / "k")
        save_triggers(triggers, Path(folder) / "t.npz")
        quantised = np.rint(triggers.inputs / 0.5847029 + 83).clip(-128, 127).astype(np.int8)
        np.save(Path(folder) / "x.npy", quantised)
        bare = [sys.executable, "-c", BARE, str(model), f"{folder}/x.npy"]
        command = str(Path(sys.executable).with_name("edgewm"))
        ours = [
            command,
            "verify",
            str(model),
            "--triggers",
            f"{folder}/t.npz",
            "--key",
            f"{folder}/k",
        ]
        rows = []
        seconds_of(bare, 0), seconds_of(ours, 1)  # warm the file cache
        for pair in range(chosen.pairs):
            rows.append(
                {"pair": pair, "bare_s": seconds_of(bare, 0), "verify_s": seconds_of(ours, 1)}
            )
    bare_s = statistics.median(row["bare_s"] for row in rows)
    verify_s = statistics.median(row["verify_s"] for row in rows)
    summary = {
        "bare_median_s": bare_s,
        "verify_median_s": verify_s,
        "ratio_of_medians": verify_s / bare_s,
        "median_of_ratios": statistics.median(row["verify_s"] / row["bare_s"] for row in rows),
        "bar": 1.5,
    }
    path = write_result(
        "verify_time",
        settings={"pairs": chosen.pairs, "model": model.name, "queries": 64, "runtime": "litert"},
        rows=rows,
        summary=summary,
    )
    print(
        f"{path}: {verify_s:.3f} s against {bare_s:.3f} s, ratio {summary['ratio_of_medians']:.2f}"
    )


if __name__ == "__main__":
    main()
