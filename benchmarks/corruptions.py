"""Ten thousand one-byte corruptions of a real model file, opened and asked in workers: what becomes of them.

Every file must end in an answer, a refusal (by edgewm or by the interpreter), a reported crash of the worker
or its time limit; the parent must not grow.

    python benchmarks/corruptions.py [--tries 10000]

Fewer tries are a look: they are printed and not written.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from results_file import write_result

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "tests" / "golden" / "v1" / "marked.tflite"
RUNTIMES = ("litert", "tflm")
TRIES = 10_000


def outcomes_on(runtime: str, tries: int) -> dict[str, Any]:
    """One row: how many corrupted files ended in which way."""
    sys.path.insert(0, str(ROOT))
    from edgewm import spec
    from tests.runtimes.broken_files import BrokenFiles, corrupted

    model, rng = MODEL.read_bytes(), np.random.default_rng(7)
    files = BrokenFiles(spec.parse("runtimes", f"{runtime}:timeout_s=20"))
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    slowest_s = 0.0
    for _ in range(tries):
        one = time.perf_counter()
        files.ask(corrupted(model, rng))
        slowest_s = max(slowest_s, time.perf_counter() - one)
    files.close()
    return {
        "runtime": runtime,
        "tries": tries,
        **files.outcomes,
        "seconds": time.perf_counter() - started,
        "slowest_s": slowest_s,
        "parent_grew_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }


def main() -> None:
    """Corrupt, ask, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tries", type=int, default=TRIES)
    tries = options.parse_args().tries
    rows = [outcomes_on(runtime, tries) for runtime in RUNTIMES]
    print(rows)
    if tries < TRIES:
        return
    from tests.runtimes.broken_files import KINDS

    unaccounted = sum(row["tries"] - sum(row[kind] for kind in KINDS) for row in rows)
    print(
        write_result(
            "corruptions",
            settings={"model": "tests/golden/v1/marked.tflite", "seed": 7},
            rows=rows,
            summary={"tries": tries * len(rows), "without_an_outcome": unaccounted},
        )
    )


if __name__ == "__main__":
    main()
