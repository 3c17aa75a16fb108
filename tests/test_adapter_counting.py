"""Every chain of adapters that is tried is a test, and the innocent stay as safe as with one."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest

from edgewm import spec
from edgewm.errors import BadInput, ModelRefused
from edgewm.runtimes import FAILED
from edgewm.runtimes.begin import Begun
from edgewm.triggers import recommitted
from edgewm.verification import verify
from tests.needs import needs
from tests.recordings import KEY, TRIGGERS, Says, set_of
from tests.rewritten import FORMS, GREY, MARKED, OTHER_KEY, UNMARKED, asked, file_of, of_values

# ---- several chains


@needs("litert")
@pytest.mark.parametrize("form", ["range 255", "range -1", "three steps", "resize"])
def test_the_usual_chains_find_the_copy_and_are_all_counted(form: str):
    """`try` shows the copy and not its twin; every chain multiplies the tests, whoever wins."""
    rewritten, chain = FORMS[form]
    found = asked(rewritten(*MARKED), "try", tests=5)
    assert found.owned
    assert found.tests == 5 * len(found.chains) > 5
    assert min(found.chains, key=lambda c: c.log10_p).adapters == found.adapters
    if form.startswith("range"):
        assert spec.parse("adapters", found.adapters[0]) == spec.parse("adapters", chain[0])
    assert f"{len(found.chains)} chains of adapters were tried" in found.flags[-1]
    twin = asked(rewritten(*UNMARKED), "try", tests=5)
    assert not twin.owned
    assert (twin.tests, len(twin.chains)) == (found.tests, len(found.chains))
    assert [c.adapters for c in twin.chains] == [c.adapters for c in found.chains]
    other = recommitted(GREY, OTHER_KEY)
    assert not asked(rewritten(*MARKED), "try", triggers=other, key=OTHER_KEY).owned


@needs("litert")
@needs("tflm")
def test_the_worst_runtime_of_the_best_chain_counts():
    """Chains are compared by their worst runtime, and one chain is reported for all of them."""
    verdict = asked(of_values(0.5, 0.5)(*MARKED), "try", on=["litert", "tflm"])
    assert verdict.adapters == ("range:low=-1.0,high=1.0",)
    assert verdict.worst.groups_hit == 60
    assert [r.groups_hit for r in verdict.runtimes] == [60, 60]
    alone = asked(of_values(0.5, 0.5)(*MARKED), [[], ["range:low=-1,high=1"]], on=["tflm"])
    assert [c.groups_hit for c in alone.chains] == [
        asked(of_values(0.5, 0.5)(*MARKED), c, on=["tflm"]).worst.groups_hit
        for c in ([], ["range:low=-1,high=1"])
    ]


def test_a_chain_is_as_good_as_its_worst_runtime_only():
    """Two runtimes that each like another chain agree on none: no chain is chosen for each of them."""
    held = set_of(10, (2,), groups=40)
    right = held.answers(KEY)[held.order]
    wrong = (right + 1) % 10
    first, second = (
        Says(labels=tuple(np.concatenate(parts).tolist()), name=name)
        for name, parts in (("a", (right, wrong)), ("b", (wrong, right)))
    )
    chains = [[], ["standardise:mean=0,deviation=2"]]
    given: dict[str, Any] = {"triggers": held, "key": KEY, "stamped": True, "adapters": chains}
    assert verify(b"x", on=[first], **given).owned  # the control
    both = verify(b"x", on=[first, second], **given)
    assert not both.owned
    assert [chain.log10_p for chain in both.chains] == [0.0, 0.0]


@needs("litert")
def test_stopping_early_goes_by_the_multiplied_tests():
    """Each chain is asked in order until it suffices for all the tests; the winner takes fewer questions."""
    model = of_values(0, 1 / 255)(*MARKED)
    chain = ["range:low=0,high=255"]
    one = asked(model, chain, sequential=True)
    tried = asked(model, "try", sequential=True)
    assert one.owned
    assert tried.owned
    assert tried.adapters == one.adapters
    assert one.worst.queries <= tried.worst.queries < 20
    assert tried.tests == 3
    twin = asked(of_values(0, 1 / 255)(*UNMARKED), "try", sequential=True)
    assert not twin.owned
    assert twin.worst.queries == 60


def test_several_chains_need_a_model_file(tmp_path: Any):
    """A recording answers one chain; the same chain alone is judged."""
    path = tmp_path / "a.txt"
    path.write_text("\n".join(map(str, TRIGGERS.answers(KEY)[TRIGGERS.order])))
    suspect = f"answers:file={path}"
    given = {"triggers": TRIGGERS, "key": KEY}
    assert verify(suspect, **given, adapters=["nchw"]).owned
    with pytest.raises(BadInput, match="several chains for a suspect without a model file"):
        verify(suspect, **given, adapters=[["nchw"], []])


# ---- the innocent


def test_the_bound_holds_for_every_answer():
    """Over all 243 answers of five groups, an innocent is owned through three chains no oftener than alpha.

    The suspect's labels are fixed and the answers even, which is the same as answers that are fixed and
    labels turned by every pattern. Chains that contradict each other everywhere are the worst case; the
    control counts how often they would be accused if the chains were not counted.
    """
    held = set_of(3, (2,), groups=5)
    right = held.answers(KEY)[held.order]
    chains = [["standardise:mean=0,deviation=1"]] * 3
    counted: Counter[float] = Counter()
    uncounted: Counter[float] = Counter()
    for turned in product(range(3), repeat=5):
        labels = np.concatenate([(right + turn + np.array(turned)) % 3 for turn in range(3)])
        verdict = verify(
            b"x",
            triggers=held,
            key=KEY,
            on=[Says(labels=tuple(labels.tolist()))],
            stamped=True,
            alpha=0.5,
            adapters=chains,
        )
        assert verdict.tests == 3
        for alpha in (0.01, 0.02, 0.1, 0.14, 0.5, 0.7):
            counted[alpha] += 10**verdict.log10_p * verdict.tests <= alpha * (1 + 1e-12)
            uncounted[alpha] += 10**verdict.log10_p <= alpha * (1 + 1e-12)
        assert verdict.owned is (10**verdict.log10_p * 3 <= 0.5 * (1 + 1e-12))
    assert all(counted[alpha] <= alpha * 243 for alpha in counted)
    assert counted[0.14] > 0  # the bound is nearly used up, not idle
    assert all(uncounted[alpha] > alpha * 243 for alpha in (0.01, 0.1, 0.5))


@needs("litert")
def test_innocent_files_through_the_usual_chains():
    """Thirty networks of nobody's, all chains each: none is owned even at alpha 1e-4."""
    rng = np.random.default_rng(12)
    for _ in range(30):
        model = file_of(rng.normal(size=(10, 8, 8, 1)), rng.normal(size=10))
        verdict = asked(model, "try", alpha=1e-4)
        assert not verdict.owned
        assert verdict.tests == len(verdict.chains) == 3


# ---- what is said of the classes


@needs("litert")
def test_an_order_of_classes_is_flagged():
    """The verdict says that the order must not come from these answers, and what it would have to count."""
    rewritten, chain = FORMS["classes"]
    flags = asked(rewritten(*MARKED), chain).flags
    assert any("would need 10^11 times as many tests" in flag for flag in flags)
    assert not any("order of classes" in flag for flag in asked(file_of(*MARKED)).flags)


def test_a_class_that_the_owner_does_not_have_has_no_vote():
    """A group that only says "background" is silent, one whose question fails is a miss."""
    held = set_of(3, (2,), groups=6, each=2)
    right = held.answers(KEY)[held.order].repeat(2) + 1  # 0 is the background
    labels = right.copy()
    labels[0:2] = 0  # says nothing
    labels[2] = 0  # one vote is left, and it is right
    labels[4:6] = FAILED
    verdict = verify(
        b"x",
        triggers=held,
        key=KEY,
        on=[Says(labels=tuple(labels.tolist()))],
        adapters=["classes:order=-1x0x1x2"],
    )
    worst = verdict.worst
    assert (worst.groups_hit, worst.groups_silent, worst.failed) == (4, 1, 2)
    with pytest.raises(BadInput, match="got 4, expected classes 0 to 3"):
        verify(
            b"x",
            triggers=held,
            key=KEY,
            on=[Says(labels=(4,) * 12)],
            adapters=["classes:order=-1x0x1x2"],
        )


def test_a_runtime_that_is_missing_does_not_change_the_chains():
    """Under "all", what cannot run is listed and the chains are those of the file."""

    class Broken:
        needs_model, spends = True, False

        def open(self, model: bytes | None) -> Any:
            raise ModelRefused("broken: no")

    held = set_of(10, (2,), groups=40)
    right = tuple(held.answers(KEY)[held.order].tolist()) * 2
    verdict = verify(
        b"x",
        triggers=held,
        key=KEY,
        on=[
            Begun(spelling="broken", runtime=Broken(), optional=True),
            Begun(spelling="a", runtime=Says(labels=right)),
        ],
        adapters=[[], ["standardise:mean=0,deviation=2"]],
    )
    assert verdict.owned
    assert verdict.tests == 2
    assert [n.spelling for n in verdict.not_run] == ["broken"]
