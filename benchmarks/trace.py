"""Who leaked it: what an issue costs, what a thief or five colluders can do to it, and who is named then.

Three models of MLPerf Tiny and 1,000 recipients. Accuracy is that of the image classifier on CIFAR-10's test
pictures (a JPEG copy); for the keyword and person models, whose test sets are not at hand, the share of
inputs with the base file's own class: 1,000 keyword inputs, and pictures scaled up. Fine-tuning needs a
network that can be trained, so it is a CNN of our own on Fashion-MNIST: the thief takes the weights out of
the copy, trains them on fresh labels and quantises again.

    EDGEWM_DATA=... python benchmarks/trace.py        (needs tensorflow; about 20 minutes)
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cifar10_copy import path, pictures
from results_file import write_result

from edgewm.key import Key
from edgewm.trace import align, code
from edgewm.trace.issue import issue
from edgewm.trace.plan import Plan, kernels_of, make_plan
from edgewm.trace.read import trace

RECIPIENTS = [f"recipient {i}" for i in range(1000)]
KEY = Key(secret=bytes(range(32)))
MODELS = {
    "kws": "mlperf_kws_dscnn_int8",
    "ic": "mlperf_ic_resnet8_int8",
    "vww": "mlperf_vww_mbv1_int8",
}
COPIES_MEASURED, TRIALS = 8, {"kws": 1000, "ic": 300, "vww": 300}
Array = npt.NDArray[Any]
SCALED: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "copy as issued": lambda v, rng: v,
    "10 % weight noise": lambda v, rng: v + rng.normal(0, 0.1 * v.std(), v.shape),
    "30 % pruned": lambda v, rng: np.where(np.abs(v) < np.quantile(np.abs(v), 0.3), 0, v),
    "requantised to 90 % of the range": lambda v, rng: v * 0.9,
}
COLLUSION: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "average": lambda held, rng: held.mean(axis=0),
    "mixture": lambda held, rng: held[rng.integers(0, 5, held.shape[1]), np.arange(held.shape[1])],
    "majority": lambda held, rng: np.median(held, axis=0),
    "minority": lambda held, rng: held.min(0) + held.max(0) - np.median(held, axis=0),
    "smallest": lambda held, rng: held.min(axis=0),
}


def edited(model: bytes, change: Callable[[Array], Array]) -> bytes:
    """`model` with every kernel changed as real numbers and rounded back."""
    made = bytearray(model)
    for tensor in kernels_of(model):
        values = np.clip(np.rint(change(tensor.values.astype(float))), -127, 127).astype(np.int8)
        made[tensor.offset : tensor.offset + values.size] = values.tobytes()
    return bytes(made)


def read(plan: Plan, suspect: bytes) -> tuple[list[str], float]:
    """Who is named, and log10 p of the highest."""
    found = trace(plan, KEY, align.counterparts(plan, kernels_of(suspect)), RECIPIENTS)
    return list(found.named), found.ranking[0].log10_p


def collude(plan: Plan, held: Array, trials: int, rng: np.random.Generator) -> dict[str, Any]:
    """Random coalitions of five, each with every strategy in turn: who is named of 1,000."""
    base = np.concatenate([tensor.values.reshape(-1) for tensor in plan.tensors])
    ones = held.astype(np.float32)
    named_any, innocents, colluders_named, worst = 0, 0, 0, -math.inf
    for trial in range(trials):
        who = rng.choice(len(RECIPIENTS), 5, replace=False)
        strategy = list(COLLUSION.values())[trial % len(COLLUSION)]
        flat = base.copy()
        steps = np.where(held[who], 1.0, -1.0)
        flat[plan.positions] += np.rint(strategy(steps, rng)).astype(np.int8)
        values = [
            flat[start : start + tensor.values.size].reshape(tensor.values.shape)
            for start, tensor in zip(plan.starts, plan.tensors, strict=False)
        ]
        seen = align.read_values(plan, values)
        null = code.null_of(seen, plan.biased)
        zeros = -seen * np.array(code.FOR_ZERO)[plan.biased]
        gains = (seen * np.array(code.FOR_ONE)[plan.biased] - zeros).astype(np.float32)
        scores = int(zeros.sum()) + np.rint(ones @ gains).astype(np.int64)
        guilty = np.zeros(len(RECIPIENTS), bool)
        guilty[who] = True
        limit = math.log10(1e-6 / len(RECIPIENTS))
        best = null.log10_tail(int(scores[guilty].max()))
        worst = max(worst, best + 3)
        named_any += best <= limit
        colluders_named += sum(null.log10_tail(int(s)) <= limit for s in scores[guilty])
        innocents += null.log10_tail(int(scores[~guilty].max())) <= limit
    return {
        "trials": trials,
        "somebody_named": named_any,
        "colluders_named_mean": colluders_named / trials,
        "innocents_named": innocents,
        "worst_log10_p": worst,
    }


def classes(model: bytes, inputs: Array) -> Array:
    """Top class of each raw int8 input."""
    from ai_edge_litert.interpreter import Interpreter

    held = Interpreter(model_content=model, num_threads=1)
    held.allocate_tensors()
    give, take = held.get_input_details()[0], held.get_output_details()[0]
    found = []
    for sample in inputs:
        held.set_tensor(give["index"], sample[None].astype(give["dtype"]))
        held.invoke()
        found.append(int(held.get_tensor(take["index"])[0].argmax()))
    return np.array(found)


def inputs_of(name: str, data: Path) -> tuple[Array, Array | None]:
    """Raw inputs of a model, and labels where there are some."""
    if name == "kws":
        return np.load(data / "silicon_kws" / "inputs.npz")["inputs"], None
    from PIL import Image

    with np.load(path()) as file:
        labels = file["y_test"]
    count = 10_000 if name == "ic" else 1000
    size = (32, 32) if name == "ic" else (96, 96)
    sized = [Image.fromarray(picture).resize(size) for picture in pictures("test", count)]
    raw = np.stack([np.asarray(picture, np.int16) for picture in sized]) - 128
    return raw.astype(np.int8), labels[:count].reshape(-1) if name == "ic" else None


def measure(name: str, data: Path) -> dict[str, Any]:
    """Everything about one model."""
    model = (data / "models" / f"{MODELS[name]}.tflite").read_bytes()
    started = time.perf_counter()
    plan = make_plan(model, KEY)
    plan_s = time.perf_counter() - started
    seconds = []
    for recipient in RECIPIENTS[:50]:
        started = time.perf_counter()
        make_plan(model, KEY)
        issue(model, plan, KEY, recipient)
        seconds.append(time.perf_counter() - started)
    rng = np.random.default_rng(7)
    inputs, labels = inputs_of(name, data)
    before = classes(model, inputs)
    right = labels if labels is not None else before
    shares = [
        float((classes(issue(model, plan, KEY, who), inputs) == right).mean())
        for who in RECIPIENTS[:COPIES_MEASURED]
    ]
    row: dict[str, Any] = {
        "model": name,
        "weights": int(plan.starts[-1]),
        "positions": len(plan.positions),
        "plan_s": plan_s,
        "issue_s_worst": max(seconds),
        "labels": labels is not None,
        "share_before": float((before == right).mean()),
        "share_of_copies": shares,
    }
    for attack, change in SCALED.items():
        leaked = issue(model, plan, KEY, RECIPIENTS[17])
        named, log10_p = read(plan, edited(leaked, lambda v, change=change: change(v, rng)))  # type: ignore[misc]
        control, _ = read(plan, edited(model, lambda v, change=change: change(v, rng)))  # type: ignore[misc]
        row[attack] = {"named": named, "log10_p": log10_p, "control_named": control}
        print(name, attack, row[attack], flush=True)
    held = np.stack([code.symbols(KEY, plan.name, who, plan.biased) for who in RECIPIENTS])
    row["collusion"] = collude(plan, held, TRIALS[name], rng)
    print(name, row["collusion"], shares, row["share_before"], flush=True)
    return row


def main() -> None:
    """Measure all and write the result."""
    named = os.environ.get("EDGEWM_DATA")
    if not named:
        sys.exit("set EDGEWM_DATA, see the first lines of this file")
    data = Path(named)
    from trace_tuning import fine_tuned

    tuned = fine_tuned(data)
    rows = [measure(name, data) for name in MODELS]
    write_result(
        "trace",
        settings={"recipients": len(RECIPIENTS), "colluders": 5, "alpha": 1e-6, "seed": 7},
        rows=rows,
        summary={
            "issue_s_worst": max(row["issue_s_worst"] for row in rows),
            "innocents_named": sum(row["collusion"]["innocents_named"] for row in rows),
            "fine_tuned": tuned,
        },
    )


if __name__ == "__main__":
    main()
