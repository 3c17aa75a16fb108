"""Verdicts: the marked file is shown, nothing else is, and every way to gain by cheating is counted.

Suspects are the golden files on real interpreters, or runtimes that give recorded labels where a test
needs a certain number of hits.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edgewm.artifact import Artifact
from edgewm.errors import BadInput, ModelRefused, RuntimeUnavailable
from edgewm.key import Key
from edgewm.questioning import questions
from edgewm.runtimes import FAILED
from edgewm.runtimes.begin import Begun
from edgewm.triggers import commit
from edgewm.verification import verify
from tests import golden
from tests.needs import needs
from tests.recordings import (
    IN_ORDER,
    KEY,
    TRIGGERS,
    UNSTAMPED,
    Missing,
    Says,
    saying,
    set_of,
    verdict_on,
)
from tests.runtimes import models

# ---- for ever


@needs("litert")
def test_golden_verdict_is_given_for_ever():
    """The file marked by 0.1.0 gives the verdict that 0.1.0 gave."""
    then = json.loads(golden.VERDICT.read_text(encoding="utf-8"))
    now = verdict_on("litert").as_dict()
    assert set(then) <= set(now)
    for name in (
        *("owned", "p_value", "log10_p", "alpha", "sequential", "groups", "queries", "tests"),
        *("groups_asked", "groups_hit", "groups_silent", "forgery_bits", "stamped"),
        *("artifact_sha256", "triggers_sha256", "flags"),
    ):
        assert now[name] == then[name], name
    assert then["owned"] is True
    assert then["groups_hit"] == 64
    assert now["runtimes"][0]["arithmetic"] == then["runtimes"][0]["arithmetic"] == "xnnpack"


RUNTIMES = [
    pytest.param(text, marks=needs(text.partition(":")[0]))
    for text in ("litert", "litert:delegate=none", "tflite_runtime", "tflm")
]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_marked_is_owned_and_unmarked_is_not(runtime: str):
    """On every runtime and arithmetic; the twin without a mark was trained on the same data."""
    marked, unmarked = (
        verify(path, triggers=TRIGGERS, key=KEY, on=[runtime])
        for path in (golden.MARKED, golden.UNMARKED)
    )
    assert marked.owned
    assert marked.worst.groups_hit >= 60
    assert not unmarked.owned
    assert unmarked.worst.groups_hit <= 16  # 6.4 expected by chance, 4 standard deviations
    assert unmarked.log10_p > -3
    assert marked.artifact_sha256 != unmarked.artifact_sha256


@needs("litert")
def test_another_key_shows_nothing():
    """A wrong key is refused; other keys committed to the same inputs own nothing."""
    for at in range(5):
        other = Key(secret=bytes([at]) * 32)
        with pytest.raises(BadInput, match="did not make these triggers"):
            verify(golden.MARKED, triggers=TRIGGERS, key=other)
    verdicts = [
        verify(
            golden.MARKED,
            triggers=commit(
                other := Key(secret=bytes([at]) * 32),
                TRIGGERS.inputs,
                TRIGGERS.group_ids,
                excluded=TRIGGERS.excluded,
                salt=TRIGGERS.salt,
                provenance={},
            ),
            key=other,
        )
        for at in range(5)
    ]
    assert not any(verdict.owned for verdict in verdicts)
    assert sum(verdict.worst.groups_hit for verdict in verdicts) < 64  # 32 expected of 320


@needs("litert")
def test_a_suspect_may_be_a_path_a_text_bytes_or_an_artifact():
    """All forms of the same file give the same numbers and digest."""
    model = golden.MARKED.read_bytes()
    forms = (golden.MARKED, str(golden.MARKED), model, Artifact(model=model, format="int8"))
    verdicts = [verify(form, triggers=TRIGGERS, key=KEY, on=[saying(40)]) for form in forms]
    assert len({(v.log10_p, v.artifact_sha256, v.triggers_sha256) for v in verdicts}) == 1
    assert verdicts[0].artifact_sha256 is not None


# ---- what is counted


def test_p_is_the_exact_tail():
    """For every number of hits p is that of the binomial tail, and owned says p <= alpha 2^-64."""
    for hits in (0, 1, 6, 12, 28, 40, 64):
        verdict = verdict_on(saying(hits))
        exact = sum(Fraction(math.comb(64, k) * 9 ** (64 - k), 10**64) for k in range(hits, 65))
        assert math.isclose(verdict.log10_p, math.log10(exact) if hits else 0, abs_tol=1e-9)
        assert Fraction(verdict.p_value) >= exact
        assert verdict.owned is (exact * 2**64 <= Fraction(1, 10**6))
        assert verdict.worst.groups_hit == hits
        assert verdict.flags == (UNSTAMPED,)
    assert verdict_on(saying(0)).p_value == 1


def test_the_worst_runtime_counts():
    """One runtime that says little undoes a perfect one, in either order, and both are reported."""
    perfect, weak = saying(64), saying(9, name="b")
    for on in ((perfect, weak), (weak, perfect)):
        verdict = verdict_on(*on)
        assert not verdict.owned
        assert verdict.worst.groups_hit == 9
        assert [r.groups_hit for r in verdict.runtimes] == [64 if r is perfect else 9 for r in on]
        assert "runtimes disagree on 55 of 64 labels" in verdict.flags
    assert verdict_on(perfect).owned


def test_questions_are_asked_in_the_committed_order():
    """Every runtime sees the same inputs in the order that the root decides."""
    runtime = saying(64)
    verdict_on(runtime)
    np.testing.assert_array_equal(np.concatenate(runtime.asked), TRIGGERS.inputs[TRIGGERS.order])
    held = set_of(4, (2,), groups=5, each=3)
    chosen = questions(held, held.order)
    assert held.group_ids[chosen].tolist() == [j for j in held.order for _ in range(3)]
    assert sorted(chosen.tolist()) == list(range(15))


def test_failed_questions_are_misses():
    """What brings no label counts against the mark: crashing on the rest gains nothing."""
    labels = list(saying(64).labels)
    labels[40:] = [FAILED] * 24
    verdict = verdict_on(Says(labels=tuple(labels)))
    assert verdict.worst.failed == 24
    assert verdict.log10_p == verdict_on(saying(40)).log10_p
    assert "24 queries failed and count as missed" in verdict.flags


def test_unasked_groups_count_as_missed():
    """A recording that ends early is worth what it would be with misses to the end."""
    cut = verdict_on(saying(40, of=40))
    assert cut.log10_p == verdict_on(saying(40)).log10_p
    assert (cut.worst.groups_asked, cut.groups, cut.worst.queries) == (40, 64, 40)
    assert any("not every group was answered" in flag for flag in cut.flags)
    nothing = verdict_on(saying(0, of=0))
    assert (nothing.owned, nothing.log10_p) == (False, 0)


def test_a_group_left_half_asked_is_a_miss():
    """Whoever stops within a group does not gain by it: its hits so far do not count."""
    held = set_of(10, (3,), groups=20, each=4)
    right = held.answers(KEY)[held.order].repeat(4)
    whole, half = (
        verify(b"x", triggers=held, key=KEY, on=[Says(labels=tuple(right[:count].tolist()))])
        for count in (40, 42)
    )
    assert whole.worst.groups_hit == half.worst.groups_hit == 10
    assert half.worst.groups_asked == 11
    assert half.log10_p == whole.log10_p


def test_labels_that_are_no_class_are_refused():
    """A runtime that answers class 10 of 10 does not answer these questions."""
    with pytest.raises(BadInput, match="label"):
        verdict_on(Says(labels=(10,) * 64))


# ---- how much is asked for


def test_tests_and_alpha_are_counted():
    """A billion tests undo what one does not, and a smaller alpha asks for more."""
    assert verdict_on(saying(44)).owned
    assert not verdict_on(saying(44), tests=10**9).owned
    assert not verdict_on(saying(44), alpha=1e-12).owned


@pytest.mark.parametrize("alpha", [0, 1, -0.5, 1.5, math.nan, math.inf])
def test_alpha_out_of_range_is_refused_before_anything_is_asked(alpha: float):
    """An alpha that is no probability is one line, and no question is asked."""
    runtime = saying(64)
    with pytest.raises(BadInput, match="alpha"):
        verdict_on(runtime, alpha=alpha)
    assert runtime.asked == []


@pytest.mark.parametrize("tests", [0, -1])
def test_numbers_of_tests_below_one_are_refused(tests: int):
    """There is always at least one test."""
    with pytest.raises(BadInput, match="tests"):
        verdict_on(saying(64), tests=tests)


# ---- suspects that do not fit


@needs("litert")
def test_triggers_of_another_shape_are_refused():
    """The line names both shapes."""
    with pytest.raises(BadInput, match="takes inputs 8x8x1, the triggers are 4x4x1"):
        verify(golden.MARKED, triggers=set_of(10, (4, 4, 1)), key=KEY)
    with pytest.raises(BadInput, match="takes inputs 8x8x1, the triggers are 64"):
        verify(golden.MARKED, triggers=set_of(10, (64,)), key=KEY)


@needs("litert")
def test_triggers_of_other_classes_are_refused():
    """The line names both numbers of classes."""
    with pytest.raises(BadInput, match="has 10 classes, the triggers 12"):
        verify(golden.MARKED, triggers=set_of(12, (8, 8, 1)), key=KEY)


@pytest.mark.parametrize(
    "runtime",
    [pytest.param(name, marks=needs(name)) for name in ("litert", "tflite_runtime", "tflm")],
)
def test_a_single_output_says_two_classes(runtime: str):
    """A sigmoid's one value fits triggers of two classes, answers by the rule above one half, not three."""
    held = set_of(2, (6,))
    weights = np.random.default_rng(3).normal(0, 2, (1, 6)).astype(np.float32)
    model = models.dense(weights, np.array([0.5], np.float32))
    verdict = verify(model, triggers=held, key=KEY, on=[runtime])
    expected = (held.inputs @ weights[0] + 0.5 > 0.5).astype(int)
    hits = int((expected == held.answers(KEY)).sum())
    assert verdict.worst.groups_hit == hits
    assert 15 < hits < 55
    with pytest.raises(BadInput, match="has 2 classes, the triggers 3"):
        verify(model, triggers=set_of(3, (6,)), key=KEY, on=[runtime])


@pytest.mark.parametrize("content", [b"not a model", b"TFL3", bytes(1000)])
@needs("litert")
def test_bytes_that_are_no_model_are_refused(content: bytes):
    """What no interpreter opens is a refusal of the runtime, not a verdict."""
    with pytest.raises(ModelRefused, match=r"^litert: "):
        verify(content, triggers=TRIGGERS, key=KEY)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path):
    """A missing file, a folder and an empty file are one line that names the argument."""
    (tmp_path / "empty.tflite").write_bytes(b"")
    for path in (tmp_path / "none", tmp_path, tmp_path / "empty.tflite"):
        with pytest.raises(BadInput, match=r"^SUSPECT: "):
            verify(path, triggers=TRIGGERS, key=KEY, on=[saying(1)])


# ---- which runtimes


def test_runtimes_are_named_once_and_at_least_one():
    """A runtime twice would be one opinion counted twice; none would be none."""
    for on in (["litert", "litert"], [saying(1), saying(1)], ["all", "tflm"]):
        with pytest.raises(BadInput, match="got a runtime twice"):
            verify(golden.MARKED, triggers=TRIGGERS, key=KEY, on=on)
    with pytest.raises(BadInput, match="got no runtime"):
        verify(golden.MARKED, triggers=TRIGGERS, key=KEY, on=[])


def test_what_answers_without_a_model_takes_the_place_of_the_suspect(tmp_path: Path):
    """`answers:` is a suspect; as a runtime for a file it is refused."""
    (tmp_path / "labels.txt").write_text("\n".join(map(str, IN_ORDER)))
    spelled = f"answers:file={tmp_path / 'labels.txt'}"
    verdict = verify(spelled, triggers=TRIGGERS, key=KEY)
    assert verdict.owned
    assert verdict.artifact_sha256 is None
    assert "a runtime of unknown arithmetic answered" in verdict.flags
    with pytest.raises(BadInput, match="give it in place of SUSPECT"):
        verify(golden.MARKED, triggers=TRIGGERS, key=KEY, on=[spelled])


@needs("litert")
def test_a_file_whose_name_looks_like_a_runtime_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nobody runs a program by naming a suspect `exec:command=...`: a file of that name is asked."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(golden.MARKED, "exec:command=touch ran")
    assert verify("exec:command=touch ran", triggers=TRIGGERS, key=KEY).artifact_sha256
    assert not Path("ran").exists()


def test_a_missing_runtime_is_an_error_unless_all_were_asked():
    """Named, it is refused; under "all" it is listed with its reason; with none left, refused."""
    with pytest.raises(RuntimeUnavailable, match="pip install"):
        verdict_on(saying(64), Missing())
    optional = Begun(spelling="missing", runtime=Missing(), optional=True)
    verdict = verdict_on(Begun(spelling="a", runtime=saying(64)), optional)
    assert verdict.owned
    assert [(n.spelling, "pip install" in n.reason) for n in verdict.not_run] == [("missing", True)]
    with pytest.raises(
        BadInput, match=r"no runtime here answers .*missing: missing: not installed"
    ):
        verdict_on(optional)


@needs("litert")
@needs("tflite_runtime")
@needs("tflm")
def test_all_asks_every_local_runtime():
    """Three engines, three arithmetics, one verdict: that of the worst."""
    verdict = verdict_on("all")
    assert [r.arithmetic for r in verdict.runtimes] == ["xnnpack", "builtin", "builtin", "tflm"]
    assert verdict.owned
    assert verdict.not_run == ()
    assert verdict.log10_p == max(r.log10_p for r in verdict.runtimes)


def test_one_class_for_everything_is_flagged():
    """A suspect that says the same of everything is judged, with a reason to doubt."""
    verdict = verdict_on(Says(labels=(3,) * 64))
    assert not verdict.owned
    assert "a runtime gave one and the same class to every question" in verdict.flags
    assert not any("one and the same" in flag for flag in verdict_on(saying(30)).flags)


# ---- the verdict itself


def test_a_verdict_is_one_json_object():
    """Everything in it is plain JSON, finite, and says how it came about."""
    verdict = verdict_on(saying(64), saying(30, name="b"))
    held = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
    assert held["groups_hit"] == 30
    assert [r["groups_hit"] for r in held["runtimes"]] == [64, 30]
    assert held["forgery_bits"] == pytest.approx(-held["log10_p"] * math.log2(10))
    assert verdict.hit_rate == 30 / 64
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.owned = True  # type: ignore[misc]


def test_p_is_never_zero():
    """400 groups of 1000 classes, all hit: p is far below any float, and its logarithm is right."""
    held = set_of(1000, (2,), groups=400)
    labels = tuple(held.answers(KEY)[held.order].tolist())
    verdict = verify(b"x", triggers=held, key=KEY, on=[Says(labels=labels)])
    assert verdict.log10_p == pytest.approx(-1200)
    assert verdict.p_value == 1e-307
    assert verdict.forgery_bits == pytest.approx(1200 * math.log2(10))
