"""``edgewm attack``: a file in, a thief's file out, and what it cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import MARKED, asking, printed_json, refused
from tests.needs import needs

pytestmark = [needs("litert"), needs("sklearn")]


@pytest.mark.train
@needs("tensorflow")
def test_a_thief_s_file_is_written_and_can_be_asked(cli):
    """A little noise leaves the mark and the accuracy; the file is another one."""
    line = [
        "attack",
        MARKED,
        "--attack",
        "noise:strength=0.01",
        "--data",
        "digits",
        "-o",
        "s.tflite",
    ]
    held = printed_json(cli(*line, "--json"))
    assert held["attack"] == "noise:strength=0.01,seed=0"
    assert abs(held["cost_points"]) < 3
    assert held["cost_points"] == pytest.approx(100 * (held["victim_accuracy"] - held["accuracy"]))
    assert Path("s.tflite").read_bytes() != Path(MARKED).read_bytes()
    assert printed_json(cli(*asking("s.tflite", "--json")))["owned"] is True


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ([MARKED, "--attack", "filter", "--data", "digits"], "filter changes inputs"),
        ([MARKED, "--attack", "nothing", "--data", "digits"], "expected one of"),
        (["none.tflite", "--attack", "noise", "--data", "digits"], "none.tflite cannot be read"),
        ([MARKED, "--attack", "noise", "--data", "none"], "--data: got 'none'"),
    ],
)
def test_what_cannot_be_attacked_is_refused(cli, line, said):
    """One line, and no file."""
    assert said in refused(cli("attack", *line, "-o", "s.tflite"))
    assert not Path("s.tflite").exists()
