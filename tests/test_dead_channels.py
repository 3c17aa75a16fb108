"""Channels that hold nothing but zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgewm.content import of_bytes
from edgewm.dead_channels import live_macs
from edgewm.layers import layers_of
from edgewm.tflite import read_tflite
from tests import golden
from tests.needs import data_folder, needs
from tests.runtimes.models import edited

MARKED = golden.MARKED.read_bytes()


def emptied(channels: int) -> bytes:
    """The golden model after the first output channels of its second convolution were set to zero."""

    def change(schema: Any, tree: Any) -> None:
        graph = tree.subgraphs[0]
        codes = [code.builtinCode for code in tree.operatorCodes]
        convolutions = [
            o for o in graph.operators if codes[o.opcodeIndex] == schema.BuiltinOperator.CONV_2D
        ]
        tensor = graph.tensors[convolutions[1].inputs[1]]
        stored = tree.buffers[tensor.buffer]
        values = np.array(stored.data, np.uint8).reshape(tensor.shape)
        values[:channels] = 0
        stored.data = values.ravel()

    return edited(MARKED, change)


def test_nothing_is_dropped_where_nothing_is_empty():
    """The control: every MAC of a trained network is alive."""
    model = read_tflite(of_bytes(MARKED))
    assert sum(live_macs(model)) == model.macs


@needs("litert")
def test_an_empty_channel_takes_the_next_layers_share_along():
    """Half of a layer's channels at zero: half its MACs are left, and half of the next one's."""
    before = layers_of(read_tflite(of_bytes(MARKED)))
    second = [layer for layer in before if layer.operator == "CONV_2D"][1]
    half = second.output_shape[-1] // 2
    after = layers_of(read_tflite(of_bytes(emptied(half))))
    assert after[second.index].live_macs == second.macs // 2
    assert after[second.index].macs == second.macs
    later = next(layer for layer in after[second.index + 1 :] if layer.macs)
    assert later.live_macs == later.macs // 2
    assert sum(layer.live_macs for layer in after) < sum(layer.macs for layer in before)


@needs("data")
def test_the_published_network_with_empty_channels():
    """Half of the visual-wake-words network is empty, which halves its time on engines that drop it."""
    folder = data_folder()
    assert folder is not None
    shares = {}
    for name in ("vww_mbv1", "kws_dscnn", "ic_resnet8", "ad_autoenc"):
        model = read_tflite(
            of_bytes((folder / "models" / f"mlperf_{name}_int8.tflite").read_bytes())
        )
        shares[name] = sum(live_macs(model)) / model.macs
    assert 0.45 < shares.pop("vww_mbv1") < 0.55
    assert set(shares.values()) == {1.0}


@needs("litert")
def test_weights_without_axes_are_not_followed():
    """A file that says that a layer's weights are a single number gives no shares, and no error."""

    def change(schema: Any, tree: Any) -> None:
        graph = tree.subgraphs[0]
        for operator in graph.operators:
            for index in operator.inputs[1:2]:
                graph.tensors[index].shape = np.array([], np.int32)
                tree.buffers[graph.tensors[index].buffer].data = np.zeros(1, np.uint8)

    model = read_tflite(of_bytes(edited(MARKED, change)))
    assert sum(live_macs(model)) == model.macs
