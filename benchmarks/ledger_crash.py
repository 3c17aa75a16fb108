"""200 times kill -9 at a random moment while four processes append: is anything acknowledged lost?

A writer prints the digest of a record once `append` has returned. Each kill ends one of the four, and another
takes its place; the ledger is opened and checked after every tenth kill and at the end.

    python benchmarks/ledger_crash.py [--kills 200]

Fewer kills are a look: they are printed and not written.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from results_file import write_result

ROOT = Path(__file__).parent.parent
KEY = ROOT / "tests" / "golden" / "v1" / "owner.key"
KILLS = 200
WRITERS = 4
SEED = 11
WRITER = """
import datetime as dt, sys
from pathlib import Path
from edgewm.key import load_key
from edgewm.ledger import Ledger
from edgewm.records import Subject
key, ledger = load_key(Path(sys.argv[2])), Ledger(folder=Path(sys.argv[1]))
subject = Subject(name="model.tflite", sha256="ab" * 32)
while True:
    record = ledger.append("release", key, now=dt.datetime.now(dt.UTC),
                           content=lambda: ([subject], {"to": "a customer"}))
    print(record.sha256, flush=True)
"""


def started(folder: Path, number: int) -> subprocess.Popen[bytes]:
    """A writer whose acknowledgements go to a file, which outlives it."""
    with (folder / f"acknowledged-{number}").open("wb") as out:
        line = [sys.executable, "-c", WRITER, str(folder / "ledger"), str(KEY)]
        return subprocess.Popen(line, stdout=out)


def crashes(folder: Path, kills: int) -> dict[str, Any]:
    """One row: what was acknowledged and what was found."""
    from edgewm.ledger import Ledger

    ledger, rng = Ledger(folder=folder / "ledger"), np.random.default_rng(SEED)
    begun = time.perf_counter()
    writers = [started(folder, number) for number in range(WRITERS)]
    time.sleep(1.0)
    opened = 0
    for kill in range(kills):
        time.sleep(float(rng.uniform(0.0, 0.3)))
        victim = int(rng.integers(WRITERS))
        writers[victim].kill()
        writers[victim].wait()
        writers[victim] = started(folder, WRITERS + kill)
        if kill % 10 == 9:
            opened += bool(ledger.records())
    for writer in writers:
        writer.kill()
        writer.wait()
    found = {record.sha256 for record in ledger.records()}
    said = [path.read_text().split() for path in folder.glob("acknowledged-*")]
    whole = {digest for digests in said for digest in digests if len(digest) == 64}
    return {
        "kills": kills,
        "writers": WRITERS,
        "records": len(found),
        "acknowledged": len(whole),
        "lost": len(whole - found),
        "opened_between": opened,
        "seconds": time.perf_counter() - begun,
    }


def main() -> None:
    """Kill, check, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=KILLS)
    kills = options.parse_args().kills
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        row = crashes(Path(folder), kills)
    print(row)
    if kills == KILLS:
        settings = {"seed": SEED, "between_kills_s": [0.0, 0.3]}
        print(write_result("ledger_crash", settings=settings, rows=[row], summary=row))


if __name__ == "__main__":
    main()
