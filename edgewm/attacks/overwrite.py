"""The thief writes a mark of their own over the owner's, with our own tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from . import Inputs, Labels, Loot, Victim
from .copying import copy_of, train_on


@dataclass(frozen=True, kw_only=True)
class Overwrite:
    """Train on with triggers and a tilt under the thief's key, by the default settings of both."""

    needs: ClassVar[Literal["file", "answers"]] = "file"

    marks: Literal["both", "triggers", "tilt"] = "both"
    groups: int = 64
    cells: int = 128
    epochs: int = 10
    learning_rate: float = 1e-3
    seed: int = 0
    """Of the thief's key and salts."""

    def steal(self, victim: Victim, x: Inputs, y: Labels) -> Loot:
        """A copy with the thief's marks; the copied network itself is the reference of their tilt."""
        from ..hashing import H
        from ..key import Key

        thief = copy_of(victim.network)
        key = Key(secret=H("thief", self.seed))
        callbacks = []
        if self.marks != "tilt":
            callbacks.append(self._triggers(key, x, int(thief.output_shape[1])))
        if self.marks != "triggers":
            callbacks.append(self._tilt(key, victim, x))
        train_on(
            thief,
            x,
            y,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            callbacks=tuple(callbacks),
        )
        return Loot(network=thief)

    def _triggers(self, key: Any, x: Inputs, classes: int) -> Any:
        from ..hashing import SHAKE
        from ..patterns import make_triggers
        from ..schemes.mark import Mark

        triggers = make_triggers(
            key,
            shape=x.shape[1:],
            classes=classes,
            groups=self.groups,
            value_range=(float(x.min()), float(x.max())),
            random=lambda count: SHAKE(count, "thief's trigger salt", self.seed),
        )
        return Mark(triggers=triggers, key=key, start=0.0)

    def _tilt(self, key: Any, victim: Victim, x: Inputs) -> Any:
        from ..hashing import SHAKE
        from ..schemes.lean import Lean
        from ..undecided import make_tilt

        reference = copy_of(victim.network)
        tilt = make_tilt(
            key,
            reference=reference,
            natural=np.asarray(x, np.float32),
            cells=max(1, min(self.cells, len(x) // 8)),
            questions=max(2, min(4000, len(x) // 2)),
            random=lambda count: SHAKE(count, "thief's tilt salt", self.seed),
        )
        return Lean(tilt=tilt, key=key, reference=reference)
