"""``edgewm doctor --silicon`` on the command line."""

from __future__ import annotations

from pathlib import Path

from tests import golden
from tests.cli.command import printed_json, refused
from tests.needs import needs
from tests.test_silicon import COUNT, recorded

pytestmark = needs("litert")


def test_doctor_compares_with_boards(cli, tmp_path: Path):
    """JSON has one object a runtime and run; the table has a row a board; 0 where one is bit-exact."""
    recorded(tmp_path)
    line = ("doctor", "--silicon", str(tmp_path), "--model", str(golden.MARKED))
    asked = (*line, "--on", "litert:delegate=xnnpack")
    found = printed_json(cli(*asked, "--json"))
    assert [one["run"] for one in found] == ["v0|maker|board|", "v0|maker|later|"]
    assert {one["runtime"] for one in found} == {"litert:delegate=xnnpack"}
    assert found[0]["rows_compared"] == found[0]["rows_identical"] == COUNT
    assert found[0]["top1_identical"] == COUNT
    code, out, err = cli(*asked)
    assert (code, err) == (0, "")
    assert f"{COUNT} exact" in out
    assert "bit-exact with 1 of 2 runs" in out


def test_doctor_says_when_no_board_is_answered_like(cli, tmp_path: Path):
    """The control: with one wrong number nothing is bit-exact, and the exit code is 1."""

    def wrong(printed) -> None:
        printed[0, 0] += 0.5

    recorded(tmp_path, wrong)
    line = ("doctor", "--silicon", str(tmp_path), "--model", str(golden.MARKED))
    code, out, _ = cli(*line, "--on", "litert:delegate=xnnpack")
    assert code == 1
    assert "bit-exact with 0 of 2 runs" in out


def test_doctor_refuses_what_does_not_belong_together(cli, tmp_path: Path):
    """--on without recordings, and a folder without any, are one line each."""
    assert "go with --silicon" in refused(cli("doctor", "--on", "tflm"))
    assert "inputs.npz cannot be read" in refused(cli("doctor", "--silicon", str(tmp_path)))
