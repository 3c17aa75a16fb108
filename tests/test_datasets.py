"""Real data by name or path: what is read is checked, and what cannot be read is one line."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm.datasets import load_dataset, read_samples
from edgewm.errors import BadInput
from tests.needs import data_folder, needs

STEMS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
PICTURES = np.arange(6 * 5 * 4, dtype=np.uint8).reshape(6, 5, 4) * 2
LABELS = np.array([0, 1, 2, 0, 1, 2], np.uint8)


def idx(array: np.ndarray) -> bytes:
    """An array of bytes as an IDX file."""
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of six pictures as IDX files, two of them compressed."""
    place = tmp_path / "small"
    place.mkdir()
    for at, stem in enumerate(STEMS):
        content = idx(LABELS if at % 2 else PICTURES)
        if at < 2:
            (place / stem).write_bytes(content)
        else:
            (place / f"{stem}.gz").write_bytes(gzip.compress(content))
    return place


@needs("sklearn")
def test_digits_are_real_and_split_by_writer():
    """1,797 handwritten digits from 0 to 1, the last fifth held out."""
    held = load_dataset("digits")
    assert held.shape == (8, 8, 1)
    assert (len(held.x_train), len(held.x_test), held.classes) == (1437, 360, 10)
    assert held.x_train.dtype == np.float32
    assert (held.x_train.min(), held.x_train.max()) == (0, 1)
    assert set(held.y_test.tolist()) == set(range(10))


def test_idx_folders_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Plain and compressed files give the same pictures, by path or by name under EDGEWM_DATA."""
    held = load_dataset(str(folder))
    assert held.shape == (5, 4, 1)
    assert held.classes == 3
    np.testing.assert_allclose(held.x_train[..., 0], PICTURES / 255, rtol=1e-6)
    np.testing.assert_array_equal(held.x_train, held.x_test)
    np.testing.assert_array_equal(held.y_train, LABELS)
    with pytest.raises(BadInput, match="got 'small'"):
        load_dataset("small")
    monkeypatch.setenv("EDGEWM_DATA", str(folder.parent))
    np.testing.assert_array_equal(load_dataset("small").x_train, held.x_train)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x00\x08",
        idx(PICTURES)[:-1],
        idx(PICTURES) + b"\x00",
        struct.pack(">4B", 0, 0, 8, 200),
        struct.pack(">4B3I", 0, 0, 8, 3, 2**31, 2**31, 2**31),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_broken_idx_files_are_refused(folder: Path, content: bytes, compressed: bool):
    """Short, long and lying files are one line that names the file."""
    path = folder / STEMS[0]
    path.unlink()
    path = path.with_name(path.name + ".gz") if compressed else path
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(BadInput, match=f"{path.name} is not an IDX file"):
        load_dataset(str(folder))
    if compressed:
        path.write_bytes(gzip.compress(idx(PICTURES))[:-9])
        with pytest.raises(BadInput, match="is not an IDX file"):
            load_dataset(str(folder))


def test_missing_idx_files_are_named(folder: Path):
    """An incomplete folder says which file it lacks."""
    (folder / STEMS[1]).unlink()
    with pytest.raises(BadInput, match=f"holds no {STEMS[1]}"):
        load_dataset(str(folder))


def whole() -> dict[str, np.ndarray]:
    """The four arrays of an .npz data set."""
    return {"x_train": PICTURES, "y_train": LABELS, "x_test": PICTURES[:3], "y_test": LABELS[:3]}


def test_npz_data_sets_are_read(tmp_path: Path):
    """Bytes become numbers from 0 to 1 with a channel axis; floats within 0 to 1 stay."""
    np.savez(tmp_path / "a.npz", **whole())
    held = load_dataset(str(tmp_path / "a.npz"))
    assert (held.name, held.shape, held.classes) == ("a", (5, 4, 1), 3)
    np.testing.assert_allclose(held.x_test[..., 0], PICTURES[:3] / 255, rtol=1e-6)
    np.savez(tmp_path / "b.npz", **{**whole(), "x_train": (PICTURES / 255)[..., None]})
    np.testing.assert_allclose(load_dataset(str(tmp_path / "b.npz")).x_train, held.x_train)


def test_samples_come_as_they_are(tmp_path: Path, folder: Path):
    """An array keeps its range; an .npz may name its inputs three ways and bring held-out samples."""
    np.save(tmp_path / "a.npy", PICTURES)
    samples, held_out = read_samples(str(tmp_path / "a.npy"))
    np.testing.assert_array_equal(samples, PICTURES.astype(np.float32))
    assert samples.dtype == np.float32
    assert held_out is None
    for name in ("x_train", "x", "inputs"):
        np.savez(tmp_path / "a.npz", **{name: PICTURES})
        np.testing.assert_array_equal(read_samples(str(tmp_path / "a.npz"))[0], samples)
    np.savez(tmp_path / "b.npz", **whole())
    _, held_out = read_samples(str(tmp_path / "b.npz"))
    assert held_out is not None
    np.testing.assert_array_equal(held_out[1], LABELS[:3])
    assert read_samples(str(folder))[1] is not None


BROKEN: dict[str, dict[str, Any]] = {
    "no numbers": {"x_train": np.array(["a", "b"])},
    "objects": {"x_train": np.array([{}, {}], object)},
    "complex": {"x_train": PICTURES * 1j},
    "one axis": {"x_train": LABELS},
    "empty": {"x_train": PICTURES[:0]},
    "nan": {"x_train": PICTURES * np.nan},
    "labels of text": {"y_test": np.array(["a", "b", "c"])},
    "labels below 0": {"y_test": np.array([-1, 0, 1])},
    "fractions as labels": {"y_test": np.array([0.5, 0, 1])},
    "one-hot labels": {"y_test": np.eye(3, dtype=int)},
    "a single label": {"y_test": np.int64(3)},
    "too few labels": {"y_test": LABELS[:2]},
}


@pytest.mark.parametrize("name", sorted(BROKEN))
@pytest.mark.parametrize("read", [load_dataset, read_samples])
def test_arrays_that_are_no_data_are_refused(tmp_path: Path, read: Any, name: str):
    """Text, objects, NaN, one-hot labels and wrong counts are one line; the whole set is read."""
    path = tmp_path / "a.npz"
    np.savez(path, **{**whole(), **BROKEN[name]})
    with pytest.raises(BadInput, match=r"^--data: ") as caught:
        read(str(path))
    assert len(str(caught.value).splitlines()) == 1
    np.savez(path, **whole())
    assert read(str(path))


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 no zip", b"\x93NUMPY\x01\x00"])
@pytest.mark.parametrize("read", [load_dataset, read_samples])
def test_other_files_are_refused(tmp_path: Path, read: Any, content: bytes):
    """What is no array file is one line, and so are a missing file and a folder of that name."""
    (tmp_path / "a.npz").write_bytes(content)
    (tmp_path / "folder.npz").mkdir()
    for name in ("a.npz", "missing.npz", "folder.npz"):
        with pytest.raises(BadInput, match=r"^--data: .*cannot be read") as caught:
            read(str(tmp_path / name))
        assert len(str(caught.value).splitlines()) == 1


def test_an_npz_without_its_parts_says_which(tmp_path: Path):
    """The first missing array is named, with all that are expected; an .npy array has none."""
    np.savez(tmp_path / "a.npz", x_train=PICTURES, y_train=LABELS)
    with pytest.raises(BadInput, match="holds no x_test, expected x_train, y_train"):
        load_dataset(str(tmp_path / "a.npz"))
    np.savez(tmp_path / "b.npz", pictures=PICTURES)
    with pytest.raises(BadInput, match="holds pictures, expected x_train, x or inputs"):
        read_samples(str(tmp_path / "b.npz"))


@pytest.mark.parametrize("name", ["nothing", "../nothing", "x/y"])
def test_unknown_names_list_the_known(name: str):
    """A name that is no data set says what there is."""
    with pytest.raises(BadInput, match="expected digits, cifar10"):
        load_dataset(name)


def test_without_keras_a_name_of_keras_is_one_line(tmp_path: Path):
    """In the base install `mnist` cannot be fetched: one line that says what to give instead."""
    code = (
        "import sys\nsys.modules['keras'] = None\n"
        "from edgewm.datasets import load_dataset\nfrom edgewm.errors import BadInput\n"
        "try:\n    load_dataset('mnist')\nexcept BadInput as error:\n    print(error)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "EDGEWM_DATA"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert "mnist could not be fetched" in done.stdout
    assert "give a folder of IDX files" in done.stdout


@needs("data")
def test_real_pictures_are_read():
    """Fashion-MNIST as it is published, where the data folder holds it."""
    place = data_folder()
    assert place is not None
    if not (place / "fashion_mnist").is_dir():
        pytest.skip("the data folder holds no fashion_mnist")
    held = load_dataset("fashion_mnist")
    assert held.x_train.shape == (60_000, 28, 28, 1)
    assert np.bincount(held.y_test).tolist() == [1000] * 10


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_arrays_are_refused_in_one_line(save: Any, tmp_path: Path):
    """Bytes changed in an .npz: it is read, or refused with the reason; the whole file is read."""
    whole = tmp_path / "whole.npz"
    save(whole, x=np.arange(60, dtype=np.float32).reshape(10, 6))
    assert read_samples(str(whole))[0].shape == (10, 6)
    content, refused = whole.read_bytes(), []
    damaged = tmp_path / "damaged.npz"
    for at in range(len(content)):
        damaged.write_bytes(content[:at] + bytes([content[at] ^ 32]) + content[at + 1 :])
        try:
            read_samples(str(damaged))
        except BadInput as error:
            refused.append(str(error))
    assert len(content) / 2 < len(refused) < len(content)
    assert not any("\n" in reason for reason in refused)
