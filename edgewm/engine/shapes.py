"""Operators that move values: RESHAPE and its kin, PAD and CONCATENATION."""

from __future__ import annotations

import math

import numpy as np

from .graph import Operator
from .step import Alias, Argument, Call, Step, Structure, array, numbers

_AXES = 4


def reshape(operator: Operator) -> Step:
    """RESHAPE, SQUEEZE and EXPAND_DIMS: the same values in the same order."""
    source, output = operator.quantized(0), operator.quantized_output()
    if source.size != output.size:
        raise operator.refuse(f"shapes {source.shape} to {output.shape}")
    return Alias(input=source, output=output)


def pad(operator: Operator) -> Step:
    """PAD and PADV2, up to four axes."""
    source, output = operator.quantized(0), operator.quantized_output()
    pads = operator.constant(1, "int32")
    rank = len(source.shape)
    if rank > _AXES or pads.shape != (rank, 2) or (pads.astype(np.int64) < 0).any():
        raise operator.refuse(
            f"pads of shape {pads.shape} for {source.shape}, expected none below 0"
        )
    before, after = pads.astype(np.int64).T.tolist()
    grown = tuple(map(sum, zip(before, source.shape, after, strict=True)))
    if grown != output.shape:
        raise operator.refuse(f"shapes {source.shape} to {output.shape}, expected {grown}")
    value = output.zero_point
    if len(operator.inputs) > 2:
        filling = operator.constant(2, "int8")
        if filling.size != 1:
            raise operator.refuse(f"a filling of shape {filling.shape}, expected one value")
        value = int(filling.ravel()[0])
    missing = _AXES - rank
    fields = (
        array([1] * missing + list(source.shape), "int32"),
        array([0] * missing + before, "int32"),
        array([0] * missing + after, "int32"),
        str(value),
    )
    structure = Structure(kind="pad", fields=fields)
    return [Call(function="pad", arguments=(structure, source, output), output=output)]


def concatenation(operator: Operator) -> Step:
    """CONCATENATION: the values as they are, whatever the scales, as the interpreter does."""
    output = operator.quantized_output()
    if operator.options.get("activation", 0):
        raise operator.refuse("an activation inside it, expected none")
    rank = len(output.shape)
    axis = operator.options.get("axis", 0)
    if not -rank <= axis < rank:
        raise operator.refuse(f"axis {axis} of a shape {output.shape}")
    axis %= rank
    sources = [operator.quantized(at) for at in range(len(operator.inputs))]
    rows, stride = math.prod(output.shape[:axis]), math.prod(output.shape[axis:])
    calls, offset = [], 0
    for source in sources:
        others = source.shape[:axis] + source.shape[axis + 1 :]
        if len(source.shape) != rank or others != output.shape[:axis] + output.shape[axis + 1 :]:
            raise operator.refuse(f"an input of {source.shape} for an output of {output.shape}")
        piece = source.size // rows
        arguments: tuple[Argument, ...] = (*numbers(rows, piece, stride), source, output)
        calls.append(Call(function="place", arguments=arguments, output=output, offset=offset))
        offset += piece
    if offset != stride:
        raise operator.refuse(f"inputs that make {offset} values a row, expected {stride}")
    return calls
