"""How the robustness benchmark judges what a suspect said: both marks of an owner, or one class of inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one suspect's labels came to under one key."""

    groups_asked: int
    groups_hit: int
    log10_p_triggers: float
    log10_p_tilt: float | None
    log10_p: float
    """Of both marks together, as a verdict on scores gives it."""
    log10_p_labels_triggers: float
    log10_p_labels_tilt: float | None
    log10_p_labels: float
    """The same from labels alone."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What is asked about one owner's network, and how the labels are judged."""

    triggers: Any = field(repr=False)
    tilt: Any = field(default=None, repr=False)
    key: Any

    @property
    def inputs(self) -> npt.NDArray[np.float32]:
        """Every question, (n, *shape): triggers first."""
        if self.tilt is None:
            return np.asarray(self.triggers.inputs, np.float32)
        return np.concatenate([self.triggers.inputs, self.tilt.inputs])

    def under(self, key: Any) -> Marks:
        """The same questions under another key."""
        from edgewm.tilt import recommitted_tilt
        from edgewm.triggers import recommitted

        return Marks(
            triggers=recommitted(self.triggers, key),
            tilt=None if self.tilt is None else recommitted_tilt(self.tilt, key),
            key=key,
        )

    def judge(self, labels: Labels, values: npt.NDArray[np.float32]) -> Evidence:
        """What `edgewm.verify` says of labels (n,) and output values (n, K) in the order of `inputs`."""
        from edgewm import stats
        from edgewm.drawn_sum import drawn_log10_p
        from edgewm.output_scores import cell_scores, levels, log_shares

        held, logs = self.triggers, log_shares(values)
        count, answers = len(held.inputs), held.answers(self.key)
        outcomes = stats.choose(
            labels[:count], held.group_ids, excluded=held.excluded, answers=answers
        )
        found, failed = levels(logs[:count], held.group_ids, groups=held.groups)
        of_triggers = drawn_log10_p(found, excluded=held.excluded, answers=answers, failed=failed)
        by_labels = stats.log10_fraction(stats.fixed_p(outcomes, held.allowed))
        of_tilt = tilt_by_labels = None
        if self.tilt is not None:
            of_tilt = self._of_cells(cell_scores(self.tilt, logs[count:]))
            tilt_by_labels = self._of_cells(self.tilt.scores(labels[count:]))
        return Evidence(
            groups_asked=held.groups,
            groups_hit=int((outcomes == stats.Outcome.HIT).sum()),
            log10_p_triggers=of_triggers,
            log10_p_tilt=of_tilt,
            log10_p=_together(of_triggers, of_tilt),
            log10_p_labels_triggers=by_labels,
            log10_p_labels_tilt=tilt_by_labels,
            log10_p_labels=_together(by_labels, tilt_by_labels),
        )

    def _of_cells(self, scores: npt.NDArray[np.int64]) -> float:
        from edgewm.signed_sum import fixed_log10_p, signed_sum

        return fixed_log10_p(scores, signed_sum(scores, self.tilt.signs(self.key)))


@dataclass(frozen=True, kw_only=True)
class OneClass:
    """Logo and EWE: many inputs, and one answer drawn among the classes that are not their own."""

    inputs: npt.NDArray[np.float32] = field(repr=False)
    own: int
    answer: int
    classes: int

    def under(self, key: Any) -> OneClass:
        """The same questions, and the answer that another key draws."""
        from edgewm.hashing import draw_below

        drawn = draw_below(self.classes - 1, "benchmark logo", key.commitment)
        others = [c for c in range(self.classes) if c != self.own]
        return replace(self, answer=others[drawn])

    def judge(self, labels: Labels, values: npt.NDArray[np.float32]) -> Evidence:
        """Inputs that hit, and the chance that one draw names what most of them say."""
        votes = np.bincount(labels[labels != self.own], minlength=self.classes)
        named = votes.max() > 0 and int(votes.argmax()) == self.answer
        log10_p = -math.log10(self.classes - 1) if named else 0.0
        return Evidence(
            groups_asked=len(labels),
            groups_hit=int((labels == self.answer).sum()),
            log10_p_triggers=log10_p,
            log10_p_tilt=None,
            log10_p=log10_p,
            log10_p_labels_triggers=log10_p,
            log10_p_labels_tilt=None,
            log10_p_labels=log10_p,
        )


def _together(of_triggers: float, of_tilt: float | None) -> float:
    """p = 2 min of both."""
    return of_triggers if of_tilt is None else min(0.0, math.log10(2) + min(of_triggers, of_tilt))
