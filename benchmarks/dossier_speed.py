"""How long the manifest of a million samples takes, and how much memory, as a process of its own.

Samples are random bytes of the size of Fashion-MNIST's pictures: an .npy, an .npz with labels, a compressed
one (each read in pieces), and a folder of fewer files. One sample of each is proved and checked.

    python benchmarks/dossier_speed.py [--samples 1000000] [--files 20000]

Fewer samples are a look: they are printed and not written.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from results_file import write_result

ROOT = Path(__file__).parent.parent
SAMPLES, FILES, SEED, SHAPE, RUNS = 1_000_000, 20_000, 5, (28, 28, 1), 3
MEASURED = """
import json, pathlib, sys, time
def peak_mib():  # of this program alone; getrusage also counts what the parent had
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
from edgewm.manifest import make_manifest, prove
from edgewm.training_set import read_training_set
imported_mib = peak_mib()
begun, worked = time.perf_counter(), time.process_time()
data = read_training_set(sys.argv[1])
made = make_manifest(data, b"s" * 32)
seconds, cpu_s = time.perf_counter() - begun, time.process_time() - worked
begun = time.perf_counter()
proof, _ = prove(made, data, b"s" * 32, data.count * 2 // 3)
prove_s = time.perf_counter() - begun
assert proof.leads_to(made.head, made.count)
print(json.dumps({"samples": made.count, "seconds": seconds, "cpu_s": cpu_s, "prove_s": prove_s,
                  "imported_mib": imported_mib, "peak_mib": peak_mib(), "head": made.head.hex()}))
"""


def measured(what: str, path: Path) -> dict[str, Any]:
    """One row: the fastest of the runs, since others use the machine, and what each took."""
    line = [sys.executable, "-c", MEASURED, str(path)]
    runs = []
    for _ in range(RUNS):
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout))
    row: dict[str, Any] = {"what": what, **min(runs, key=lambda run: float(run["seconds"]))}
    row["all_seconds"] = [run["seconds"] for run in runs]
    print(row, flush=True)
    return row


def write_samples(folder: Path, samples: int) -> dict[str, Path]:
    """The same samples in three files, written in pieces."""
    rng = np.random.default_rng(SEED)
    path, shape = folder / "x.npy", (samples, *SHAPE)
    x = np.lib.format.open_memmap(path, "w+", np.uint8, shape)  # type: ignore[no-untyped-call]
    for at in range(0, samples, 50_000):
        piece = x[at : at + 50_000]
        piece[:] = rng.integers(0, 256, piece.shape, dtype=np.uint8)
    x.flush()
    y = rng.integers(0, 10, samples, dtype=np.uint8)
    np.savez(folder / "stored.npz", x=x, y=y)
    x[:, ::2] = 0  # so that there is something to compress
    np.savez_compressed(folder / "compressed.npz", x=x, y=y)
    return {name: folder / name for name in ("stored.npz", "compressed.npz", "x.npy")}


def main() -> None:
    """Write samples, measure, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--samples", type=int, default=SAMPLES)
    options.add_argument("--files", type=int, default=FILES)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begun = time.perf_counter()
        paths = write_samples(folder, chosen.samples)
        print(f"written in {time.perf_counter() - begun:.0f} s", flush=True)
        rows = [measured(what, path) for what, path in paths.items()]
        held = np.load(paths["x.npy"], mmap_mode="r")
        files = folder / "files"
        for at in range(min(chosen.files, chosen.samples)):
            (files / str(at % 10)).mkdir(parents=True, exist_ok=True)
            (files / str(at % 10) / f"{at}.bin").write_bytes(held[at].tobytes())
        rows.append(measured("folder of files", files))
    if (chosen.samples, chosen.files) == (SAMPLES, FILES):
        settings = {"seed": SEED, "runs": RUNS, "sample": list(SHAPE), "dtype": "uint8"}
        arrays = rows[:3]
        summary = {
            "samples": SAMPLES,
            "seconds": max(row["seconds"] for row in arrays),
            "cpu_s": max(row["cpu_s"] for row in arrays),
            "peak_mib": max(row["peak_mib"] for row in rows),
            "prove_s": next(row["prove_s"] for row in rows if row["what"] == "x.npy"),
        }
        print(write_result("dossier_speed", settings=settings, rows=rows, summary=summary))


if __name__ == "__main__":
    main()
