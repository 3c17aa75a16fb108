"""Which adapters make the triggers' shape a suspect's, and which chains are worth a try.

Both follow from shapes and number ranges alone, never from an answer. The chains to try are a fixed list:

    the shape          the shortest of grey_to_rgb / rgb_to_grey, resize, nchw / reshape that fits
    the value range    as the triggers are; 0 to 1; -1 to 1; 0 to 255; what a quantised input can hold;
                       three channels also: ImageNet's mean and deviation

one chain for each value range, the triggers' own named once. Triggers that do not say their range are
tried as they are.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from .. import spec
from ..commitment import Committed
from ..errors import BadInput
from . import Adapter, Questions
from .chain import value_range

RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
IMAGENET = "standardise:mean=0.485x0.456x0.406,deviation=0.229x0.224x0.225"
"""Mean and deviation of ImageNet's pixels in 0 to 1, as published with the first PyTorch models."""

_COLOURS = ((), ("grey_to_rgb",), ("rgb_to_grey",))
_SIZES = ((), ("resize",))
_LAYOUTS = ((), ("nchw",), ("reshape",))


def suggested(takes: tuple[int, ...], shape: tuple[int, ...]) -> list[str] | None:
    """The shortest chain from inputs of `shape` to what the suspect takes; None if there is none.

    `reshape` is the last resort, and only for pictures and vectors: the numbers of anything else that
    has as many of them mean something else.
    """
    chains = [[*c, *s, *at] for c, s, at in product(_COLOURS, _SIZES, _LAYOUTS)]
    for chain in sorted(chains, key=lambda chain: ("reshape" in chain, len(chain))):
        if "reshape" in chain and len(takes) > 3:
            continue
        questions = Questions(
            inputs=np.zeros((1, *shape)), classes=2, value_range=None, takes=takes
        )
        try:
            for name in chain:
                questions = spec.parse("adapters", name).adapt(questions)
        except BadInput:
            continue
        if questions.shape == takes:
            return chain
    return None


def plausible(
    triggers: Committed, *, takes: tuple[int, ...], representable: tuple[float, float] | None
) -> list[list[str | Adapter]]:
    """The chains to try for a suspect, the first one as the triggers are.

    Raises:
        BadInput: no chain of shapes leads to what the suspect takes.
    """
    steps = suggested(takes, triggers.shape)
    if steps is None:
        raise BadInput(
            f"--try-adapters: no adapter leads from {triggers.shape}, the triggers, to {takes}, "
            "what the suspect takes"
        )
    colours = [name for name in steps if (name,) in _COLOURS]
    rest = steps[len(colours) :]
    own = value_range(triggers)
    ranges: list[list[str]] = [[]]
    if own is not None:
        held = () if representable is None else (representable,)
        named = dict.fromkeys((*RANGES, *held))
        ranges += [[ranged(*ends)] for ends in named if ends != own]
        channels = {"grey_to_rgb": 3, "rgb_to_grey": 1}.get("".join(colours), triggers.shape[-1])
        if len(triggers.shape) == 3 and channels == 3:
            ranges.append([ranged(0.0, 1.0), IMAGENET])
    return [[*colours, *part, *rest] for part in ranges]


def ranged(low: float, high: float) -> str:
    """The spelling of a value range."""
    return f"range:low={low:.6g},high={high:.6g}"


def nearest_range(low: float, high: float) -> str:
    """The spelling of the usual range that a quantised input's is within 5 % of, or of its own."""
    for usual in (*RANGES, (-128.0, 127.0)):
        if max(abs(low - usual[0]), abs(high - usual[1])) <= 0.05 * (usual[1] - usual[0]):
            return ranged(*usual)
    return ranged(low, high)
