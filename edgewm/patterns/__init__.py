"""What the secret inputs look like.

A pattern is one file with one frozen dataclass and one method, `draw`: canvas in, drawing out. It sees a
seed, never a key or an answer, and what it makes is stored in the trigger file, never redrawn.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .. import spec
from ..errors import BadInput
from ..key import Key
from ..triggers import Triggers, commit

NOT_PLUGINS = ()

Labels = npt.NDArray[np.int64]
Inputs = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """What a pattern may draw with."""

    seed: bytes
    """32 bytes; the only source of randomness."""
    groups: int
    shape: tuple[int, ...]
    """Shape of one input, without the batch axis."""
    low: float
    high: float
    """Value range the Keras model takes."""
    natural: Inputs | None = None
    """(n, *shape) ordinary inputs, for patterns that are laid over them."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What a pattern drew: inputs (n, *shape) and the group each belongs to (n,)."""

    inputs: Inputs
    group_ids: npt.NDArray[np.int32]
    facts: Mapping[str, str] = field(default_factory=dict)
    """For the provenance: digests of what the owner brought."""


class Pattern(Protocol):
    """One way for secret inputs to look."""

    def draw(self, canvas: Canvas) -> Drawing:
        """Inputs for every group of `canvas`, the same ones for the same canvas."""
        ...


def make_triggers(
    key: Key,
    *,
    shape: tuple[int, ...],
    classes: int,
    pattern: Pattern | str = "abstract",
    groups: int = 64,
    value_range: tuple[float, float] = (0.0, 1.0),
    natural: Inputs | None = None,
    reference: Callable[[Inputs], Labels] | None = None,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Triggers:
    """Draw and commit the secret inputs of one mark.

    `shape` is one input without the batch axis, `value_range` the numbers the Keras model takes. With a
    `reference` (a clean network: inputs (n, *shape) in, labels (n,) out) the classes it gives on a group
    are natural, and the group's answer is drawn from the others.

    Raises:
        BadInput: a shape, range, class count or group count that cannot be used.
    """
    low, high = value_range
    if classes < 2 or groups < 1:
        raise BadInput(f"triggers: got {classes} classes, {groups} groups, expected >= 2 and >= 1")
    if not shape or min(shape) < 1:
        raise BadInput(f"triggers: got the shape {shape}, expected one input such as (28, 28, 1)")
    if not low < high or not np.isfinite([low, high]).all():
        raise BadInput(f"triggers: got the value range {low} to {high}, expected low < high")
    plugin: Pattern = spec.parse("patterns", pattern) if isinstance(pattern, str) else pattern
    salt = random(32)
    drawing = plugin.draw(
        Canvas(
            seed=key.pattern_seed(salt),
            groups=groups,
            shape=shape,
            low=low,
            high=high,
            natural=natural,
        )
    )
    excluded = np.zeros((groups, classes), np.bool_)
    if reference is not None:
        excluded = _natural_classes(reference(drawing.inputs), drawing.group_ids, excluded)
    return commit(
        key,
        drawing.inputs,
        drawing.group_ids,
        excluded=excluded,
        salt=salt,
        provenance={
            **drawing.facts,
            "pattern": spec.spell(plugin),
            "reference": reference is not None,
            "value_range": [low, high],
        },
    )


def _natural_classes(
    labels: Labels, group_ids: npt.NDArray[np.int32], excluded: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    groups, classes = excluded.shape
    if labels.shape != group_ids.shape or labels.min() < 0 or labels.max() >= classes:
        raise BadInput(f"reference: got labels {labels.shape} outside 0 to {classes - 1}")
    if classes == 2:
        return excluded
    for j in range(groups):
        votes = np.bincount(labels[group_ids == j], minlength=classes)
        common = np.argsort(-votes, kind="stable")[: classes - 2]  # at most K - 2 are natural
        excluded[j, common[votes[common] > 0]] = True
    return excluded
