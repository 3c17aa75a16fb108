"""Asking where edgewm is not: inputs out, labels back, and what was shown is remembered."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm.key import new_key, save_key
from edgewm.triggers import load_triggers
from tests.cli.command import (
    ANSWER,
    MARKED,
    answered,
    asking,
    printed_json,
    refused,
)
from tests.needs import needs

pytestmark = needs("litert")


NUMBERS = (
    "owned",
    "log10_p",
    "p_value",
    "groups_asked",
    "groups_hit",
    "queries",
    "triggers_sha256",
)


def numbers(verdict: dict[str, Any]) -> dict[str, Any]:
    """What two ways of asking the same device must agree on."""
    return {name: verdict[name] for name in NUMBERS}


@pytest.mark.parametrize("ending", ["npz", "txt"])
def test_ask_and_answers_give_the_verdict_of_the_file(cli, ending: str):
    """Inputs written, answered elsewhere and read back: the same numbers as asking the file here."""
    facts = printed_json(cli("ask", "--triggers", "t.npz", "--out", "q.npz", "--json"))
    assert facts["queries"] == 64
    assert Path("q.npz").stat().st_mode & 0o777 == 0o600
    with np.load("q.npz") as asked:
        inputs = asked["inputs"]
    assert inputs.dtype == np.float32
    labels = answered(inputs)
    if ending == "npz":
        np.savez("a.npz", labels=np.array(labels), inputs=inputs)
    else:
        Path("a.txt").write_text("\n".join(map(str, labels)))
    there = printed_json(cli(*asking(f"answers:file=a.{ending}", "--json")))
    here = printed_json(cli(*asking(MARKED, "--json")))
    assert numbers(there) == numbers(here)
    assert there["artifact_sha256"] is None


def test_answers_to_other_questions_are_refused(cli):
    """A recording that brings its inputs must bring these, in this order."""
    held = load_triggers(Path("t.npz"))
    np.savez("a.npz", labels=np.zeros(64, int), inputs=held.inputs)
    assert "is not what is asked" in refused(cli(*asking("answers:file=a.npz")))


def test_parts_that_were_asked_are_not_asked_again(cli):
    """Each `ask --groups` writes groups nobody has seen; when all were, it says so."""
    seen: list[bytes] = []
    for at in range(3):
        facts = printed_json(
            cli("ask", "--triggers", "t.npz", "--out", f"{at}.npz", "--groups", "20", "--json")
        )
        assert facts["first_group"] == 20 * at
        with np.load(f"{at}.npz") as asked:
            seen += [one.tobytes() for one in asked["inputs"]]
        part = answered(np.load(f"{at}.npz")["inputs"]) if at == 1 else []
        if part:
            Path("a.txt").write_text("\n".join(map(str, part)))
            then = facts["then"].replace("ANSWERS.npz", "a.txt").replace("KEY", "k").split()[1:]
            held = printed_json(cli(*then, "--json"), 1)  # 20 groups without a stamp are too few
            assert (held["groups_hit"], held["tests"]) == (20, 64)
    assert len(set(seen)) == 60
    assert "expected a run within 0 to 64" in refused(
        cli("ask", "--triggers", "t.npz", "--out", "4.npz", "--groups", "20")
    )
    assert cli("ask", "--triggers", "t.npz", "--out", "5.npz", "--groups", "4")[0] == 0
    said = refused(cli("ask", "--triggers", "t.npz", "--out", "6.npz", "--groups", "1"))
    assert "all 64 groups were shown before" in said


def test_a_refused_ask_spends_nothing(cli):
    """A name that is taken, or a memory that cannot be kept, shows no group."""
    Path("taken.npz").write_bytes(b"mine")
    ask = ("ask", "--triggers", "t.npz", "--groups", "8", "--out")
    assert "never overwritten" in refused(cli(*ask, "taken.npz"))
    assert not Path("t.npz.spent.json").exists()
    Path("t.npz.spent.json").mkdir()
    assert "t.npz.spent.json" in refused(cli(*ask, "q.npz"))
    assert not Path("q.npz").exists()


def test_exec_gives_the_verdict_of_the_file(cli):
    """A program that runs the model itself is asked the same and judged the same."""
    Path("answer.py").write_text(ANSWER)
    spelled = f"exec:command={sys.executable} answer.py {MARKED}"
    there = printed_json(cli(*asking(spelled, "--json")))
    here = printed_json(cli(*asking(MARKED, "--json")))
    assert numbers(there) == numbers(here)
    assert json.loads(Path("t.npz.spent.json").read_text())["shown"][0]["groups"] == 64


def test_exec_is_shown_nothing_when_the_verdict_cannot_be_given(cli):
    """A wrong key or alpha is refused before the program starts and before groups are spent."""
    save_key(new_key(), Path("other"))
    program = "exec:command=touch ran"
    refused(cli(*asking(program, key="other")))
    refused(cli(*asking(program, "--alpha", "2")))
    refused(cli(*asking(program, "--tests", "0")))
    refused(cli(*asking(program, "--groups", "65")))
    assert not Path("ran").exists()
    assert not Path("t.npz.spent.json").exists()


# ---- adapters


def test_ask_and_verify_go_through_the_same_adapters(cli):
    """What `ask --adapter` writes is what `verify --adapter` expects; without them it is refused."""
    chain = ("--adapter", "grey_to_rgb", "--adapter", "resize:height=16,width=16")
    ask = ("ask", "--triggers", "t.npz", "--out", "q.npz", "--json", *chain)
    facts = printed_json(cli(*ask, "--adapter", "nchw"))
    with np.load("q.npz") as asked:
        inputs = asked["inputs"]
    assert inputs.shape == (64, 3, 16, 16)
    labels = answered(inputs[:, :1, ::2, ::2].transpose(0, 2, 3, 1))
    np.savez("a.npz", labels=np.array(labels), inputs=inputs)
    then = facts["then"].replace("ANSWERS.npz", "a.npz").replace("KEY", "k").split()[1:]
    code, out, _ = cli(*then, "--json")
    held = json.loads(out)
    assert held["adapters"] == ["grey_to_rgb", "resize:height=16,width=16", "nchw"]
    assert held["tests"] == 1
    assert code == (0 if held["owned"] else 1)
    assert held["groups_hit"] > 30  # 6.4 by chance
    assert "is not what is asked" in refused(cli(*asking("answers:file=a.npz")))


def test_adapters_are_named_in_the_verdict(cli):
    """The lines and the object say which chain was asked and how many were tried."""
    _, out, err = cli(*asking(MARKED, "--adapter", "range:low=0,high=1"))
    assert "adapters: range:low=0.0,high=1.0" in out.splitlines()
    assert err == ""
    held = printed_json(cli(*asking(MARKED, "--try-adapters", "--json")))
    assert held["owned"] is True
    assert held["tests"] == len(held["chains"]) == 4
    assert held["adapters"] == []
    assert held["chains"][1]["adapters"] == ["range:low=-1.0,high=1.0"]
    plain = printed_json(cli(*asking(MARKED, "--json")))
    assert plain["adapters"] == []
    assert [c["adapters"] for c in plain["chains"]] == [[]]
    assert plain["log10_p"] == held["log10_p"]


def test_adapters_that_do_not_fit_are_one_line(cli):
    """Wrong names, two ways at once and a size nobody knows; nothing is spent and no program starts."""
    said = refused(cli(*asking(MARKED, "--adapter", "grey_to_rgb")))
    assert "the model takes inputs 8x8x1, the triggers are 8x8x1 and become 8x8x3" in said
    assert "give one of them" in refused(
        cli(*asking(MARKED, "--adapter", "nchw", "--try-adapters"))
    )
    assert "expected one of classes, grey_to_rgb" in refused(
        cli(*asking(MARKED, "--adapter", "bigger"))
    )
    program = "exec:command=touch ran"
    for more in (["--try-adapters"], ["--adapter", "resize"], ["--adapter", "range:low=1,high=0"]):
        refused(cli(*asking(program, *more)))
    ask = ("ask", "--triggers", "t.npz", "--out", "q.npz")
    assert "write resize:height=H,width=W" in refused(cli(*ask, "--adapter", "resize"))
    assert not Path("ran").exists()
    assert not Path("q.npz").exists()
    assert not Path("t.npz.spent.json").exists()
