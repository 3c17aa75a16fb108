"""Opening a part: what a third party can show with it, what an unfair owner cannot, what stays secret.

The unfair owner here holds the real key and signs whatever they like; only the root is fixed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm import commitment
from edgewm.archive import pack, unpack
from edgewm.claims import grounds, record_numbered
from edgewm.disclosed import verify_disclosure
from edgewm.disclosure import (
    FORMAT,
    disclose,
    is_sealed,
    package_grounds,
    package_of,
    read_package,
    sealed,
    unsealed,
)
from edgewm.errors import BadInput, DoesNotCheck
from edgewm.ledger import Ledger
from edgewm.records import Record, Subject, make_record
from edgewm.verdict import Verdict
from tests import golden
from tests.authority import Authority, make_authority
from tests.ledgers import KEY, TRIGGERS, add, changed_bytes, claimed, clock, stamp
from tests.needs import needs
from tests.recordings import IN_ORDER, Says

pytestmark = [needs("openssl"), needs("rfc3161"), needs("securesystemslib")]
HOUR = dt.timedelta(hours=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), now=clock())


@pytest.fixture(scope="module")
def stamped(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Path:
    """A ledger with a stamped claim, to be copied."""
    ledger, claim = claimed(tmp_path_factory.mktemp("stamped") / "ledger")
    stamp(ledger, claim, authority)
    return ledger.folder


@pytest.fixture
def ledger(stamped: Path, tmp_path: Path) -> Ledger:
    return Ledger(folder=shutil.copytree(stamped, tmp_path / "ledger"))


def opened(ledger: Ledger, groups: int, *, after: dt.timedelta = 24 * HOUR) -> bytes:
    """The package of the next groups, opened so long from now."""
    record = disclose(ledger, KEY, TRIGGERS, groups=groups, to="court", now=clock() + after)
    return package_of(ledger, KEY, TRIGGERS, record.number)


def judged(
    package: bytes,
    authority: Authority,
    labels: np.ndarray,
    *,
    seen: dt.timedelta = HOUR,
    **more: Any,
) -> Verdict:
    """The verdict of a third party on a suspect that gives these labels, in the order of asking."""
    read = read_package(package)
    found = package_grounds(
        read,
        trust=authority.trust(),
        suspect_seen=clock() + seen,
        now=clock() + 48 * HOUR,
    )
    says = Says(labels=tuple(labels.tolist()))
    return verify_disclosure(golden.MARKED, package=read, grounds=found, on=[says], **more)


def doctored(package: bytes, **changes: Any) -> bytes:
    """The package with other members, signed anew by the unfair owner.

    `opened` maps what opened.json holds to something else; `details` are those of the record; other names
    are members to put in or, with None, to leave out.
    """
    members: dict[str, bytes] = unpack(package, format=FORMAT, argument="X")
    read = read_package(package)
    if change := changes.pop("opened", None):
        held = change(json.loads(members["opened.json"]))
        raw = [TRIGGERS.of_group(part["group"]).astype("<f4").tobytes() for part in held["opened"]]
        members["inputs.f4"] = changes.pop("inputs.f4", b"".join(raw))
        held["inputs_sha256"] = hashlib.sha256(members["inputs.f4"]).hexdigest()
        members["opened.json"] = json.dumps(held).encode()
    if "inputs.f4" in changes:
        members["inputs.f4"] = changes.pop("inputs.f4")
    details = {
        **read.disclosure.details,
        "opened_sha256": hashlib.sha256(members["opened.json"]).hexdigest(),
        **changes.pop("details", {}),
    }
    members["disclosure.json"] = signed(read.disclosure, details).content
    for name, content in changes.items():
        members.pop(name, None)
        if content is not None:
            members[name] = content
    return pack(members, format=FORMAT)


def signed(like: Record, details: Mapping[str, Any], *, number: int | None = None) -> Record:
    return make_record(
        "disclosure",
        KEY,
        number=number or like.number,
        previous=like.previous,
        now=like.time,
        subjects=[Subject(name="opened.json", sha256=details["opened_sha256"])],
        details=details,
    )


def without(*positions: int):
    """opened.json with some of its groups left out."""

    def change(held: dict[str, Any]) -> dict[str, Any]:
        kept = [part for at, part in enumerate(held["opened"]) if at not in positions]
        return {**held, "opened": kept}

    return change


def test_a_third_party_verifies_without_the_key(ledger: Ledger, authority: Authority):
    """12 opened groups: 7 hits are enough, hits and misses alike count, an innocent is not owned."""
    package = opened(ledger, 12)
    verdict = judged(package, authority, IN_ORDER[:12])
    assert verdict.owned
    assert (verdict.stamped, verdict.tests, verdict.worst.groups_asked) == (True, 1, 7)
    assert verdict.triggers_sha256 == TRIGGERS.sha256
    assert "12 of 64 groups were opened and asked, no others" in verdict.flags
    half = np.where(np.arange(12) % 2 == 0, IN_ORDER[:12], (IN_ORDER[:12] + 1) % 10)
    assert not judged(package, authority, half).owned
    assert not judged(package, authority, (IN_ORDER[:12] + 1) % 10).owned


def test_answers_and_keys_are_the_owners(ledger: Ledger):
    """What the third party computes is what the key gives, and for closed groups it has nothing."""
    groups = read_package(opened(ledger, 12)).groups
    run = list(groups.opened)
    assert run == TRIGGERS.order[:12]
    answers = groups.answers(groups.keys)
    assert (answers[run] == TRIGGERS.answers(KEY)[run]).all()
    assert set(groups.keys) == set(run)
    assert not answers[[j for j in range(64) if j not in run]].any()
    for j in run:
        assert (groups.inputs[groups.group_ids == j] == TRIGGERS.of_group(j)).all()


def test_closed_groups_stay_secret(ledger: Ledger, authority: Authority):
    """No closed key, no closed input and no secret is in the package, in bytes or hex.

    A thief who trains on everything that was opened hits the closed groups no better than chance.
    """
    package = opened(ledger, 12)
    closed = TRIGGERS.order[12:]
    secret = [KEY.group_key(TRIGGERS.salt, j) for j in closed]
    secret += [TRIGGERS.of_group(j).tobytes() for j in closed]
    secret += [KEY.secret, KEY.pattern_seed(TRIGGERS.salt)]
    for part in secret:
        assert part not in package
        assert part.hex().encode() not in package
    second = opened(ledger, 52)
    learned = np.bincount(IN_ORDER[:12], minlength=10).argmax()  # the best constant guess
    assert not judged(second, authority, np.full(52, learned)).owned


def test_disclosures_follow_the_order(ledger: Ledger, authority: Authority):
    """The second opens the next groups; a start that no stamp fixes costs a factor m, a stamped none."""
    first = opened(ledger, 12, after=-HOUR)
    second = opened(ledger, 12)
    assert read_package(first).groups.opened + read_package(second).groups.opened == tuple(
        TRIGGERS.order[:24]
    )
    free = judged(second, authority, IN_ORDER[12:24])
    assert free.tests == 64
    assert any("which nothing fixes" in flag for flag in free.flags)
    assert free.worst.groups_asked == 9
    records = ledger.records()
    stamp(ledger, next(r for r in records if r.kind == "disclosure"), authority)
    again = package_of(ledger, KEY, TRIGGERS, 4)
    fixed = judged(again, authority, IN_ORDER[12:24])
    assert (fixed.tests, fixed.worst.groups_asked) == (1, 7)
    assert not any("which nothing fixes" in flag for flag in fixed.flags)


def test_the_hits_of_an_innocent_alone_never_verify(ledger: Ledger, authority: Authority):
    """An unfair owner opens everything and shows the groups that an innocent hit: refused, all ways.

    The control: shown whole, it is judged and not owned.
    """
    package = opened(ledger, 64)
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 10, 64)
    labels[:9] = (IN_ORDER[:9] + 1) % 10  # the first ones missed, as most are
    misses = np.flatnonzero(labels != IN_ORDER)
    assert not judged(package, authority, labels).owned
    hits = labels[labels == IN_ORDER]
    assert len(hits) >= 3
    shown = len(hits)
    for change in (
        {"opened": without(*misses)},
        {"opened": without(*misses), "details": {"groups": shown}},
        {
            "opened": lambda held: {**without(*misses)(held), "first_group": 9},
            "details": {"groups": shown, "first_group": 9},
        },
    ):
        with pytest.raises(DoesNotCheck, match=r"one is missing or out of place|next ones from 0"):
            judged(doctored(package, **change), authority, hits)


BAD = {
    "a gap": ({"opened": without(3), "details": {"groups": 11}}, "one is missing or out of place"),
    "a dropped last one": ({"opened": without(11)}, "opens other groups than the signed record"),
    "a free start": (
        {
            "opened": lambda held: {**without(0, 1)(held), "first_group": 2},
            "details": {"first_group": 2, "groups": 10},
        },
        "expected the next ones from 0",
    ),
    "another order": (
        {"opened": lambda held: {**held, "opened": held["opened"][::-1]}},
        "one is missing or out of place",
    ),
    "none": ({"opened": lambda held: {**held, "opened": []}}, "one is missing"),
    "a negative start": (
        {"opened": lambda held: {**held, "first_group": -52}},
        "one is missing or out of place",
    ),
    "another record's groups": (
        {"details": {"groups": 13}},
        "opens other groups than the signed record",
    ),
    "another root": ({"details": {"trigger_root": "ab" * 32}}, "is of another claim"),
    "another claim": ({"details": {"claim": "ab" * 32}}, "names another claim"),
    "another opened.json": ({"details": {"opened_sha256": "ab" * 32}}, "names another opened.json"),
    "a file more": ({"more.txt": b"x"}, "is no part of it"),
    "a stamp of nothing": ({"stamps/00000009-1.tsr": b"x"}, "is no part of it"),
    "no inputs": ({"inputs.f4": b""}, "the inputs are not those that opened.json names"),
    "no claim": ({"claim.json": None}, "claim.json' is missing"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_unfair_packages_are_refused(ledger: Ledger, name: str):
    """Whatever the owner signs: gaps, free starts, dropped misses, parts of something else."""
    change, said = BAD[name]
    with pytest.raises(DoesNotCheck, match=said):
        read_package(doctored(opened(ledger, 12), **change))


@pytest.mark.parametrize(
    "what",
    [
        *("key", "excluded", "path", "path length", "inputs", "header"),
        *("group", "first group", "salt", "provenance"),
    ],
)
def test_what_was_not_committed_to_is_refused(ledger: Ledger, what: str):
    """Each part of a leaf, its path and the header hang on the root."""
    package = opened(ledger, 12)

    def change(held: dict[str, Any]) -> dict[str, Any]:
        part = held["opened"][2]
        if what == "key":
            part["key"] = "ab" * 32
        elif what == "excluded":
            part["excluded"] = [1]
        elif what == "path":
            part["path"][0] = "ab" * 32
        elif what == "path length":
            part["path"].append("ab" * 32)
        elif what == "group":
            part["group"] = float(part["group"])
        elif what == "first group":
            held["first_group"] = False
        elif what == "salt":
            held["salt"] = "ab" * 32
        elif what == "provenance":
            held["provenance"] = held["provenance"].replace("1.0", "9.0")
        elif what == "header":
            held["header"] = held["header"].replace("lowest", "highest")
        return held

    more: dict[str, Any] = {}
    if what == "inputs":
        raw = bytearray(unpack(package, format=FORMAT, argument="X")["inputs.f4"])
        raw[3] ^= 1
        more["inputs.f4"] = bytes(raw)
    said = {"group": "where a whole number", "first group": "where a whole number"}
    said |= dict.fromkeys(("salt", "provenance"), "salt or provenance are not those")
    with pytest.raises(DoesNotCheck, match=said.get(what, "was not committed to under this root")):
        read_package(doctored(package, opened=change, **more))


@pytest.mark.parametrize(("first", "groups"), [(0, 2), (1, 11), (0, 13)])
def test_earlier_disclosures_leave_no_gap(ledger: Ledger, first: int, groups: int):
    """An invented earlier disclosure must end where this one starts."""
    opened(ledger, 12)
    package = opened(ledger, 12)
    record = record_numbered(ledger.records(), 3)
    other = signed(record, {**record.details, "first_group": first, "groups": groups})
    with pytest.raises(DoesNotCheck, match="follow the order without gaps"):
        read_package(doctored(package, **{"earlier/00000003.json": other.content}))
    with pytest.raises(DoesNotCheck, match="expected the next ones from 0"):
        read_package(doctored(package, **{"earlier/00000003.json": None}))


def test_opened_groups_count_only_against_older_suspects(ledger: Ledger, authority: Authority):
    """A later suspect could have been trained on them; the owner's own verification skips them too."""
    package = opened(ledger, 12, after=-HOUR)
    with pytest.raises(DoesNotCheck, match="opened groups count only against older suspects"):
        judged(package, authority, IN_ORDER[:12])
    found = grounds(
        ledger,
        triggers=TRIGGERS,
        key=KEY,
        trust=authority.trust(),
        suspect_seen=clock() + HOUR,
        now=clock() + 2 * HOUR,
    )
    assert (found.first_group, found.start_is_recorded) == (12, False)


def test_without_a_stamp_a_part_shows_nothing(tmp_path: Path, authority: Authority):
    """12 groups cannot reach alpha x 2^-64; the control is the stamped claim of the first test."""
    ledger, _ = claimed(tmp_path / "unstamped")
    verdict = judged(opened(ledger, 12), authority, IN_ORDER[:12])
    assert (verdict.owned, verdict.stamped) == (False, False)
    assert "the claim has no stamp" in verdict.flags


def test_every_changed_byte_of_a_package_is_noticed(ledger: Ledger):
    """200 one-byte changes: each refused."""
    package = opened(ledger, 12)
    for _, changed in changed_bytes({"package": package}, 200, seed=6):
        with pytest.raises(DoesNotCheck):
            read_package(changed)
    for length in range(0, len(package), 997):
        with pytest.raises((DoesNotCheck, BadInput)):
            read_package(package[:length])


def test_what_cannot_be_opened_is_refused_and_not_recorded(ledger: Ledger, tmp_path: Path):
    """More groups than are closed, no claim, a number that is no disclosure."""
    opened(ledger, 60)
    before = ledger.records()
    for groups in (0, 5, 65):
        with pytest.raises(BadInput, match="expected 1 to 4: 60 of 64 groups are open already"):
            opened(ledger, groups)
    assert ledger.records() == before
    with pytest.raises(BadInput, match="is no disclosure of these triggers"):
        package_of(ledger, KEY, TRIGGERS, 1)
    with pytest.raises(BadInput, match="is no folder of records"):
        opened(Ledger(folder=tmp_path / "none"), 1)
    empty = Ledger(folder=tmp_path / "empty")
    add(empty)
    with pytest.raises(BadInput, match="no claim of"):
        opened(empty, 1)


@needs("age")
def test_a_sealed_package_opens_for_its_reader_only():
    """age: the named reader's identity opens it, another's and a changed byte do not."""
    import pyrage

    reader, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    closed = sealed(b"a package", [str(reader.to_public())])
    assert is_sealed(closed)
    assert b"a package" not in closed
    assert unsealed(closed, f"# mine\n{reader}\n") == b"a package"
    with pytest.raises(DoesNotCheck, match="sealed for another reader"):
        unsealed(closed, str(other))
    with pytest.raises(DoesNotCheck, match="or changed"):
        unsealed(closed[:-1] + bytes([closed[-1] ^ 1]), str(reader))
    with pytest.raises(BadInput, match="--seal-for"):
        sealed(b"", ["age1none"])
    for text in ("", "AGE-SECRET-KEY-1NONE"):
        with pytest.raises(BadInput, match="--identity"):
            unsealed(closed, text)


@pytest.mark.parametrize("leaves", [1, 2, 3, 4, 5, 7, 8, 13, 64])
def test_merkle_paths_lead_to_the_head(leaves: int):
    """RFC 6962: every leaf's path leads to the tree head; with another index or leaf it does not."""
    data = [bytes([n]) * 3 for n in range(leaves)]
    head = commitment.tree_head(data)
    for index in range(leaves):
        path = commitment.audit_path(data, index)
        assert commitment.head_from_path(data[index], index, leaves, path) == head
        assert commitment.head_from_path(b"other", index, leaves, path) != head
        assert commitment.head_from_path(data[index], index, leaves, [*path, head]) is None
        for other in range(leaves):
            if other != index:
                assert commitment.head_from_path(data[index], other, leaves, path) != head
        if path:
            assert commitment.head_from_path(data[index], index, leaves, path[:-1]) is None
    assert commitment.head_from_path(data[0], leaves, leaves, []) is None


def test_merkle_paths_are_those_of_certificate_transparency():
    """The audit path of leaf 3 of the 7-leaf tree of RFC 6962 section 2.1.3: [c, g, l]."""
    data = [bytes([n]) for n in range(7)]
    hashes = [commitment.leaf_hash(part) for part in data]

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\x01" + left + right).digest()

    g = node(hashes[0], hashes[1])
    last = node(node(hashes[4], hashes[5]), hashes[6])
    assert commitment.audit_path(data, 3) == [hashes[2], g, last]
