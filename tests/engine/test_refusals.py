"""What cannot be written as C is refused by the number of its operator, before a file is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgewm.engine import make_engine
from edgewm.errors import BadInput
from tests import golden
from tests.engine import models
from tests.engine.models import Op, T
from tests.runtimes.models import edited

MARKED = golden.MARKED.read_bytes()
CASES = models.cases()


def _changed(name: str, at: int, **options: Any) -> bytes:
    """A case with other options of one operator."""

    def change(schema: Any, tree: Any) -> None:
        for field, value in options.items():
            setattr(tree.subgraphs[0].operators[at].builtinOptions, field, value)

    return edited(CASES[name], change)


def _tensor(name: str, at: int, **fields: Any) -> bytes:
    """A case with one tensor that says something else."""

    def change(schema: Any, tree: Any) -> None:
        for field, value in fields.items():
            tensor = tree.subgraphs[0].tensors[at]
            holder = tensor.quantization if field in ("scale", "zeroPoint") else tensor
            setattr(holder, field, value)

    return edited(CASES[name], change)


def _stored(name: str, at: int, values: np.ndarray) -> bytes:
    def change(schema: Any, tree: Any) -> None:
        buffer = tree.buffers[tree.subgraphs[0].tensors[at].buffer]
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)

    return edited(CASES[name], change)


def _shape(*lengths: int) -> np.ndarray:
    return np.array(lengths, np.int32)


NOWHERE = models.packed(
    [T(shape=(1, 4)), T(shape=(1, 4)), T(shape=(1, 4))],
    [Op(name="RELU", inputs=[1], output=2)],
    [0],
    [2],
)
TANH = models.packed(
    [T(shape=(1, 4)), T(shape=(1, 4)), T(shape=(1, 4))],
    [Op(name="RELU", inputs=[0], output=1), Op(name="TANH", inputs=[1], output=2)],
    [0],
    [2],
)
LONG = models.packed(
    [T(shape=(1, 4))] * 4098,
    [Op(name="RELU", inputs=[at], output=at + 1) for at in range(4097)],
    [0],
    [4097],
)
REFUSED = {
    "too long": (LONG, r"got 4097 operators"),
    "operator": (TANH, r"operator 1 \(TANH\): not among the operators"),
    "read before written": (NOWHERE, r"operator 0 \(RELU\): reads tensor 1"),
    "float": (_tensor("dense", 0, type=0), r"input is float32, expected int8"),
    "uint8": (_tensor("dense", 0, type=3), r"input 0 is uint8, expected int8|input is uint8"),
    "no scale": (_tensor("dense", 0, scale=np.zeros(0, np.float32)), r"has 0 scales"),
    "scale 0": (_tensor("dense", 0, scale=np.zeros(1, np.float32)), r"the scale 0.0"),
    "scale infinite": (_tensor("dense", 3, scale=np.float32([np.inf])), r"the scale inf"),
    "zero point": (_tensor("dense", 0, zeroPoint=np.array([300])), r"zero point 300"),
    "asymmetric weights": (_tensor("dense", 1, zeroPoint=np.full(11, 3)), r"symmetric"),
    "scales": (_tensor("dense", 1, scale=np.ones(7, np.float32)), r"7 scales"),
    "axis": (_tensor("conv 3x3", 1, shape=_shape(4, 3, 3, 8)), r"operator 0 \(CONV_2D\)"),
    "empty": (_tensor("dense", 0, shape=_shape(1, 0)), r"empty or too large"),
    "huge": (_tensor("add", 0, shape=_shape(1, 1 << 20, 1 << 10)), r"empty or too large"),
    "stored size": (_tensor("dense", 1, shape=_shape(11, 36)), r"is stored in 407 bytes"),
    "output": (_tensor("dense", 3, shape=_shape(1, 12)), r"an output of \(1, 12\)"),
    "batch": (_tensor("max", 0, shape=_shape(2, 7, 6, 3)), r"with batch 1"),
    "stride": (_changed("conv 3x3", 0, strideH=0), r"stride \(0, 1\)"),
    "window output": (_changed("conv 3x3", 0, strideH=2), r"expected an output of \(3, 5\)"),
    "activation": (_changed("conv 3x3", 0, fusedActivationFunction=4), r"activation 4"),
    "multiplier": (_changed("depthwise", 0, depthMultiplier=2), r"multiplier 2 with weights"),
    "groups": (_tensor("conv 3x3", 0, shape=_shape(1, 6, 5, 8)), r"no groups"),
    "no axes": (_tensor("conv 3x3", 0, shape=_shape()), r"for an input of \(\)"),
    "axes apart": (_stored("mean pictures", 1, _shape(1, 3)), r"neighbouring"),
    "axis outside": (_stored("mean of time", 1, _shape(5)), r"axes \[5\]"),
    "pad below 0": (_stored("pad two axes", 1, _shape(1, -1, 0, 0)), r"none below 0"),
    "pad output": (_stored("pad two axes", 1, _shape(0, 0, 2, 3)), r"expected \(2, 10\)"),
    "pad value": (_tensor("pad value", 3, shape=_shape(2)), r"is stored in 1 bytes"),
    "concatenation axis": (_changed("concatenation rows", 1, axis=9), r"axis 9"),
    "concatenation": (_changed("concatenation rows", 1, axis=2), r"operator 1"),
    "softmax scale": (_tensor("softmax", 1, scale=np.float32([0.01])), r"1/256"),
    "softmax beta": (_changed("softmax", 0, beta=float("nan")), r"beta nan"),
    "bias": (_stored("dense", 2, np.full(11, 2**31 - 1, np.int32)), r"may leave 32 bits"),
    "broadcast": (_tensor("add stored", 1, shape=_shape(8, 1)), r"the end of the other"),
    "reshape": (_tensor("reshape", 1, shape=_shape(1, 3, 5)), r"shapes \(1, 12\) to \(1, 3, 5\)"),
    "shuffled": (_changed("dense", 0, weightsFormat=1), r"shuffled"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_do_not_fit_are_refused_with_the_operator(name: str):
    """One line that says which operator, what was got and what was expected."""
    model, reason = REFUSED[name]
    with pytest.raises(BadInput, match=reason) as caught:
        make_engine(model)
    assert str(caught.value).startswith("MODEL: ")
    assert "\n" not in str(caught.value)


def test_the_cases_that_were_changed_are_accepted():
    """The control of the above."""
    for name in CASES:
        assert make_engine(CASES[name]).files["edgewm_model.c"]


@pytest.mark.parametrize("model", [b"", b"TFL3", MARKED[:-4000], b"\0" * 64, MARKED[4:]])
def test_files_that_are_no_model_are_refused(model: bytes):
    """Truncated or other files."""
    with pytest.raises(BadInput, match=r"not a whole \.tflite model"):
        make_engine(model)


def test_damaged_files_are_refused_or_written_and_never_crash():
    """Random bytes changed: a refusal in one line, or C of a model that is sound."""
    rng = np.random.default_rng(3)
    refused = 0
    for name in ("branching", "conv odd", "concatenation rows", "pad value", "mean rescaled"):
        for _ in range(150):
            damaged = bytearray(CASES[name])
            for at in rng.integers(0, len(damaged), rng.integers(1, 6)):
                damaged[at] = rng.integers(256)
            try:
                make_engine(bytes(damaged))
            except BadInput:
                refused += 1
    assert 100 < refused < 700


def test_weights_stand_in_the_order_of_the_file():
    """So that `edgewm match` finds them in a firmware image: the text holds them as the file does."""
    from edgewm.content import of_bytes
    from edgewm.tflite import read_tflite, weights_of

    text = make_engine(MARKED).files["edgewm_model.c"]
    flat = " ".join(text.split())
    for weights in weights_of(read_tflite(of_bytes(MARKED))):
        assert ", ".join(map(str, weights.values.ravel().tolist())) in flat


def test_the_same_model_gives_the_same_bytes():
    """Nothing of the moment or the machine is in the text, and another model's is another."""
    assert make_engine(MARKED).files == make_engine(MARKED).files
    assert make_engine(MARKED).files != make_engine(golden.UNMARKED.read_bytes()).files
