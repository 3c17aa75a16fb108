"""What each verb prints when all is well."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgewm.cli import _VERBS
from edgewm.key import load_key
from edgewm.triggers import load_triggers
from tests.cli.command import (
    MARKED,
    UNMARKED,
    asking,
    printed_json,
    refused,
    started,
)
from tests.needs import needs

pytestmark = needs("litert")


def test_verify_says_owned_and_not_shown(cli):
    """Exit code 0 for the marked file, 1 for the unmarked one, a table and a sentence for both."""
    code, out, err = cli(*asking(MARKED))
    assert (code, err) == (0, "")
    assert "64/64" in out
    assert "xnnpack" in out
    assert "OWNED  p = 1e-64 (log10 -64.0)" in out
    assert "note: unstamped" in out
    code, out, err = cli(*asking(UNMARKED))
    assert (code, err) == (1, "")
    assert "NOT SHOWN  p = 0." in out


def test_verify_prints_one_json_object_with_everything(cli):
    """Every field that a reader needs, and the runtimes each with engine, arithmetic and evidence."""
    held = printed_json(cli(*asking(MARKED, "--json")))
    assert {
        *("owned", "p_value", "log10_p", "alpha", "groups_asked", "groups_hit", "groups_silent"),
        *("queries", "tests", "forgery_bits", "stamped", "runtimes", "artifact_sha256"),
        *("triggers_sha256", "flags"),
    } <= set(held)
    assert held["owned"] is True
    assert held["stamped"] is False
    assert {"name", "version", "arithmetic", "groups_hit", "log10_p"} <= set(held["runtimes"][0])
    assert printed_json(cli(*asking(UNMARKED, "--json")), 1)["owned"] is False


@needs("tflite_runtime")
@needs("tflm")
def test_verify_on_all(cli):
    """All local runtimes in one verdict; text and JSON agree."""
    held = printed_json(cli(*asking(MARKED, "--on", "all", "--json")))
    assert [r["arithmetic"] for r in held["runtimes"]] == ["xnnpack", "builtin", "builtin", "tflm"]
    assert held["not_run"] == []
    code, out, _ = cli(*asking(MARKED, "--on", "tflm", "--on", "litert"))
    assert code == 0
    assert out.count("64/64") == 2


def test_verify_counts_tests_alpha_and_parts(cli):
    """Options reach the verdict: more tests, another alpha, sequential, a part of the order."""
    options = ["--tests", "10", "--alpha", "1e-3", "--sequential", "--json"]
    held = printed_json(cli(*asking(MARKED, *options)))
    assert (held["tests"], held["alpha"], held["sequential"]) == (10, 1e-3, True)
    held = printed_json(cli(*asking(MARKED, "--groups", "32", "--first-group", "8", "--json")))
    assert (held["groups_asked"], held["tests"]) == (32, 64)
    assert not Path("t.npz.spent.json").exists()  # a file that is asked here shows nothing


def test_the_real_command_gives_the_same_verdict(cli):
    """`python -m edgewm verify` starts its worker early and prints what `run` prints."""
    done = started(*asking(MARKED, "--json"))
    assert (done.returncode, done.stderr) == (0, "")
    held, again = json.loads(done.stdout), printed_json(cli(*asking(MARKED, "--json")))
    for verdict in (held, again):
        verdict["runtimes"][0].pop("latency_ms")
    assert held == again


def test_keygen_writes_a_private_key(cli):
    """A file of mode 0600 that holds the commitment it prints, and never the secret on the screen."""
    facts = printed_json(cli("keygen", "--out", "new", "--json"))
    assert load_key(Path("new")).commitment == facts["commitment"]
    assert Path("new").stat().st_mode & 0o777 == 0o600
    code, out, err = cli("keygen", "--out", "another")
    assert (code, err) == (0, "")
    key = load_key(Path("another"))
    assert key.commitment in out
    assert key.secret.hex() not in out


def test_keygen_locks(cli, monkeypatch: pytest.MonkeyPatch):
    """A locked key opens with EDGEWM_PASSPHRASE and with nothing else."""
    assert "set EDGEWM_PASSPHRASE" in refused(cli("keygen", "--out", "locked", "--lock"))
    monkeypatch.setenv("EDGEWM_PASSPHRASE", "")
    assert "no passphrase" in refused(cli("keygen", "--out", "locked", "--lock"))
    monkeypatch.setenv("EDGEWM_PASSPHRASE", "right")
    assert cli("keygen", "--out", "locked", "--lock")[0] == 0
    make = ("triggers", "make", "--key", "locked", "--shape", "4x4x1", "--classes", "4", "--out")
    assert cli(*make, "a.npz")[0] == 0
    monkeypatch.setenv("EDGEWM_PASSPHRASE", "wrong")
    assert "passphrase does not open" in refused(cli(*make, "b.npz"))
    monkeypatch.delenv("EDGEWM_PASSPHRASE")
    assert "set EDGEWM_PASSPHRASE" in refused(cli(*make, "b.npz"))
    assert not Path("b.npz").exists()


def test_triggers_are_made_and_shown(cli):
    """Made from the key, shown without it; the answers and their sheet only with it."""
    made = printed_json(
        cli(
            *("triggers", "make", "--key", "k", "--out", "new.npz", "--shape", "12X10x3"),
            *("--classes", "7", "--groups", "9", "--pattern", "abstract:cells=2"),
            *("--range", "-1,1", "--json"),
        )
    )
    held = load_triggers(Path("new.npz"))
    assert (held.shape, held.classes, held.groups) == ((12, 10, 3), 7, 9)
    assert (held.inputs.min(), held.inputs.max()) == (-1, 1)
    shown = printed_json(cli("triggers", "show", "new.npz", "--json"))
    assert shown["triggers_sha256"] == made["triggers_sha256"] == held.sha256
    assert "answers" not in shown
    assert shown["provenance"]["pattern"] == "abstract:cells=2,inputs_per_group=1"
    opened = ("triggers", "show", "new.npz", "--key", "k", "--sheet", "s.png")
    with_key = printed_json(cli(*opened, "--json"))
    assert with_key["answers"] == held.answers(load_key(Path("k"))).tolist()
    code, out, err = cli(*opened)
    assert (code, err) == (0, "")
    assert "answers " + " ".join(map(str, with_key["answers"])) in out
    with Image.open("s.png") as sheet:
        assert min(sheet.size) > 100
    assert Path("s.png").stat().st_mode & 0o777 == 0o600


def test_triggers_leave_out_the_classes_of_a_reference(cli):
    """With a clean model of the task, its classes are natural and never answers."""
    make = ("triggers", "make", "--key", "k", "--shape", "8x8x1", "--classes", "10", "--out")
    made = printed_json(cli(*make, "new.npz", "--reference", UNMARKED, "--json"))
    assert made["allowed_classes"] == [9]
    assert made["provenance"]["reference"] is True
    assert "--reference" in refused(cli(*make, "b.npz", "--reference", "none.tflite"))
    assert refused(cli(*make, "b.npz", "--reference", "t.npz"))
    assert not Path("b.npz").exists()


def test_triggers_with_a_drawing(cli):
    """A logo is laid over the pictures that are given."""
    Image.fromarray(np.eye(9, dtype=np.uint8) * 255).save("logo.png")
    np.save("x.npy", np.random.default_rng(0).uniform(0, 1, (40, 8, 8, 1)))
    make = ("triggers", "make", "--key", "k", "--shape", "8x8x1", "--classes", "10", "--out")
    logo = ("--pattern", "logo:file=logo.png", "--groups", "8")
    assert cli(*make, "new.npz", *logo, "--natural", "x.npy")[0] == 0
    assert load_triggers(Path("new.npz")).groups == 8
    assert "--natural" in refused(cli(*make, "b.npz", *logo))


def test_list_and_help_and_version(cli):
    """Every verb has help, every kind of plug-in is listed, and no arguments show the verbs."""
    held = printed_json(cli("list", "--json"))
    assert {"answers", "exec", "litert", "serial", "tflite_runtime", "tflm"} <= set(
        held["runtimes"]
    )
    assert held["targets"]
    assert cli("list", "patterns")[1].startswith("patterns: abstract, ")
    assert cli("--version")[1].startswith("edgewm, version ")
    _, everything, err = cli()
    assert err == ""
    for verb in _VERBS:
        assert verb in everything
        code, out, err = cli(verb, "--help")
        assert (code, err) == (0, "")
        assert out.startswith("Usage: edgewm ")


def test_doctor_shows_what_works(cli):
    """One row a configuration, none of them cut off, and JSON with the same."""
    held = printed_json(cli("doctor", "--json"))
    litert = next(row for row in held if row["spec"] == "litert")
    assert litert["available"] is True
    code, out, err = cli("doctor")
    assert (code, err) == (0, "")
    assert "\u2026" not in out
    for row in held:
        assert row["spec"] in out
        assert row["version"] in out
    assert "isolation of every worker" in out


def test_verify_by_scores_says_what_was_judged(cli):
    """`--scores` prints it and `--json` holds it; a part of the questions has no such form."""
    assert "judged by output values" in cli(*asking(MARKED, "--scores"))[1]
    assert printed_json(cli(*asking(MARKED, "--scores", "--json")))["scores"] is True
    assert printed_json(cli(*asking(MARKED, "--json")))["scores"] is False
    for part in (["--sequential"], ["--groups", "8"]):
        assert "--scores: are judged together" in refused(cli(*asking(MARKED, "--scores", *part)))
