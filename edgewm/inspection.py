"""What a `.tflite` will cost, before anything is flashed: MACs by layer, arena, weights, quantisation.

No triggers and no key. The file is read byte by byte; only the arena is asked of an interpreter, TFLM in
its child process, because only it knows what its kernels keep. Without it, or where it refuses the model,
the part that one inference needs is planned here, and the origin says which.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from .artifact import Artifact, Tensor, read_model
from .content import of_bytes
from .engine.arena import Block, plan
from .errors import BadInput, EdgewmError
from .flatbuffer import NotFlatbuffer
from .layers import Layer, Mix, layers_of, lifetimes, mix_of
from .runtimes.tflm import TFLM
from .tflite import Tflite, read_tflite

_ALIGNMENT_BYTES = 16
_MOST_TENSORS = 1000
PLANNED = "planned from the file, without what outlives an inference"


@dataclass(frozen=True, kw_only=True)
class Arena:
    """Working memory of TFLM."""

    non_persistent_bytes: int | None
    """Tensors of one inference, one over the other; None for a graph too large to plan."""
    persistent_bytes: int | None
    """What outlives an inference; None where no interpreter said it. A 32-bit board keeps less of it than
    this machine, since much of it are pointers."""
    planned_bytes: int | None
    """The first as planned from the file, whatever an interpreter says."""
    origin: str
    """Who says so."""

    @property
    def total_bytes(self) -> int | None:
        """Both parts, or None where one is unknown."""
        if self.persistent_bytes is None or self.non_persistent_bytes is None:
            return None
        return self.persistent_bytes + self.non_persistent_bytes


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """One model file."""

    sha256: str
    format: str
    file_bytes: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[tuple[str, int], ...]
    """Over all subgraphs, in the order of first use."""
    macs: int
    mix: Mix
    weight_bytes: int
    """Constants that layers read, each layer's counted once."""
    layers: tuple[Layer, ...]
    """Of the first subgraph."""
    arena: Arena

    def as_dict(self) -> dict[str, object]:
        """Everything, as JSON takes it."""
        told = asdict(self)
        told["operators"] = dict(self.operators)
        told["arena"]["total_bytes"] = self.arena.total_bytes
        return told


def inspect_model(path: Path, *, argument: str = "MODEL") -> Inspection:
    """Everything that a file says about its cost.

    Raises:
        BadInput: no file, or no TensorFlow Lite model.
    """
    model = read_model(path, argument)
    return inspect_bytes(model, argument=f"{argument}: {path}")


def inspect_bytes(model: bytes, *, argument: str = "MODEL") -> Inspection:
    """`inspect_model` of a file's bytes; `argument` begins the line of a refusal."""
    try:
        read = read_tflite(of_bytes(model))
    except NotFlatbuffer as error:
        raise BadInput(
            f"{argument} is no TensorFlow Lite model ({error}); edgewm find looks inside other files"
        ) from None
    layers = layers_of(read)
    mix = mix_of(layers)
    return Inspection(
        sha256=Artifact(model=model, format=read.format).sha256,
        format=read.format,
        file_bytes=len(model),
        inputs=read.inputs,
        outputs=read.outputs,
        operators=read.operators,
        macs=read.macs,
        mix=mix,
        weight_bytes=mix.constant_bytes,
        layers=layers,
        arena=_arena(read, model),
    )


def planned_arena_bytes(model: Tflite) -> int | None:
    """Bytes that the tensors of one inference take, as TFLM's own planner lays them over each other.

    What its kernels take besides is not in the file. None for a graph with more tensors than any plan is
    made for.
    """
    lives = lifetimes(model)
    if len(lives) > _MOST_TENSORS:
        return None
    blocks = [
        Block(size=-(-size // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES, first=first, last=last)
        for size, first, last in reversed(lives)  # of equal ones the last is placed first
    ]
    return plan(blocks, _ALIGNMENT_BYTES)[1]


def _arena(read: Tflite, model: bytes) -> Arena:
    planned = planned_arena_bytes(read)
    child = TFLM().start()
    try:
        child.ready()
        facts, _ = child.describe(model)
    except EdgewmError as error:
        return Arena(
            non_persistent_bytes=planned,
            persistent_bytes=None,
            planned_bytes=planned,
            origin=f"{PLANNED} ({error})",
        )
    finally:
        child.close()
    total, kept = facts.arena_bytes, facts.arena_persistent_bytes
    if total is None or kept is None:
        return Arena(
            non_persistent_bytes=planned,
            persistent_bytes=None,
            planned_bytes=planned,
            origin=PLANNED,
        )
    return Arena(
        non_persistent_bytes=total - kept,
        persistent_bytes=kept,
        planned_bytes=planned,
        origin=f"measured on this host by tflite-micro {child.version}, with 64-bit pointers",
    )
