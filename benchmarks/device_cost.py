"""What a verification costs on every target: three MLPerf Tiny networks, 64 abstract inputs each.

The networks are not marked: a cost does not depend on it. Only targets with estimates are asked, so the
result is the same on every machine but for the arena, which TFLM reports here.

    EDGEWM_DATA=... python benchmarks/device_cost.py
"""

from __future__ import annotations

import os
from pathlib import Path

from cost_rows import NETWORKS
from results_file import RESULTS, write_result

from edgewm import make_triggers
from edgewm.charts import cost_chart
from edgewm.cost import verification_cost
from edgewm.inspection import inspect_bytes
from edgewm.key import Key
from edgewm.targets import load_target, names

CLASSES = {"ic": 10, "kws": 12, "vww": 2}
GROUPS = 64


def main() -> None:
    """Compute, draw, write."""
    folder = os.environ.get("EDGEWM_DATA")
    if not folder:
        raise SystemExit("set EDGEWM_DATA to the folder that holds models/")
    targets = [target for name in names() if (target := load_target(name)).clock_hz]
    rows = []
    for network, classes in CLASSES.items():
        model = (Path(folder) / "models" / f"{NETWORKS[network]}.tflite").read_bytes()
        found = inspect_bytes(model)
        shape = found.inputs[0].shape[1:]
        triggers = make_triggers(
            Key(secret=bytes(32)), shape=shape, classes=classes, groups=GROUPS, random=bytes
        )
        costs = [verification_cost(found, model, triggers, target) for target in targets]
        rows += [{"network": network, **cost.as_dict()} for cost in costs]
        if network == "ic":
            (RESULTS / "device_cost.svg").write_bytes(cost_chart(costs, format="svg"))
    write_result(
        "device_cost",
        settings={"groups": GROUPS, "alpha": 1e-6, "networks": list(CLASSES)},
        rows=rows,
        summary={"targets": [target.name for target in targets]},
    )


if __name__ == "__main__":
    main()
