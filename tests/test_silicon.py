"""Boards' recorded outputs against the runtimes here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgewm.errors import BadInput
from edgewm.runtimes.begin import begin
from edgewm.silicon import RUNTIMES, Likeness, Recordings, compare, read_recordings, replay
from tests import golden
from tests.needs import data_folder, needs

COUNT = 24


def recorded(folder: Path, change=None, decimals: int = 3) -> Path:
    """What a board that runs LiteRT's arithmetic would have printed for the golden model."""
    rng = np.random.default_rng(5)
    held = Recordings(
        inputs=rng.integers(-128, 128, (COUNT, 8, 8, 1)).astype(np.int8),
        runs=("x",),
        outputs=np.full((1, COUNT, 10), np.nan, np.float32),
        model=golden.MARKED.read_bytes(),
    )
    printed = np.floor(answered(held) * 10**decimals + 1e-9) / 10**decimals
    if change is not None:
        change(printed)
    np.savez(folder / "inputs.npz", inputs=held.inputs)
    np.savez(
        folder / "outputs.npz",
        runs=np.array(["v0|maker|board|", "v0|maker|later|"]),
        outputs=np.stack([printed, np.full_like(printed, np.nan)]).astype(np.float32),
    )
    return folder


def answered(held: Recordings) -> np.ndarray:
    from edgewm import silicon

    (part,) = begin(["litert:delegate=xnnpack"])
    return silicon._answers(held, part, lambda runtime, share: None)[0]


def replayed(folder: Path) -> list[Likeness]:
    found, not_run = replay(
        read_recordings(folder, model=golden.MARKED), begin(["litert:delegate=xnnpack"])
    )
    assert not not_run
    return found


@needs("litert")
def test_a_board_with_the_same_arithmetic_is_bit_exact(tmp_path: Path):
    """Three decimals, cut off, are enough; a run that printed nothing is never called exact."""
    board, silent = replayed(recorded(tmp_path))
    assert (board.rows_compared, board.rows_identical, board.top1_identical) == (COUNT,) * 3
    assert board.bit_exact
    assert board.arithmetic == "xnnpack"
    assert (silent.rows_compared, silent.bit_exact) == (0, False)


@needs("litert")
def test_one_wrong_number_is_one_row_that_differs(tmp_path: Path):
    """The control: one output one int8 step away is seen, in its row alone."""

    def one_step(printed: np.ndarray) -> None:
        low = printed[3].argmin()
        printed[3, low] += 1 / 256

    board, _ = replayed(recorded(tmp_path, one_step))
    assert (board.rows_compared, board.rows_identical) == (COUNT, COUNT - 1)
    assert board.top1_identical == COUNT
    assert not board.bit_exact


@needs("litert")
def test_inputs_that_were_not_printed_are_not_compared(tmp_path: Path):
    """NaN rows drop out; a row of another class on top is counted apart from the rows that differ."""

    def change(printed: np.ndarray) -> None:
        printed[:4] = np.nan
        printed[5] = np.roll(printed[5], 1)

    board, _ = replayed(recorded(tmp_path, change))
    assert (board.rows_compared, board.rows_identical, board.top1_identical) == (20, 19, 19)


def test_another_scale_is_never_identical():
    """Logits and shares of 127 are other numbers; a runtime without an answer is not identical either."""
    rows = np.array([[0.25, 0.75], [1.0, 0.0], [np.nan, np.nan]])
    printed = np.array([[32.0, 95.0], [1.0, 0.0], [1.0, 0.0]], np.float32)
    assert compare(rows, printed) == (3, 1, 2)


def test_other_files_are_refused_by_name(tmp_path: Path):
    """What is missing or of another shape is one line that says so."""
    with pytest.raises(BadInput, match=r"inputs\.npz cannot be read: No such file"):
        read_recordings(tmp_path)
    np.savez(tmp_path / "inputs.npz", inputs=np.zeros((3, 4), np.int8))
    np.savez(tmp_path / "outputs.npz", runs=np.array(["a"]), outputs=np.zeros((1, 2, 5)))
    with pytest.raises(BadInput, match=r"expected float32 \(runs, 3 inputs, classes\)"):
        read_recordings(tmp_path)
    np.savez(tmp_path / "outputs.npz", runs=np.array(["a", "b"]), outputs=np.zeros((1, 3, 5)))
    with pytest.raises(BadInput, match="2 names of runs for 1 runs"):
        read_recordings(tmp_path)
    np.savez(tmp_path / "outputs.npz", runs=np.array(["a"]), outputs=np.zeros((1, 3, 5)))
    with pytest.raises(BadInput, match="name it with --model"):
        read_recordings(tmp_path)
    (tmp_path / "inputs.npz").write_bytes(b"PK no")
    with pytest.raises(BadInput, match=r"it is no \.npz of plain arrays"):
        read_recordings(tmp_path)


@needs("litert")
def test_recordings_of_another_model_are_refused(tmp_path: Path):
    """Five printed outputs are not those of a model with ten."""
    np.savez(tmp_path / "inputs.npz", inputs=np.zeros((3, 8, 8, 1), np.int8))
    np.savez(tmp_path / "outputs.npz", runs=np.array(["a"]), outputs=np.zeros((1, 3, 5)))
    with pytest.raises(BadInput, match="not recordings of this model"):
        replayed(tmp_path)


@needs("data")
@needs("tflm")
@needs("tflite_runtime")
def test_microcontrollers_are_answered_for_bit_by_bit():
    """60 of the published inputs: TFLM is the M4 and M85 that ran it, XNNPACK the boards on X-CUBE-AI."""
    folder = data_folder()
    assert folder is not None
    whole = read_recordings(folder / "silicon_kws")
    held = Recordings(
        inputs=whole.inputs[:60], runs=whole.runs, outputs=whole.outputs[:, :60], model=whole.model
    )
    found, _ = replay(held, begin(["tflm", "litert:delegate=xnnpack"]))
    exact = {(one.runtime, one.run) for one in found if one.bit_exact}
    for run in ("v0.5|reference|Nucleo-L4R5ZI|", "v1.2|Renesas|EK-RA8D1|"):
        assert ("tflm", run) in exact
        assert ("litert:delegate=xnnpack", run) not in exact
    assert ("litert:delegate=xnnpack", "v1.2|STMicroelectronics|NUCLEO_L4R5ZI|") in exact
    assert ("tflm", "v1.2|STMicroelectronics|NUCLEO_L4R5ZI|") not in exact


def test_every_arithmetic_is_asked():
    """The default list is what verification calls all, and the reference kernels."""
    assert len(set(RUNTIMES)) == 5
