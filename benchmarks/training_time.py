"""What teaching a mark adds to training: epochs without and with it, in turn, in one process.

Every scheme's step is traced and warmed up by an epoch that is not counted; then unmarked and marked
epochs alternate, so that whatever else the machine does falls on all of them alike. Run it alone.

    python benchmarks/training_time.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
from typing import Any

from epoch_clock import EpochClock
from results_file import CACHE, write_result
from survival_training import MODELS, Job, data_of, fresh, key_of, make, triggers_of

DATASET = "fashion_mnist"
SAMPLES = 6_000
BATCH_SIZE = 128
SCHEMES = ("mix", "robust")


def epochs_of(model_name: str, rounds: int) -> list[dict[str, Any]]:
    """Seconds of every counted epoch of one network: unmarked, and marked with each scheme."""
    from edgewm.schemes.mark import Mark

    job = Job(dataset=DATASET, model=model_name, seed=0, stage="shared")
    if not job.path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        make(job)
    triggers = triggers_of(DATASET, model_name, 0, "abstract")
    models = {}
    for name in ("unmarked", *SCHEMES):
        marks = [] if name == "unmarked" else [(triggers, name)]
        models[name] = (fresh(job), marks)
    rows = []
    for at in range(rounds + 1):
        for name, (model, marks) in models.items():
            callbacks = [Mark(triggers=t, key=key_of(0), scheme=s, start=0.0) for t, s in marks]
            clock = EpochClock()
            one_epoch(model, [*callbacks, clock], epochs=2)
            if at:
                rows.append(
                    {"model": model_name, "scheme": name, "round": at, "epoch_s": clock.seconds[1]}
                )
    return rows


def one_epoch(model: Any, callbacks: list[Any], *, epochs: int) -> None:
    """`epochs` passes; a first one may trace the step, the last one is what counts."""
    held = data_of(DATASET)
    model.fit(
        held.x_train[:SAMPLES],
        held.y_train[:SAMPLES],
        batch_size=BATCH_SIZE,
        epochs=epochs,
        callbacks=callbacks,
        verbose=0,
    )


def main() -> None:
    """Time both networks, write the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    rows = [row for name in MODELS for row in epochs_of(name, rounds)]

    def median(model: str, scheme: str) -> float:
        found = [
            float(row["epoch_s"])
            for row in rows
            if (row["model"], row["scheme"]) == (model, scheme)
        ]
        return statistics.median(found)

    summary = {
        model: {
            scheme: {
                "marked_epoch_ratio": (ratio := median(model, scheme) / median(model, "unmarked")),
                # marks are taught in the second half of the epochs by default
                "training_ratio": (1 + ratio) / 2,
            }
            for scheme in SCHEMES
        }
        for model in MODELS
    }
    settings = {
        "dataset": DATASET,
        "samples": SAMPLES,
        "batch_size": BATCH_SIZE,
        "rounds": rounds,
        "start": 0.5,
    }
    print(write_result("training_time", settings=settings, rows=rows, summary=summary), summary)


if __name__ == "__main__":
    main()
