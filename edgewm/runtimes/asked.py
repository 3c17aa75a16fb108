"""Which tensor of a model takes the question, which one answers, and what the others get.

A model with one input and one output needs no choice. Of several, the caller names one; the other inputs are
held at zero. A streaming model takes a question frame by frame: the question is cut along its first axis,
the pieces are given in order, and the last answer counts. State that such a model keeps inside is left to
it between frames; state that it hands out is given back, output to input, in the order of the file.

Python 3.9, standard library and numpy, since it travels beside worker.py.
"""

from __future__ import annotations

from typing import Any


def tensor(name: str, shape: Any, dtype: Any, scales: Any, zero_points: Any) -> dict[str, Any]:
    """What the parent is told of a tensor; several quantisation steps are told as none."""
    import numpy as np

    one = len(scales) == 1
    return {
        "name": str(name)[:200],
        "shape": [int(length) for length in shape],
        "dtype": np.dtype(dtype).name,
        "scale": float(scales[0]) if one else 0.0,
        "zero_point": int(zero_points[0]) if one and len(zero_points) == 1 else 0,
    }


def asked_of(
    inputs: list[dict[str, Any]], outputs: list[dict[str, Any]], choice: dict[str, Any]
) -> tuple[Asked | None, dict[str, Any]]:
    """How a model is asked, None when nothing says so yet, and the facts that the parent is told.

    Raises:
        ValueError: `choice` names a tensor that is not there, or frames that do not fit.
    """
    give = _chosen("input", inputs, choice)
    take = _chosen("output", outputs, choice)
    frames = int(choice.get("frames", 1))
    facts = {
        "inputs": inputs if give is None else [inputs[give]],
        "outputs": outputs if take is None else [outputs[take]],
        "arena_bytes": None,
        "arena_persistent_bytes": None,
    }
    if give is None or take is None:
        return None, facts
    if frames > 1:
        shape = list(inputs[give]["shape"])
        if len(shape) < 2 or shape[1] < 1:
            raise ValueError("takes inputs without an axis of frames, leave frames= out")
        shape[1] *= frames
        facts["inputs"] = [{**inputs[give], "shape": shape}]
    return Asked(inputs, outputs, (give, take, frames)), facts


def _chosen(word: str, tensors: list[dict[str, Any]], choice: dict[str, Any]) -> int | None:
    named = choice.get(word)
    if named is None:
        return 0 if len(tensors) == 1 else None
    if not 0 <= int(named) < len(tensors):
        raise ValueError(
            f"has {len(tensors)} {word}s, counted from 0; {word}={named} is none of them"
        )
    return int(named)


class Asked:
    """One way to ask one model."""

    def __init__(
        self,
        inputs: list[dict[str, Any]],
        outputs: list[dict[str, Any]],
        chosen: tuple[int, int, int],
    ) -> None:
        import numpy as np

        self.outputs = len(outputs)
        self._give, self._take, self._frames = chosen
        self._first: list[Any] = [
            np.full([max(d, 1) for d in one["shape"]], one["zero_point"], np.dtype(one["dtype"]))
            for one in inputs
        ]
        self._state: dict[int, int] = {}
        if self._frames > 1:
            self._state = _pairs(inputs, outputs, self._give, self._take)

    def ask(self, sample: Any, infer: Any) -> Any:
        """The answer to one question (1, *shape); `infer` takes all inputs and gives all outputs."""
        import numpy as np

        values, given = list(self._first), []
        for piece in np.split(sample, self._frames, axis=1) if self._frames > 1 else [sample]:
            values[self._give] = piece
            given = infer(values)
            for to, source in self._state.items():
                values[to] = given[source].copy()
        return given[self._take]


def _pairs(
    inputs: list[dict[str, Any]], outputs: list[dict[str, Any]], give: int, take: int
) -> dict[int, int]:
    """Which output is given back to which input for the next frame."""
    spare = [index for index in range(len(outputs)) if index != take]
    found = {}
    for index, one in enumerate(inputs):
        if index == give:
            continue
        wanted = (one["shape"], one["dtype"])
        same = [k for k in spare if (outputs[k]["shape"], outputs[k]["dtype"]) == wanted]
        if not same:
            raise ValueError(
                f"has an input of {one['dtype']} {one['shape']} that no output gives back for the next "
                "frame"
            )
        found[index] = same[0]
        spare.remove(same[0])
    return found
