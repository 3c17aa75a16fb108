"""What schemes share while a step is traced: rows and labels in the batch's own form, a method replaced.

`tf.distribute.MirroredStrategy` traces the step once a replica, each in a thread of its own, and changes
threads in the middle of a step: a method is therefore replaced for one thread at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import BadInput


def labels_like(y: Any, labels: Any, classes: int) -> Any:
    """Class numbers (rows,) written as the batch's own labels are: (b,), (b, 1) or one-hot (b, K).

    Raises:
        BadInput: labels of another form, or none.
    """
    import tensorflow as tf

    shape = getattr(y, "shape", None)
    if shape is None or shape.rank is None:
        raise BadInput(
            f"Mark: got labels as {_form(y)}, expected one array of class numbers or one-hot rows"
        )
    if shape.rank == 1:
        return tf.cast(labels, y.dtype)
    if shape.rank == 2 and shape[1] == 1:
        return tf.cast(labels, y.dtype)[:, None]
    if shape.rank == 2 and shape[1] == classes:
        return tf.one_hot(labels, classes, dtype=y.dtype)
    raise BadInput(
        f"Mark: got labels of shape {tuple(shape)}, expected class numbers or one-hot rows of {classes}"
    )


def joined(x: Any, rows: Any) -> Any:
    """A batch and float32 rows below it: in the batch's own float type, or float32 for whole numbers.

    Rounding the rows instead would teach other inputs than those that are asked later.
    """
    import tensorflow as tf

    x = x if x.dtype.is_floating else tf.cast(x, rows.dtype)
    return tf.concat([x, tf.cast(rows, x.dtype)], axis=0)


def check_batch(x: Any, shape: tuple[int, ...]) -> None:
    """Refuse a batch that rows of `shape` cannot be put below.

    Raises:
        BadInput: several inputs, inputs of another or an unknown shape.
    """
    import tensorflow as tf

    if not isinstance(x, tf.Tensor):
        raise BadInput(f"Mark: got inputs as {_form(x)}, expected one array (one input)")
    if x.shape.rank is None:
        raise BadInput(
            "Mark: got a data set that does not say the shape of its inputs, give it an output_signature"
        )
    if not x.shape[1:].is_compatible_with(shape):
        raise BadInput(f"Mark: got inputs of {tuple(x.shape[1:])}, the triggers are {shape}")


@contextmanager
def replaced(owner: Any, name: str, method: Callable[..., Any]) -> Iterator[None]:
    """Give one object another method inside the block, for this thread alone.

    While `method` runs, the name means what it meant before: it may call what it replaces.
    """
    with _LOCK:
        shared = vars(owner).get(name)
        if not isinstance(shared, _ByThread):
            shared = _ByThread(getattr(owner, name), kept=shared)
            setattr(owner, name, shared)
        shared.blocks += 1
    shared.replacements.append(method)
    try:
        yield
    finally:
        shared.replacements.pop()
        with _LOCK:
            shared.blocks -= 1
            if shared.blocks == 0:
                delattr(owner, name)
                if shared.kept is not None:
                    setattr(owner, name, shared.kept)


@contextmanager
def appended(rows: int) -> Iterator[None]:
    """Say, to whoever asks inside the block, that the last `rows` rows of a batch are no natural ones."""
    held = getattr(_APPENDED, "rows", 0)
    _APPENDED.rows = held + rows
    try:
        yield
    finally:
        _APPENDED.rows = held


def appended_rows() -> int:
    """How many rows at the end of the batch in hand were appended by a scheme, in this thread."""
    return int(getattr(_APPENDED, "rows", 0))


_LOCK = threading.Lock()
_APPENDED = threading.local()


class _ByThread:
    """A method, and what each thread has put in its place."""

    def __init__(self, own: Callable[..., Any], *, kept: Any) -> None:
        self.own = own
        self.kept = kept
        """What the object itself had under the name; None where the method is its class's."""
        self.blocks = 0
        self._local = threading.local()

    @property
    def replacements(self) -> list[Callable[..., Any]]:
        """This thread's, the last one first in turn."""
        if not hasattr(self._local, "replacements"):
            self._local.replacements = []
        found: list[Callable[..., Any]] = self._local.replacements
        return found

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if not self.replacements:
            return self.own(*arguments, **named)
        method = self.replacements.pop()
        try:
            return method(*arguments, **named)
        finally:
            self.replacements.append(method)


def _form(value: Any) -> str:
    """What was passed, in a word."""
    if value is None:
        return "nothing"
    if isinstance(value, (dict, list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
