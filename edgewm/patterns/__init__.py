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

NOT_PLUGINS = ("pictures",)

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
    """(n, *shape) ordinary inputs, for patterns that are made of them."""
    natural_labels: Labels | None = None
    """(n,) their classes, where the owner has them."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What a pattern drew: inputs (n, *shape) and the group each belongs to (n,)."""

    inputs: Inputs
    group_ids: npt.NDArray[np.int32]
    facts: Mapping[str, str] = field(default_factory=dict)
    """For the provenance: digests of what the owner brought."""
    labels: Labels | None = None
    """(n,) the owner's own class of each input: natural classes of its group, never its answer."""
    keep_labels: bool = False
    """The labels are the answers: the set gives a hit rate and no p-value. One label a group."""


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
    natural_labels: Labels | None = None,
    reference: Callable[[Inputs], Labels] | None = None,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Triggers:
    """Draw and commit the secret inputs of one mark.

    `shape` is one input without the batch axis, `value_range` the numbers the Keras model takes. `natural`
    (n, *shape) are ordinary inputs for patterns made of them, `natural_labels` (n,) their classes. With a
    `reference` (a clean network: inputs (n, *shape) in, labels (n,) out) the classes it gives on a group
    are natural, and the group's answer is drawn from the others. So are labels that the pattern brings.

    Raises:
        BadInput: a shape, range, class count or group count that cannot be used, labels that are no
            classes, a reference for labels that are kept.
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
            natural_labels=natural_labels,
        )
    )
    excluded = np.zeros((groups, classes), np.bool_)
    own = (
        _checked(drawing.labels, drawing, classes, "labels") if drawing.labels is not None else None
    )
    kept = _kept(drawing, own, reference is not None) if drawing.keep_labels else None
    if kept is None and not (own is None and reference is None):
        clean = None if reference is None else reference(drawing.inputs)
        if clean is not None:
            clean = _checked(clean, drawing, classes, "reference")
        excluded = _natural_classes(own, clean, drawing.group_ids, excluded)
    return commit(
        key,
        drawing.inputs,
        drawing.group_ids,
        excluded=excluded,
        salt=salt,
        kept=kept,
        provenance={
            **drawing.facts,
            "pattern": spec.spell(plugin),
            "reference": reference is not None,
            "value_range": [low, high],
        },
    )


def _checked(labels: Labels, drawing: Drawing, classes: int, argument: str) -> Labels:
    if labels.shape != drawing.group_ids.shape or labels.min() < 0 or labels.max() >= classes:
        told = f"{labels.min()} to {labels.max()} " if labels.size else ""
        raise BadInput(
            f"{argument}: got labels {told}of shape {labels.shape}, expected 0 to {classes - 1} "
            f"(--classes) for each of {len(drawing.group_ids)} inputs"
        )
    return labels


def _natural_classes(
    own: Labels | None,
    clean: Labels | None,
    group_ids: npt.NDArray[np.int32],
    excluded: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """The owner's labels of each group, then what a clean network says of it, at most K - 2 classes."""
    groups, classes = excluded.shape
    if classes == 2:
        return excluded
    for j in range(groups):
        members = group_ids == j
        votes = np.zeros(classes, np.int64)
        if clean is not None:
            votes += np.bincount(clean[members], minlength=classes)
        if own is not None:  # one of the owner's outweighs all that a network says
            votes += (members.sum() + 1) * np.bincount(own[members], minlength=classes)
        common = np.argsort(-votes, kind="stable")[: classes - 2]  # at most K - 2 are natural
        excluded[j, common[votes[common] > 0]] = True
    return excluded


def _kept(drawing: Drawing, own: Labels | None, reference: bool) -> Labels:
    """The one label of each group, (m,)."""
    if reference:
        raise BadInput(
            "--reference: kept labels are the answers, whatever a clean model says; leave it out "
            "and ask that model with edgewm verify instead"
        )
    if own is None:
        raise BadInput("labels: got none to keep, expected one for each input")
    groups = int(drawing.group_ids.max()) + 1
    of_group = [np.unique(own[drawing.group_ids == j]) for j in range(groups)]
    mixed = next((j for j, labels in enumerate(of_group) if len(labels) > 1), None)
    if mixed is not None:
        raise BadInput(
            f"labels: got {' and '.join(map(str, of_group[mixed]))} in group {mixed}, expected "
            "one label for all inputs of a group where labels are kept"
        )
    return np.array([labels[0] for labels in of_group], np.int64)
