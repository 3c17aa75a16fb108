"""Probabilities in words that a reader without statistics can check, never stronger than the numbers."""

from __future__ import annotations

import math

_MILLION = 6.0
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def one_in(log10_p: float) -> str:
    """A probability as "one in ...", the number rounded down so that the words never overstate."""
    if not math.isfinite(log10_p):
        return "no number"
    decades = -log10_p
    if decades < _MILLION + 3:
        number = math.floor(10**decades * (1 + 1e-12))
        if number < 2:
            return "next to certain"
        keep = 10 ** max(len(str(number)) - 2, 0)
        return f"one in {number // keep * keep:,}"
    whole = math.floor(decades)
    return f"one in 10{str(whole).translate(_SUPERSCRIPT)}"


def zeros(log10_p: float) -> str:
    """A long number spelled by its zeros; empty where `one_in` writes the number itself."""
    whole = math.floor(-log10_p)
    return f"a 1 followed by {whole} zeros" if -log10_p >= _MILLION + 3 else ""


def likened(log10_p: float) -> str:
    """The same probability, or a larger one, as something that a reader has done."""
    decades = -log10_p
    draws = math.floor(decades / _MILLION + 1e-12)
    if draws >= 2:
        return f"drawing the one marked ticket out of a million, {draws} times in a row"
    if draws == 1:
        return "drawing the one marked ticket out of a million"
    heads = math.floor(decades / math.log10(2) + 1e-12)
    if heads >= 2:
        return f"throwing heads {heads} times in a row"
    return "throwing heads once" if heads == 1 else "what happens all the time"
