"""What a runtime is and what it gives: the plug point and the values that cross it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from ..artifact import Tensor

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What computed the answers."""

    name: str
    version: str
    arithmetic: str
    """One of ARITHMETICS; unknown where no probe was or could be replayed."""


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What an interpreter says about a model file."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    arena_bytes: int | None
    """Working memory that TFLM takes on this machine; None for other engines."""
    arena_persistent_bytes: int | None = None
    """The part of it that holds what outlives an inference, with pointers of this machine's size."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What came back for one batch of questions."""

    labels: npt.NDArray[np.int64]
    """(n,) class indices by the label rule, FAILED where there is none."""
    outputs: npt.NDArray[np.generic] | None
    """(n, K) raw values of the output tensor, not dequantised; what they stand for where nothing is known
    of the model, as from a board; None where only labels came back."""
    latency_ms: float
    """Wall time of the n inferences together, without starting or opening anything."""
    reason: str
    """Why the first failed question failed; empty when none did."""


class Session(Protocol):
    """One opened model, or whatever else answers."""

    @property
    def facts(self) -> ModelFacts | None:
        """What is known of the model; None when a program or a recording answers."""

    @property
    def engine(self) -> Engine:
        """What computes the answers."""

    def ask(self, inputs: npt.NDArray[np.float32]) -> Answers:
        """The answers to `inputs` (n, *shape), one inference each, in order."""

    def close(self) -> None:
        """End it; asking afterwards is an error."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Runtime(Protocol):
    """The plug point."""

    needs_model: ClassVar[bool]
    spends: ClassVar[bool]

    def open(self, model: bytes | None) -> Session:
        """Begin to answer for `model`.

        Raises:
            BadInput: no bytes where `needs_model`, or bytes where not.
            RuntimeUnavailable: the interpreter is not installed or does not work here.
            ModelRefused: it works and does not run this model.
        """
