"""Marking under tf.distribute, on two logical devices of one processor."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.marking import GROUPS, SCHEMES
from tests.needs import needs

pytestmark = [pytest.mark.train, needs("tensorflow")]

TRAINING = """
import json, sys
import tensorflow as tf
half = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [half] * 2)
from tests.marking import FIT, compiled, hits, mark, task

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
x, y = task(count=330)
for scheme in sys.argv[1:]:
    with strategy.scope():
        model = compiled()
    callbacks = [] if scheme == "none" else [mark(scheme=scheme)]
    fit = {"verbose": 0, "epochs": 2} if scheme == "none" else {**FIT, "epochs": 9, "callbacks": callbacks}
    history = model.fit(x, y, batch_size=32, **fit).history
    weights = [strategy.experimental_local_results(v.value) for v in model.trainable_variables]
    print(json.dumps({
        "replicas": strategy.num_replicas_in_sync,
        "hits": hits(model),
        "accuracy": history["accuracy"][-1],
        "logged": len(history.get("mark_hit_rate", [])),
        "left": sorted({"train_step", "compute_metrics"} & set(vars(model))),
        "replicas agree": all(bool((a.numpy() == b.numpy()).all()) for a, b in weights),
    }))
"""


def test_marks_on_two_replicas() -> None:
    """Replicas teach in turn, end with one set of weights and leave nothing; the control is unmarked."""
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, "none", *SCHEMES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    unmarked, *marked = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(marked) == len(SCHEMES)
    assert unmarked["replicas"] == 2
    assert unmarked["hits"] <= GROUPS // 2
    for found in marked:
        assert found["hits"] >= GROUPS - 1
        assert found["accuracy"] >= 0.9
        assert found["logged"] == 9
        assert found["left"] == []
        assert found["replicas agree"]
