"""TensorFlow Lite models that stand in any bytes as they are: files, images, ELF sections, archives.

Every "TFL3" is a place to look; only a whole flatbuffer that walks from end to end is a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..content import Content
from ..flatbuffer import NotFlatbuffer
from ..tflite import read_tflite
from . import Budget, Piece


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Models in place, at any offset."""

    def pieces(self, content: Content, budget: Budget) -> Iterator[Piece]:
        """The models of `content`."""
        if not content.sightings.complete:
            budget.notes.append(
                "more than 100,000 places look like a model, the rest is not searched"
            )
        end = 0
        for position, key in content.sightings.models:
            start = position - 4
            if key or start < end:  # inside a model: a name of its own
                continue
            try:
                model = read_tflite(content.part(start, content.size - start))
            except NotFlatbuffer:
                continue
            end = start + model.length
            yield Piece(name="", content=model.content, offset=start, model=model)
