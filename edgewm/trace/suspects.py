"""What there is to read in a suspect: every model in it, and its bare bytes where none is like ours."""

from __future__ import annotations

from collections.abc import Iterator

from ..finding import Found, Note, contents, find
from ..tflite import read_tflite, weights_of
from . import align, image
from .plan import Plan

_LARGEST_IMAGE = 64 << 20


def aligned_suspects(plan: Plan, path: str) -> Iterator[tuple[str, list[align.Values | None]]]:
    """Where, and the tensors there that are like the plan's, in its order.

    Raises:
        BadInput: `path` cannot be read.
    """
    seen = False
    for item in find([path]):
        if isinstance(item, Found) and item.format == "tflite":
            aligned = align.counterparts(plan, weights_of(read_tflite(item.content)))
            if any(values is not None for values in aligned):
                seen = True
                yield item.path, aligned
    if seen:
        return
    for opened in contents([path]):
        if isinstance(opened, Note) or not 0 < opened.content.size <= _LARGEST_IMAGE:
            continue
        aligned = image.counterparts(plan, opened.content.read(0, opened.content.size))
        if any(values is not None for values in aligned):
            yield opened.path, aligned
