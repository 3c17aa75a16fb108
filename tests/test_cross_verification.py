"""Disputes over real files, with stamps of real authorities."""

from __future__ import annotations

import datetime as dt
import functools
import time
from pathlib import Path

import pytest
from cryptography import x509

from edgewm.disclosure import disclose, package_of, read_package
from edgewm.dispute import Rule
from edgewm.errors import BadInput, DoesNotCheck
from edgewm.parties import ByPackage, CopiedClaim
from tests import tilting
from tests.authority import Authority, make_authority
from tests.disputes import (
    HOUR,
    MARKED,
    OVERWRITTEN,
    UNMARKED,
    Saying,
    claimed_by,
    settled,
    thief,
)
from tests.ledgers import KEY, TRIGGERS, clock
from tests.needs import needs
from tests.recordings import set_of

pytestmark = [needs("openssl"), needs("rfc3161"), needs("securesystemslib"), needs("litert")]
COPY = (MARKED, OVERWRITTEN)
LATE = dt.timedelta(seconds=-60)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), now=clock())


def test_a_thief_who_adds_a_mark_is_second(authority: Authority, tmp_path: Path):
    """The owner's mark is in both files, the thief's in the copy; the thief's stamp is the earlier one.

    Called the other way round the outcome is the same; with another model as the copy nothing is shown.
    """
    b = thief(tmp_path / "b", authority.reply)
    time.sleep(1.1)
    a = claimed_by(tmp_path / "a", functools.partial(authority.reply, accuracy_s=0))
    found = settled(a, b, COPY, authority)
    assert (found.decision.first, found.decision.rule) == ("A", Rule.OVERWRITTEN)
    marks = [m.shown for s in (found.a, found.b) for m in (s.in_own, s.in_other)]
    assert marks == [True, True, True, False]
    turned = settled(b, a, (OVERWRITTEN, MARKED), authority)
    assert (turned.decision.first, turned.decision.rule) == ("B", Rule.OVERWRITTEN)
    other = settled(a, b, (MARKED, UNMARKED), authority)
    assert (other.decision.first, other.decision.rule) == (None, Rule.NO_COPYING)
    assert "B's mark is not shown in B's own model" in other.notes
    held = found.as_dict()
    assert (held["first"], held["rule"]) == ("A", "overwritten")
    assert held["b"]["mark_in_own_model"]["verdict"]["groups_hit"] == 16


def test_a_mark_made_afterwards_is_in_no_model(authority: Authority, tmp_path: Path):
    """The thief's stamp is later than the day on which the copy was seen: 2^64 more is needed."""
    a = claimed_by(tmp_path / "a", authority.reply)
    for name, replies in (("late", [authority.reply]), ("none", [])):
        b = thief(tmp_path / name, *replies)
        found = settled(a, b, COPY, authority, seen=(LATE, LATE))
        assert (found.decision.first, found.decision.rule) == ("A", Rule.ALONE)
        assert found.a.in_other.verdict is not None
        assert not found.a.in_other.verdict.stamped  # 64 groups show it even so


def test_both_marks_in_one_file(authority: Authority, tmp_path: Path):
    """Both parties give the same file: the earlier stamp of one authority, or none that is earlier."""
    exact = functools.partial(authority.reply, accuracy_s=0)
    a = claimed_by(tmp_path / "a", exact)
    time.sleep(1.1)
    b, both = thief(tmp_path / "b", exact), (OVERWRITTEN, OVERWRITTEN)
    found = settled(a, b, both, authority)
    assert (found.decision.first, found.decision.rule) == ("A", Rule.STAMPED_EARLIER)
    assert "both models are the same file" in found.notes
    rough = claimed_by(tmp_path / "rough", functools.partial(authority.reply, accuracy_s=60))
    assert settled(rough, b, both, authority).decision.rule is Rule.SAME_TIME
    unstamped = claimed_by(tmp_path / "unstamped")
    found = settled(unstamped, b, both, authority)
    assert (found.decision.first, found.decision.rule) == (None, Rule.NO_STAMP)
    assert found.a.notes == ("the claim has no stamp",)


def test_clocks_of_two_authorities(authority: Authority, tmp_path: Path):
    """Stamps a second apart by different authorities decide only where no skew is allowed for."""
    other = make_authority(tmp_path / "other", now=clock())
    both = (OVERWRITTEN, OVERWRITTEN)
    a = claimed_by(tmp_path / "a", functools.partial(authority.reply, accuracy_s=0))
    time.sleep(1.1)
    b = thief(tmp_path / "b", functools.partial(other.reply, accuracy_s=0))
    trust = authority.trust()
    trust = trust.__class__(roots=(*trust.roots, *other.trust().roots))
    found = settled(a, b, both, authority, trust=trust)
    assert (found.decision.first, found.decision.rule) == (None, Rule.SAME_TIME)
    found = settled(a, b, both, authority, trust=trust, clock_skew=dt.timedelta())
    assert (found.decision.first, found.decision.rule) == ("A", Rule.STAMPED_EARLIER)


def test_stamps_that_do_not_count(authority: Authority, tmp_path: Path):
    """An expired signer, and one that was revoked for its key, are no stamps; superseded later, it is."""
    rough = functools.partial(authority.reply, accuracy_s=60)
    b, both = thief(tmp_path / "b", rough), (OVERWRITTEN, OVERWRITTEN)
    a = claimed_by(tmp_path / "a", functools.partial(authority.reply, signer="expired"))
    found = settled(a, b, both, authority)
    assert found.decision.rule is Rule.NO_STAMP
    assert "it had expired" in found.a.notes[0]
    good = claimed_by(tmp_path / "good", rough)
    for reason, rule in (
        (x509.ReasonFlags.key_compromise, Rule.ALONE),  # 24 groups show nothing without a stamp
        (x509.ReasonFlags.superseded, Rule.SAME_TIME),
    ):
        gone = authority.revocation_list("signer", reason, when=clock() + HOUR)
        found = settled(good, b, both, authority, trust=authority.trust(gone))
        assert found.decision.rule is rule
        assert any("was revoked on" in note for note in found.b.notes) == (rule is Rule.ALONE)


def test_packages_settle_it_without_keys(authority: Authority, tmp_path: Path):
    """A judge has two packages. One that was opened before a model was seen cannot be asked."""
    a, b = claimed_by(tmp_path / "a", authority.reply), thief(tmp_path / "b", authority.reply)
    packages = []
    for side, groups in ((a, 12), (b, 24)):
        record = disclose(
            side.ledger,
            side.key,
            side.mark,
            groups=groups,
            to="a court",
            now=clock() + 3 * HOUR,
        )
        content = package_of(side.ledger, side.key, side.mark, record.number)
        packages.append(ByPackage(package=read_package(content)))
    found = settled(packages[0], packages[1], COPY, authority)
    assert (found.decision.first, found.decision.rule) == ("A", Rule.OVERWRITTEN)
    late = settled(packages[0], packages[1], COPY, authority, seen=(HOUR, 2 * HOUR))
    assert (late.decision.first, late.decision.rule) == ("A", Rule.OVERWRITTEN)
    opened = disclose(a.ledger, KEY, TRIGGERS, groups=12, to="the press", now=clock())
    early = ByPackage(package=read_package(package_of(a.ledger, KEY, TRIGGERS, opened.number)))
    found = settled(early, packages[1], COPY, authority)
    assert (found.decision.first, found.decision.rule) == (None, Rule.NOT_KNOWN)
    assert "opened groups count only against older" in found.a.in_own.notes[0]


def test_a_tilt_names_the_clone(authority: Authority, tmp_path: Path):
    """The owner's lean is in a clone too, where the thief put triggers; without the lean nothing is shown."""
    lean, own = tilting.tilt(), set_of(tilting.CLASSES, (8, 8, 1))
    a = claimed_by(tmp_path / "a", authority.reply, key=tilting.KEY, triggers=lean)
    b = claimed_by(tmp_path / "b", authority.reply, triggers=own)
    leans = tilting.leaning_labels(lean, tilting.KEY, 0.5)
    said = {
        b"owner": (leans, 1 - own.answers(KEY) % 2),
        b"clone": (leans, own.answers(KEY)),
        b"other": (tilting.innocent_labels(lean, 4), own.answers(KEY)),
    }
    by_file = {
        name: {
            row.tobytes(): int(label)
            for inputs, labels in ((lean.inputs, natural), (own.inputs, answered))
            for row, label in zip(inputs, labels, strict=True)
        }
        for name, (natural, answered) in said.items()
    }
    on = [Saying(by_file=by_file)]
    found = settled(a, b, (b"owner", b"clone"), authority, on=on)
    assert (found.decision.first, found.decision.rule) == ("A", Rule.OVERWRITTEN)
    found = settled(a, b, (b"owner", b"other"), authority, on=on)
    assert (found.decision.first, found.decision.rule) == (None, Rule.NO_COPYING)


def test_what_is_no_dispute(authority: Authority, tmp_path: Path):
    """One claimant twice, a ledger that does not check, a day to come; a copied claim shows nothing."""
    a = claimed_by(tmp_path / "a", authority.reply)
    with pytest.raises(BadInput, match="there is no dispute"):
        settled(a, a, COPY, authority)
    with pytest.raises(BadInput, match="which is not yet"):
        settled(a, a, COPY, authority, seen=(HOUR, 3 * HOUR))
    found = settled(a, CopiedClaim(reason="it names another"), COPY, authority)
    assert (found.decision.first, found.decision.rule) == ("A", Rule.ALONE)
    assert found.as_dict()["b"]["copied"] is True
    b = thief(tmp_path / "b", authority.reply)
    (path,) = (tmp_path / "b" / "attachments").glob("*.tsr")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DoesNotCheck, match="its digest does not check"):
        settled(a, b, COPY, authority)
