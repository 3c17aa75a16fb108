"""The demo, whole, as a person runs it."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import needs

pytestmark = [pytest.mark.train, needs("tensorflow"), needs("sklearn")]

ROW = {
    "accuracy",
    "arithmetic",
    "format",
    "groups_asked",
    "groups_hit",
    "log10_p",
    "mark",
    "owned",
    "runtime",
    "suspect",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "out"
    done = subprocess.run(
        [sys.executable, "-m", "edgewm", "demo", "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "OWNED" in done.stdout
    return out


def test_the_demo_shows_the_marked_network_and_accuses_no_control(folder: Path) -> None:
    """Every group of the marked file hits on every runtime; unmarked twin and wrong key are not owned."""
    rows = json.loads((folder / "demo.json").read_text())["rows"]
    assert all(set(row) == ROW for row in rows)
    assert {row["suspect"] for row in rows} == {
        "marked",
        "unmarked",
        "wrong-key",
        "finetuned",
        "pruned",
    }
    for row in rows:
        if row["suspect"] == "marked":
            assert row["owned"]
            assert row["groups_hit"] == row["groups_asked"] == 64
        if row["suspect"] in ("unmarked", "wrong-key"):
            assert not row["owned"]
        assert 0.5 < row["accuracy"] <= 1.0


def test_the_demo_catches_the_clone_that_has_no_trigger_left(folder: Path) -> None:
    """Triggers die in the clone and the tilt does not; clean twin and wrong key show nothing."""
    rows = {row["suspect"]: row for row in json.loads((folder / "demo.json").read_text())["clone"]}
    assert set(rows) == {"both-marks", "clone", "clean", "wrong-key"}
    assert rows["both-marks"]["groups_hit"] >= 60
    assert rows["both-marks"]["tilt_log10_p"] < -9
    assert rows["clone"]["triggers_log10_p"] > -4
    assert rows["clone"]["tilt_log10_p"] < -4
    for control in ("clean", "wrong-key"):
        assert not rows[control]["owned_if_stamped"]
        assert rows[control]["log10_p"] > -4


@needs("tflm")
@needs("tflite_runtime")
def test_the_demo_asks_three_arithmetics(folder: Path) -> None:
    """Single-rounding, double-rounding and built-in kernels all answered."""
    rows = json.loads((folder / "demo.json").read_text())["rows"]
    assert {row["arithmetic"] for row in rows} == {"xnnpack", "builtin", "tflm"}


def test_the_demo_leaves_everything_to_look_at(folder: Path) -> None:
    """Models, key, triggers, sheet and chart are there, and none is empty."""
    for name in (
        "owner.key",
        "triggers.npz",
        "triggers.png",
        "models/marked.tflite",
        "models/marked.keras",
    ):
        assert (folder / name).stat().st_size > 100, name


@needs("openssl")
@needs("rfc3161")
@needs("jinja2")
def test_the_demo_claims_before_training_and_leaves_a_report(folder: Path) -> None:
    """Stamped, then trained, then released; the copy is shown in the report, its unmarked twin is not."""
    from edgewm.authorities import read_trust
    from edgewm.case import read_case
    from edgewm.ledger import Ledger

    trust = read_trust([folder / "authority" / "root.pem"], ())
    now = dt.datetime.now(dt.UTC)
    case = read_case(Ledger(folder=folder / "records"), trust=trust, now=now)
    kinds = [record.kind for record in case.audit.records]
    assert kinds == ["claim", "stamp", "marked", "release", "verification", "verification"]
    assert case.asking.verdict["stamped"]
    assert case.asking.verdict["owned"]
    assert [control.verdict["owned"] for control in case.controls] == [False]
    text = (folder / "report.html").read_text()
    assert "Shown: the suspect depends" in text
    assert "for show only" in text


def test_a_folder_that_holds_a_demo_is_not_overwritten(folder: Path) -> None:
    """A second demo into the same folder is refused: there is a key in it."""
    before = (folder / "owner.key").read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "edgewm", "demo", "--out", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("edgewm: --out")
    assert (folder / "owner.key").read_bytes() == before
