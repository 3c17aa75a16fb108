"""`edgewm scan` on the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests import golden, hiding
from tests.cli.command import EDGEWM, MARKED, UNMARKED, printed_json, refused
from tests.needs import needs

pytestmark = needs("litert")


@pytest.fixture
def apps() -> str:
    """An app that holds the marked model, a firmware image with the other one, and no model."""
    Path("apps").mkdir()
    marked, unmarked = golden.MARKED.read_bytes(), golden.UNMARKED.read_bytes()
    Path("apps/a.apk").write_bytes(hiding.zipped("assets/m.tflite", marked))
    Path("apps/b.uf2").write_bytes(hiding.uf2(unmarked))
    Path("apps/c.txt").write_text("no model\n")
    return "apps"


def test_scan_tells_who_has_it(cli, apps):
    """Exit code 0, the plan with its tests, a line for the owned one, the table; then from there on."""
    code, out, err = cli("scan", apps, "--triggers", "t.npz", "--key", "k", "--jobs", "1")
    assert (code, err) == (0, "")
    plan, owned, rows = out.splitlines()
    assert plan.startswith(
        "2 models, 2 different, 2 to be asked; tests: 2 suspects x 1 mark = 2; plan "
    )
    assert owned.startswith(
        "OWNED  4cef184e9654  log10 p -64.0  by t.npz  apps/a.apk!assets/m.tflite"
    )
    assert rows == "2 rows in scan.jsonl: 1 not_shown, 1 owned"
    table = [json.loads(line) for line in Path("scan.jsonl").read_text().splitlines()]
    assert {row["seen"][0]: row["outcome"] for row in table} == {
        "apps/a.apk!assets/m.tflite": "owned",
        "apps/b.uf2!0x10000000": "not_shown",
    }
    assert not Path("scan.jsonl.models").exists()  # what was unpacked is removed in the end
    code, out, _ = cli("scan", apps, "--triggers", "t.npz", "--key", "k")
    assert (code, out.splitlines()[-1][:43]) == (0, "2 rows in scan.jsonl, 2 of them before: 1 n")


def test_scan_without_the_mark(cli, apps):
    """The control: exit code 1 where nothing is owned, also by a key and triggers of somebody else."""
    assert cli("keygen", "--out", "other")[0] == 0
    make = ("triggers", "make", "--shape", "8x8x1", "--classes", "10", "--groups", "32")
    assert cli(*make, "--key", "other", "--out", "u.npz")[0] == 0
    told = printed_json(
        cli("scan", apps, "--triggers", "u.npz", "--key", "other", "--jobs", "1", "--json"), 1
    )
    assert told["outcomes"] == {"not_shown": 2}
    assert told["owned"] == []


def test_several_marks_of_several_keys(cli, apps):
    """--triggers A B and --key K L: each mark goes with the key that made it; the plan counts both."""
    assert cli("keygen", "--out", "other")[0] == 0
    make = ("triggers", "make", "--shape", "8x8x1", "--classes", "10", "--groups", "32")
    assert cli(*make, "--key", "other", "--out", "u.npz")[0] == 0
    line = ("scan", apps, "--triggers", "u.npz", "t.npz", "--key", "k", "other", "--out", "s.csv")
    told = printed_json(cli(*line, "--tests", "3", "--jobs", "1", "--json"))
    assert (told["tests"], told["rows"], told["marks"]) == (12, 4, 2)
    assert told["outcomes"] == {"not_shown": 3, "owned": 1}
    assert [row["mark_name"] for row in told["owned"]] == ["t.npz"]
    assert len(Path("s.csv").read_text().splitlines()) == 5
    wrong = refused(cli("scan", apps, "--triggers", "u.npz", "--key", "k"))
    assert "key" in wrong


def test_one_mark_goes_on_where_it_was(cli, apps):
    """--try-adapters and one runtime more are other plans, which a table refuses."""
    line = ("scan", apps, "--triggers", "t.npz", "--key", "k", "--jobs", "1")
    assert cli(*line)[0] == 0
    text = refused(cli(*line, "--try-adapters"))
    assert "--out: scan.jsonl is of another scan (adapters)" in text
    assert "(on)" in refused(cli(*line, "--on", "litert:delegate=none"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("--triggers", "t.npz", "--key", "k", "apps"), "PATH: got none"),
        (("apps", "--key", "k"), "--triggers: got nothing"),
        (("apps", "--triggers", "t.npz"), "--key: got nothing"),
        (("apps", "-t", "t.npz", "t.npz", "-k", "k"), "got one mark twice"),
        (("apps", "-t", "t.npz", "-k", "k", "--alpha", "2"), "alpha"),
        (("apps", "-t", "t.npz", "-k", "k", "--tests", "0"), "tests"),
        (("apps", "-t", "t.npz", "-k", "k", "--on", "nothing"), "runtimes: got 'nothing'"),
        (("apps", "-t", "t.npz", "-k", "k", "--adapter", "nothing"), "adapters: got 'nothing'"),
        (("apps", "-t", "t.npz", "-k", "k", "--timeout-s", "1e300"), "--timeout-s"),
        (("apps", "-t", "t.npz", "-k", "k", "--on", "exec:command=x"), "use edgewm verify"),
        (("apps", "-t", "t.npz", "-k", "k", "--out", "t.txt"), "--out: got t.txt"),
        (("apps", "-t", "t.npz", "-k", "k", "--scheduler", "tcp://x:1", "--jobs", "2"), "--jobs"),
        (("apps", "-t", "t.npz", "-k", "k", "--disclosure", "d"), "use edgewm verify"),
        (("nowhere", "-t", "t.npz", "-k", "k"), "PATH: nowhere cannot be read"),
    ],
)
def test_scan_refuses(cli, apps, line, said):
    """One line that names the argument, exit code 2, and no table."""
    assert said in refused(cli("scan", *line))
    assert not Path("scan.jsonl").exists()


def test_interrupted_scan_says_how_to_go_on(apps):
    """Ctrl-C: one line of what is left, exit code 130, the rows that were written stay."""
    from tests.runtimes import models

    for number in range(4):
        Path(f"apps/{number}").write_bytes(models.endless() + bytes(number))
    line = [*EDGEWM, "scan", "apps", MARKED, UNMARKED, "-t", "t.npz", "-k", "k", "--whole-files"]
    line += ["--jobs", "1"]
    started = subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    deadline = time.monotonic() + 60
    while not Path("scan.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(started.pid, signal.SIGINT)
    _, err = started.communicate(timeout=30)
    assert started.returncode == 130
    assert "rows to go; the same command goes on from here" in err
