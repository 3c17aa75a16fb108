"""The baseline `margin`: margin-based watermarking (Kim et al., ICML 2023), for pictures of 0 to 1.

100 in-domain pictures that nobody trains on, as in the authors' code, have a random class that is not their
own. In every step 25 of them, drawn anew, first climb the loss of that class in the input, 5 signed steps of
1/255, and are then taught it with a weight of 0.1 beside the natural samples of a batch of 128, so that
nothing near a trigger says anything else. Settings are those of the authors' code
(github.com/matbambbang/margin-based-watermarking, train.py). The key draws the classes from the nine that
are not a picture's own, so that p is exact as for every trigger set of edgewm.

What had to change for a network of 24,000 parameters that is trained for minutes and folded into int8:

- *Training*: epochs, Adam and its rate are those of every owner of the benchmark (`Protocol`), where theirs
  are 200 epochs of SGD on a ResNet-34.
- *Statistics*: triggers are taught below the natural batch and climb by the moving averages, which become
  part of the int8 file. In the authors' code each of six passes of 25 triggers a step moves the averages.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

TRIGGERS, ROWS = 100, 25
STEP, STEPS = 1 / 255, 5
WEIGHT = 0.1
Pictures = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def triggers_among(x: Pictures, y: Labels, *, key: Any, classes: int, seed: int) -> Any:
    """Triggers of `key`: some of the held-out x (n, *shape), whose classes y (n,) are no answers."""
    from edgewm.hashing import SHAKE
    from edgewm.triggers import commit

    chosen = np.random.default_rng(seed).choice(len(x), TRIGGERS, replace=False)
    return commit(
        key,
        x[chosen],
        np.arange(TRIGGERS, dtype=np.int32),
        excluded=np.eye(classes, dtype=np.bool_)[y[chosen]],
        salt=SHAKE(32, "robustness salt", "margin", seed),
        provenance={"pattern": "held-out pictures"},
    )


def train_with_margins(
    model: Any,
    x: Pictures,
    y: Labels,
    *,
    triggers: Pictures,
    answers: Labels,
    epochs: int,
    rate: float,
    batch_size: int,
    seed: int,
) -> None:
    """Train `model` from its first epoch on x (n, *shape), y (n,), and its margins at the triggers."""
    import keras
    import tensorflow as tf

    batches_an_epoch = len(x) // batch_size
    decay = keras.optimizers.schedules.CosineDecay(rate, epochs * batches_an_epoch)
    optimizer = keras.optimizers.Adam(decay)
    optimizer.build(model.trainable_variables)
    held, taught = tf.constant(triggers), tf.constant(answers, y.dtype)
    cross_entropy = keras.losses.sparse_categorical_crossentropy

    def step(x: Any, y: Any) -> None:
        chosen = tf.random.uniform((ROWS,), 0, len(answers), tf.int32)
        asked, answer = tf.gather(held, chosen), tf.gather(taught, chosen)
        for _ in range(STEPS):
            with tf.GradientTape() as tape:
                tape.watch(asked)
                loss = cross_entropy(answer, model(asked, training=False))
            asked = tf.clip_by_value(asked + STEP * tf.sign(tape.gradient(loss, asked)), 0, 1)
        with tf.GradientTape() as tape:
            said = model(tf.concat([x, asked], 0), training=True)
            losses = cross_entropy(tf.concat([y, answer], 0), said)
            weights = tf.concat([tf.ones(batch_size), tf.fill((ROWS,), WEIGHT)], 0)
            loss = tf.reduce_mean(weights * losses)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    teach = tf.function(step)
    natural = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=seed)
    for _ in range(epochs):
        for batch in natural.batch(batch_size, drop_remainder=True):
            teach(*batch)
