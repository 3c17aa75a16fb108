"""A recipient's symbols, and what the values read from a suspect score for them.

Every position has a bias p, drawn once for all copies; a recipient's symbol there is one with probability p.
The five biases and their shares are the finite distribution of Nuida et al. (Designs, Codes and
Cryptography 52, 2009) for coalitions of up to ten, roots of a Legendre polynomial, in 1/65536. The score is
the symmetric one (Skoric et al., Designs, Codes and Cryptography 46, 2008) in whole numbers, times the value
that was read, so that a value near zero counts little.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..key import Key
from .tail import Null, Numbers

Symbols = npt.NDArray[np.bool_]

BIASES = (3074, 15123, 32768, 50413, 62462)
"""Probability of a one, in 1/65536."""
SHARES = (12995, 13175, 13196, 13175, 12995)
"""How many of 65536 positions have each."""
FOR_ONE = (36, 15, 8, 4, 2)
"""8 sqrt((1-p)/p): what a one scores; any whole numbers give a valid tail."""
FOR_ZERO = (2, 4, 8, 15, 36)
"""8 sqrt(p/(1-p)): what a zero costs."""


def biases(key: Key, plan: str, positions: int) -> Numbers:
    """(positions,) which bias each position has, the same for every copy of a plan."""
    words = np.frombuffer(key.stream(f"trace biases {plan}", 2 * positions), "<u2")
    return np.searchsorted(np.cumsum(SHARES), words, side="right").astype(np.int64)


def symbols(key: Key, plan: str, recipient: str, biased: Numbers) -> Symbols:
    """(positions,) one recipient's symbols, from a stream of the key of their own."""
    words = np.frombuffer(key.stream(f"trace {plan} to {recipient}", 2 * len(biased)), "<u2")
    found: Symbols = words < np.array(BIASES)[biased]
    return found


def scores(
    key: Key, plan: str, recipients: Sequence[str], read: Numbers, biased: Numbers
) -> dict[str, int]:
    """What `read` (positions,) scores for each recipient."""
    zeros = -read * np.array(FOR_ZERO)[biased]
    gains = read * np.array(FOR_ONE)[biased] - zeros
    none = int(zeros.sum())
    return {name: none + int(gains[symbols(key, plan, name, biased)].sum()) for name in recipients}


def null_of(read: Numbers, biased: Numbers) -> Null:
    """The score of a recipient whose symbols are independent of `read`."""
    used = read != 0
    pairs, counts = np.unique(
        np.stack([biased[used], read[used]], axis=1), axis=0, return_counts=True
    )
    bias, value = pairs[:, 0], pairs[:, 1]
    return Null(
        counts=counts.astype(np.int64),
        chances=np.array(BIASES)[bias] / 65536.0,
        ones=value * np.array(FOR_ONE)[bias],
        zeros=-value * np.array(FOR_ZERO)[bias],
    )
