"""A copy for one recipient: one step up or down in each weight of the plan, as their symbols say."""

from __future__ import annotations

import numpy as np

from ..errors import BadInput
from ..key import Key
from . import code
from .plan import Plan

_LONGEST_NAME = 200


def issue(model: bytes, plan: Plan, key: Key, recipient: str) -> bytes:
    """The base file with `recipient`'s symbols in it; equal arguments give equal bytes.

    Args:
        model: the file that the plan was made of.
        plan: from `make_plan`, with the same key.
        key: the owner's.
        recipient: who gets it, one line of at most 200 characters.

    Raises:
        BadInput: no name, or one of several lines.
    """
    one_line = recipient.isprintable() and len(recipient) <= _LONGEST_NAME
    if not one_line or not recipient.strip() or recipient != recipient.strip():
        raise BadInput(
            f"--to: got {recipient[:_LONGEST_NAME]!r}, expected a name of one line, "
            f"at most {_LONGEST_NAME} characters, without spaces around it"
        )
    held = code.symbols(key, plan.name, recipient, plan.biased)
    made = np.frombuffer(model, np.int8).copy()
    starts = plan.starts
    tensor = np.searchsorted(starts, plan.positions, side="right") - 1
    offsets = np.array([weights.offset for weights in plan.tensors])
    made[offsets[tensor] + plan.positions - starts[tensor]] += np.where(held, 1, -1).astype(np.int8)
    return made.tobytes()
