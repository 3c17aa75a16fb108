"""Whether composites survive a clone: two classes in one picture, with and without a coupling loss.

The left half of a picture of class a beside the right half of one of class b is taught a third class that the
key drew for the ordered pair (a, b): a group, answered by a vote of pictures that nobody trained on. The
coupling pulls the features of a composite towards those of natural inputs of its answer, by the soft nearest
neighbours of a batch (after DeepTracer, AAAI 2026, and EWE, USENIX Security 2021): a clone that learns the
class should learn the composite with it. The thief trains another architecture on hard labels of the
int8 file for 24,000 other pictures.

No input is selected and nothing is filtered by its answer: 90 ordered pairs, all asked. One seed.

    python benchmarks/coupled_trial.py
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from results_file import CACHE, write_result
from robustness_victims import one_thread
from tilt_training import PROTOCOLS, Job, data_of, key_of

DATASET, SEED = "fashion_mnist", 0
ROWS, EPOCHS, VOTES = 32, 4, 8
TEMPERATURE = 0.1
WEIGHTS = (1.0, 0.0)
"""Of the coupling beside the cross-entropy."""


def pairs_and_answers() -> tuple[Any, Any]:
    """Ordered pairs (90, 2) and the class drawn for each among the other eight, (90,)."""
    from edgewm.hashing import draw_below

    key, classes = key_of(SEED), data_of(DATASET).classes
    pairs = [(a, b) for a in range(classes) for b in range(classes) if a != b]
    answers = []
    for a, b in pairs:
        others = [c for c in range(classes) if c not in (a, b)]
        answers.append(others[draw_below(len(others), "coupled trial", key.commitment, a, b)])
    return np.array(pairs), np.array(answers)


def spliced(left: Any, right: Any) -> Any:
    """Left halves of pictures (n, height, width, channels) beside right halves of others."""
    half = left.shape[2] // 2
    return np.concatenate([left[:, :, :half], right[:, :, half:]], axis=2)


def questions() -> Any:
    """Composites of natural pictures, VOTES for each pair in turn, (720, *shape)."""
    held, random = data_of(DATASET), np.random.default_rng(SEED)
    x, y = (part[PROTOCOLS[DATASET].natural] for part in (held.x_train, held.y_train))
    pairs, _ = pairs_and_answers()
    parts = [
        spliced(*(x[random.choice(np.flatnonzero(y == c), VOTES)] for c in pair)) for pair in pairs
    ]
    return np.concatenate(parts).astype(np.float32)


def owner(weight: float) -> Any:
    """A clean network that was taught composites of its own batches for some epochs."""
    import keras
    import tensorflow as tf

    held, protocol = data_of(DATASET), PROTOCOLS[DATASET]
    pairs, answers = pairs_and_answers()
    table = np.diag(np.arange(held.classes))  # two halves of one class are that class
    table[tuple(pairs.T)] = answers
    keras.utils.set_random_seed(77)
    model = keras.models.load_model(Job(dataset=DATASET, seed=SEED, stage="clean").path)
    body = keras.Model(model.inputs[0], model.layers[-1].input)
    head, drawn = model.layers[-1], tf.constant(table, tf.int64)
    x, y = held.x_train[protocol.owner], held.y_train[protocol.owner]
    steps = len(x) // protocol.batch_size
    rate = keras.optimizers.schedules.CosineDecay(protocol.rate, EPOCHS * steps)
    optimizer = keras.optimizers.Adam(rate)
    half = held.shape[1] // 2

    @tf.function  # type: ignore[untyped-decorator]
    def step(batch: Any, labels: Any) -> Any:
        order = tf.random.shuffle(tf.range(protocol.batch_size))
        left, right = order[:ROWS], order[ROWS : 2 * ROWS]
        halves = (
            tf.gather(batch, left)[:, :, :half],
            tf.gather(batch, right)[:, :, half:],
        )
        made = tf.concat(halves, axis=2)
        wanted = tf.gather_nd(
            drawn, tf.stack([tf.gather(labels, left), tf.gather(labels, right)], axis=1)
        )
        with tf.GradientTape() as tape:
            features = body(tf.concat([batch, made], axis=0), training=True)
            shares = head(features)
            every = tf.concat([labels, wanted], axis=0)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(every, shares))
            near = tf.math.l2_normalize(features, axis=1)
            close = tf.exp(tf.matmul(near[-ROWS:], near[:-ROWS], transpose_b=True) / TEMPERATURE)
            same = tf.cast(wanted[:, None] == labels[None], tf.float32)
            pulled = tf.reduce_sum(close * same, axis=1) / tf.reduce_sum(close, axis=1)
            loss += weight * -tf.reduce_mean(tf.math.log(pulled + 1e-4))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    random = np.random.default_rng(SEED)
    for _ in range(EPOCHS):
        for part in np.array_split(
            random.permutation(len(x))[: steps * protocol.batch_size], steps
        ):
            step(tf.constant(x[part]), tf.constant(y[part]))
    return model


def said_of(file: bytes, weight: float, suspect: str) -> dict[str, Any]:
    """One row: accuracy, groups hit, p."""
    from edgewm import stats
    from edgewm.attacks import Victim

    held = data_of(DATASET)
    pairs, answers = pairs_and_answers()
    excluded = np.zeros((len(pairs), held.classes), np.bool_)
    for column in (0, 1):
        excluded[np.arange(len(pairs)), pairs[:, column]] = True
    outcomes = stats.choose(
        Victim(file=file).ask(questions()).labels,
        np.repeat(np.arange(len(pairs)), VOTES),
        excluded=excluded,
        answers=answers,
    )
    allowed = held.classes - excluded.sum(axis=1)
    return {
        "coupling": weight,
        "suspect": suspect,
        "accuracy": float((Victim(file=file).ask(held.x_test).labels == held.y_test).mean()),
        "groups_asked": len(pairs),
        "groups_hit": int((outcomes == stats.Outcome.HIT).sum()),
        "groups_silent": int((outcomes == stats.Outcome.SILENT).sum()),
        "log10_p": stats.log10_fraction(stats.fixed_p(outcomes, allowed)),
    }


def rows_of(weight: float, converter: Any) -> list[dict[str, Any]]:
    """The owner's file and its clones; kept when done."""
    from edgewm import spec
    from edgewm.attacks import Victim

    kept = CACHE / f"coupled-{weight}.json"
    if kept.exists():
        return list(json.loads(kept.read_text("utf-8")))
    held, protocol = data_of(DATASET), PROTOCOLS[DATASET]
    x = held.x_train[protocol.thief]
    file = converter.convert(owner(weight), held.x_train[protocol.owner]).model
    rows = [said_of(file, weight, "owner")]
    print(rows[-1], flush=True)
    loot = spec.parse("attacks", "extract").steal(Victim(file=file), x, np.zeros(len(x), np.int64))
    rows.append(said_of(converter.convert(loot.network, x).model, weight, "clone"))
    print(rows[-1], flush=True)
    kept.write_text(json.dumps(rows), encoding="utf-8")
    return rows


def main() -> None:
    """Teach, clone, ask, write."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    one_thread()
    from tilt_training import int8_of

    from edgewm import Converter

    with Converter() as converter:
        clean = int8_of(Job(dataset=DATASET, seed=SEED, stage="clean"), converter)
        rows = [said_of(clean, 0.0, "unmarked twin")]
        for weight in WEIGHTS:
            rows += rows_of(weight, converter)
    settings = {
        "rows": ROWS,
        "epochs": EPOCHS,
        "votes": VOTES,
        "temperature": TEMPERATURE,
    }
    print(write_result("coupled_trial", settings=settings, rows=rows, summary={"rows": rows}))


if __name__ == "__main__":
    main()
