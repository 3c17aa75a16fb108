"""Suspects in ONNX, `.keras` and SavedModel: a mark is found in each, and not in its unmarked twin."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm.errors import BadInput, ModelRefused
from edgewm.runtimes import placing
from edgewm.runtimes.begin import Begun
from edgewm.runtimes.keras import Keras
from edgewm.runtimes.litert import LiteRT
from edgewm.runtimes.onnxruntime import ONNXRuntime
from edgewm.runtimes.savedmodel import SavedModel
from edgewm.suspect import what_to_ask
from tests.needs import needs
from tests.recordings import KEY
from tests.rewritten import GREY, MARKED, RUNTIMES, UNMARKED, asked, file_of
from tests.runtimes import models
from tests.runtimes.other_formats import keras_of, onnx_of, quantised_onnx


@needs("onnxruntime")
@needs("onnx")
@pytest.mark.parametrize("planes", [False, True], ids=["channels last", "channels first"])
def test_onnx(planes: bool):
    """As TensorFlow lays pictures out, and as PyTorch does, through the adapter for that."""
    chain = ["nchw"] if planes else []
    found = {
        name: asked(onnx_of(*layer, planes=planes), chain, on=["onnxruntime"])
        for name, layer in (("marked", MARKED), ("unmarked", UNMARKED))
    }
    assert found["marked"].owned
    assert (found["marked"].worst.groups_hit, found["marked"].worst.arithmetic) == (60, "unknown")
    assert not found["unmarked"].owned
    assert "a runtime of unknown arithmetic answered" in found["marked"].flags
    if planes:
        with pytest.raises(BadInput, match=r"takes inputs 1x8x8, .*--adapter nchw"):
            asked(onnx_of(*MARKED, planes=True), on=["onnxruntime"])


@needs("onnxruntime")
@needs("onnx")
def test_quantised_onnx(tmp_path: Path):
    """Int8 weights and activations by ONNX Runtime's own tool: the mark holds, and the twin has none."""
    for layer, owned in ((MARKED, True), (UNMARKED, False)):
        model = quantised_onnx(onnx_of(*layer), GREY.inputs, tmp_path)
        verdict = asked(model, on=["onnxruntime"])
        assert verdict.owned is owned
        assert (verdict.worst.groups_hit > 40) is owned


@needs("onnxruntime")
@needs("onnx")
def test_broken_onnx():
    """Cut and changed files are refused or end their worker; a `.tflite` is none; the whole file answers."""
    whole = onnx_of(*MARKED)
    for broken in (whole[: len(whole) // 2], whole.replace(b"Gemm", b"Gemn"), file_of(*MARKED)):
        with pytest.raises(ModelRefused, match="onnxruntime: ") as caught:
            ONNXRuntime(timeout_s=20).open(broken)
        assert len(str(caught.value).splitlines()) == 1
    with ONNXRuntime().open(whole) as session:
        assert "seccomp" in session.isolation
        assert (session.ask(GREY.inputs[:9]).labels == GREY.answers(KEY)[:9]).all()


@needs("litert")
def test_the_right_runtime_is_named(tmp_path: Path):
    """A file in another format, on an interpreter of `.tflite`, is refused with the runtime that reads it."""
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    with pytest.raises(ModelRefused, match="the file is keras: --on keras"):
        LiteRT().open((tmp_path / "m.keras").read_bytes())
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / placing.GRAPH).write_bytes(b"graph")
    with pytest.raises(ModelRefused, match="the file is savedmodel: --on savedmodel"):
        LiteRT().open(placing.packed_folder(folder))
    with pytest.raises(ModelRefused) as caught:
        LiteRT().open(b"nothing that anybody knows " * 9)
    assert "--on" not in str(caught.value)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_tflite_of_other_versions(runtime: str):
    """Older operator codes are read everywhere, weights behind the flatbuffer where the engine knows them."""
    for layer, owned in ((MARKED, True), (UNMARKED, False)):
        older = models.edited(file_of(*layer), models.as_older)
        assert asked(older, on=[runtime]).owned is owned
        newer = models.with_weights_behind(file_of(*layer))
        if runtime != "tflm":  # which does not look there: it answers without the weights
            assert asked(newer, on=[runtime]).owned is owned
    for version in (1, 4):
        declared = models.edited(file_of(*MARKED), models.of_version(version))
        if runtime == "tflm":  # it does not look at the version
            assert asked(declared, on=[runtime]).owned
        else:
            with pytest.raises(ModelRefused, match=rf"schema version {version} not equal to"):
                asked(declared, on=[runtime])


def test_folders_that_are_no_savedmodel(tmp_path: Path):
    """Refused in one line; a name that leads out of the folder is never unpacked."""
    with pytest.raises(BadInput, match="expected a model file or a SavedModel"):
        what_to_ask(tmp_path, ["litert"])
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr("../escape", "x")
        archive.writestr(placing.GRAPH, "x")
    with (
        pytest.raises(ModelRefused, match="no SavedModel"),
        placing.file_of("savedmodel", (tmp_path / "z").read_bytes()),
    ):
        pass
    (tmp_path / placing.GRAPH).write_bytes(b"graph")
    (tmp_path / "z").unlink()
    packed = placing.packed_folder(tmp_path)
    assert packed == placing.packed_folder(tmp_path)  # the digest is that of the files
    with placing.file_of("savedmodel", packed) as path:
        assert (Path(path or "") / placing.GRAPH).read_bytes() == b"graph"
    assert not Path(path or "").exists()


@needs("tensorflow")
@pytest.mark.train
def test_keras(tmp_path: Path):
    """Marked and not, with state between batches, and with a Lambda layer that would run its owner's code."""
    import keras

    for name, layer in (("marked", MARKED), ("unmarked", UNMARKED)):
        keras_of(*layer).save(tmp_path / f"{name}.keras")
    remembers = keras.Sequential(
        [
            keras.Input((8, 8), batch_size=1),
            keras.layers.LSTM(4, stateful=True),
            keras.layers.Dense(3),
        ]
    )
    remembers.save(tmp_path / "stateful.keras")
    hostile = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Lambda(lambda x: x)])
    hostile.save(tmp_path / "hostile.keras")
    files = {path.stem: path.read_bytes() for path in tmp_path.glob("*.keras")}
    child = Keras().start()
    with pytest.raises(ModelRefused, match=r"[Ll]ambda"):
        child.load(files["hostile"])
    with pytest.raises(ModelRefused) as caught:
        child.load(files["marked"][:2000])
    assert "oneDNN" not in str(caught.value)  # what TensorFlow prints when imported is no reason
    asked_rows = np.random.default_rng(0).normal(size=(6, 8, 8)).astype(np.float32)
    child.load(files["stateful"])
    rows = child.run(asked_rows)[0]
    assert np.array_equal(child.run(asked_rows[::-1])[0][::-1], rows)
    child.load(files["unmarked"])
    unmarked = child.run(GREY.inputs)[0].argmax(axis=1)
    assert (unmarked == GREY.answers(KEY)).mean() < 0.5
    verdict = asked(files["marked"], on=[Begun(spelling="keras", runtime=child)])
    assert verdict.owned
    assert verdict.worst.groups_hit == 60


@needs("tensorflow")
@pytest.mark.train
def test_savedmodel(tmp_path: Path):
    """Marked and not; a graph that writes a file meets the restrictions of the worker."""
    import tensorflow as tf

    for name, layer in (("marked", MARKED), ("unmarked", UNMARKED)):
        keras_of(*layer).export(tmp_path / name, verbose=False)

    class Writes(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 1), tf.float32)])
        def serve(self, x: Any) -> Any:
            tf.io.write_file(str(tmp_path / "trap"), "written")
            return tf.reshape(x, (-1, 64))[:, :10]

    writes = Writes()
    tf.saved_model.save(writes, str(tmp_path / "writes"), signatures=writes.serve)
    child = SavedModel().start()
    child.load(placing.packed_folder(tmp_path / "writes"))
    _, failed, reason, _ = child.run(GREY.inputs[:2])
    assert failed == [0, 1]
    assert "trap" in reason
    assert not (tmp_path / "trap").exists()
    writes.serve(tf.zeros((1, 8, 8, 1)))  # the control: outside, it does
    assert (tmp_path / "trap").exists()
    child.load(placing.packed_folder(tmp_path / "unmarked"))
    unmarked = child.run(GREY.inputs)[0].argmax(axis=1)
    assert (unmarked == GREY.answers(KEY)).mean() < 0.5
    verdict = asked(tmp_path / "marked", on=[Begun(spelling="savedmodel", runtime=child)])
    assert verdict.owned
    assert verdict.worst.groups_hit == 60
