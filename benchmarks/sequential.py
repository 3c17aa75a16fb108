"""How many groups a perfect mark needs until the e-process passes 1e6, and what information allows.

python benchmarks/sequential.py
"""

from __future__ import annotations

import math

from results_file import write_result

from edgewm.evidence import EProcess
from edgewm.stats import Outcome

BARS = {2: 23, 9: 7, 10: 7, 99: 4}
GROUPS = 64


def groups_to(evidence: float, classes: int) -> int:
    """Hits in a row until the e-process of 64 committed groups reaches `evidence`."""
    process = EProcess(groups=GROUPS)
    for asked in range(1, GROUPS + 1):
        process = process.after(Outcome.HIT, classes)
        if process.log10_p <= -math.log10(evidence):
            return asked
    raise SystemExit(f"{GROUPS} hits at M = {classes} do not reach {evidence:g}")


def main() -> None:
    """Count, print, write the result."""
    found = {
        str(classes): {
            "measured": groups_to(1e6, classes),
            "bar": bar,
            "floor": math.ceil(6 / math.log10(classes)),
        }
        for classes, bar in BARS.items()
    }
    path = write_result(
        "sequential",
        settings={"groups": GROUPS, "evidence": 1e6},
        rows=[{"allowed_classes": int(m), **row} for m, row in found.items()],
        summary={"groups_to_1e6": found},
    )
    print(path, found)


if __name__ == "__main__":
    main()
