"""Where every tensor of a model lies: the caller's buffers, the arena, or among the constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .arena import Block, plan
from .graph import Graph, Operand
from .step import Alias, Call, Scratch, Step


@dataclass(frozen=True, kw_only=True)
class Placed:
    """C expressions of pointers."""

    pointers: dict[int, str]
    """By number of the tensor; none for one that the file stores."""
    roots: dict[int, Operand]
    """For each tensor that is another under a new shape, that other."""
    scratch: tuple[str, ...]
    """Of each call; empty for one that needs none."""
    arena_bytes: int
    output_is_written: bool
    """False where the output is the input or a stored tensor under another shape: it is to be copied."""


def calls_of(steps: Sequence[Step]) -> list[Call]:
    """Every call of a model, in order."""
    return [call for step in steps if not isinstance(step, Alias) for call in step]


def place(graph: Graph, steps: Sequence[Step]) -> Placed:
    """Input and output stay in the caller's buffers; the rest shares the arena."""
    roots: dict[int, Operand] = {}
    for step in steps:
        if isinstance(step, Alias):
            roots[step.output.index] = roots.get(step.input.index, step.input)
    output = roots.get(graph.output.index, graph.output)
    written = output.index != graph.input.index and not output.stored
    pointers = {output.index: "output"} if written else {}
    pointers[graph.input.index] = "input"
    calls = calls_of(steps)
    blocks, rooms = _blocks(calls, roots, outside=set(pointers))
    offsets, total = plan([*blocks.values(), *rooms.values()])
    at = [f"arena.bytes + {offset}" for offset in offsets]
    pointers |= dict(zip(blocks, at[: len(blocks)], strict=True))
    pointers |= {i: pointers[root.index] for i, root in roots.items() if root.index in pointers}
    scratch = dict(zip(rooms, at[len(blocks) :], strict=True))
    return Placed(
        pointers=pointers,
        roots=roots,
        scratch=tuple(scratch.get(number, "") for number in range(len(calls))),
        arena_bytes=total,
        output_is_written=written,
    )


def _blocks(
    calls: Sequence[Call], roots: dict[int, Operand], outside: set[int]
) -> tuple[dict[int, Block], dict[int, Block]]:
    """What the arena must hold: computed tensors by their number, scratch by the number of its call."""
    tensors: dict[int, Block] = {}
    rooms: dict[int, Block] = {}
    for number, call in enumerate(calls):
        for argument in call.arguments:
            if isinstance(argument, Scratch):
                rooms[number] = Block(size=argument.size, first=number, last=number)
            elif isinstance(argument, Operand):
                root = roots.get(argument.index, argument)
                if not root.stored and root.index not in outside:
                    first = tensors[root.index].first if root.index in tensors else number
                    tensors[root.index] = Block(size=root.size, first=first, last=number)
    return tensors, rooms
