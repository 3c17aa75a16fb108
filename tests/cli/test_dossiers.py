"""Dossiers on the command line: made before the claim, shown after it, and exit code 3."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.authority import make_authority
from tests.cli.command import MARKED, printed_json, refused
from tests.ledgers import clock
from tests.needs import needs

pytestmark = [needs("openssl"), needs("rfc3161"), needs("securesystemslib")]
MAKE = ("dossier", "make", "--data", "x.npz", "--seed", "7", "--architecture", MARKED)
RECORDS = ("--ledger", "records")


@pytest.fixture(autouse=True)
def _data() -> None:
    x = np.random.default_rng(2).integers(0, 256, (40, 4, 4, 1), dtype=np.uint8)
    np.savez("x.npz", x_train=x, y_train=np.arange(40) % 10)
    Path("train.py").write_text("print('train')\n")


def claimed(cli) -> str:
    """A dossier that a claim names; its digest."""
    held = printed_json(cli(*MAKE, "--part", "script=train.py", "--out", "d", "--json"))
    made = printed_json(
        cli("claim", "-t", "t.npz", "-k", "k", *RECORDS, "--dossier", "d", "--json")
    )
    assert made["details"]["dossier"] == held["digest"]
    return held["digest"]


def test_the_whole_way(cli, tmp_path: Path):
    """Made, claimed, stamped, one sample proved to somebody who has neither the data nor the ledger."""
    digest = claimed(cli)
    authority = make_authority(tmp_path / "authority", now=clock())
    root = ("--tsa-root", str(authority.root_path))
    cli("record", "stamp", "1", "-k", "k", *RECORDS, "--request-out", "q")
    Path("r").write_bytes(authority.reply(Path("q").read_bytes()))
    assert (
        cli("record", "stamp", "1", "-k", "k", *RECORDS, *root, "--request", "q", "--reply", "r")[0]
        == 0
    )
    held = printed_json(cli("dossier", "check", "d", "--data", "x.npz", *RECORDS, *root, "--json"))
    assert (held["digest"], held["data_checked"], held["claim"]["record"]) == (digest, True, 1)
    assert held["parts"] == ["architecture", "script", "seed", "training_set", "versions"]
    assert held["training_set"]["samples"] == 40
    proved = ("dossier", "prove-sample", "d", "17", "--data", "x.npz", *RECORDS)
    assert printed_json(cli(*proved, "--out", "p", "--json"))["sample"] == 17
    for gone in ("d", "x.npz"):
        Path(gone).unlink()
    shown = printed_json(cli("dossier", "check", "p", *root, "--json"))
    assert shown["sample"]["index"] == 17
    assert (shown["digest"], shown["claim"]["authority"]) == (digest, "CN=test signer")
    told = cli("dossier", "check", "p", *root)[1]
    assert "sample 17 (uint8[4x4x1]" in told
    assert "by CN=test signer" in told
    assert "give --tsa-root" in cli("dossier", "check", "p")[1]
    other = make_authority(tmp_path / "other", now=clock())
    line = ("dossier", "check", "p", "--tsa-root", str(other.root_path))
    assert "do not check against --tsa-root" in refused(cli(*line), 3)


def test_parts_are_shown_alone(cli):
    """The script and the seed, not the graph; a proof that was changed is exit code 3."""
    claimed(cli)
    assert cli("dossier", "prove-part", "d", "script", "seed", "--out", "p")[0] == 0
    shown = printed_json(cli("dossier", "check", "p", *RECORDS, "--json"))
    assert (shown["parts"], shown["sample"], shown["claim"]["record"]) == (
        ["script", "seed"],
        None,
        1,
    )
    assert "note: no claim at hand" in cli("dossier", "check", "p")[1]
    raw = Path("p").read_bytes()
    Path("p").write_bytes(raw.replace(b"print('train')", b"print('other')"))
    assert "its digest does not check" in refused(cli("dossier", "check", "p"), 3)


def test_changed_data_are_exit_code_3(cli):
    """One value of the training set."""
    claimed(cli)
    held = dict(np.load("x.npz"))
    held["x_train"][3, 0, 0, 0] ^= 1
    np.savez("x.npz", **held)
    line = ("dossier", "check", "d", "--data", "x.npz")
    assert "samples 0 to 39 are not those of the manifest" in refused(cli(*line), 3)
    proof = ("dossier", "prove-sample", "d", "1", "--data", "x.npz", "--out", "p")
    assert "are not those of the manifest" in refused(cli(*proof), 3)
    assert not Path("p").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("dossier", "make", "--no-versions", "--out", "e"), "nothing to put into it"),
        (("dossier", "make", "--out", "d"), "exists and is never overwritten"),
        (("dossier", "make", "--part", "seed", "--out", "e"), "expected NAME=FILE"),
        (("dossier", "make", "--seed", "1", "--part", "seed=k", "--out", "e"), "got seed twice"),
        (("dossier", "make", "--part", "Seed=k", "--out", "e"), "got the name 'Seed'"),
        (("dossier", "make", "--drawing", "none", "--out", "e"), "--drawing: none cannot be read"),
        (("dossier", "make", "--architecture", "k", "--out", "e"), "neither a .keras"),
        (("dossier", "make", "--data", "none.npz", "--out", "e"), "none.npz cannot be read"),
        (("dossier", "check", "k"), "not a file of format edgewm-dossier-1"),
        (("dossier", "check", "d", "--claim", "1"), "give --ledger too"),
        (("dossier", "check", "d", "--ledger", "none"), "no folder of records"),
        (("dossier", "check", "p", "--data", "x.npz"), "a proof, which brings its sample"),
        (("dossier", "prove-sample", "d", "40", "--data", "x.npz", "--out", "e"), "SAMPLE: got 40"),
        (("dossier", "prove-sample", "d", "x", "--data", "x.npz", "--out", "e"), "SAMPLE: got 'x'"),
        (("dossier", "prove-part", "d", "none", "--out", "e"), "PART: got 'none'"),
        (("claim", "-t", "t.npz", "-k", "k", *RECORDS, "--dossier", "k"), "--dossier: not a file"),
    ],
)
def test_what_cannot_be_done_is_one_line(cli, line: Sequence[str], said: str):
    """The reason, and no file that was not there before."""
    cli(*MAKE, "--out", "d")
    cli("dossier", "prove-part", "d", "seed", "--out", "p")
    before = sorted(Path().rglob("*"))
    assert said in refused(cli(*line))
    assert sorted(Path().rglob("*")) == before


def test_a_claim_of_another_dossier_is_exit_code_3(cli):
    """Named by number; without one, no claim is found."""
    claimed(cli)
    cli(*MAKE, "--out", "other")
    assert "no claim names this dossier" in refused(cli("dossier", "check", "other", *RECORDS))
    line = ("dossier", "check", "other", *RECORDS, "--claim", "1")
    assert "claim 1: names the dossier" in refused(cli(*line), 3)
    shown = json.loads(cli("dossier", "check", "d", *RECORDS, "--claim", "1", "--json")[1])
    assert shown["claim"]["stamps"] == 0
