"""Who was first, decided from facts: every combination of them."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace

import pytest

from edgewm.dispute import Dated, Decision, Rule, Side, decide

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)
SKEW = 10 * MINUTE
KNOWN = (True, False)


def at(minutes: float, authority: str = "one", accuracy: dt.timedelta = SECOND) -> Dated:
    time = NOON + minutes * MINUTE
    return Dated(
        earliest=time - accuracy,
        latest=time + accuracy,
        authority="of one name",
        certificate=authority,
    )


STAMPS = (None, at(0), at(5, "two"), at(60), at(60, "two"))


def sides(marks: tuple[bool | None, ...]) -> list[Side]:
    """A side with every stamp, and as a copied claim."""
    every = [
        Side(in_own=own, in_other=other, stamp=stamp)
        for own, other, stamp in itertools.product(marks, marks, STAMPS)
    ]
    return [*every, replace(every[0], copied=True)]


def mirrored(decision: Decision) -> Decision:
    names = {"A": "B", "B": "A", None: None}
    return Decision(first=names[decision.first], rule=decision.rule)


def marked(a: Side, b: Side) -> tuple[set[str], set[str]]:
    """In which models each mark is; a copied claim has none."""
    of_a = {name for name, there in (("a", a.in_own), ("b", a.in_other)) if there}
    of_b = {name for name, there in (("a", b.in_other), ("b", b.in_own)) if there}
    return (set() if a.copied else of_a), (set() if b.copied else of_b)


def test_nothing_depends_on_who_is_called_a():
    """Every pair of facts, unknown ones too, and the same pair the other way round."""
    for a, b in itertools.product(sides((True, False, None)), repeat=2):
        assert decide(b, a, clock_skew=SKEW) == mirrored(decide(a, b, clock_skew=SKEW))


def test_nobody_is_first_without_a_mark_to_show():
    """The first has their mark in the other's model, or both marks are in the same ones."""
    firsts = 0
    for a, b in itertools.product(sides(KNOWN), repeat=2):
        decision = decide(a, b, clock_skew=SKEW)
        of_a, of_b = marked(a, b)
        if decision.first == "A":
            firsts += 1
            assert not a.copied
            assert "b" in of_a or (of_a == of_b and "a" in of_b)
            assert of_a >= of_b
    assert firsts > 100


def test_dates_decide_only_between_equal_marks():
    """With other stamps the outcome is the same, unless both marks are in the same models."""
    for a, b in itertools.product(sides(KNOWN), repeat=2):
        of_a, of_b = marked(a, b)
        outcomes = {
            decide(replace(a, stamp=x), replace(b, stamp=y), clock_skew=SKEW)
            for x, y in itertools.product(STAMPS, repeat=2)
        }
        copied = a.copied or b.copied
        assert (len(outcomes) > 1) == (of_a == of_b and bool(of_a) and not copied)


def test_one_more_mark_never_helps_the_other():
    """If A was first, A is first when A's mark is also found elsewhere."""
    for a, b in itertools.product(sides(KNOWN), repeat=2):
        if decide(a, b, clock_skew=SKEW).first != "A":
            continue
        for more in (replace(a, in_own=True), replace(a, in_other=True)):
            assert decide(more, b, clock_skew=SKEW).first == "A"


def test_what_is_not_known_decides_nothing():
    """With unknown marks the outcome is what every way to fill them in says, or not known."""
    for a, b in itertools.product(sides((True, False, None)), repeat=2):
        filled = [
            decide(
                replace(a, in_own=w, in_other=x), replace(b, in_own=y, in_other=z), clock_skew=SKEW
            )
            for w, x, y, z in itertools.product(
                *(KNOWN if known is None else (known,) for known in (a.in_own, a.in_other)),
                *(KNOWN if known is None else (known,) for known in (b.in_own, b.in_other)),
            )
        ]
        decision = decide(a, b, clock_skew=SKEW)
        firsts = {outcome.first for outcome in filled}
        assert decision.first == (firsts.pop() if len(firsts) == 1 else None)
        assert decision in filled or decision.rule is Rule.NOT_KNOWN


def pair(a: tuple[bool | None, bool | None], b: tuple[bool | None, bool | None]) -> list[Side]:
    return [Side(in_own=own, in_other=other) for own, other in (a, b)]


@pytest.mark.parametrize(
    ("a", "b", "first", "rule"),
    [
        ((True, True), (True, False), "A", Rule.OVERWRITTEN),
        ((True, True), (False, True), "A", Rule.OVERWRITTEN),
        ((False, True), (True, True), "B", Rule.OVERWRITTEN),
        ((True, True), (False, False), "A", Rule.ALONE),
        ((False, True), (False, False), "A", Rule.ALONE),
        ((True, False), (True, False), None, Rule.NO_COPYING),
        ((True, False), (False, False), None, Rule.NO_COPYING),
        ((False, False), (False, False), None, Rule.NO_COPYING),
        ((False, True), (False, True), None, Rule.CROSSED),
        ((True, True), (True, True), None, Rule.NO_STAMP),
        ((False, True), (True, False), None, Rule.NO_STAMP),
        ((True, None), (True, False), None, Rule.NOT_KNOWN),
        ((None, True), (False, False), "A", Rule.ALONE),
        ((True, True), (None, False), "A", Rule.ALONE),
    ],
)
def test_where_marks_are(a, b, first: str | None, rule: Rule):
    """Each case that has a name; no stamps."""
    assert decide(*pair(a, b), clock_skew=SKEW) == Decision(first=first, rule=rule)


@pytest.mark.parametrize(
    ("a", "b", "first", "rule"),
    [
        (at(0), at(60, "two"), "A", Rule.STAMPED_EARLIER),
        (at(60), at(0, "two"), "B", Rule.STAMPED_EARLIER),
        (at(0), at(10, "two"), None, Rule.SAME_TIME),  # within the skew of two clocks
        (at(0), at(10), "A", Rule.STAMPED_EARLIER),  # one clock has none
        (at(0), at(0), None, Rule.SAME_TIME),
        (at(0), at(2 / 60), None, Rule.SAME_TIME),  # within both accuracies
        (at(0), at(2.1 / 60), "A", Rule.STAMPED_EARLIER),
        (at(0, accuracy=MINUTE), at(1), None, Rule.SAME_TIME),
        (at(0), at(10 + 2.1 / 60, "two"), "A", Rule.STAMPED_EARLIER),
        (None, at(0), None, Rule.NO_STAMP),
        (at(0), None, None, Rule.NO_STAMP),
    ],
)
def test_which_stamp_is_earlier(a, b, first: str | None, rule: Rule):
    """Both marks in both models: equal times, skew between authorities, accuracies, missing stamps."""
    held = [Side(in_own=True, in_other=True, stamp=stamp) for stamp in (a, b)]
    assert decide(*held, clock_skew=SKEW) == Decision(first=first, rule=rule)


def test_a_copied_claim_has_no_mark():
    """Whatever was shown with it: the mark is the other's."""
    a = Side(in_own=True, in_other=True, stamp=at(60))
    copied = Side(in_own=True, in_other=True, stamp=at(0), copied=True)
    assert decide(a, copied, clock_skew=SKEW) == Decision(first="A", rule=Rule.ALONE)
    assert decide(replace(copied, copied=False), a, clock_skew=SKEW).first == "A"  # the control
