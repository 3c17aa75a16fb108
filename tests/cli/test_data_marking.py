"""``edgewm mark-data`` on the command line."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import printed_json, refused

OUT = ("--out", "marked.npz", "-t", "of_data.npz", "--manifest", "m.json")


@pytest.fixture
def data() -> Path:
    random = np.random.default_rng(1)
    x = random.integers(0, 256, (2000, 8, 8, 1)).astype(np.uint8)
    np.savez("d.npz", x=x, y=np.arange(2000) % 5, names=np.array(["a", "b"]))
    return Path("d.npz")


def test_a_marked_copy_its_triggers_and_its_manifest_are_written(cli, data: Path):
    """20 of 2,000 samples; other arrays are kept; the owner's files are the owner's; the set is claimed."""
    before = hashlib.sha256(data.read_bytes()).hexdigest()
    held = printed_json(cli("mark-data", str(data), "-k", "k", *OUT, "--groups", "5", "--json"))
    assert (held["samples"], held["changed"], held["groups"], held["classes"]) == (2000, 20, 5, 5)
    assert hashlib.sha256(data.read_bytes()).hexdigest() == before
    with np.load("marked.npz") as copy, np.load(data) as was:
        assert copy["names"].tolist() == ["a", "b"]
        assert int((copy["x"] != was["x"]).any(axis=(1, 2, 3)).sum()) == 20
    assert len(json.loads(Path("m.json").read_text())["changed"]) == 20
    for name in ("of_data.npz", "m.json"):
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    shown = printed_json(cli("triggers", "show", "of_data.npz", "--key", "k", "--json"))
    assert shown["triggers_sha256"] == held["triggers_sha256"]
    assert "--out" in refused(cli("mark-data", str(data), "-k", "k", *OUT, "--groups", "5"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"x": np.zeros((9, 2))}, "holds x, expected x and y"),
        ({"x": np.zeros((9, 2)), "y": np.zeros(9)}, "data: got labels float64"),
        ({"x": np.zeros((9, 2)), "y": np.array([], int)}, "data: got x float64"),
        (None, "it is no .npz of plain arrays"),
    ],
)
def test_other_files_are_refused(cli, content: dict[str, np.ndarray] | None, said: str):
    """One line each, and nothing is left behind."""
    if content is None:
        Path("d.npz").write_bytes(b"something else")
    else:
        np.savez("d.npz", **content)
    assert said in refused(cli("mark-data", "d.npz", "-k", "k", *OUT))
    assert not any(Path(name).exists() for name in ("marked.npz", "of_data.npz", "m.json"))
