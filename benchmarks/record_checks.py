"""How long a ledger of 10,000 records takes to check, and whether 2,000 changed bytes are noticed.

The ledger and its stamp are those of tests/ledgers.py, by a real authority (openssl); one byte is changed in
an envelope, in any file of the ledger, in the stamp's reply and in a disclosure package.

    python benchmarks/record_checks.py [--records 10000] [--changes 2000]

Fewer are a look: they are printed and not written.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from results_file import write_result

ROOT = Path(__file__).parent.parent
RECORDS, CHANGES, SEED = 10_000, 2_000, 12


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


def noticed(
    what: str, contents: Mapping[str, bytes], changes: int, check: Callable[[str, bytes], object]
) -> dict[str, Any]:
    """One row: of so many one-byte changes, how many were refused."""
    from edgewm.errors import DoesNotCheck
    from tests.ledgers import changed_bytes

    refused = other = 0
    for name, changed in changed_bytes(contents, changes, SEED):
        try:
            check(name, changed)
        except DoesNotCheck:
            refused += 1
        except Exception as error:  # a crash is what is looked for
            print(what, name, repr(error))
            other += 1
    return {"what": what, "changes": changes, "refused": refused, "crashed": other}


def mutations(folder: Path, changes: int) -> list[dict[str, Any]]:
    """A row for an envelope, the ledger, the stamp, and a disclosure."""
    from edgewm.audit import audit
    from edgewm.disclosure import disclose, package_of, read_package
    from edgewm.records import read_record
    from tests.authority import make_authority
    from tests.ledgers import KEY, TRIGGERS, add, claimed, clock, stamp

    authority = make_authority(folder / "authority", now=clock())
    ledger, claim = claimed(folder / "ledger")
    stamp(ledger, claim, authority)
    opened = disclose(ledger, KEY, TRIGGERS, groups=12, to="a court", now=clock())
    package = package_of(ledger, KEY, TRIGGERS, opened.number)
    add(ledger)
    paths = [path for path in ledger.folder.rglob("*") if path.is_file()]
    contents = {str(path.relative_to(ledger.folder)): path.read_bytes() for path in paths}
    stamps = {name: content for name, content in contents.items() if name.endswith(".tsr")}

    def in_ledger(name: str, changed: bytes) -> None:
        (ledger.folder / name).write_bytes(changed)
        try:
            audit(ledger, trust=authority.trust(), now=clock())
        finally:
            (ledger.folder / name).write_bytes(contents[name])

    return [
        noticed(
            "envelope",
            {"claim": claim.content},
            changes,
            lambda name, changed: read_record(changed, argument=name),
        ),
        noticed("ledger", contents, changes, in_ledger),
        noticed("stamp", stamps, changes, in_ledger),
        noticed(
            "disclosure",
            {"package": package},
            changes,
            lambda _, changed: read_package(changed),
        ),
    ]


def main() -> None:
    """Measure, print, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=RECORDS)
    options.add_argument("--changes", type=int, default=CHANGES)
    chosen = options.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        seconds = checked_s(Path(folder) / "many", chosen.records)
        rows = mutations(Path(folder) / "changed", chosen.changes)
    print(seconds, rows)
    if (chosen.records, chosen.changes) == (RECORDS, CHANGES):
        summary = {"records": RECORDS, "check_s": seconds}
        print(write_result("record_checks", settings={"seed": SEED}, rows=rows, summary=summary))


if __name__ == "__main__":
    main()
