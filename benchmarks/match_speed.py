"""`edgewm match`: time and memory on a large image against 20 models, and what other models show.

Owners are the real int8 models of the data folder and of tests/golden, and models drawn with their shapes
and normal weights until there are 20. The image is this machine's shared libraries with one model's
weights, re-laid as dense pairs, in the middle. Then every owner is looked for in every other's weights.

    EDGEWM_DATA=... python benchmarks/match_speed.py [--mib 256]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from find_speed import libraries, write_blocks
from results_file import write_result

from edgewm.matching import Owned, match_weights, read_owned
from edgewm.weight_layouts import blocked

OWNERS, BAR_SECONDS = 20, 60.0


def main() -> None:
    """Measure, print, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mib", type=int, default=256)
    options.add_argument("--data", default=os.environ.get("EDGEWM_DATA"))
    chosen = options.parse_args()
    if not chosen.data:
        raise SystemExit("set EDGEWM_DATA to the folder that holds models/")
    golden = Path(__file__).parent.parent / "tests" / "golden" / "v1"
    real = [*read_owned(Path(chosen.data) / "models"), *read_owned(golden)]
    owned = (real + [_drawn(own, seed) for seed, own in enumerate(real * 2)])[:OWNERS]
    hidden = next(i for i, own in enumerate(owned) if "ad_autoenc" in own.path)
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.bin"
        write_blocks(image, libraries(), chosen.mib << 20)
        laid = b"".join(
            blocked(weights.values, 2, 4).tobytes() for weights in owned[hidden].tensors
        )
        with image.open("r+b") as out:
            out.seek((chosen.mib << 19) + 3)
            out.write(laid)
        started = time.perf_counter()
        matches = match_weights(owned, [image])
        took = time.perf_counter() - started
        memory = peak_memory_mib()
        wrong, shown, right = _pairs(owned, Path(folder))
    rows = [
        {
            "own": Path(match.own).name,
            "windows": match.windows,
            "windows_found": match.windows_found,
            "found": match.found,
            "log10_chance_weights": match.log10_chance_weights,
        }
        for match in matches
    ]
    summary = {
        "seconds": took,
        "bar_seconds": BAR_SECONDS,
        "memory_mib": memory,
        "coverage_of_the_hidden_one": matches[hidden].coverage,
        "others_with_a_window": sum(m.windows_found > 0 for m in matches) - 1,
        "wrong_pairs": wrong,
        "wrong_pairs_with_a_window": shown,
        "right_pairs_whole": right,
    }
    settings = {"mib": chosen.mib, "owners": len(owned), "real_owners": len(real)}
    print(write_result("match_speed", settings=settings, rows=rows, summary=summary), summary)


def _drawn(own: Owned, seed: int) -> Owned:
    """Normal weights of the same shapes, each tensor as wide as int8 allows, as quantisers make it."""
    generator = np.random.default_rng(seed)
    tensors = []
    for weights in own.tensors:
        values = generator.normal(0, 1, weights.values.shape)
        scaled = np.rint(values / max(np.abs(values).max(), 1e-9) * 127).astype(np.int8)
        tensors.append(replace(weights, values=scaled))
    digest = hashlib.sha256(f"{own.sha256} {seed}".encode()).hexdigest()
    return Owned(path=f"drawn-{seed}-{Path(own.path).name}", sha256=digest, tensors=tuple(tensors))


def _pairs(owned: list[Owned], folder: Path) -> tuple[int, int, int]:
    """Ordered pairs of different models, those with any window in common, and owners found whole."""
    paths = []
    for number, own in enumerate(owned):
        path = folder / f"{number:02d}"
        path.write_bytes(b"\xff".join(weights.values.tobytes() for weights in own.tensors))
        paths.append(path)
    wrong = shown = right = 0
    for number, match in enumerate(match_weights(owned, paths)):
        wrong += len(paths) - 1
        for place in match.places:
            is_own = place.path == str(paths[number])
            right += is_own and place.coverage == 1.0
            shown += not is_own
    return wrong, shown, right


def peak_memory_mib() -> float:
    """Of this process; Linux only."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
