"""What an epoch of `edgewm.Lean` takes beside an ordinary one, with one reference and with four.

Epochs of both kinds alternate in one process with one thread on a quiet machine, so that what else runs
hits both. The clean networks of pair 0 are trained first where results/cache lacks them.

    python benchmarks/lean_time.py [--epochs 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

from results_file import CACHE, write_result
from tilt import train_missing
from tilt_training import (
    LEAN,
    PROTOCOLS,
    Job,
    data_of,
    key_of,
    leaning_inputs,
    needs,
    references_of,
    tilt_of,
)

_DATASET = "fashion_mnist"


def main() -> None:
    """Train, time, write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--epochs", type=int, default=3)
    epochs = options.parse_args().epochs
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    CACHE.mkdir(parents=True, exist_ok=True)
    train_missing(needs(Job(dataset=_DATASET, seed=0, stage="leaned")), workers=1)
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from edgewm import Lean

    job = Job(dataset=_DATASET, seed=0, stage="clean")
    protocol, held = PROTOCOLS[_DATASET], data_of(_DATASET)
    x, y = held.x_train[protocol.owner], held.y_train[protocol.owner]
    tilt, references = tilt_of(job), references_of(job)

    def fit(references: list[Any] | None) -> Any:
        """A function that trains one more epoch and returns the seconds it took, traced before."""
        model = keras.models.load_model(job.path)
        model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy")
        callbacks = (
            []
            if references is None
            else [Lean(tilt=tilt, key=key_of(0), reference=references, **LEAN)]
        )

        rows = (x, y) if references is None else leaning_inputs(job)

        def epoch() -> float:
            started = time.perf_counter()
            model.fit(*rows, batch_size=protocol.batch_size, verbose=0, callbacks=callbacks)
            return time.perf_counter() - started

        return epoch

    cases = {"unmarked": fit(None), "one_reference": fit(references[:1]), "four": fit(references)}
    rows = [
        {"case": name, "epoch": at, "epoch_s": epoch()}
        for at in range(epochs)
        for name, epoch in cases.items()
    ]
    median = {
        name: statistics.median(r["epoch_s"] for r in rows if r["case"] == name) for name in cases
    }
    share = protocol.lean_epochs / protocol.epochs
    summary = {
        f"{name}_epoch_ratio": median[name] / median["unmarked"] for name in list(cases)[1:]
    } | {
        "lean_epochs": protocol.lean_epochs,
        "unmarked_epochs": protocol.epochs,
        "lean_over_training": share * median["four"] / median["unmarked"],
    }
    print(write_result("lean_time", settings={"dataset": _DATASET}, rows=rows, summary=summary))
    print(summary)


if __name__ == "__main__":
    main()
