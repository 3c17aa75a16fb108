"""What a file says of its cost, held against what interpreters say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgewm.content import of_bytes
from edgewm.errors import BadInput, RuntimeUnavailable
from edgewm.inspection import inspect_bytes, inspect_model, planned_arena_bytes
from edgewm.layers import KINDS, layers_of, mix_of
from edgewm.runtimes.child import Child
from edgewm.tflite import Tflite, read_tflite
from tests import golden
from tests.needs import data_folder, needs
from tests.runtimes.models import dense


def read(model: bytes) -> Tflite:
    return read_tflite(of_bytes(model))


def test_layers_add_up_to_the_model():
    """MACs of the layers are those of the whole, each of one kind; shapes are those of the file."""
    model = read(golden.MARKED.read_bytes())
    layers = layers_of(model)
    mix = mix_of(layers)
    assert model.macs == sum(mix.macs.values()) == sum(layer.macs for layer in layers) > 0
    assert set(mix.macs) == set(KINDS)
    assert [layer.index for layer in layers] == list(range(len(layers)))
    assert layers[0].input_shape == (1, 8, 8, 1)
    assert layers[-1].output_shape == (1, 10)
    first = layers[0]
    assert first.operator == "CONV_2D"
    assert first.quantisation == "per channel"
    assert first.macs == np.prod(first.output_shape) * np.prod(first.weights_shape[1:])


@needs("litert")
def test_one_dense_layer_by_hand():
    """A float layer of 6 to 3: 18 MACs, 84 bytes of constants, 36 of activations, no quantisation."""
    (layer,) = layers_of(read(dense(np.ones((3, 6)), np.zeros(3))))
    assert (layer.kind, layer.macs) == ("dense", 18)
    assert (layer.constant_bytes, layer.activation_bytes) == (4 * (18 + 3), 4 * (6 + 3))
    assert (layer.quantisation, layer.dtype) == ("none", "float32")


@needs("tflm")
@pytest.mark.parametrize("path", [golden.MARKED, golden.UNMARKED], ids=lambda path: path.stem)
def test_the_plan_is_what_tflm_takes(path: Path):
    """Planned from the file, the tensors take as many bytes as TFLM says; what it keeps comes on top."""
    found = inspect_model(path)
    assert found.arena.non_persistent_bytes == planned_arena_bytes(read(path.read_bytes()))
    assert found.arena.persistent_bytes is not None
    assert found.arena.persistent_bytes > 0
    assert "measured on this host by tflite-micro" in found.arena.origin


@needs("data")
@needs("tflm")
def test_the_plan_on_deployed_models():
    """Six models of other owners, to the byte; one with a kernel's own scratch, which no file tells."""
    folder = data_folder()
    assert folder is not None
    for name in ("ic_resnet8", "kws_dscnn", "vww_mbv1", "ad_autoenc"):
        model = (folder / "models" / f"mlperf_{name}_int8.tflite").read_bytes()
        assert inspect_bytes(model).arena.non_persistent_bytes == planned_arena_bytes(read(model))
    model = (folder / "models" / "tflm_mnist_lstm_int8.tflite").read_bytes()
    taken = inspect_bytes(model).arena.non_persistent_bytes
    assert taken is not None
    assert taken > (planned_arena_bytes(read(model)) or 0)


def test_without_tflm_the_plan_stands_alone(monkeypatch: pytest.MonkeyPatch):
    """The origin says that it is a plan and why; the total is then unknown, not smaller."""

    def missing(self: Child) -> None:
        raise RuntimeUnavailable("tflm: not installed")

    monkeypatch.setattr(Child, "ready", missing)
    arena = inspect_model(golden.MARKED).arena
    assert arena.non_persistent_bytes == planned_arena_bytes(read(golden.MARKED.read_bytes()))
    assert (arena.persistent_bytes, arena.total_bytes) == (None, None)
    assert arena.origin.startswith("planned from the file")
    assert "not installed" in arena.origin


def test_what_is_no_model_is_one_line(tmp_path: Path):
    """Another file is refused, and a cut one too."""
    (tmp_path / "notes.txt").write_text("a text of some length, which is no model")
    with pytest.raises(BadInput, match=r"notes\.txt is no TensorFlow Lite model"):
        inspect_model(tmp_path / "notes.txt")
    with pytest.raises(BadInput, match="no TensorFlow Lite model"):
        inspect_bytes(golden.MARKED.read_bytes()[:3000])
