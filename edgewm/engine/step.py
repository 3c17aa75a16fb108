"""What an operator becomes: one call of a kernel, with the constants that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .graph import Operand


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """An argument: memory that only this call needs."""

    size: int


@dataclass(frozen=True, kw_only=True)
class Structure:
    """An argument: a constant of one of the kernels' types."""

    kind: str
    """Without `edgewm_` and `_t`."""
    fields: tuple[str | Array, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Array:
    """A field or an argument: a constant array."""

    values: npt.NDArray[np.generic]
    """int8 or int32, one axis."""


Argument = str | Operand | Scratch | Structure | Array


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call; an operand as an argument is a pointer to its values."""

    function: str
    """Without `edgewm_`."""
    arguments: tuple[Argument, ...]
    output: Operand
    offset: int = 0
    """Bytes into the output at which the call begins to write."""


@dataclass(frozen=True, kw_only=True)
class Alias:
    """Nothing to compute: the output's values are the input's."""

    input: Operand
    output: Operand


Step = Sequence[Call] | Alias


def array(values: npt.ArrayLike, dtype: str) -> Array:
    """A constant array of `int8` or `int32`."""
    return Array(values=np.ascontiguousarray(values, dtype).ravel())


def numbers(*values: int) -> tuple[str, ...]:
    """Whole numbers as C has them."""
    return tuple(map(str, values))
