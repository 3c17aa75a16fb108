"""`edgewm chart`: pictures of the owner's own files, and what it prints beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from edgewm.key import new_key, save_key
from tests.cli.command import MARKED, UNMARKED, printed_json, refused
from tests.needs import needs

pytestmark = [needs("litert"), needs("matplotlib")]

SECRETS = ("-t", "t.npz", "-k", "k")


def test_margins_before_and_after(cli):
    """Two files and a control: shares and margins in text and JSON, a picture of both."""
    line = ("chart", "margins", MARKED, UNMARKED, *SECRETS, "--out", "m.png")
    held = printed_json(cli(*line, "--json"))
    marked, unmarked = held["margins"]
    assert (marked["file"], marked["answer_as_drawn"], held["control"]) == (
        "marked",
        1,
        "wrong key",
    )
    assert marked["least_margin"] > 0 > unmarked["median_margin"]
    assert marked["control_answer_as_drawn"] < 0.3
    code, out, err = cli(*line, "--control", UNMARKED)
    assert (code, err) == (0, "")
    assert "marked: 100.0% answer as drawn" in out
    assert "unmarked: unmarked 7.8%" in out
    with Image.open("m.png") as picture:
        assert picture.format == "PNG"


def test_hits_of_several_files(cli):
    """Every file on every runtime that is named; a file that does not run says why."""
    Path("broken.tflite").write_bytes(bytes(4096))
    line = ("chart", "hits", MARKED, UNMARKED, "broken.tflite", *SECRETS, "--on", "litert", "--out")
    held = printed_json(cli(*line, "h.svg", "--json"))
    assert [cell["groups_hit"] for cell in held["cells"]] == [64, 5, None]
    assert held["groups"] == 64
    code, out, err = cli(*line, "h.svg")
    assert (code, err) == (0, "")
    assert "64/64" in out
    assert "cannot: broken: litert: " in out
    assert Path("h.svg").read_bytes().startswith(b"<?xml")
    assert not Path("t.npz.spent.json").exists()  # the owner's files, asked here


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hits", MARKED, "--out", "h.pdf"], "--out: got h.pdf, expected a name that ends in .png"),
        (["hits", MARKED, "--out", "k"], "--out: got k, expected"),
        (["hits", MARKED, MARKED, "--out", "h.png"], "FILES: got a file twice"),
        (["hits", "none.tflite", "--out", "h.png"], "FILES: none.tflite cannot be read"),
        (["margins", MARKED, "none.tflite", "--out", "h.png"], "AFTER: none.tflite cannot be"),
        (["margins", "none.keras", MARKED, "--out", "h.png"], "model: there is no none.keras"),
        (["margins", MARKED, UNMARKED, "--on", "nope", "--out", "h.png"], "runtimes: got 'nope'"),
        (["hits", MARKED, "--out", "none/h.png"], "--out: none/h.png cannot be written"),
    ],
)
def test_refusals_are_one_line(cli, arguments: list[str], said: str):
    """Which argument, what was got and what was expected; nothing is written."""
    key = Path("k").read_bytes()
    assert said in refused(cli("chart", *arguments, *SECRETS))
    assert Path("k").read_bytes() == key
    assert not Path("h.png").exists()


def test_another_key_draws_nothing(cli):
    """The key must be the one of the triggers."""
    save_key(new_key(), Path("other"))
    for what in (["margins", MARKED, UNMARKED], ["hits", MARKED]):
        said = refused(cli("chart", *what, "-t", "t.npz", "-k", "other", "--out", "h.png"))
        assert "did not make these triggers" in said
