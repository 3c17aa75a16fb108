"""Manifests of training sets: one head whatever holds the samples, and proofs of single ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from edgewm import commitment
from edgewm.errors import BadInput, DoesNotCheck
from edgewm.hashing import SHAKE
from edgewm.manifest import BLOCK, leaf, make_manifest, prove
from edgewm.training_set import read_training_set

SECRET = b"s" * 32
X = np.random.default_rng(1).integers(0, 256, (BLOCK * 2 + 37, 3, 2), dtype=np.uint8)
Y = np.arange(len(X), dtype=np.int64) % 10


def saved(folder: Path, name: str, **arrays: np.ndarray) -> str:
    path = folder / name
    if path.suffix == ".npy":
        np.save(path, arrays["x"])
    elif name.startswith("small"):
        np.savez_compressed(path, **arrays)
    else:
        np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize("count", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, len(X)])
def test_the_head_is_that_of_rfc_6962_over_all_leaves(tmp_path: Path, count: int):
    """Computed here in the plain way, from the leaves as the docstring gives them."""
    data = read_training_set(saved(tmp_path, "x.npz", x=X[:count], y=Y[:count]))
    made = make_manifest(data, SECRET)
    salts = b"".join(
        SHAKE(16 * BLOCK, "sample salts", SECRET, at) for at in range(count // BLOCK + 1)
    )
    leaves = [
        leaf(
            salts[16 * i : 16 * i + 16],
            (b"uint8[3x2]", hashlib.sha256(X[i].tobytes()).digest(), Y[i].tobytes()),
        )
        for i in range(count)
    ]
    assert made.head == commitment.tree_head(leaves)
    for index in {0, count // 2, count - 1}:
        proof, content = prove(made, data, SECRET, index)
        assert content == X[index].tobytes()
        assert list(proof.path) == commitment.audit_path(leaves, index)
        assert proof.leads_to(made.head, count)
        other = proof.__class__(**{**vars(proof), "label": b"\x01" * 8})
        assert not other.leads_to(made.head, count)  # another label
        assert count == 1 or not proof.leads_to(made.head, count + BLOCK * 4)


def test_what_holds_the_arrays_does_not_matter(tmp_path: Path):
    """.npy, .npz, compressed, big-endian: one head; another order, dtype or shape: another."""
    same = [
        saved(tmp_path, "a.npy", x=X),
        saved(tmp_path, "b.npz", x_train=X),
        saved(tmp_path, "small.npz", inputs=X),
    ]
    heads = {make_manifest(read_training_set(path), SECRET).head for path in same}
    assert len(heads) == 1
    wide, swapped = X.astype("<u2"), X.astype(">u2")
    both = [saved(tmp_path, f"{i}.npy", x=x) for i, x in enumerate((wide, swapped))]
    assert len({make_manifest(read_training_set(path), SECRET).head for path in both}) == 1
    others = [X[::-1], X.reshape(-1, 6), wide, X[:-1]]
    for at, other in enumerate(others):
        path = saved(tmp_path, f"other{at}.npy", x=np.ascontiguousarray(other))
        heads.add(make_manifest(read_training_set(path), SECRET).head)
    heads.add(make_manifest(read_training_set(same[0]), b"t" * 32).head)
    assert len(heads) == 2 + len(others)


def test_a_folder_of_files(tmp_path: Path):
    """Names below the folder in order, found by name; a renamed file is another sample."""
    for name in ("0/b.png", "0/a.png", "1/c.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(name.encode() * 9)
    data = read_training_set(str(tmp_path / "set"))
    made = make_manifest(data, SECRET)
    assert (data.count, data.index_of("0/b.png"), data.index_of("2")) == (3, 1, 2)
    proof, content = prove(made, data, SECRET, 1)
    assert (proof.name, content) == (b"0/b.png", b"0/b.png" * 9)
    assert proof.leads_to(made.head, 3)
    (tmp_path / "set" / "0/b.png").rename(tmp_path / "set" / "0/d.png")
    assert make_manifest(read_training_set(str(tmp_path / "set")), SECRET).head != made.head
    with pytest.raises(BadInput, match=r"SAMPLE: got 'x'"):
        data.index_of("x")
    with pytest.raises(BadInput, match="SAMPLE: got 3, the training set has samples 0 to 2"):
        prove(made, data, SECRET, 3)


def test_changed_data_prove_nothing(tmp_path: Path):
    """A changed sample of the same block, and data of another form: refused, and where."""
    path = saved(tmp_path, "x.npy", x=X)
    made = make_manifest(read_training_set(path), SECRET)
    changed = X.copy()
    changed[BLOCK + 5, 0, 0] ^= 1
    data = read_training_set(saved(tmp_path, "c.npy", x=changed))
    assert prove(made, data, SECRET, 3)[0].leads_to(made.head, len(X))
    with pytest.raises(DoesNotCheck, match=f"samples {BLOCK} to {2 * BLOCK - 1} are not those"):
        prove(made, data, SECRET, BLOCK + 6)
    shorter = read_training_set(saved(tmp_path, "s.npy", x=X[:-1]))
    with pytest.raises(DoesNotCheck, match="got samples"):
        prove(made, shorter, SECRET, 3)


def test_what_is_no_training_set_is_refused(tmp_path: Path):
    """One line each."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.npy").write_bytes(Path(saved(tmp_path, "x.npy", x=X)).read_bytes()[:-1])
    (tmp_path / "text.npz").write_bytes(b"no zip")
    np.save(tmp_path / "objects.npy", np.array([None, 1]), allow_pickle=True)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(X[:, :, 0]))
    np.savez(tmp_path / "names.npz", z=X)
    np.savez(tmp_path / "labels.npz", x=X, y=Y[1:])
    for name, said in (
        ("empty", "holds no files"),
        ("text.npz", "cannot be read: it is no whole file"),
        ("none.npy", "No such file"),
        ("objects.npy", "expected numbers"),
        ("fortran.npy", "Fortran order"),
        ("names.npz", "holds z, expected x_train, x, inputs"),
        ("labels.npz", "of x and"),
        ("nothing", "expected digits"),
    ):
        with pytest.raises(BadInput, match="--data: .*" + said):
            read_training_set(str(tmp_path / name))
    with pytest.raises(BadInput, match="cannot be read"):
        make_manifest(read_training_set(str(tmp_path / "cut.npy")), SECRET)
