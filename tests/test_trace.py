"""Who leaked it: copies, what thieves make of them, and that nobody innocent is named."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edgewm import load_key, load_triggers, verify
from edgewm.errors import BadInput
from edgewm.key import Key
from edgewm.tflite import read_tflite, weights_of
from edgewm.trace import align, code, image
from edgewm.trace.issue import issue
from edgewm.trace.plan import kernels_of, make_plan
from edgewm.trace.read import Trace, trace
from edgewm.trace.tail import Null
from edgewm.weight_layouts import blocked
from tests import golden
from tests.needs import needs

MODEL = golden.MARKED.read_bytes()
KEY = load_key(golden.KEY)
PLAN = make_plan(MODEL, KEY)
NAMES = [f"customer {i}" for i in range(200)]
COPIES = {name: issue(MODEL, PLAN, KEY, name) for name in NAMES[:5]}


def _edited(model: bytes, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """`model` with every kernel changed as real numbers and rounded back."""
    made = bytearray(model)
    for tensor in kernels_of(model):
        values = np.clip(np.rint(change(tensor.values.astype(float))), -127, 127).astype(np.int8)
        made[tensor.offset : tensor.offset + values.size] = values.tobytes()
    return bytes(made)


def _mixed(change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """What five colluders make of their copies, byte by byte of the kernels."""
    held = [kernels_of(copy) for copy in COPIES.values()]
    made = bytearray(MODEL)
    for index, tensor in enumerate(PLAN.tensors):
        values = np.rint(change(np.stack([k[index].values for k in held]).astype(float)))
        made[tensor.offset : tensor.offset + values.size] = values.astype(np.int8).tobytes()
    return bytes(made)


def _read(suspect: bytes, key: Key = KEY) -> Trace:
    plan = PLAN if key is KEY else make_plan(MODEL, key)
    return trace(plan, key, align.counterparts(plan, kernels_of(suspect)), NAMES)


def test_a_copy_changes_each_position_by_one_step_and_nothing_else():
    """Length, tables and all other weights stay; equal arguments give equal bytes, other names others."""
    copy = COPIES["customer 3"]
    assert copy == issue(MODEL, PLAN, KEY, "customer 3")
    assert len({*COPIES.values()}) == len(COPIES)
    before = np.concatenate([t.values.reshape(-1) for t in PLAN.tensors]).astype(int)
    after = np.concatenate([t.values.reshape(-1) for t in kernels_of(copy)]).astype(int)
    moved = np.flatnonzero(before != after)
    assert np.array_equal(moved, PLAN.positions)
    assert set(np.abs(after - before)[moved].tolist()) == {1}
    changed = sum(a != b for a, b in zip(MODEL, copy, strict=True))
    assert changed == len(PLAN.positions)


@needs("litert")
def test_the_mark_survives_the_issue():
    """The copy is owned, and the unmarked twin's copy is not."""
    triggers = load_triggers(golden.TRIGGERS)
    assert verify(COPIES["customer 0"], triggers=triggers, key=KEY).owned
    twin = golden.UNMARKED.read_bytes()
    copy = issue(twin, make_plan(twin, KEY), KEY, "customer 0")
    assert not verify(copy, triggers=triggers, key=KEY).owned


def test_the_leaker_is_named_and_nobody_else():
    """A copy names its recipient; the base file, another key and another plan name nobody."""
    found = _read(COPIES["customer 2"])
    assert found.named == ("customer 2",)
    assert found.ranking[0].log10_p < -100
    assert found.ranking[1].log10_p > -3
    assert _read(MODEL).named == ()
    assert _read(COPIES["customer 2"], Key(secret=bytes(32))).named == ()


RNG = np.random.default_rng(4)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("noise", lambda v: v + RNG.normal(0, 0.1 * v.std(), v.shape)),
        ("pruning", lambda v: np.where(np.abs(v) < np.quantile(np.abs(v), 0.3), 0, v)),
        ("other scales", lambda v: v * 0.83),
        ("fine noise and scales", lambda v: (v + RNG.normal(0, 1, v.shape)) * 0.9),
    ],
)
def test_what_a_thief_does_to_a_copy(name: str, change: Callable[[np.ndarray], np.ndarray]):
    """The leaker is named still; the same done to the base file names nobody."""
    assert _read(_edited(COPIES["customer 1"], change)).named == ("customer 1",)
    assert _read(_edited(MODEL, change)).named == ()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("average", lambda held: held.mean(axis=0)),
        (
            "mixture",
            lambda held: np.take_along_axis(held, RNG.integers(0, 5, held.shape[1:])[None], 0)[0],
        ),
        ("majority", lambda held: np.median(held, axis=0)),
        ("smallest", lambda held: held.min(axis=0)),
        (
            "minority",
            lambda held: held.min(0) + held.max(0) - np.median(held, axis=0),
        ),
    ],
)
def test_five_colluders(name: str, change: Callable[[np.ndarray], np.ndarray]):
    """However they choose among their copies, one of them is named and nobody else."""
    named = set(_read(_mixed(change)).named)
    assert named
    assert named <= set(COPIES)


def test_a_model_of_somebody_else_has_nothing_to_read():
    """Weights that are not like ours are not aligned, and name nobody."""
    strange = _edited(MODEL, lambda v: RNG.permutation(v.reshape(-1)).reshape(v.shape))
    found = align.counterparts(PLAN, kernels_of(strange))
    assert _read(strange).named == ()
    assert sum(values is None for values in found) >= len(found) - 1


def test_innocent_scores_have_the_tail_that_is_said():
    """Over 2,000 innocent recipients, the p-values are as uniform as they should be."""
    read = align.read_values(PLAN, align.counterparts(PLAN, kernels_of(COPIES["customer 0"])))
    null = code.null_of(read, PLAN.biased)
    names = [f"nobody {i}" for i in range(2000)]
    scores = np.array(list(code.scores(KEY, PLAN.name, names, read, PLAN.biased).values()))
    for quantile in (0.3, 0.1, 0.02):
        threshold = int(np.quantile(scores, 1 - quantile))
        share = (scores >= threshold).mean()
        assert 10 ** null.log10_tail(threshold) == pytest.approx(share, rel=0.35)
    assert null.log10_tail(int(scores.mean()) - 10_000) == 0.0


def test_tail_is_the_exact_sum():
    """Against all outcomes, counted in whole numbers, out to the last one."""
    null = Null(
        counts=np.array([3, 2, 4]),
        chances=np.array([3074, 32768, 62462]) / 65536,
        ones=np.array([72, 16, -4]),
        zeros=np.array([-4, -16, 30]),
    )
    mass = {0: Fraction(1)}
    parts = zip(null.counts, (3074, 32768, 62462), null.ones, null.zeros, strict=True)
    for count, chance, one, zero in parts:
        for _ in range(int(count)):
            new: dict[int, Fraction] = {}
            for value, weight in mass.items():
                for step, share in ((one, chance), (zero, 65536 - chance)):
                    at = value + int(step)
                    new[at] = new.get(at, Fraction(0)) + weight * Fraction(share, 65536)
            mass = new
    for score in sorted(mass)[1::7]:
        exact = float(sum(weight for value, weight in mass.items() if value >= score))
        said = null.log10_tail(score)
        assert said >= math.log10(exact) - 1e-9
        if score > sum(value * float(weight) for value, weight in mass.items()):
            assert said <= math.log10(exact) + 1e-3


def test_read_from_firmware_without_a_model():
    """Kernels re-laid as code generators do, amid code: the leaker is named; the base file's names nobody."""
    rng = np.random.default_rng(9)

    def firmware(model: bytes) -> bytes:
        parts = []
        for tensor in kernels_of(model):
            matrix = tensor.values.reshape(len(tensor.values), -1)
            laid = blocked(matrix, 2, 4) if matrix.shape[0] > 1 else tensor.values
            parts += [rng.bytes(333), np.ascontiguousarray(laid).tobytes()]
        return b"".join(parts) + rng.bytes(5000)

    for model, named in ((COPIES["customer 4"], ("customer 4",)), (MODEL, ())):
        aligned = image.counterparts(PLAN, firmware(model))
        assert any(values is not None for values in aligned)
        assert trace(PLAN, KEY, aligned, NAMES).named == named
    assert image.counterparts(PLAN, rng.bytes(50_000)) == [None] * len(PLAN.tensors)


@needs("litert")
def test_calibration_data_say_where_a_step_costs_least():
    """Measured inputs choose other positions, and the output then moves less than at the dearest ones."""
    from edgewm.trace.saliency import measure_moments

    triggers = load_triggers(golden.TRIGGERS)
    moments = measure_moments(MODEL, triggers.inputs[:32])
    assert {t.name for t in PLAN.tensors} <= set(moments)
    assert make_plan(MODEL, KEY, moments=moments).name != PLAN.name
    with pytest.raises(BadInput, match="--calibration"):
        measure_moments(MODEL, np.zeros((3, 2)))
    with pytest.raises(BadInput, match="NaN"):
        measure_moments(MODEL, np.full_like(triggers.inputs[:32], np.nan))


def test_refused():
    """No name or one of two lines, no recipients, one twice, an alpha that is none, no model."""
    for name in ("", " ", " padded", "two\nlines", "A" * 201):
        with pytest.raises(BadInput, match="--to"):
            issue(MODEL, PLAN, KEY, name)
    aligned = align.counterparts(PLAN, kernels_of(MODEL))
    for recipients in ([], ["a", "a"]):
        with pytest.raises(BadInput, match="recipients"):
            trace(PLAN, KEY, aligned, recipients)
    with pytest.raises(BadInput, match="--alpha"):
        trace(PLAN, KEY, aligned, ["a"], alpha=0.0)
    with pytest.raises(BadInput, match="MODEL"):
        make_plan(b"nothing", KEY)


def test_offsets_are_where_the_weights_are():
    """What reading says of a tensor's place is what stands there."""
    for tensor in weights_of(
        read_tflite(__import__("edgewm.content", fromlist=["x"]).of_bytes(MODEL))
    ):
        assert MODEL[tensor.offset : tensor.offset + tensor.values.size] == tensor.values.tobytes()


@needs("securesystemslib")
def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Issue to two, leak one: it is named with exit code 0; the base file names nobody with 1."""
    from edgewm.cli import run

    common = ["-k", str(golden.KEY), "-l", str(tmp_path / "ledger")]
    for name in ("Ada", "Bob"):
        out = str(tmp_path / f"{name}.tflite")
        assert run(["trace", "issue", str(golden.MARKED), "--to", name, "-o", out, *common]) == 0
    capsys.readouterr()
    reading = ["trace", "read", "--own", str(golden.MARKED), "--json", *common]
    assert run([*reading, str(tmp_path / "Bob.tflite")]) == 0
    assert json.loads(capsys.readouterr().out)["named"] == ["Bob"]
    assert run([*reading, str(golden.MARKED)]) == 1
    assert json.loads(capsys.readouterr().out)["named"] == []
    (tmp_path / "noise").write_bytes(b"nothing of ours" * 500)
    assert run([*reading, str(tmp_path / "noise")]) == 2
    assert "is like the weights" in capsys.readouterr().err
    issuing = ["trace", "issue", str(golden.MARKED), "--to", "Eve", *common, "-o"]
    before = sorted((tmp_path / "ledger").iterdir())
    np.savez(tmp_path / "x.npz", x=np.zeros(3))
    bad = ["--calibration", str(tmp_path / "x.npz")]
    for out, more in (("Ada.tflite", []), ("no/folder.tflite", []), ("Eve.tflite", bad)):
        assert run([*issuing, str(tmp_path / out), *more]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert sorted((tmp_path / "ledger").iterdir()) == before  # what is refused is not recorded
    assert not (tmp_path / "Eve.tflite").exists()
