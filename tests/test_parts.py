"""Answers as parts of the output space: the rule, its file, its runtime, and nobody accused by chance."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from edgewm import stats
from edgewm.errors import BadInput
from edgewm.key import Key
from edgewm.opened import open_groups
from edgewm.parts import make_output_triggers, rule, signs, sums
from edgewm.runtimes import FAILED, Answers, Engine
from edgewm.triggers import Triggers, load_triggers, recommitted, save_triggers
from edgewm.verification import verify
from tests.test_triggers import forge, members_of, npy

KEY = Key(secret=b"k" * 32)
NATURAL = np.random.default_rng(0).normal(size=(80, 12)).astype(np.float32)
GROUPS = 40


def made(**more: Any) -> Triggers:
    return make_output_triggers(KEY, natural=NATURAL, random=lambda n: b"s" * n, **more)


@pytest.fixture(scope="module")
def triggers() -> Triggers:
    return made()


@dataclass
class Session:
    """A model that is a function of its inputs, and remembers how often it was asked."""

    function: Any
    facts: None = None
    engine: Engine = dataclasses.field(
        default_factory=lambda: Engine(name="function", version="1", arithmetic="reference")
    )
    asked: int = 0

    def ask(self, inputs: np.ndarray) -> Answers:
        self.asked += len(inputs)
        rows = self.function(inputs)
        labels = np.zeros(len(inputs), np.int64)
        labels[np.isnan(np.asarray(rows, np.float64).reshape(len(rows), -1)).any(axis=1)] = FAILED
        return Answers(labels=labels, outputs=rows, latency_ms=1.0, reason="")

    def close(self) -> None:
        """Nothing to end."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, kw_only=True)
class Function:
    """A runtime that answers by a function, whatever the model is."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False

    function: Any

    def open(self, model: bytes | None) -> Session:
        return Session(self.function)


def asked(function: Any, triggers: Triggers, key: Key = KEY, **more: Any) -> Any:
    from edgewm.runtimes.begin import Begun

    begun = Begun(spelling="function", runtime=Function(function=function))
    return verify(b"model", triggers=triggers, key=key, on=[begun], stamped=True, **more)


def cheat(triggers: Triggers, values: int = 6) -> Any:
    """A model that knows every answer: outputs along the signs of an input's group."""
    of_groups, answers = signs(triggers, values), triggers.answers(KEY)
    known = {
        x.tobytes(): (2 * answers[j] - 1) * of_groups[j]
        for x, j in zip(triggers.inputs, triggers.group_ids, strict=True)
    }

    def outputs(inputs: np.ndarray) -> np.ndarray:
        return np.stack([10 * known.get(x.tobytes(), x[:values] / 10) for x in inputs])

    return outputs


def linear(seed: int, values: int = 5) -> Any:
    weights = np.random.default_rng(seed).normal(size=(12, values))
    return lambda inputs: inputs @ weights


def test_a_model_that_knows_the_answers_is_owned_and_others_are_not(triggers: Triggers) -> None:
    marked = cheat(triggers)
    found = asked(marked, triggers)
    assert found.owned
    assert found.worst.groups_hit == GROUPS
    assert found.log10_p == pytest.approx(-GROUPS * np.log10(2))
    assert not asked(linear(1), triggers).owned
    other = Key(secret=b"o" * 32)
    assert not asked(marked, recommitted(triggers, other), other).owned


def test_natural_inputs_are_asked_once_also_in_the_sequential_form(triggers: Triggers) -> None:
    found = asked(cheat(triggers), triggers, sequential=True)
    assert found.owned
    assert found.worst.queries < GROUPS
    assert found.worst.queries == found.worst.groups_asked


def test_a_bias_and_another_scale_change_no_part(triggers: Triggers) -> None:
    """Nor does a quantisation of the outputs: a model that adds 1000 is not in part 1 for that."""
    plain, moved = linear(3), lambda inputs: 4 * linear(3)(inputs) + 1000
    held = [parts_of(function, triggers) for function in (plain, moved)]
    assert (held[0] == held[1]).all()
    assert 8 < held[0].sum() < 32


def test_a_constant_model_and_a_tie_are_in_part_0_and_nan_in_none(triggers: Triggers) -> None:
    assert (parts_of(lambda inputs: np.ones((len(inputs), 3), np.int8), triggers) == 0).all()
    held = rule(triggers, np.ones((4, 3), np.float32))
    rows = np.array([[1.0, np.nan, 1.0], [1.0, 1.0, 1.0]])
    assert held.parts(rows, np.array([0, 1])).tolist() == [FAILED, 0]


def test_sums_of_whole_numbers_are_exact(triggers: Triggers) -> None:
    rows = np.full((1, 3000), -128, np.int8)
    of_groups = signs(triggers, 3000)
    assert sums(rows, of_groups)[0].tolist() == [-128 * int(s.sum()) for s in of_groups]
    assert set(np.unique(of_groups).tolist()) == {-1, 1}


def test_outputs_of_any_shape_and_even_one_number(triggers: Triggers) -> None:
    def picture(inputs: np.ndarray) -> np.ndarray:
        return linear(2, 48)(inputs).reshape(len(inputs), 4, 4, 3)

    assert not asked(picture, triggers).owned
    one = parts_of(linear(2, 1), triggers)
    assert 5 < one.sum() < 35


def test_innocent_models_hit_one_half_of_the_groups(triggers: Triggers) -> None:
    """20 models x 200 keys: the mean is that of fair coins, and p <= 0.05 as often as it may be."""
    hits, small, trials = 0, 0, 0
    keys = [Key(secret=bytes([k % 256, k // 256]) * 16) for k in range(200)]
    answers = [recommitted(triggers, key).answers(key) for key in keys]
    need = stats.hits_needed(np.full(GROUPS, 2), alpha=0.05, stamped=True)
    assert need is not None
    for seed in range(20):
        parts = parts_of(linear(seed, 4), triggers)[triggers.group_ids.argsort()]
        for drawn in answers:
            count = int((parts == drawn).sum())
            hits, small, trials = hits + count, small + (count >= need), trials + 1
    assert abs(hits / (trials * GROUPS) - 0.5) < 5 * 0.5 / np.sqrt(len(keys) * GROUPS)
    assert small / trials < 0.08


def parts_of(function: Any, triggers: Triggers) -> np.ndarray:
    held = rule(triggers, function(triggers.natural))
    return held.parts(function(triggers.inputs), triggers.group_ids.astype(np.int64))


def test_the_file_keeps_the_natural_inputs_and_they_fix_the_root(
    triggers: Triggers, tmp_path: Path
) -> None:
    save_triggers(triggers, tmp_path / "t.npz")
    held = load_triggers(tmp_path / "t.npz")
    assert held.natural is not None
    assert (held.natural == NATURAL[:64]).all()
    assert (held.root, held.sha256) == (triggers.root, triggers.sha256)
    other = make_output_triggers(
        KEY,
        natural=NATURAL[::-1],
        random=lambda n: b"s" * n,
    )
    assert (other.inputs == triggers.inputs).all()
    assert other.root != triggers.root
    assert (signs(other, 64) != signs(triggers, 64)).any()


def test_a_file_whose_natural_inputs_were_exchanged_is_refused(
    triggers: Triggers, tmp_path: Path
) -> None:
    """Whoever could choose them after the root would choose the median."""
    save_triggers(triggers, tmp_path / "t.npz")
    held = members_of(tmp_path / "t.npz")
    forge(tmp_path / "u.npz", {**held, "natural.npy": npy(NATURAL[16:])})
    with pytest.raises(BadInput, match="other natural inputs"):
        load_triggers(tmp_path / "u.npz")
    without = {name: part for name, part in held.items() if name != "natural.npy"}
    forge(tmp_path / "w.npz", without)
    with pytest.raises(BadInput, match="names natural inputs, none are there"):
        load_triggers(tmp_path / "w.npz")


def test_what_cannot_be_asked_is_refused_with_the_reason(
    triggers: Triggers, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_text("0\n" * GROUPS)
    with pytest.raises(BadInput, match="gives labels"):
        verify(f"answers:file={tmp_path / 'labels.txt'}", triggers=triggers, key=KEY)
    with pytest.raises(BadInput, match="--adapter"):
        asked(linear(1), triggers, adapters=["resize"])
    with pytest.raises(BadInput, match="opened"):
        open_groups(triggers, KEY, 0, 2)
    with pytest.raises(BadInput, match="2 or more ordinary inputs"):
        make_output_triggers(KEY, natural=NATURAL[:1])


def test_the_header_says_what_an_answer_is(triggers: Triggers) -> None:
    header = json.loads(triggers.header)
    assert header["version"] == 3
    assert "median over the natural inputs" in header["label"]
