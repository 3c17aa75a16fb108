"""Disputes on the command line: exit codes, packages, ledgers, and a copied claim."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgewm.archive import pack, unpack
from edgewm.disclosure import FORMAT, disclose, package_of
from edgewm.ledger import Ledger
from tests import golden
from tests.authority import Authority, make_authority
from tests.cli.command import MARKED, UNMARKED, printed_json, refused
from tests.disputes import claimed_by, thief
from tests.ledgers import OTHER_KEY, THEN, clock
from tests.needs import needs

pytestmark = [needs("openssl"), needs("rfc3161"), needs("securesystemslib"), needs("litert")]
COPY = str(golden.OVERWRITTEN / "model.tflite")
KEYS = ("--triggers-a", "t.npz", "--key-a", "k")
MODELS = ("--model-a", MARKED, "--model-b", COPY)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), now=clock())


def asked(authority: Authority, a: str, b: str, *more: str, models: Sequence[str] = MODELS):
    """The arguments; both models are seen a moment ago, which is after the stamps."""
    time.sleep(2.1)
    seen = (clock() - dt.timedelta(seconds=0.5)).isoformat()
    root = ("--tsa-root", str(authority.root_path))
    return ("dispute", a, b, *models, "--seen-a", seen, "--seen-b", seen, *root, *more)


def test_a_ledger_against_a_package(cli, authority: Authority):
    """The owner has ledger and key, the thief gave a package: decided, exit code 0, and 1 for twins."""
    claimed_by(Path("a"), authority.reply)
    b = thief(Path("b"), authority.reply)
    when = clock() + dt.timedelta(minutes=5)
    record = disclose(b.ledger, b.key, b.mark, groups=24, to="a court", now=when)
    Path("package").write_bytes(package_of(b.ledger, b.key, b.mark, record.number))
    code, out, err = cli(*asked(authority, "a", "package", *KEYS))
    assert (code, err) == (0, "")
    assert "A WAS FIRST" in out
    assert "its mark in model B: shown, 64 of 64 groups" in out
    models = ("--model-a", MARKED, "--model-b", UNMARKED)
    code, out, _ = cli(*asked(authority, "a", "package", *KEYS, models=models))
    assert code == 1
    assert "NOT DECIDED  neither mark" in out


def test_a_copied_claim(cli, authority: Authority):
    """The owner's opened groups under a claim and a disclosure that the thief signed."""
    a = claimed_by(Path("a"), authority.reply)
    record = disclose(a.ledger, a.key, a.mark, groups=12, to="a court", now=THEN)
    members = unpack(
        package_of(a.ledger, a.key, a.mark, record.number), format=FORMAT, argument="p"
    )
    copied = Ledger(folder=Path("copied"))
    made = a.ledger.records()
    claim = copied.append(
        "claim", OTHER_KEY, now=THEN, content=lambda: (made[0].subjects, made[0].details)
    )
    details = {**made[-1].details, "claim": claim.sha256}
    opened = copied.append(
        "disclosure", OTHER_KEY, now=THEN, content=lambda: (made[-1].subjects, details)
    )
    kept = {name: members[name] for name in ("opened.json", "inputs.f4")}
    forged = {"claim.json": claim.content, "disclosure.json": opened.content, **kept}
    Path("forged").write_bytes(pack(forged, format=FORMAT))
    held = printed_json(cli(*asked(authority, "a", "forged", *KEYS, "--json")))
    assert (held["first"], held["rule"], held["b"]["copied"]) == ("A", "alone", True)
    assert "the triggers name another claimant's key" in held["b"]["notes"][0]
    raw = bytearray(Path("forged").read_bytes())
    raw[200] ^= 1
    Path("forged").write_bytes(raw)
    assert "its digest does not check" in refused(cli(*asked(authority, "a", "forged", *KEYS)), 3)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("a", "a", *MODELS), "Missing option '--seen-a'"),
        (
            ("a", "t.npz", *MODELS, "--seen-a", "May", "--seen-b", "2020-01-01"),
            "--seen-a: got 'May'",
        ),
        (
            ("a", "a", *MODELS, "--seen-a", "2020-01-01", "--seen-b", "2020-01-01"),
            "is a ledger, give",
        ),
        (
            ("t.npz", "a", *MODELS, "--seen-a", "2020-01-01", "--seen-b", "2020-01-01", *KEYS),
            "--triggers-a: got a package too",
        ),
        (
            ("k", "k", *MODELS, "--seen-a", "2020-01-01", "--seen-b", "2020-01-01"),
            "CLAIM_A: not a file of format edgewm-disclosure-1",
        ),
        (
            ("none", "k", *MODELS, "--seen-a", "2020-01-01", "--seen-b", "2020-01-01"),
            "CLAIM_A: none cannot be read",
        ),
        (
            (
                "a",
                "a",
                "--model-a",
                "none",
                *MODELS[2:],
                "--seen-a",
                "2020-01-01",
                "--seen-b",
                "2020-01-01",
            ),
            "--model-a: none cannot be read",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(cli, line: Sequence[str], said: str):
    """The reason."""
    Path("a").mkdir()
    assert said in refused(cli("dispute", *line))


def test_a_tilt_in_place_of_triggers(cli, authority: Authority):
    """Its file is read as one; with triggers beside it, or in their place, it is refused."""
    claimed_by(Path("a"), authority.reply)
    thief(Path("b"), authority.reply)
    for more, said in (
        (("--tilt-a", str(golden.TILT), "--key-a", "k"), "no claim of a names"),
        (("--tilt-a", "t.npz", "--key-a", "k"), "--tilt-a: t.npz is an edgewm file of triggers"),
        ((*KEYS, "--tilt-a", str(golden.TILT)), "CLAIM_A: a is a ledger, give --key-a and"),
    ):
        both = (*more, "--triggers-b", str(golden.OVERWRITTEN / "triggers.npz"), "--key-b", "k")
        assert said in refused(cli(*asked(authority, "a", "b", *both)))


def test_one_owner_twice_is_no_dispute(cli, authority: Authority):
    """Both ledgers are the owner's."""
    claimed_by(Path("a"), authority.reply)
    both = (*KEYS, "--triggers-b", "t.npz", "--key-b", "k")
    assert "there is no dispute" in refused(cli(*asked(authority, "a", "a", *both)))
