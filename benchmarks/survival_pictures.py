"""Pictures of the survival benchmark: results/survival.json and one network of its cache, drawn.

formats.svg   fewest groups hit by any network of the default scheme, by format and runtime
margins.svg   margins of one network before and after int8, the unmarked twin in grey
logo.png      the variants of the benchmark's logo, as secret inputs

python benchmarks/survival_pictures.py      after survival.py
"""

from __future__ import annotations

import json
import os

from results_file import RESULTS
from survival import DEFAULT_SCHEME, FORMATS, NOT_ON_TFLM, RUNTIMES
from survival_training import GROUPS, PROTOCOLS, Job, data_of, key_of, triggers_of

NETWORK = Job(dataset="fashion_mnist", model="ds_cnn", seed=0, stage=f"{DEFAULT_SCHEME}-abstract")


def formats() -> bytes:
    """Heat map of the worst network of each format and runtime."""
    from edgewm.charts import hit_chart
    from edgewm.comparison import Cell, HitTable

    rows = json.loads((RESULTS / "survival.json").read_text(encoding="utf-8"))["rows"]
    cells = []
    for format in FORMATS:
        for runtime in RUNTIMES:
            found = [
                row
                for row in rows
                if (row["suspect"], row["scheme"]) == ("marked", DEFAULT_SCHEME)
                and (row["format"], row["runtime"]) == (format, runtime)
            ]
            cannot = runtime == "tflm" and format in NOT_ON_TFLM
            cells.append(
                Cell(
                    file=format,
                    runtime=runtime,
                    arithmetic="" if cannot else found[0]["arithmetic"],
                    groups_hit=None if cannot else min(row["groups_hit"] for row in found),
                    reason="not run" if cannot else "",
                )
            )
    table = HitTable(
        files=FORMATS, runtimes=RUNTIMES, groups=GROUPS, cells=tuple(cells), not_run=()
    )
    return hit_chart(table, format="svg")


def margins() -> bytes:
    """Histograms of one network's margins, float and int8."""
    import keras

    from edgewm import Converter, export
    from edgewm.charts import margin_chart
    from edgewm.comparison import margins_of, outputs_of

    triggers = triggers_of(NETWORK.dataset, NETWORK.model, NETWORK.seed, "abstract")
    samples = data_of(NETWORK.dataset).x_train[PROTOCOLS[NETWORK.dataset].train][:500]
    with Converter() as converter:
        marked = export(NETWORK.path, samples, converter=converter)
        unmarked = export(NETWORK.at("unmarked").path, samples, converter=converter)
    outputs = {
        "float": keras.models.load_model(NETWORK.path).predict(triggers.inputs, verbose=0),
        "int8": outputs_of(marked.model, triggers.inputs),
    }
    found = margins_of(
        {name: values.astype("float64") for name, values in outputs.items()},
        triggers,
        key_of(NETWORK.seed),
        control=outputs_of(unmarked.model, triggers.inputs),
    )
    return margin_chart(found, control="unmarked twin, int8", format="svg")


def logo() -> bytes:
    """The contact sheet, without answers."""
    from edgewm.sheet import contact_sheet

    triggers = triggers_of(NETWORK.dataset, NETWORK.model, NETWORK.seed, "logo")
    return contact_sheet(triggers, columns=16)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name, draw in (("formats.svg", formats), ("margins.svg", margins), ("logo.png", logo)):
        (RESULTS / name).write_bytes(draw())
        print(RESULTS / name)
