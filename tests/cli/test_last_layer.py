"""``edgewm mark MODEL.tflite``: an int8 file and ordinary inputs in, the same file with marks out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgewm.datasets import load_dataset
from edgewm.key import Key, save_key
from tests import golden
from tests.cli.command import printed_json, refused
from tests.needs import needs

pytestmark = [needs("litert"), needs("sklearn")]

MARKING = [
    "mark",
    "m.tflite",
    "--data",
    "ordinary.npy",
    "-t",
    "q.npz",
    "-k",
    "mine",
    "--on",
    "litert",
]


@pytest.fixture(autouse=True)
def _owners_files(_elsewhere: None) -> None:
    """A file without its training code, ordinary inputs and a key."""
    Path("m.tflite").write_bytes(golden.UNMARKED.read_bytes())
    np.save("ordinary.npy", load_dataset("digits").x_train[:600])
    save_key(Key(secret=b"k" * 32), Path("mine"))


def test_a_file_is_marked_and_its_questions_are_kept(cli):
    """What the verdict finds is what was told; the file as it was is left, and it knows nothing."""
    told = printed_json(cli(*MARKING, "--json"))
    assert told["out"] == "m-marked.tflite"
    assert told["log10_p"] <= -6
    assert told["agreement"] >= 0.98
    assert Path("m.tflite").read_bytes() == golden.UNMARKED.read_bytes()
    found = [
        printed_json(cli("verify", file, "-t", "q.npz", "-k", "mine", "--json"), 1)
        for file in ("m-marked.tflite", "m.tflite")
    ]
    assert found[0]["log10_p"] == told["log10_p"]
    assert found[1]["log10_p"] > -3


def test_what_cannot_be_marked_is_refused_and_nothing_is_written(cli):
    np.save("few.npy", np.zeros((9, 8, 8, 1), np.float32))
    before = sorted(path.name for path in Path().iterdir())
    for more, said in [
        (["--epochs", "2"], "--epochs: a .tflite is not trained"),
        (["--data", "few.npy"], "500 or more"),
        (["-o", "m.keras"], "expected a .tflite file"),
        (["--on", "none"], "expected one of"),
    ]:
        assert said in refused(cli(*MARKING, *more)), more
    assert "only for a .tflite" in refused(cli("mark", "m.keras", *MARKING[2:]))
    assert sorted(path.name for path in Path().iterdir()) == before
