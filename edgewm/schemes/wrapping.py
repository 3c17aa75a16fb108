"""Putting another train step on a model while `fit` runs, and taking it off, for all callbacks here.

`make_train_function(force=True)` makes Keras trace the new step; else the one traced before goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_BEFORE = "train_step_before_edgewm"


def wrap(model: Any, step: Callable[[Any], dict[str, Any]]) -> None:
    """Give a model another train step; what it had of its own comes back with `unwrap`."""
    setattr(step, _BEFORE, vars(model).get("train_step"))
    model.train_step = step
    model.make_train_function(force=True)


def unwrap(model: Any) -> None:
    """Give a model the train step back that it had before any wrapping; with several, all come off."""
    step = vars(model).get("train_step") if model is not None else None
    if not hasattr(step, _BEFORE):
        return
    while hasattr(step, _BEFORE):
        step = getattr(step, _BEFORE)
    if step is None:
        del model.train_step
    else:
        model.train_step = step
    model.train_function = None
