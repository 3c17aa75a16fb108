"""What a thief does to a copy, with settings fixed beforehand and never tuned to a scheme.

An attack is one file with one frozen dataclass and one method, `steal`: the victim and samples of the
thief's own in, what the thief deploys out. `needs` says what the thief must have: the copied file
("file"), or only a device that answers ("answers"). `edgewm.attacks.theft` runs one on a file, exports
what came of it and says what it cost the thief; forging, the attack on the proof instead of the model,
is no theft of a model and is measured by its own benchmark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from .. import spec

NOT_PLUGINS = ("copying", "theft")

Inputs = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Victim:
    """The owner's model as a thief has it: the copied file, or more than any thief should have."""

    file: bytes | None = field(default=None, repr=False)
    """The `.tflite`; weight attacks start from its dequantised weights."""
    float_network: Any = None
    """The owner's own keras.Model, for a thief inside the house: every attack may assume it instead."""
    runtime: str = "litert"
    """Who answers for the file."""

    @cached_property
    def network(self) -> Any:
        """The float network to start from; never changed by an attack.

        Raises:
            BadInput: the file cannot be rebuilt, see `edgewm.reconstruction`.
        """
        if self.float_network is not None:
            return self.float_network
        from ..reconstruction import rebuilt

        return rebuilt(self.copied_file())

    def ask(self, x: Inputs) -> Answers:
        """Labels (n,) and scores (n, K) that the int8 file gives, as a device would print them."""
        with spec.parse("runtimes", self.runtime).open(self.copied_file()) as session:
            answers = session.ask(x)
            output = session.facts.outputs[0]
        scores = np.asarray(answers.outputs, np.float32).reshape(len(x), -1)
        if output.scale:
            scores = (scores - output.zero_point) * np.float32(output.scale)
        return Answers(labels=answers.labels, scores=scores)

    def copied_file(self) -> bytes:
        """The `.tflite` that the thief copied.

        Raises:
            BadInput: there is none.
        """
        if self.file is None:
            from ..errors import BadInput

            raise BadInput("victim: got no file, this attack starts from a .tflite")
        return self.file


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What the victim's file said."""

    labels: Labels
    scores: Inputs


@dataclass(frozen=True, kw_only=True, eq=False)
class Loot:
    """What the thief deploys."""

    network: Any = None
    """A keras.Model that is exported; None where `file` goes out, or the copied file as it is."""
    file: bytes | None = field(default=None, repr=False)
    """A finished `.tflite`, deployed byte for byte."""
    format: str = "int8"
    """Of the export, a name in `edgewm.conversion.FORMATS`."""
    calibration: Inputs | None = field(default=None, repr=False)
    """What the export measures activations on; None for the thief's own samples."""
    four_bit_file: bool = False
    """Export in float32 and store the weights in 4 bits with litert-quantizer."""
    filter: Callable[[Inputs], Inputs] | None = None
    """What stands before the model and changes every input, (n, *shape) to the same."""
    queries: int = 0
    """Inputs that the victim was asked."""


class Attack(Protocol):
    """One way to try to lose a mark."""

    needs: ClassVar[Literal["file", "answers"]]

    def steal(self, victim: Victim, x: Inputs, y: Labels) -> Loot:
        """What comes of the victim with the thief's own samples x (n, *shape) and labels y (n,)."""
        ...
