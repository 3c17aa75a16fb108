"""One line and an exit code for everything that cannot be done."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgewm.key import load_key, new_key, save_key
from edgewm.patterns import make_triggers
from edgewm.triggers import save_triggers
from tests import golden
from tests.cli.command import (
    MARKED,
    answered,
    asking,
    printed_json,
    refused,
)
from tests.needs import missing, needs

pytestmark = needs("litert")


BAD_SUSPECTS = {
    "no tflite": lambda: Path("s.tflite").write_bytes(b"hello" * 100),
    "wrong magic": lambda: Path("s.tflite").write_bytes(
        golden.MARKED.read_bytes().replace(b"TFL3", b"TFL4", 1)
    ),
    "cut": lambda: Path("s.tflite").write_bytes(golden.MARKED.read_bytes()[:9000]),
    "empty": lambda: Path("s.tflite").write_bytes(b""),
    "folder": lambda: Path("s.tflite").mkdir(),
    "missing": lambda: None,
    "triggers": lambda: shutil.copy("t.npz", "s.tflite"),
}


@pytest.mark.parametrize("name", sorted(BAD_SUSPECTS))
def test_suspects_that_are_no_model_are_one_line(cli, name: str):
    """Whatever the file is: exit code 2, one line, no verdict."""
    BAD_SUSPECTS[name]()
    refused(cli(*asking("s.tflite")))
    if name != "wrong magic" or missing("tflm"):
        refused(cli(*asking("s.tflite", "--on", "all")))
        return
    # TFLM does not look at the magic, and a board would run the file: so it is asked and judged
    held = printed_json(cli(*asking("s.tflite", "--on", "all", "--json")))
    assert [row["runtime"] for row in held["runtimes"]] == ["tflm"]
    assert len(held["not_run"]) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (asking(""), "SUSPECT"),
        (asking("t.npz/x"), "cannot be read"),
        (asking(MARKED, triggers="t.npz/x"), "--triggers: t.npz/x cannot be read"),
        (asking(MARKED, triggers="none.npz"), "--triggers: none.npz cannot be read"),
        (asking(MARKED, triggers="."), "--triggers: "),
        (asking(MARKED, triggers="k"), "is not an edgewm trigger file"),
        (asking(MARKED, key="k/x"), "--key: k/x cannot be read"),
        (asking(MARKED, key="t.npz"), "is not an edgewm key file"),
        (asking(MARKED, key="."), "--key: "),
        (asking(MARKED, "--on", "lite"), "expected one of answers, exec, keras, litert"),
        (asking(MARKED, "--on", "litert:delegate=gpu"), "delegate=gpu"),
        (asking(MARKED, "--on", "litert:python=/none"), "cannot be started"),
        (asking(MARKED, "--on", "litert", "--on", "litert"), "twice"),
        (asking(MARKED, "--on", "all", "--on", "tflm"), "twice"),
        (asking(MARKED, "--on", "exec:command=true"), "in place of SUSPECT"),
        (asking("exec:command=none-such-program"), "cannot be started"),
        (asking("exec:command=false"), "exit code 1"),
        (asking('exec:command=echo "[/x]"'), "quote a value"),
        (asking("exec:"), "exec"),
        (asking("answers:file=none.npz"), "cannot be read"),
        (asking("answers:file=t.npz"), "labels"),
        (asking(MARKED, "--alpha", "0"), "alpha"),
        (asking(MARKED, "--alpha", "1.5"), "alpha"),
        (asking(MARKED, "--alpha", "nan"), "alpha"),
        (asking(MARKED, "--alpha", "small"), "--alpha"),
        (asking(MARKED, "--tests", "0"), "tests"),
        (asking(MARKED, "--tests", "1.5"), "--tests"),
        (asking(MARKED, "--groups", "0"), "--groups"),
        (asking(MARKED, "--groups", "65"), "--groups"),
        (asking(MARKED, "--first-group", "64"), "--groups"),
        (asking(MARKED, "--colour", "red"), "--colour"),
        (["verify", MARKED, "--key", "k"], "--triggers"),
        (["verify", MARKED, "--triggers", "t.npz"], "--key"),
        (["verify"], "SUSPECT"),
        (["verfy"], "verfy"),
        (["triggers"], "triggers --help"),
        (["list", "colours"], "expected one of patterns"),
        (["keygen"], "--out"),
        (["keygen", "--out", "k"], "k exists and is never overwritten"),
        (["keygen", "--out", "none/k"], "--out: none/k cannot be written"),
        (["keygen", "--out", "t.npz/k"], "t.npz/k"),
        (["keygen", "--out", "."], "--out"),
        (["keygen", "--out", ""], "--out"),
        (["ask", "--triggers", "t.npz", "--out", "none/q.npz"], "none/q.npz cannot be written"),
        (["ask", "--triggers", "t.npz", "--out", "k"], "never overwritten"),
        (["ask", "--triggers", "k", "--out", "q.npz"], "is not an edgewm trigger file"),
        (["triggers", "show", "k"], "TRIGGERS: k is not an edgewm trigger file"),
        (["triggers", "show", "t.npz", "--key", "t.npz"], "is not an edgewm key file"),
        (["triggers", "show", "t.npz", "--sheet", "none/s.png"], "--sheet: none/s.png"),
        (
            ["export", "none.keras", "--data", "x.npy", "--out", "m.tflite"],
            "expected a .keras file",
        ),
        (["export", "k", "--data", "x.npy", "--out", "m.tflite"], "expected a .keras file"),
    ],
)
def test_what_cannot_be_done_is_one_line(cli, arguments: Sequence[str], said: str):
    """Exit code 2, the reason, and no file that was not there before."""
    before = sorted(p.name for p in Path().iterdir())
    assert said in refused(cli(*arguments))
    Path("t.npz.spent.json").unlink(missing_ok=True)  # a program that was asked was shown inputs
    assert sorted(p.name for p in Path().iterdir()) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--shape", "8,8"], "--shape: got '8,8'"),
        (["--shape", "8x0x1"], "(8, 0, 1)"),
        (["--shape", "8x8x1", "--classes", "1"], "got 1 classes"),
        (["--shape", "8x8x1", "--groups", "0"], "0 groups"),
        (["--shape", "8x8x1", "--range", "0"], "--range"),
        (["--shape", "8x8x1", "--range", "1,0"], "low < high"),
        (["--shape", "8x8x1", "--range", "0,inf"], "low < high"),
        (["--shape", "8x8x1", "--pattern", "logo"], "'file'"),
        (["--shape", "8x8x1", "--pattern", "stripes"], "expected one of abstract"),
        (["--shape", "8x8x1", "--natural", "none.npy"], "--data: none.npy cannot be read"),
        (["--shape", "8x8x1", "--natural", "nothing"], "expected digits"),
        (["--shape", "8x8x1", "--out", "k"], "never overwritten"),
        (["--shape", "8x8x1", "--out", "none/t.npz"], "cannot be written"),
    ],
)
def test_triggers_that_cannot_be_made_are_one_line(cli, options: list[str], said: str):
    """Shapes, classes, ranges and patterns that make no sense; nothing is written."""
    before = sorted(p.name for p in Path().iterdir())
    line = ["triggers", "make", "--key", "k", "--classes", "10", "--out", "new.npz", *options]
    assert said in refused(cli(*line))
    assert sorted(p.name for p in Path().iterdir()) == before


def test_edited_files_have_an_exit_code_of_their_own(cli):
    """One byte changed in the triggers, or the commitment of the key: 3, and no question is asked."""
    content = bytearray(Path("t.npz").read_bytes())
    content[5000] ^= 1
    Path("edited.npz").write_bytes(content)
    assert "digest does not check" in refused(cli(*asking(MARKED, triggers="edited.npz")), 3)
    refused(cli("triggers", "show", "edited.npz"), 3)
    refused(cli("ask", "--triggers", "edited.npz", "--out", "q.npz"), 3)
    held = json.loads(Path("k").read_text())
    Path("edited").write_text(json.dumps({**held, "commitment": "0" * 64}))
    assert "was changed" in refused(cli(*asking(MARKED, key="edited")), 3)


def test_keys_and_triggers_that_do_not_belong_together(cli, monkeypatch: pytest.MonkeyPatch):
    """Another key, a locked one without or with a wrong passphrase: 2, and the locked key itself: 0."""
    save_key(new_key(), Path("other"))
    assert "did not make these triggers" in refused(cli(*asking(MARKED, key="other")))
    locked = asking(MARKED, key=str(golden.LOCKED))
    assert "set EDGEWM_PASSPHRASE" in refused(cli(*locked))
    monkeypatch.setenv("EDGEWM_PASSPHRASE", "not it")
    assert "passphrase does not open" in refused(cli(*locked))
    monkeypatch.setenv("EDGEWM_PASSPHRASE", golden.PASSPHRASE)
    assert cli(*locked)[0] == 0


def test_triggers_of_other_models_are_refused(cli):
    """Triggers of another shape or number of classes: which, and what the model has."""
    for shape, classes in (((4, 4, 1), 10), ((8, 8, 1), 12)):
        made = make_triggers(load_key(Path("k")), shape=shape, classes=classes)
        save_triggers(made, Path("other.npz"))
        said = refused(cli(*asking(MARKED, triggers="other.npz")))
        assert "these are not triggers for this model" in said


def test_a_missing_runtime_says_what_to_install(cli, monkeypatch: pytest.MonkeyPatch):
    """A runtime that does not import is refused by name, and is a line of its own under all."""
    Path("sitecustomize.py").write_text("import sys; sys.modules['tflite_micro'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    assert "pip install" in refused(cli(*asking(MARKED, "--on", "tflm")))
    held = printed_json(cli(*asking(MARKED, "--on", "all", "--json")))
    assert held["owned"] is True
    assert "tflm" in [row["runtime"] for row in held["not_run"]]
    _, out, _ = cli(*asking(MARKED, "--on", "all"))
    assert "not run: tflm: " in out


def test_text_from_outside_is_not_read_as_markup(cli):
    """A program's name with brackets in it is printed as it is."""
    answered(np.zeros((0, 8, 8, 1), np.float32))
    shutil.move("answer.py", "answer[red].py")
    spelled = f"exec:command={sys.executable} answer[red].py {MARKED}"
    code, out, err = cli(*asking(spelled))
    assert (code, err) == (0, "")
    assert "answer[red].py" in out
