"""2,000 damages each of a ledger, an envelope, a stamp, a disclosure, a dossier and a proof: are all noticed?

Bytes are changed, removed, inserted, repeated and blanked, and files cut short, as in tests/mutations.py; the
verb that checks the file then runs in this process. Noticed is exit code 3 with one line, or 2 where fewer
than four bytes are left, which could be of any file.

    python benchmarks/mutations.py [--damages 2000]

Fewer are a look: they are printed and not written.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results_file import write_result

sys.path.insert(0, str(Path(__file__).parent.parent))

if TYPE_CHECKING:
    from tests.mutations import Case

DAMAGES, SEED = 2_000, 13


def damaged(case: Case, count: int) -> dict[str, Any]:
    """One row: exit codes by what was done to the file."""
    from edgewm.cli import run

    begun, codes, accepted, crashed = time.perf_counter(), Counter[str](), 0, 0
    for path, damage, content in case.damaged(count, SEED):
        whole, out, err = path.read_bytes(), io.StringIO(), io.StringIO()
        path.write_bytes(content)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(case.line)
        except Exception as error:  # a crash is what is looked for
            print(case.what, path, damage, repr(error))
            crashed += 1
            continue
        finally:
            path.write_bytes(whole)
        codes[f"{damage} {code}"] += 1
        if code not in (2, 3) or out.getvalue() or len(err.getvalue().splitlines()) != 1:
            print(case.what, path, damage, code, err.getvalue())
            accepted += 1
    return {
        "what": case.what,
        "damages": count,
        "not_noticed": accepted,
        "crashed": crashed,
        "exit_code_2": sum(n for key, n in codes.items() if key.endswith(" 2")),
        "by_damage": dict(sorted(codes.items())),
        "seconds": time.perf_counter() - begun,
    }


def main() -> None:
    """Damage, check, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--damages", type=int, default=DAMAGES)
    count = options.parse_args().damages
    from tests.mutations import cases

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder)).values():
            rows.append(damaged(case, count))
            print(rows[-1], flush=True)
    if count == DAMAGES:
        summary = {
            "damages": sum(row["damages"] for row in rows),
            "not_noticed": sum(row["not_noticed"] for row in rows),
            "crashed": sum(row["crashed"] for row in rows),
        }
        print(write_result("mutations", settings={"seed": SEED}, rows=rows, summary=summary))


if __name__ == "__main__":
    main()
