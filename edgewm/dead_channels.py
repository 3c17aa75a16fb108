"""MACs that are left when channels whose weights are all zero are dropped.

Training with weight decay empties channels of networks that are wider than their task: the value of such a
channel is a constant, so a code generator folds it into the next layer's bias. X-CUBE-AI and Plumerai do,
TFLM does not, and the published times of one network then differ twofold for that reason alone.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .flatbuffer import Node
from .tflite import Tflite, dtype_of, macs_of, operators_of, shape_of, stored_bytes

_PASSED_ON = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "RELU", "RELU6", "QUANTIZE", "PAD")
_Alive = npt.NDArray[np.bool_]


def live_macs(model: Tflite) -> tuple[int, ...]:
    """MACs of every operator of the first subgraph, without channels that are constant.

    A channel is dropped where its int8 weights are all zero, or where it is a depthwise channel of a dropped
    one; at layers that mix channels in another way nothing is dropped.
    """
    tensors = model.root["subgraphs"][0].get("tensors", [])
    alive: dict[int, _Alive] = {}
    found = []
    for operator in operators_of(model):
        name = operator.name
        read = [i for i in operator.inputs if i >= 0]
        written = [i for i in operator.outputs if i >= 0]
        if not read or not written:
            found.append(0)
            continue
        shapes = [shape_of(model.content, tensors[i]) for i in read]
        output = shape_of(model.content, tensors[written[0]])
        macs = macs_of(name, shapes, output)
        incoming = alive.get(read[0])
        weights = _weights(model, tensors[read[1]], shapes[1]) if macs and len(read) > 1 else None
        if name in ("CONV_2D", "FULLY_CONNECTED") and weights is not None:
            outgoing = weights.reshape(len(weights), -1).any(axis=1)
            macs = round(macs * _share(outgoing) * _share_of_inputs(incoming, shapes[1][-1]))
        elif name == "DEPTHWISE_CONV_2D" and weights is not None:
            outgoing = weights.reshape(-1, weights.shape[-1]).any(axis=0)
            if incoming is not None and len(incoming) == len(outgoing):
                outgoing = outgoing & incoming
            macs = round(macs * _share(outgoing))
        else:
            outgoing = _passed(
                name, incoming, alive.get(read[1]) if len(read) > 1 else None, output
            )
        if outgoing is not None:
            alive[written[0]] = outgoing
        found.append(macs)
    return tuple(found)


def _share(alive: _Alive) -> float:
    return float(alive.mean()) if len(alive) else 1.0


def _share_of_inputs(alive: _Alive | None, channels: int) -> float:
    return 1.0 if alive is None or len(alive) != channels else _share(alive)


def _passed(
    name: str, first: _Alive | None, second: _Alive | None, output: tuple[int, ...]
) -> _Alive | None:
    """Channels that are alive behind an operator without MACs; None where all may be."""
    if first is None or not output:
        return None
    if name == "ADD":
        return first | second if second is not None and len(first) == len(second) else None
    kept = name in _PASSED_ON or name == "RESHAPE"
    return first if kept and output[-1] == len(first) else None


def _weights(model: Tflite, tensor: Node, shape: tuple[int, ...]) -> npt.NDArray[np.int8] | None:
    raw = stored_bytes(model, tensor) if dtype_of(tensor) == "int8" else b""
    if len(shape) < 2 or not raw or len(raw) != math.prod(shape):
        return None
    values = np.frombuffer(raw, np.int8)
    return values.reshape(shape)
