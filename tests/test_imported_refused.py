"""What the owner brings and cannot be used is refused in one line, beside a set that is made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm import spec
from edgewm.cli import run
from edgewm.errors import BadInput
from edgewm.key import Key, save_key
from edgewm.patterns import Canvas, make_triggers
from edgewm.patterns.imported import Imported
from edgewm.triggers import load_triggers
from tests.pictures import by_class, huge_png, picture_files, png

KEY = Key(secret=bytes(range(32)))
GREY = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000


def _array(path: Path, x: Any, **more: Any) -> Path:
    np.savez(path / "a.npz", x=x, **more)
    return path / "a.npz"


X = np.random.default_rng(3).uniform(0, 1, (4, 8, 8, 1))


def _with(value: float) -> np.ndarray:
    changed = X.copy()
    changed[2, 3, 3, 0] = value
    return changed


def _file(folder: Path, name: str, content: bytes) -> Path:
    """A folder of three good pictures and this file."""
    picture_files(folder / "p", 3)
    (folder / "p" / name).write_bytes(content)
    return folder / "p"


def _raw(folder: Path, name: str, content: bytes) -> Path:
    """One file of these bytes."""
    (folder / name).write_bytes(content)
    return folder / name


def _twins(folder: Path) -> Path:
    """Four pictures, two of which are the same."""
    first = picture_files(folder / "p", 3)[0]
    shutil.copy(first, first.with_name("z.png"))
    return folder / "p"


def _mixed(folder: Path) -> Path:
    """Pictures in a class and one beside it."""
    labelled = by_class(folder, {"1": 4})
    shutil.copy(labelled / "1" / "00.png", labelled)
    return labelled


def _empty_class(folder: Path) -> Path:
    (folder / "p" / "0").mkdir(parents=True)
    return folder / "p"


def _without_x(folder: Path) -> Path:
    np.savez(folder / "a.npz", z=X)
    return folder / "a.npz"


BAD: dict[str, tuple[Any, str]] = {
    "missing": (lambda f: f / "none", "is not there, expected a folder of pictures"),
    "one picture": (lambda f: picture_files(f / "p", 1)[0], "is no folder, expected a folder"),
    "empty folder": (lambda f: f, r"holds no pictures \(.png, .jpg, .jpeg\)"),
    "empty class": (_empty_class, "holds no pictures"),
    "too few": (
        lambda f: picture_files(f / "p", 3)[0].parent,
        r"holds 3 inputs.*expected 4 groups",
    ),
    "text as png": (
        lambda f: _file(f, "a.png", b"hello"),
        r"a.png cannot be read: it is no picture",
    ),
    "gif as png": (
        lambda f: _file(f, "a.png", b"GIF89a" + bytes(40)),
        r"no picture \(PNG or JPEG\)",
    ),
    "empty png": (lambda f: _file(f, "a.png", b""), r"a.png cannot be read: it is no picture"),
    "cut png": (lambda f: _file(f, "a.png", png(GREY)[:80]), r"a.png cannot be read"),
    "bomb": (lambda f: _file(f, "a.png", huge_png(20000)), "decompression bomb"),
    "wide": (lambda f: _file(f, "a.png", huge_png(9000)), "9000 x 9000, expected sides up to 8192"),
    "word folder": (lambda f: by_class(f, {"0": 2, "cat": 2}), "holds cat beside 1 subfolders"),
    "mixed": (_mixed, "holds 00.png beside"),
    "twins": (_twins, "are the same input"),
    "nan": (lambda f: _array(f, _with(np.nan)), "got NaN or infinity"),
    "infinity": (lambda f: _array(f, _with(np.inf)), "got NaN or infinity"),
    "above float32": (lambda f: _array(f, _with(1e300)), "got NaN or infinity"),
    "range": (lambda f: _array(f, X * 255), r"expected them within 0 to 1 \(--range"),
    "below": (lambda f: _array(f, _with(-0.5)), "got values from -0.5"),
    "ndim": (
        lambda f: _array(f, X[0, 0]),
        r"got float64 \(8, 1\), expected numbers \(n, 8, 8, 1\)",
    ),
    "one input": (lambda f: _array(f, X[0]), "expected numbers"),
    "vectors": (lambda f: _array(f, X.reshape(4, 64)), "expected numbers"),
    "other size": (lambda f: _array(f, X[:, :7]), "expected numbers"),
    "colour": (lambda f: _array(f, np.repeat(X, 3, 3)), "expected numbers"),
    "number": (lambda f: _array(f, 3.0), "expected numbers"),
    "none of them": (lambda f: _array(f, X[:0]), "expected numbers"),
    "text": (lambda f: _array(f, np.array(["a"] * 4)), "expected numbers"),
    "complex": (lambda f: _array(f, X.astype(complex)), "expected numbers"),
    "objects": (lambda f: _array(f, np.array([1, "a"], object)), "holds no plain arrays"),
    "no x": (_without_x, "holds no x"),
    "no zip": (lambda f: _raw(f, "a.npz", b"PK\3\4"), "no plain arrays"),
    "no npy": (lambda f: _raw(f, "a.npy", b"hello"), "no plain arrays"),
    "empty npy": (lambda f: _raw(f, "a.npy", b""), "no plain arrays"),
    "no file": (lambda f: f / "c.npz", "No such file"),
    "few labels": (
        lambda f: _array(f, X, y=np.arange(3)),
        r"got y of int64 \(3,\), expected whole",
    ),
    "float labels": (lambda f: _array(f, X, y=np.zeros(4)), "expected whole numbers"),
    "one-hot labels": (lambda f: _array(f, X, y=np.eye(4, dtype=int)), "expected whole numbers"),
    "label of no class": (lambda f: _array(f, X, y=np.array([0, 1, 2, 10])), "got labels 0 to 10"),
    "label below 0": (lambda f: _array(f, X, y=np.array([0, 1, 2, -1])), "got labels -1 to 2"),
}


def make(folder: Path, path: Path, *more: str) -> int:
    """Exit code of `edgewm triggers make` with what is at a path."""
    if not (folder / "k.key").exists():
        save_key(KEY, folder / "k.key")
    line = ["triggers", "make", "--key", str(folder / "k.key"), "--shape", "8x8x1", "--classes"]
    line += ["10", "--groups", "4", "--pattern", f"imported:path={path}"]
    return run([*line, "--out", str(folder / "t.npz"), *more])


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
):
    """From the command line: exit code 2, one line that names the argument, and no file written."""
    build, said = BAD[name]
    path = build(tmp_path)
    assert make(tmp_path, path) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert not (tmp_path / "t.npz").exists()
    with pytest.raises(BadInput, match=said):
        make_triggers(KEY, shape=(8, 8, 1), classes=10, groups=4, pattern=f"imported:path={path}")


@pytest.mark.parametrize("fields", ["path=", "path=x,inputs_per_group=0", "path=x,keep_labels=2"])
def test_settings_that_make_no_sense_are_refused(fields: str):
    """An empty path is not the folder one stands in; sizes and switches have their ranges."""
    with pytest.raises(BadInput, match=r"^imported: got "):
        spec.parse("patterns", f"imported:{fields}")
    assert spec.parse("patterns", "imported:path=x").path == "x"


def test_the_command_line_makes_a_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The control: a good folder, with labels, through the same arguments."""
    folder = by_class(tmp_path, {"0": 2, "7": 2})
    assert make(tmp_path, folder, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["allowed_classes"] == [9]
    assert facts["answers_are"] == "drawn"
    assert facts["no_p_value"] is None
    held = load_triggers(tmp_path / "t.npz")
    assert [int(np.flatnonzero(row)[0]) for row in held.excluded] == [0, 0, 7, 7]


@pytest.mark.parametrize("shape", [(640,), (8, 8), (8, 8, 4)])
def test_pictures_need_a_picture_shape(tmp_path: Path, shape: tuple[int, ...]):
    """A folder of pictures is refused for other inputs, which an array may hold."""
    picture_files(tmp_path / "p", 2)
    canvas = Canvas(seed=b"s" * 32, groups=2, shape=shape, low=0.0, high=1.0)
    with pytest.raises(BadInput, match="imported: got inputs of shape"):
        Imported(path=str(tmp_path / "p")).draw(canvas)
    x = np.random.default_rng(1).uniform(0, 1, (2, *shape))
    np.save(tmp_path / "x.npy", x)
    drawing = Imported(path=str(tmp_path / "x.npy")).draw(canvas)
    np.testing.assert_allclose(drawing.inputs, x, atol=1e-7)
