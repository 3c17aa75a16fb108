"""Wall time and memory of ``edgewm find`` on 1 GiB against ``grep -c TFL3`` on the same warm file.

Two files are made on the spot: this machine's own shared libraries, and random bytes. Models of the
data folder (or tests/golden without one) are put in at odd places, plain and under one-byte XOR, so that
finding none is not what is timed; the same bytes without them show that there is no false model.

    [EDGEWM_DATA=...] python benchmarks/find_speed.py [--mib 1024] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from results_file import write_result

BAR_RATIO, BAR_MEMORY_MIB = 2.0, 256
MEASURED = """
import sys
from edgewm.cli import run
code = run(sys.argv[1:])
lines = open("/proc/self/status").read().splitlines()
print([line for line in lines if line.startswith("VmHWM")][0].split()[1], file=sys.stderr)
sys.exit(code)
"""


def main() -> None:
    """Measure, print, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mib", type=int, default=1024)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--data", default=os.environ.get("EDGEWM_DATA"))
    chosen = options.parse_args()
    models = [path.read_bytes() for path in _models(chosen.data)]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, blocks in (("shared libraries", libraries), ("random", _random)):
            path = Path(folder) / "big.bin"
            write_blocks(path, blocks(), chosen.mib << 20)
            false = _find(path)[1]
            _hide(path, models)
            rows.append(_measured(kind, path, 2 * len(models), false, chosen.rounds))
            print(rows[-1])
    summary = {
        "worst_ratio": max(row["ratio"] for row in rows),
        "bar_ratio": BAR_RATIO,
        "largest_memory_mib": max(row["memory_mib"] for row in rows),
        "bar_memory_mib": BAR_MEMORY_MIB,
        "false_models": sum(row["false_models"] for row in rows),
        "found": all(row["models_found"] == row["models_hidden"] for row in rows),
    }
    settings = {"mib": chosen.mib, "rounds": chosen.rounds, "models": len(models)}
    print(write_result("find_speed", settings=settings, rows=rows, summary=summary), summary)


def _models(data: str | None) -> list[Path]:
    golden = Path(__file__).parent.parent / "tests" / "golden" / "v1"
    return sorted((Path(data) / "models" if data else golden).glob("*.tflite"))


def libraries() -> Iterator[bytes]:
    """Shared libraries of the system and of this environment, again from the first when they end."""
    roots = (Path("/usr/lib"), Path(sys.prefix) / "lib")
    found = [p for root in roots for p in sorted(root.rglob("*.so*")) if p.is_file()]
    while True:
        for path in found:
            if not path.is_symlink():
                yield path.read_bytes()


def _random() -> Iterator[bytes]:
    while True:
        yield os.urandom(1 << 20)


def write_blocks(path: Path, blocks: Iterator[bytes], size: int) -> None:
    """The first `size` bytes of the blocks, as a file."""
    with path.open("wb") as out:
        while out.tell() < size:
            out.write(next(blocks)[: size - out.tell()])


def _hide(path: Path, models: list[bytes]) -> None:
    """Each model as it is and XOR-ed, anywhere, without touching another."""
    places = random.Random(1)
    room = path.stat().st_size // (2 * len(models))
    with path.open("r+b") as out:
        for number in range(2 * len(models)):
            key = places.randrange(1, 256) if number % 2 else 0
            content = models[number // 2].translate(bytes(byte ^ key for byte in range(256)))
            out.seek(number * room + places.randrange(room - len(content)))
            out.write(content)


def _find(path: Path) -> tuple[float, int, float]:
    """Seconds, models found and peak memory in MiB of one fresh process."""
    command = [sys.executable, "-c", MEASURED, "find", str(path), "--json"]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.perf_counter() - started
    return took, len(json.loads(done.stdout)), int(done.stderr.split()[-1]) / 1024


def _grep(path: Path) -> float:
    started = time.perf_counter()
    subprocess.run(["grep", "-c", "TFL3", str(path)], capture_output=True, check=False)
    return time.perf_counter() - started


def _measured(kind: str, path: Path, hidden: int, false: int, rounds: int) -> dict[str, Any]:
    _grep(path)  # warms the file cache
    pairs = [(_grep(path), *_find(path)) for _ in range(rounds)]
    grep_s, find_s = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    return {
        "kind": kind,
        "grep_s": grep_s,
        "find_s": find_s,
        "ratio": find_s / grep_s,
        "memory_mib": max(pair[3] for pair in pairs),
        "models_hidden": hidden,
        "models_found": pairs[0][2],
        "false_models": false,
    }


if __name__ == "__main__":
    main()
