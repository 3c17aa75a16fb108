"""``edgewm tilt`` and ``edgewm verify --tilt``, from a reference file to a verdict."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgewm.tilt import load_tilt
from tests.cli.command import ANSWER, MARKED, UNMARKED, answered, printed_json, refused
from tests.needs import needs

pytestmark = [needs("litert")]

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def made(cli: Cli) -> Path:
    """A tilt over noise, by the unmarked golden network."""
    np.save("natural.npy", np.random.default_rng(1).random((1500, 8, 8, 1)).astype(np.float32))
    arguments = ["--reference", UNMARKED, "--natural", "natural.npy", "--cells", "16"]
    cli("tilt", "make", "-k", "k", *arguments, "--questions", "320", "--out", "tilt.npz")
    return Path("tilt.npz")


def test_make_commits_and_show_tells_what_is_public(cli: Cli, made: Path) -> None:
    """The file is there, never overwritten, and show gives cells, pairs and digest but no sign."""
    held = load_tilt(made)
    facts = printed_json(cli("tilt", "show", "tilt.npz", "--json"))
    assert (facts["cells"], facts["inputs"]) == (held.cells, len(held.inputs))
    assert facts["tilt_sha256"] == held.sha256
    assert sum(facts["cells_of_pairs"].values()) == held.cells
    assert "signs" not in facts
    code, out, _ = cli("tilt", "show", "tilt.npz")
    assert code == 0
    assert f"{held.cells} cells" in out
    again = ["--reference", UNMARKED, "--natural", "natural.npy", "--out", "tilt.npz"]
    assert "never overwritten" in refused(cli("tilt", "make", "-k", "k", *again))


def test_verify_asks_natural_inputs(cli: Cli, made: Path) -> None:
    """A file that never leaned is not shown: exit code 1, with cells and queries in the verdict."""
    verdict = printed_json(cli("verify", UNMARKED, "--tilt", "tilt.npz", "-k", "k", "--json"), 1)
    assert not verdict["owned"]
    assert verdict["groups"] == 0
    assert verdict["tilt"]["cells"] == load_tilt(made).cells
    assert verdict["queries"] == len(load_tilt(made).inputs)
    code, out, _ = cli("verify", UNMARKED, "--tilt", "tilt.npz", "-k", "k")
    assert code == 1
    assert "natural inputs" in out
    assert "NOT SHOWN" in out
    assert "groups hit" not in out


def test_verify_asks_both_marks(cli: Cli, made: Path) -> None:
    """The marked golden file is owned by its triggers, with a tilt asked beside them."""
    marks = ["--triggers", "t.npz", "--tilt", "tilt.npz", "--key", "k"]
    verdict = printed_json(cli("verify", MARKED, *marks, "--json"))
    assert verdict["owned"]
    assert verdict["groups_hit"] == verdict["groups"]
    assert verdict["tilt"]["cells_asked"] == load_tilt(made).cells


def test_a_device_that_cannot_be_reached_is_asked_by_files(cli: Cli, made: Path) -> None:
    """What `tilt ask` writes, answered elsewhere, gives the verdict that the file gives here."""
    asked = printed_json(cli("tilt", "ask", "--tilt", "tilt.npz", "--out", "q.npz", "--json"))
    with np.load("q.npz") as held:
        inputs = held["inputs"]
    assert asked["queries"] == len(inputs) == len(load_tilt(made).inputs)
    np.savez("a.npz", labels=np.array(answered(inputs, UNMARKED)), inputs=inputs)
    there = printed_json(
        cli("verify", "answers:file=a.npz", "--tilt", "tilt.npz", "-k", "k", "--json"), 1
    )
    here = printed_json(cli("verify", UNMARKED, "--tilt", "tilt.npz", "-k", "k", "--json"), 1)
    assert there["log10_p"] == here["log10_p"]


def test_triggers_beside_a_tilt_count_as_shown_to_a_device_that_is_not_ours(
    cli: Cli, made: Path
) -> None:
    """A program that answers sees every group; a file here sees none, and neither does a tilt alone."""
    Path("answer.py").write_text(ANSWER)
    device = f"exec:command={sys.executable} answer.py {MARKED}"
    both = ["--triggers", "t.npz", "--tilt", "tilt.npz", "-k", "k"]
    memory = Path("t.npz.spent.json")
    cli("verify", MARKED, *both)
    cli("verify", device, "--tilt", "tilt.npz", "-k", "k")
    assert not memory.exists()
    verdict = printed_json(cli("verify", device, *both, "--json"))
    assert verdict["owned"]
    (shown,) = json.loads(memory.read_text())["shown"]
    assert (shown["first_group"], shown["groups"]) == (0, verdict["groups"])


@needs("securesystemslib")
def test_a_claim_may_name_a_tilt(cli: Cli, made: Path) -> None:
    """One mark a claim: a tilt, or triggers, not both and not neither."""
    base = ["claim", "-k", "k", "-l", "ledger"]
    assert "one mark a claim" in refused(cli(*base))
    assert "one mark a claim" in refused(cli(*base, "-t", "t.npz", "--tilt", "tilt.npz"))
    code, _, err = cli(*base, "--tilt", "tilt.npz")
    assert (code, err) == (0, "")
    seen = ["--ledger", "ledger", "--suspect-seen", "2020-01-01"]
    verdict = printed_json(
        cli("verify", UNMARKED, "--tilt", "tilt.npz", "-k", "k", *seen, "--json"), 1
    )
    assert not verdict["stamped"]
    assert verdict["claims"][0]["stamped_at"] is None


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--tilt", "t.npz"], "edgewm tilt make"),
        (["--tilt", "tilt.npz", "--groups", "3"], "--groups"),
        (["--tilt", "tilt.npz", "--try-adapters"], "--try-adapters"),
        (["--tilt", "tilt.npz", "--min-hit-rate", "0.9"], "--min-hit-rate"),
        (["--tilt", "tilt.npz", "--natural-queries", "3"], "queries"),
        (["--triggers", "t.npz", "--natural-queries", "300"], "--tilt"),
    ],
    ids=["triggers", "groups", "try-adapters", "gate", "too few", "no tilt"],
)
def test_options_that_do_not_go_with_a_tilt(
    cli: Cli, made: Path, more: list[str], word: str
) -> None:
    """Each is named in one line."""
    assert word in refused(cli("verify", UNMARKED, "-k", "k", *more))
