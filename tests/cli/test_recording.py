"""Records on the command line: claim, stamp, verify, disclose, and exit code 3 for what does not check."""

from __future__ import annotations

import datetime as dt
import functools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edgewm import der
from edgewm.timestamps import make_request
from tests.authority import Authority, make_authority, serving
from tests.cli.command import MARKED, UNMARKED, asking, printed_json, refused
from tests.ledgers import clock
from tests.needs import needs

pytestmark = [needs("openssl"), needs("rfc3161"), needs("securesystemslib"), needs("litert")]
OWNER = ("-k", "k", "--ledger", "records")
MARK = ("-t", "t.npz", *OWNER)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), now=clock())


@pytest.fixture
def root(authority: Authority) -> tuple[str, str]:
    return "--tsa-root", str(authority.root_path)


def stamped_online(cli, authority: Authority, root: Sequence[str], record: int = 1) -> str:
    """Have a record stamped; a time, a second after the stamp, that has passed on return."""
    answer = functools.partial(authority.reply, accuracy_s=0)
    with serving(answer) as url:
        held = printed_json(
            cli("record", "stamp", str(record), *OWNER, *root, "--tsa", url, "--json")
        )
    later = dt.datetime.fromisoformat(held["stamped_at"]) + dt.timedelta(seconds=1)
    while clock() < later:
        time.sleep(0.05)
    return later.isoformat()


def test_the_whole_way(cli, authority: Authority, root):
    """Claim, stamp, verify in few questions, disclose, verify without the key; the unmarked one never."""
    made = printed_json(cli("claim", *MARK, "--note", "made before training", "--json"))
    assert (made["kind"], made["number"]) == ("claim", 1)
    assert made["details"]["pattern"].startswith("abstract")
    seen = ("--suspect-seen", stamped_online(cli, authority, root))

    with_records = ("--ledger", "records", *seen, *root, "--json")
    held = printed_json(cli(*asking(MARKED, *with_records, "--sequential")))
    assert (held["owned"], held["stamped"], held["groups_asked"]) == (True, True, 7)
    assert held["claim"]["authority"] == "CN=test signer"
    whole = printed_json(cli(*asking(MARKED, *with_records)))
    assert (whole["groups_asked"], whole["tests"]) == (64, 1)
    assert not any("unstamped" in flag for flag in whole["flags"])
    assert printed_json(cli(*asking(UNMARKED, *with_records)), 1)["owned"] is False

    opened = ("disclose", *MARK, "--groups", "12", "--to", "the court")
    assert printed_json(cli(*opened, "--out", "package", "--json"))["record"] == 3
    package = ("--disclosure", "package", *seen, *root, "--json")
    held = printed_json(cli("verify", MARKED, *package))
    assert (held["owned"], held["groups_asked"]) == (True, 7)
    assert printed_json(cli("verify", UNMARKED, *package), 1)["owned"] is False
    memory = json.loads(Path("t.npz.spent.json").read_text())
    assert [(p["first_group"], p["groups"]) for p in memory["shown"]] == [(0, 12)]

    audited = printed_json(cli("record", "check", "--ledger", "records", *root, "--json"))
    assert audited["kinds"] == {"claim": 1, "stamp": 1, "disclosure": 1}
    assert audited["stamps"][0]["checked"] is True


def test_stamps_by_file(cli, authority: Authority, root):
    """For an owner without a network: a query out, a reply in; the same reply is no reply to another."""
    cli("claim", *MARK)
    query = ("record", "stamp", "1", *OWNER, "--request-out", "q.tsq")
    assert "wrote q.tsq" in cli(*query)[1]
    assert "never overwritten" in refused(cli(*query))
    Path("r.tsr").write_bytes(authority.reply(Path("q.tsq").read_bytes()))
    back = ("record", "stamp", "1", *OWNER, *root, "--request", "q.tsq", "--reply", "r.tsr")
    assert "record 1 stamped at" in cli(*back)[1]
    cli("record", "stamp", "1", *OWNER, "--request-out", "q2.tsq")
    other = (*back[:-3], "q2.tsq", "--reply", "r.tsr")
    assert "it answers another query" in refused(cli(*other), 3)


WRONG: dict[str, tuple[Callable[[Authority, bytes], bytes], str]] = {
    "expired": (lambda a, q: a.reply(q, signer="expired"), "it had expired"),
    "purpose": (lambda a, q: a.reply_for_another_purpose(q), "not for time stamping only"),
    "refused": (lambda a, q: a.reply(q, digests="sha512"), "the authority refused"),
    "truncated": (lambda a, q: a.reply(q)[:-200], "cut short"),
    "nonce": (lambda a, q: a.reply(other_nonce(q)), "it answers another query"),
    "digest": (lambda a, q: a.reply(other_digest(q)), "it is a stamp of something else"),
    "web page": (lambda a, q: b"<html>", "no RFC 3161 reply"),
}


def other_nonce(query: bytes) -> bytes:
    return make_request(der.read(query).parts[1].parts[1].content, b"8 others")


def other_digest(query: bytes) -> bytes:
    nonce = int.from_bytes(der.read(query).parts[2].content, "big")
    return make_request(b"\x00" * 32, nonce.to_bytes(8, "big"))


@pytest.mark.parametrize("name", sorted(WRONG))
def test_wrong_replies_are_exit_code_3(cli, authority: Authority, root, name: str):
    """Each with its reason, and nothing is added."""
    cli("claim", *MARK)
    answer, said = WRONG[name]
    with serving(functools.partial(answer, authority)) as url:
        assert said in refused(cli("record", "stamp", "1", *OWNER, *root, "--tsa", url), 3)
    assert len(printed_json(cli("record", "show", "--ledger", "records", "--json"))["records"]) == 1


def test_a_stamp_after_the_fact_is_exit_code_3(cli, authority: Authority, root):
    """A suspect that was there before the stamp; without any stamp the verdict says so."""
    cli("claim", *MARK)
    seen = ("--ledger", "records", "--suspect-seen", "2020-01-01", *root)
    held = printed_json(cli(*asking(MARKED, *seen, "--json")))
    assert held["stamped"] is False
    assert any("has no stamp" in flag for flag in held["flags"])
    stamped_online(cli, authority, root)
    assert "not before the suspect was seen" in refused(cli(*asking(MARKED, *seen)), 3)


def test_other_records(cli):
    """What was marked, to whom it went, what a verification found; each refers to files by digest."""
    cli("claim", *MARK, "--artifact", MARKED)
    file = ("--artifact", MARKED)
    Path("v.json").write_text(cli(*asking(MARKED, "--json"))[1])
    for line, kind in (
        (("marked", "--metric", "accuracy=0.92", "--metric", "groups_hit=64"), "marked"),
        (("release", "--to", "a customer", "--copy", "7"), "release"),
        (("verification", "--verdict", "v.json"), "verification"),
    ):
        made = printed_json(cli("record", "add", *line, *OWNER, *file, "--json"))
        assert made["kind"] == kind
        assert made["subjects"][0]["name"] == "marked.tflite"
    shown = json.loads(cli("record", "show", "--ledger", "records", "4")[1])
    assert shown["details"]["verdict"]["owned"] is True
    listed = cli("record", "show", "--ledger", "records")[1].splitlines()
    assert [line.split()[3] for line in listed] == ["claim", "marked", "release", "verification"]
    code, out, _ = cli("record", "check", "--ledger", "records")
    assert code == 0
    assert "4 records check" in out
    head = out.split()[-1]
    assert cli("record", "check", "--ledger", "records", "--head", head)[0] == 0
    path = Path("records/00000002-marked.json")
    path.write_bytes(path.read_bytes().replace(b"e", b"f", 1))
    refused(cli("record", "check", "--ledger", "records"), 3)


@needs("age")
def test_a_sealed_package(cli, authority: Authority, root):
    """Only its reader opens it; without an identity the verb says what is missing."""
    import pyrage

    reader = pyrage.x25519.Identity.generate()
    cli("claim", *MARK)
    line = ("disclose", *MARK, "--groups", "3", "--to", "notary", "--out", "p")
    assert "--seal-for" in refused(cli(*line, "--seal-for", "age1nobody"))
    assert not Path("p").exists()
    cli(*line, "--seal-for", str(reader.to_public()))
    seen = ("--suspect-seen", "2020-01-01")
    assert "is sealed" in refused(cli("verify", MARKED, "--disclosure", "p", *seen))
    Path("me").write_text(f"{reader}\n")
    package = ("--disclosure", "p", "--identity", "me", *seen, "--json")
    held = printed_json(cli("verify", MARKED, *package), 1)  # unstamped: 3 groups show nothing
    assert held["groups_hit"] == 3
    again = printed_json(cli("disclose", *MARK, "--again", "2", "--out", "plain", "--json"))
    assert again["record"] == 2
    assert cli("verify", MARKED, "--disclosure", "plain", *seen)[0] == 1


PACKAGE = ("verify", MARKED, "--disclosure", "t.npz", "--suspect-seen", "2020-01-01")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("claim", "-t", "t.npz", "-k", "k"), "--ledger"),
        (("claim", "-t", "t.npz", "-k", "k", "--ledger", "k"), "--ledger: k cannot be made"),
        (("claim", *MARK, "--artifact", "none"), "--artifact: none cannot be read"),
        (("record", "check", "--ledger", "none"), "none is no folder of records"),
        (("record", "show", "--ledger", "none"), "none is no folder of records"),
        (("record", "stamp", "1", *OWNER), "expected one of --tsa"),
        (("record", "stamp", "1", *OWNER, "--request", "q"), "expected one of --tsa"),
        (("record", "add", "claim", *OWNER), "'claim' is not one of"),
        (("record", "add", "release", *OWNER, "--artifact", "k"), "--to: got nothing"),
        (("record", "add", "release", *OWNER, "--to", "x"), "--artifact: got none"),
        (("record", "add", "release", *OWNER, "--metric", "a=1"), "--metric: a release record"),
        (("record", "add", "marked", *OWNER, "--metric", "a"), "expected NAME=NUMBER"),
        (("record", "add", "verification", *OWNER), "--verdict: got nothing"),
        (("record", "add", "verification", *OWNER, "--verdict", "k"), "is not what edgewm verify"),
        (("disclose", *MARK, "--groups", "3", "--to", "x", "--out", "p"), "no folder of records"),
        (("disclose", *MARK, "--groups", "3", "--out", "p"), "--groups with --to"),
        (("disclose", *MARK, "--to", "x", "--out", "p"), "--groups with --to"),
        (asking(MARKED, "--suspect-seen", "2020-01-01"), "give --ledger too"),
        (asking(MARKED, "--tsa-root", "k"), "give --ledger too"),
        (asking(MARKED, "--claim", "1"), "give --ledger too"),
        (
            asking(MARKED, "--ledger", "none", "--suspect-seen", "2020-01-01"),
            "no folder of records",
        ),
        (asking(MARKED, "--ledger", "none"), "--suspect-seen: got nothing"),
        (asking(MARKED, "--ledger", "none", "--suspect-seen", "May"), "expected YYYY-MM-DD"),
        (
            asking(MARKED, "--ledger", "none", "--suspect-seen", "2020-01-01T10:00"),
            "expected YYYY-MM-DD",
        ),
        (
            asking(MARKED, "--ledger", "none", "--suspect-seen", "2020-01-01", "--tsa-root", "k"),
            "--tsa-root: k is no file of certificates",
        ),
        (asking(MARKED, "--disclosure", "p", "--ledger", "records"), "got --ledger too"),
        ((*PACKAGE, "-t", "t.npz"), "--triggers: got --disclosure too"),
        ((*PACKAGE, "--sequential"), "got --disclosure too"),
        ((*PACKAGE, "--min-hit-rate", "1"), "got --disclosure too"),
        (PACKAGE, "--disclosure: its digest does not check"),
        (("verify", MARKED, "--disclosure", "k"), "--disclosure: not a file of format"),
        (("verify", MARKED, "--disclosure", "none"), "--disclosure: none cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_line(cli, line: Sequence[str], said: str):
    """The reason, and no file that was not there before."""
    before = sorted(Path().rglob("*"))
    code = 3 if said.endswith("does not check") else 2
    assert said in refused(cli(*line), code)
    assert sorted(p for p in Path().rglob("*") if p.name not in ("records",)) == before


def test_another_owners_key_is_refused(cli):
    """A ledger has one owner."""
    cli("claim", *MARK)
    cli("keygen", "--out", "other")
    line = ("record", "add", "release", "-k", "other", "--ledger", "records", "--to", "x")
    assert "use that key or another ledger" in refused(cli(*line, "--artifact", "k"))
