"""When a stamped claim counts in a verdict, and when it does not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from edgewm.claims import Grounds, grounds, record_numbered, stamps_of
from edgewm.errors import BadInput, DoesNotCheck
from edgewm.ledger import Ledger
from edgewm.records import Record
from edgewm.triggers import recommitted
from edgewm.verdict import Verdict
from edgewm.verification import verify
from tests import golden
from tests.authority import Authority, make_authority
from tests.ledgers import KEY, OTHER_KEY, THEN, TRIGGERS, add, claimed, clock, stamp
from tests.needs import needs
from tests.recordings import UNSTAMPED, saying

pytestmark = [needs("openssl"), needs("rfc3161"), needs("securesystemslib")]
HOUR = dt.timedelta(hours=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), now=clock())


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return claimed(tmp_path / "ledger")[0]


def grounds_of(ledger: Ledger, authority: Authority, **more: object) -> Grounds:
    arguments = {
        "triggers": TRIGGERS,
        "key": KEY,
        "trust": authority.trust(),
        "suspect_seen": clock() + HOUR,
        "now": clock() + 2 * HOUR,
        **more,
    }
    return grounds(ledger, **arguments)


def verdict_by(found: Grounds, hits: int) -> Verdict:
    return verify(
        golden.MARKED,
        triggers=TRIGGERS,
        key=KEY,
        on=[saying(hits)],
        sequential=True,
        stamped=found.stamp is not None,
        tests=found.claims,
    )


def test_a_stamp_older_than_the_suspect_counts(ledger: Ledger, authority: Authority):
    """With it 7 hits are enough and asking stops there; without it they are not."""
    without = grounds_of(ledger, authority)
    assert without.stamp is None
    assert "has no stamp" in without.notes[0]
    before = verdict_by(without, 7)
    assert not before.owned
    assert UNSTAMPED in before.flags
    stamp(ledger, record_numbered(ledger.records(), 1), authority)
    found = grounds_of(ledger, authority)
    assert found.stamp is not None
    verdict = verdict_by(found, 7)
    assert verdict.owned
    assert verdict.worst.groups_asked == 7
    assert not verdict_by(found, 0).owned


def test_a_stamp_after_the_fact_does_not_count(ledger: Ledger, authority: Authority):
    """Not even by a second, nor within the accuracy that the authority gives itself."""
    _, made = stamp(ledger, record_numbered(ledger.records(), 1), authority)
    for seen in (THEN, made.time, made.latest):
        with pytest.raises(DoesNotCheck, match="not before the suspect was seen"):
            grounds_of(ledger, authority, suspect_seen=seen)
    second = dt.timedelta(seconds=1)
    assert grounds_of(ledger, authority, suspect_seen=made.latest + second).stamp == made


def test_a_suspect_cannot_be_seen_tomorrow(ledger: Ledger, authority: Authority):
    """Else a stamp of today would be old enough for any suspect."""
    with pytest.raises(BadInput, match=r"--suspect-seen: .* which is not yet"):
        grounds_of(ledger, authority, suspect_seen=clock() + 3 * HOUR)


def test_one_good_stamp_of_several_is_enough(ledger: Ledger, authority: Authority, tmp_path: Path):
    """Two authorities, one of them not trusted by the judge: the other counts, the first is noted."""
    other = make_authority(tmp_path / "other", now=clock())
    claim = record_numbered(ledger.records(), 1)
    stamp(ledger, claim, authority, name="one")
    stamp(ledger, claim, other, name="two")
    found = grounds_of(ledger, authority)
    assert found.stamp is not None
    assert len(found.notes) == 1
    assert "by two" in found.notes[0]
    third = make_authority(tmp_path / "third", now=clock())
    with pytest.raises(DoesNotCheck, match=r"by one: .*; .* by two: "):
        grounds_of(ledger, authority, trust=third.trust())


def test_a_stamp_of_a_later_record_is_none_of_the_claim(ledger: Ledger, authority: Authority):
    """The chain would carry it; then one stamp would buy as many tries as the ledger has claims."""
    stamp(ledger, add(ledger), authority)
    assert grounds_of(ledger, authority).stamp is None


def test_bad_replies_are_never_kept(ledger: Ledger, authority: Authority):
    """A reply by an expired signer, or of another claim: refused, and the ledger is as before."""
    claim = record_numbered(ledger.records(), 1)
    with pytest.raises(DoesNotCheck, match="it had expired"):
        stamp(ledger, claim, authority, reply=lambda q: authority.reply(q, signer="expired"))
    assert ledger.records() == [claim]
    assert stamps_of(ledger, [claim], claim) == []


def claim_of(ledger: Ledger, **changes: object) -> Record:
    """A claim that the owner signs with other details."""
    details = {**record_numbered(ledger.records(), 1).details, **changes}
    return add(ledger, "claim", **details)


@pytest.mark.parametrize(
    "changes",
    [{"key_commitment": "ab" * 32}, {"triggers_sha256": "ab" * 32}, {"groups": 63}, {"classes": 9}],
)
def test_a_claim_of_something_else_is_refused(
    ledger: Ledger, authority: Authority, changes: dict[str, object]
):
    """Key commitment, digest, numbers of groups and classes are those of triggers and key."""
    made = claim_of(ledger, **changes)
    with pytest.raises(DoesNotCheck, match=f"claim {made.number}: names {next(iter(changes))}"):
        grounds_of(ledger, authority, number=made.number)
    assert grounds_of(ledger, authority, number=1).claim.number == 1


def test_triggers_without_a_claim_are_named(ledger: Ledger, authority: Authority):
    """Another set, or a record that is no claim: bad input."""
    others = recommitted(TRIGGERS, OTHER_KEY)
    with pytest.raises(BadInput, match=r"no claim of .* names these triggers"):
        grounds_of(ledger, authority, triggers=others, key=OTHER_KEY)
    add(ledger)
    for number, said in ((2, "which is a release"), (3, "records 1 to 2"), (0, "records 1 to 2")):
        with pytest.raises(BadInput, match=said):
            grounds_of(ledger, authority, number=number)


def test_claims_of_other_triggers_are_tests(ledger: Ledger, authority: Authority):
    """Whoever claims three sets has three tries; the same set claimed twice is one."""
    again = claim_of(ledger)
    stamp(ledger, again, authority)
    twice = grounds_of(ledger, authority)
    assert (twice.claim, twice.claims) == (again, 1)  # the one that is stamped
    claim_of(ledger, trigger_root="ab" * 32)
    claim_of(ledger, trigger_root="cd" * 32)
    found = grounds_of(ledger, authority, number=1)
    assert found.claims == 3
    assert found.stamp is None
    assert verdict_by(found, 64).tests == 3
