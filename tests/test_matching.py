"""Weights are found in every layout, byte for byte, and those of others are not."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgewm.content import of_bytes
from edgewm.errors import BadInput
from edgewm.matching import Owned, match_weights, read_owned
from edgewm.tflite import Weights
from edgewm.weight_layouts import blocked, layouts_of
from edgewm.weight_windows import index_of, windows_in
from tests import golden, hiding
from tests.layouts import LAYOUTS
from tests.needs import data_folder, needs

NOISE = random.Random(4).randbytes(3_000_001)


def drawn(seed: int) -> Owned:
    """A model of a convolution, a depthwise and a dense layer, with weights as training leaves them."""
    generator = np.random.default_rng(seed)

    def tensor(operator: str, *shape: int) -> Weights:
        values = np.clip(np.rint(generator.normal(0, 30, shape)), -127, 127).astype(np.int8)
        return Weights(name=f"{operator}-{shape}", operator=operator, values=values)

    tensors = (
        tensor("CONV_2D", 16, 3, 3, 8),
        tensor("DEPTHWISE_CONV_2D", 1, 3, 3, 64),
        tensor("CONV_2D", 32, 1, 1, 64),
        tensor("FULLY_CONNECTED", 12, 64),
        tensor("FULLY_CONNECTED", 24, 76),
    )
    return Owned(path=f"drawn-{seed}", sha256="", tensors=tensors)


OWN = drawn(1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("at", [0, 1, 1_048_570])
def test_every_layout_is_found_whole(layout: str, at: int, tmp_path: Path):
    """All windows of all tensors at any place; one byte changed costs its windows; another model has none."""
    laid = b"\xff".join(LAYOUTS[layout](weights.values) for weights in OWN.tensors)
    path = tmp_path / "firmware.bin"
    path.write_bytes(NOISE[:at] + laid + NOISE[:999])
    own, other = match_weights([OWN, drawn(2)], [path])
    # layouts that drop rows or columns which fill no block lose what stands there
    whole = layout not in ("pairs", "2 rows", "4 rows")
    assert own.found
    assert own.coverage == 1.0 if whole else own.coverage > 0.98, own
    assert own.windows_found <= own.windows
    assert (other.found, other.windows_found, other.coverage) == (False, 0, 0.0)
    assert own.log10_chance_random < own.log10_chance_weights < -20
    assert [place.path for place in own.places] == [str(path)]


def test_windows_are_found_by_all_their_bytes():
    """The control of the keys: all but one of the 32 bytes of every window is no window."""
    index = index_of([OWN.tensors])
    windows = index.laid[index.starts[:, None] + np.arange(32)]
    assert len(windows) > 1000
    whole = windows_in(of_bytes(windows.tobytes()), index)
    assert np.array_equal(whole, np.arange(len(windows)))
    apart = windows[::2].copy()
    apart[:, 16] ^= 1
    tied = np.concatenate([apart, np.full((len(apart), 32), 7, np.uint8)], axis=1)
    assert len(windows_in(of_bytes(tied.tobytes()), index)) == 0


def test_blocks_of_an_odd_matrix_keep_every_value():
    """Rows and columns that fill no block are still there, once."""
    matrix = np.arange(7 * 10, dtype=np.int8).reshape(7, 10)
    laid = blocked(matrix, 2, 4)
    assert sorted(laid.tolist()) == list(range(70))
    assert laid[:8].tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
    for weights in OWN.tensors:
        lines = layouts_of(weights)
        assert next(iter(lines)) == "stored"
        assert all(len(line) >= weights.values.size for line in lines.values())


def test_it_looks_inside_containers(tmp_path: Path):
    """A firmware image in UF2 in a zip, with the weights of the golden model and no model."""
    (own,) = read_owned(golden.MARKED)
    laid = b"".join(LAYOUTS["hwcn"](weights.values) for weights in own.tensors)
    path = tmp_path / "update.zip"
    path.write_bytes(hiding.zipped("fw.uf2", hiding.uf2(NOISE[:5000] + laid)))
    (match,) = match_weights([own], [path])
    assert match.coverage == 1.0
    assert match.places[0].path.endswith("update.zip!fw.uf2!0x10000000")
    (unmarked,) = read_owned(golden.UNMARKED)
    assert not match_weights([unmarked], [path])[0].found


def test_a_copy_that_was_changed_keeps_the_rest(tmp_path: Path):
    """A tenth of the values changed by one: no window of 32 is left whole by luck alone, a third is not."""
    generator = np.random.default_rng(3)
    kept = []
    for share in (0.0, 0.01, 0.1):
        tensors = []
        for weights in OWN.tensors:
            flip = generator.random(weights.values.shape) < share
            tensors.append(replace(weights, values=weights.values ^ flip.astype(np.int8)))
        path = tmp_path / f"{share}.bin"
        path.write_bytes(b"".join(weights.values.tobytes() for weights in tensors))
        kept.append(match_weights([OWN], [path])[0].coverage)
    assert kept[0] == 1.0
    assert 0.55 < kept[1] < 0.9
    assert kept[2] < 0.15


def test_what_cannot_be_an_owner_is_refused(tmp_path: Path):
    """A file without a model, and one whose weights are not int8."""
    (tmp_path / "a").write_bytes(b"nothing here")
    with pytest.raises(BadInput, match=r"OWN: .* holds no \.tflite with int8"):
        read_owned(tmp_path / "a")


@needs("data")
def test_real_models_have_nothing_of_each_other():
    """Every ordered pair of the real models: nothing of the wrong one, all of the right one."""
    paths = sorted((data_folder() / "models").glob("*.tflite"))
    owned = [own for path in paths if "vela" not in path.name for own in read_owned(path)]
    for match in match_weights(owned, paths):
        (place,) = match.places
        assert (place.path, place.coverage, match.found) == (match.own, 1.0, True)
