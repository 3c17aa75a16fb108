"""What schemes share while a step is traced: labels in the batch's own form, a method replaced for a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import BadInput


def labels_like(y: Any, labels: Any, classes: int) -> Any:
    """Class numbers (rows,) written as the batch's own labels are: (b,), (b, 1) or one-hot (b, K).

    Raises:
        BadInput: labels of another form.
    """
    import tensorflow as tf

    if y.shape.rank == 1:
        return tf.cast(labels, y.dtype)
    if y.shape.rank == 2 and y.shape[1] == 1:
        return tf.cast(labels, y.dtype)[:, None]
    if y.shape.rank == 2 and y.shape[1] == classes:
        return tf.one_hot(labels, classes, dtype=y.dtype)
    raise BadInput(
        f"Mark: got labels of shape {tuple(y.shape)}, expected class numbers or one-hot rows of {classes}"
    )


@contextmanager
def replaced(owner: Any, name: str, method: Any) -> Iterator[None]:
    """Give one object another method inside the block, and its own one back afterwards."""
    kept = vars(owner).get(name)
    setattr(owner, name, method)
    try:
        yield
    finally:
        delattr(owner, name)
        if kept is not None:
            setattr(owner, name, kept)
