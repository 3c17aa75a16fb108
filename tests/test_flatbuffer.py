"""A model ends where its last object ends, and nothing else is one."""

from __future__ import annotations

import random

import numpy as np
import pytest

from edgewm.content import of_bytes
from edgewm.flatbuffer import NotFlatbuffer
from edgewm.tflite import read_tflite, weights_of
from tests import golden
from tests.needs import needs
from tests.runtimes import models

MODEL = golden.MARKED.read_bytes()
FAR = 0x0102030405060708


NOISE = random.Random(1).randbytes(100)  # the same in every process that collects tests


@pytest.mark.parametrize("path", [golden.MARKED, golden.UNMARKED], ids=["marked", "unmarked"])
@pytest.mark.parametrize(
    "behind", [b"", bytes(100), b"\xff" * 100, NOISE], ids=["nothing", "zeros", "ones", "noise"]
)
def test_the_length_is_exact_whatever_follows(path, behind):
    """Zeros and noise behind a model are not part of it; one byte less and it is no model."""
    model = path.read_bytes()
    assert read_tflite(of_bytes(model + behind)).length == len(model)
    with pytest.raises(NotFlatbuffer):
        read_tflite(of_bytes(model[:-1]))


@needs("litert")
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "float32"])
@pytest.mark.parametrize("size", [3, 8, 10])
def test_models_of_another_writer_are_exact(dtype: str, size: int):
    """Python's flatbuffers aligns buffers to nothing: the length still is what it wrote."""
    model = models.identity(dtype, 0.5, 3, size)
    for behind in (b"", bytes(100), NOISE):
        read = read_tflite(of_bytes(model + behind))
        assert read.length == len(model)
    assert read.inputs[0].shape == (1, size)
    assert (read.inputs[0].dtype, read.inputs[0].scale) == (dtype, 0.5)
    assert read.operators == (("RESHAPE", 1),)


@needs("litert")
def test_weights_behind_the_tables_are_part_of_the_model():
    """Newer files keep large buffers behind the flatbuffer and name their offset and size."""
    data = bytes(range(1, 65))

    def move(schema, tree):
        tree.buffers[-1].data, tree.buffers[-1].offset, tree.buffers[-1].size = None, FAR, 64

    model = models.edited(models.dense(np.ones((4, 4)), np.ones(4)), move)
    with pytest.raises(NotFlatbuffer, match="its data ends"):
        read_tflite(of_bytes(model))
    at = len(model) + 12
    here = model.replace(FAR.to_bytes(8, "little"), at.to_bytes(8, "little"))
    assert here != model
    assert read_tflite(of_bytes(here + bytes(12) + data + b"more")).length == at + 64


def test_facts_are_what_the_model_says():
    """Inputs, outputs, operators, multiply-accumulates and weights of the golden model."""
    read = read_tflite(of_bytes(MODEL))
    assert (read.format, read.macs) == ("tflite", 235_520)
    assert [(t.shape, t.dtype) for t in read.inputs + read.outputs] == [
        ((1, 8, 8, 1), "int8"),
        ((1, 10), "int8"),
    ]
    assert dict(read.operators)["CONV_2D"] == 3
    held = weights_of(read)
    assert [weights.values.shape for weights in held][:2] == [(16, 3, 3, 1), (32, 3, 3, 16)]
    assert {weights.operator for weights in held} == {"CONV_2D", "FULLY_CONNECTED"}
    assert all(weights.values.tobytes() in MODEL for weights in held)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"TFL3",
        b"\x1c\0\0\0TFL3",
        b"\x1c\0\0\0TFL3" + bytes(500),
        b"\x08\0\0\0TFL3" + b"\xff" * 500,
    ],
)
def test_a_lone_identifier_is_no_model(content: bytes):
    """Runtimes hold the string too."""
    with pytest.raises(NotFlatbuffer):
        read_tflite(of_bytes(content))


def test_mutated_models_are_read_or_refused():
    """500 mutations: nothing but NotFlatbuffer, nothing longer than the bytes, and never slow."""
    chosen = random.Random(8)
    read = refused = 0
    for _ in range(500):
        held = bytearray(MODEL)
        for _ in range(chosen.randint(1, 8)):
            at = chosen.choice([chosen.randrange(200), chosen.randrange(len(held))])
            held[at] = chosen.randrange(256)
        if chosen.random() < 0.3:  # an offset or a count that is far off
            at = chosen.randrange(len(held) // 4) * 4
            held[at : at + 4] = chosen.choice([b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\4\0\0\0"])
        try:
            assert read_tflite(of_bytes(bytes(held))).length <= len(held)
            read += 1
        except NotFlatbuffer:
            refused += 1
    assert read > 50
    assert refused > 50


def test_random_bytes_are_no_models():
    """1,000 identifiers among random bytes; one model among them is found."""
    chosen = random.Random(9)
    for _ in range(1000):
        head = chosen.randrange(8, 64).to_bytes(4, "little") + b"TFL3"
        with pytest.raises(NotFlatbuffer):
            read_tflite(of_bytes(head + chosen.randbytes(300)))
