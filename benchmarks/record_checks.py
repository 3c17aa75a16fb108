"""How long ``edgewm record check`` takes on a ledger of 10,000 records, as a process of its own.

    python benchmarks/record_checks.py [--records 10000]

Fewer are a look: they are printed and not written. Damaged ledgers: mutations.py.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results_file import write_result

ROOT = Path(__file__).parent.parent
RECORDS = 10_000


def checked_s(folder: Path, records: int) -> float:
    """Seconds of ``edgewm record check``, as a process of its own, on a ledger of so many records."""
    from edgewm.records import BEFORE_THE_FIRST, Subject, make_record
    from tests.ledgers import KEY, THEN

    folder.mkdir()
    previous = BEFORE_THE_FIRST
    for number in range(1, records + 1):
        record = make_record(
            "release",
            KEY,
            number=number,
            previous=previous,
            now=THEN,
            subjects=[Subject(name="model.tflite", sha256="ab" * 32)],
            details={"to": f"customer {number}"},
        )
        (folder / f"{number:08d}-release.json").write_bytes(record.content)
        previous = record.sha256
    line = [sys.executable, "-m", "edgewm", "record", "check", "--ledger", str(folder)]
    begun = time.perf_counter()
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return time.perf_counter() - begun


def main() -> None:
    """Measure, print, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=RECORDS)
    records = options.parse_args().records
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        seconds = checked_s(Path(folder) / "many", records)
    print(seconds)
    if records == RECORDS:
        summary = {"records": RECORDS, "check_s": seconds}
        print(write_result("record_checks", settings={}, rows=[], summary=summary))


if __name__ == "__main__":
    main()
