"""Where the demo and the benchmarks get real data from.

A name is looked up in the folder EDGEWM_DATA first, then in what a dependency installs (scikit-learn's
handwritten digits) or `keras.datasets` fetches; a path is an .npz or a folder of IDX files. Nothing is
bundled with edgewm.
"""

from __future__ import annotations

import gzip
import os
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import BadInput

KERAS_NAMES = ("cifar10", "cifar100", "fashion_mnist", "mnist")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Pictures with values from 0 to 1, float32 (n, height, width, channels), and int64 labels (n,)."""

    name: str
    x_train: npt.NDArray[np.float32] = field(repr=False)
    y_train: npt.NDArray[np.int64] = field(repr=False)
    x_test: npt.NDArray[np.float32] = field(repr=False)
    y_test: npt.NDArray[np.int64] = field(repr=False)
    classes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(int(d) for d in self.x_train.shape[1:])


def load_dataset(name: str) -> Dataset:
    """The data set of that name, or at that path.

    Raises:
        BadInput: no such name or file, or a file that is not what it should be.
    """
    if name == "digits":
        return _digits()
    path = Path(name)
    if path.suffix == ".npz":
        return _from_npz(path)
    if path.is_dir():
        return _from_idx(path.name, path)
    folder = os.environ.get("EDGEWM_DATA")
    if folder and (Path(folder) / name).is_dir() and list((Path(folder) / name).glob("*-ubyte*")):
        return _from_idx(name, Path(folder) / name)
    if name in KERAS_NAMES:
        return _from_keras(name)
    raise BadInput(
        f"--data: got {name!r}, expected digits, {', '.join(KERAS_NAMES)}, an .npz or a folder of IDX files"
    )


Samples = tuple[
    npt.NDArray[np.float32], tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]] | None
]


def read_samples(data: str) -> Samples:
    """Representative inputs (n, *shape) and, where there are some, held-out inputs and labels.

    `data` is an .npy array, an .npz with `x_train`, `x` or `inputs` (and maybe `x_test`, `y_test`), a
    data set name or an IDX folder. Arrays are taken in the value range they have.

    Raises:
        BadInput: none of these.
    """
    path = Path(data)
    if path.suffix not in (".npy", ".npz"):
        held = load_dataset(data)
        return held.x_train, (held.x_test, held.y_test)
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return np.asarray(found, np.float32), None
        with found:
            arrays = {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"--data: {path} is not an array file: {error}") from None
    inputs = next((arrays[n] for n in ("x_train", "x", "inputs") if n in arrays), None)
    if inputs is None:
        raise BadInput(f"--data: {path} holds {', '.join(arrays)}, expected x_train, x or inputs")
    held_out = None
    if "x_test" in arrays and "y_test" in arrays:
        held_out = (
            np.asarray(arrays["x_test"], np.float32),
            np.asarray(arrays["y_test"], np.int64).ravel(),
        )
    return np.asarray(inputs, np.float32), held_out


def _digits() -> Dataset:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise BadInput(
            "--data: digits come with scikit-learn: pip install 'edgewm[demo]'"
        ) from None
    x, y = load_digits(return_X_y=True)
    pictures = (x.reshape(-1, 8, 8, 1) / 16).astype(np.float32)
    # the file goes writer by writer: the last fifth is of people the first four fifths do not hold
    split = len(y) * 4 // 5
    return _dataset("digits", pictures[:split], y[:split], pictures[split:], y[split:])


def _from_keras(name: str) -> Dataset:
    import keras

    try:
        (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(
            f"--data: keras.datasets.{name} could not be fetched ({first_line}); "
            "give a folder of IDX files or an .npz"
        ) from None
    return _dataset(name, _pictures(x), y.ravel(), _pictures(x_test), y_test.ravel())


def _from_npz(path: Path) -> Dataset:
    try:
        with np.load(path, allow_pickle=False) as held:
            x, y, x_test, y_test = (held[k] for k in ("x_train", "y_train", "x_test", "y_test"))
    except (OSError, KeyError, ValueError) as error:
        raise BadInput(
            f"--data: {path} does not hold x_train, y_train, x_test, y_test: {error}"
        ) from None
    return _dataset(path.stem, _pictures(x), y.ravel(), _pictures(x_test), y_test.ravel())


def _from_idx(name: str, folder: Path) -> Dataset:
    parts = [
        _read_idx(folder, stem)
        for stem in (
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte",
        )
    ]
    return _dataset(name, _pictures(parts[0]), parts[1], _pictures(parts[2]), parts[3])


def _read_idx(folder: Path, stem: str) -> npt.NDArray[np.uint8]:
    for path in (folder / stem, folder / f"{stem}.gz"):
        if path.exists():
            raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            axes = raw[3]
            shape = struct.unpack(f">{axes}I", raw[4 : 4 + 4 * axes])
            return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)
    raise BadInput(f"--data: {folder} holds no {stem} or {stem}.gz, expected the four IDX files")


def _pictures(x: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    scaled = np.asarray(x, np.float32)
    if scaled.max() > 1.0:
        scaled = scaled / 255
    return scaled[..., None] if scaled.ndim == 3 else scaled


def _dataset(
    name: str,
    x_train: npt.NDArray[np.float32],
    y_train: npt.NDArray[np.generic],
    x_test: npt.NDArray[np.float32],
    y_test: npt.NDArray[np.generic],
) -> Dataset:
    return Dataset(
        name=name,
        x_train=x_train,
        y_train=np.asarray(y_train, np.int64),
        x_test=x_test,
        y_test=np.asarray(y_test, np.int64),
        classes=int(np.asarray(y_train, np.int64).max()) + 1,
    )
