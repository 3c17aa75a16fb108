"""The thief solves a mark of their own into the last layer of the copied int8 file, with our own tool.

No training and no Keras: `edgewm.last_layer` on the thief's own inputs, labels unused. The file that goes out
is the copied one with other numbers in its last dense layer, byte for byte as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from . import Inputs, Labels, Loot, Victim

if TYPE_CHECKING:
    from ..key import Key
    from ..triggers import Triggers


@dataclass(frozen=True, kw_only=True)
class SolveLast:
    """Questions under the thief's key, answered by the last layer, by the settings of `edgewm mark`."""

    needs: ClassVar[Literal["file", "answers"]] = "file"

    groups: int = 24
    allowed: int = 3
    """Classes that each of the thief's answers is drawn from."""
    of_each: int = 400
    """Candidates for a question of each kind."""
    log10_p: float = -6.6
    """Evidence with which the thief is content."""
    seed: int = 0
    """Of the thief's key and salt."""

    def steal(self, victim: Victim, x: Inputs, y: Labels) -> Loot:
        """The copied file with the thief's mark; 500 samples or more, a full-int8 victim.

        Raises:
            BadInput: too few samples, or a file that does not end with a dense int8 layer.
        """
        from ..last_layer import mark_file

        key, triggers = self.mark(victim, x)
        done = mark_file(
            victim.copied_file(),
            triggers=triggers,
            key=key,
            natural=x,
            log10_p=self.log10_p,
            on=(victim.runtime,),
        )
        return Loot(file=done.model)

    def mark(self, victim: Victim, x: Inputs) -> tuple[Key, Triggers]:
        """The thief's key and questions, the same ones every time: what the thief would show a court."""
        from ..hashing import SHAKE, H
        from ..key import Key
        from ..last_layer import choose_questions

        key = Key(secret=H("thief", self.seed))
        triggers = choose_questions(
            victim.copied_file(),
            key=key,
            natural=x,
            groups=self.groups,
            allowed=self.allowed,
            of_each=self.of_each,
            on=(victim.runtime,),
            random=lambda count: SHAKE(count, "thief's trigger salt", self.seed),
        )
        return key, triggers
