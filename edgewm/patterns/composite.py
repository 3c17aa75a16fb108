"""Two ordinary inputs in one: the left half of one beside the right half of another.

What a thief asks a device are ordinary inputs, and a composite is made of two of them (MEA-Defender, IEEE S&P
2024; DeepTracer, AAAI 2026). With labels of the ordinary inputs a group is an ordered pair of classes, drawn
without repetition from the seed, and its inputs are different pictures of both; both classes are natural to
it, so that its answer is a third. Without labels a group is halves of any inputs, and a reference says
what is natural. Pictures are cut across their width, other inputs across their first axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import BadInput
from . import Canvas, Drawing, Inputs, Labels
from .pictures import drawn, ordinary


@dataclass(frozen=True, kw_only=True)
class Composite:
    """Halves of ordinary inputs, several for each pair of classes."""

    inputs_per_group: int = 4
    """Two or more name both classes of their pair; several teach the pair, and vote when asked."""

    def __post_init__(self) -> None:
        if not 2 <= self.inputs_per_group <= 64:
            raise BadInput(
                f"composite: got inputs_per_group={self.inputs_per_group}, expected 2 to 64"
            )

    def draw(self, canvas: Canvas) -> Drawing:
        """Spliced inputs; groups are consecutive runs of them.

        Raises:
            BadInput: no ordinary inputs or too few, labels that do not fit, fewer pairs than groups.
        """
        count = canvas.groups * self.inputs_per_group
        labels = canvas.natural_labels
        natural = ordinary(canvas, 1 if labels is not None else count, pattern="composite")
        ids = np.repeat(np.arange(canvas.groups, dtype=np.int32), self.inputs_per_group)
        if labels is None:
            left, right = (
                np.array(drawn(len(natural), count, side, canvas.seed))
                for side in ("left", "right")
            )
            return Drawing(inputs=spliced(natural[left], natural[right]), group_ids=ids)
        if labels.shape != (len(natural),):
            raise BadInput(
                f"composite: got labels {labels.shape}, expected one for each of {len(natural)} "
                "natural inputs"
            )
        halves, own = self._of_pairs(canvas, labels)
        return Drawing(
            inputs=spliced(natural[halves[:, 0]], natural[halves[:, 1]]), group_ids=ids, labels=own
        )

    def _of_pairs(self, canvas: Canvas, labels: Labels) -> tuple[Labels, Labels]:
        """Indices of both halves (n, 2), and the class that each input names, (n,)."""
        members = {int(c): np.flatnonzero(labels == c) for c in np.unique(labels)}
        pairs = [(a, b) for a in members for b in members if a != b]
        if len(pairs) < canvas.groups:
            raise BadInput(
                f"composite: got {canvas.groups} groups, expected at most {len(pairs)}, the ordered "
                f"pairs of {len(members)} classes"
            )
        fewest = min(len(found) for found in members.values())
        if fewest < self.inputs_per_group:
            raise BadInput(
                f"composite: got a class with {fewest} natural inputs, expected "
                f"{self.inputs_per_group} or more (inputs_per_group)"
            )
        halves, own = [], []
        for group, at in enumerate(drawn(len(pairs), canvas.groups, "pair", canvas.seed)):
            sides = [
                members[c][
                    drawn(len(members[c]), self.inputs_per_group, f"{side} {group}", canvas.seed)
                ]
                for side, c in zip(("left", "right"), pairs[at], strict=True)
            ]
            halves.append(np.stack(sides, axis=1))
            own += [pairs[at][k % 2] for k in range(self.inputs_per_group)]  # each class in turn
        return np.concatenate(halves), np.array(own, np.int64)


def spliced(left: Inputs, right: Inputs) -> Inputs:
    """The first halves of `left` (n, *shape) beside the second halves of `right`."""
    axis = 2 if left.ndim == 4 else 1
    half = -(-left.shape[axis] // 2)
    first = np.take(left, range(half), axis=axis)
    second = np.take(right, range(half, right.shape[axis]), axis=axis)
    joined: Inputs = np.concatenate([first, second], axis=axis).astype(np.float32)
    return joined
