"""Where the demo and the benchmarks get real data from.

A name is looked up in the folder EDGEWM_DATA first, then in what a dependency installs (scikit-learn's
handwritten digits) or `keras.datasets` fetches; a path is an .npz or a folder of IDX files. Nothing is
bundled with edgewm.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import BadInput
from .files import NO_ARRAYS

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


def labelled_samples(data: str) -> Dataset:
    """The data set that `load_dataset` finds; arrays of an .npz in the value range they have.

    Raises:
        BadInput: no such data set, or no labels in it.
    """
    named = load_dataset(data)
    if Path(data).suffix != ".npz":  # a data set is scaled to 0 to 1, an owner's arrays are not
        return named
    x, held_out = read_samples(data)
    return replace(named, x_train=x, x_test=named.x_test if held_out is None else held_out[0])


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
    arrays = _arrays(path)
    inputs = next((arrays[n] for n in ("x_train", "x", "inputs", "") if n in arrays), None)
    if inputs is None:
        raise BadInput(f"--data: {path} holds {', '.join(arrays)}, expected x_train, x or inputs")
    held_out = None
    if "x_test" in arrays and "y_test" in arrays:
        x_test, y_test = _numbers(path, arrays["x_test"]), _labels(path, arrays["y_test"])
        if len(x_test) != len(y_test):
            raise BadInput(f"--data: {path} has {len(x_test)} x_test and {len(y_test)} y_test")
        held_out = (x_test, y_test)
    return _numbers(path, inputs), held_out


def through_a_cheap_camera(
    pictures: npt.NDArray[np.float32], count: int, *, seed: int, noise: float = 0.3
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Pictures as a moving, noisy camera sees them: turned, shifted, scaled, grainy.

    What a network on a device is asked is never the file of a data set. The task becomes harder, and a
    few hundred pictures become as many as are wanted.

    Args:
        pictures: (n, height, width, channels), 0 to 1.
        count: how many to take, each of a picture drawn at random.
        seed: of numpy's generator; this is data for a demonstration, no secret.
        noise: standard deviation of the grain.

    Returns:
        float32 (count, height, width, channels), 0 to 1, and the picture each was made from, (count,).
    """
    random = np.random.default_rng(seed)
    chosen = random.integers(0, len(pictures), count)
    angles = random.uniform(-0.45, 0.45, count)
    shifts, scales = random.uniform(-1.2, 1.2, (count, 2)), random.uniform(0.8, 1.2, count)
    height, width = pictures.shape[1:3]
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    y, x = rows - (height - 1) / 2, columns - (width - 1) / 2
    cosines, sines = (f(angles)[:, None, None] / scales[:, None, None] for f in (np.cos, np.sin))
    y_from = cosines * y - sines * x + (height - 1) / 2 + shifts[:, :1, None]
    x_from = sines * y + cosines * x + (width - 1) / 2 + shifts[:, 1:, None]
    seen = _bilinear(pictures, chosen, y_from, x_from)
    seen += random.normal(0.0, noise, seen.shape)
    return np.clip(seen, 0.0, 1.0).astype(np.float32), chosen


def _bilinear(
    pictures: npt.NDArray[np.float32],
    chosen: npt.NDArray[np.int64],
    y: npt.NDArray[np.float64],
    x: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Pictures at fractional places (count, height, width); dark outside."""
    padded = np.pad(pictures.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    low = np.array(padded.shape[1:3]) - 2
    y, x = np.clip(y + 1, 0, low[0] + 0.999), np.clip(x + 1, 0, low[1] + 0.999)
    y0, x0 = y.astype(np.int64), x.astype(np.int64)
    down, right = (y - y0)[..., None], (x - x0)[..., None]
    at = chosen[:, None, None]
    upper = padded[at, y0, x0] * (1 - right) + padded[at, y0, x0 + 1] * right
    lower = padded[at, y0 + 1, x0] * (1 - right) + padded[at, y0 + 1, x0 + 1] * right
    mixed: npt.NDArray[np.float64] = upper * (1 - down) + lower * down
    return mixed


def _arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of an .npz by name; that of an .npy under no name."""
    try:
        with path.open("rb") as stream:
            found = np.load(stream, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return {"": found}
            return {name: found[name] for name in found.files}
    except NO_ARRAYS as error:
        why = getattr(error, "strerror", None) or "it holds something other than plain arrays"
        raise BadInput(f"--data: {path} cannot be read: {why}") from None


def _numbers(path: Path, array: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    if array.dtype.kind not in "fiub" or array.ndim < 2 or array.size == 0:
        raise BadInput(
            f"--data: {path}: got {array.dtype} {array.shape}, expected numbers (n, *shape)"
        )
    values = np.asarray(array, np.float32)
    if not np.isfinite(values).all():
        raise BadInput(f"--data: {path}: got NaN or infinity, expected finite numbers only")
    return values


def _labels(path: Path, array: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    if array.dtype.kind not in "iu" or array.ndim < 1 or not 0 < array.size == len(array):
        raise BadInput(
            f"--data: {path}: got labels of {array.dtype} {array.shape}, expected whole numbers (n,)"
        )
    labels = np.asarray(array, np.int64).ravel()
    if labels.min() < 0:
        raise BadInput(f"--data: {path}: got the label {labels.min()}, expected classes from 0")
    return labels


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
    return _dataset("digits", Path(), pictures[:split], y[:split], pictures[split:], y[split:])


def _from_keras(name: str) -> Dataset:
    try:
        import keras

        (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(
            f"--data: keras.datasets.{name} could not be fetched ({first_line}); "
            "give a folder of IDX files or an .npz"
        ) from None
    return _dataset(name, Path(name), x, y, x_test, y_test)


def _from_npz(path: Path) -> Dataset:
    held = _arrays(path)
    names = ("x_train", "y_train", "x_test", "y_test")
    absent = [name for name in names if name not in held]
    if absent:
        raise BadInput(f"--data: {path} holds no {absent[0]}, expected {', '.join(names)}")
    return _dataset(path.stem, path, *(held[name] for name in names))


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
    return _dataset(name, folder, *parts)


def _read_idx(folder: Path, stem: str) -> npt.NDArray[np.uint8]:
    for path in (folder / stem, folder / f"{stem}.gz"):
        if path.exists():
            try:
                raw = path.read_bytes()
                raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
                axes = raw[3]
                shape = struct.unpack(f">{axes}I", raw[4 : 4 + 4 * axes])
                return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)
            except (OSError, EOFError, IndexError, ValueError, struct.error, zlib.error):
                raise BadInput(f"--data: {path} is not an IDX file of bytes") from None
    raise BadInput(f"--data: {folder} holds no {stem} or {stem}.gz, expected the four IDX files")


def _pictures(path: Path, x: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    scaled = _numbers(path, x)
    if scaled.max() > 1.0:
        scaled = scaled / 255
    return scaled[..., None] if scaled.ndim == 3 else scaled


def _dataset(name: str, path: Path, *parts: npt.NDArray[np.generic]) -> Dataset:
    """From x_train, y_train, x_test and y_test as they were found at `path`."""
    x_train, x_test = _pictures(path, parts[0]), _pictures(path, parts[2])
    y_train, y_test = _labels(path, parts[1]), _labels(path, parts[3])
    if (len(x_train), len(x_test)) != (len(y_train), len(y_test)):
        raise BadInput(
            f"--data: {path} has {len(x_train)} and {len(x_test)} inputs "
            f"for {len(y_train)} and {len(y_test)} labels"
        )
    return Dataset(
        name=name,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        classes=int(y_train.max()) + 1,
    )
