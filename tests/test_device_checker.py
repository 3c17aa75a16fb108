"""The checker in C draws what Python draws, bets no faster than Python, and knows a mark from its twin."""

from __future__ import annotations

import ctypes
import functools
from dataclasses import replace

import numpy as np
import pytest

from edgewm import make_triggers, spec
from edgewm.artifact import Tensor
from edgewm.device_mark import DeviceGroup, DeviceMark, device_pattern, make_device_mark, quantised
from edgewm.errors import BadInput
from edgewm.evidence import EProcess, e_process
from edgewm.key import Key, load_key
from edgewm.patterns.abstract import field
from edgewm.stats import Outcome, choose, owned
from edgewm.triggers import load_triggers, recommitted
from tests import checker, golden
from tests.needs import needs

pytestmark = needs("gcc")

TRIGGERS, KEY, OTHER = load_triggers(golden.TRIGGERS), load_key(golden.KEY), Key(secret=b"o" * 32)
HIT, MISS, SILENT = Outcome.HIT, Outcome.MISS, Outcome.SILENT
SHAPES = [
    *((640,), 12),
    *((49, 10, 1), 12),
    *((32, 32, 3), 12),
    *((28, 28, 1), 5),
    *((8, 8, 1), 12),
    *((128, 9), 12),
    *((9, 128), 12),
    *((48, 48, 1), 24),
    *((96, 96), 48),
    *((24, 20, 16), 10),
    *((16, 16, 6, 2), 8),
    *((1, 1, 3), 4),
    *((1, 1), 1),
    *((2, 3, 4), 12),
    *((13, 26), 12),
    *((5, 6), 3),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return checker.built(tmp_path_factory.mktemp("checker"))


def tensor(scale: float, zero_point: int) -> Tensor:
    return Tensor(name="", shape=(1,), dtype="int8", scale=scale, zero_point=zero_point)


@pytest.mark.parametrize(
    ("shape", "cells"), [(SHAPES[at], SHAPES[at + 1]) for at in range(0, len(SHAPES), 2)]
)
def test_inputs_are_those_of_python(library, shape, cells):
    """Bit for bit, for many seeds and numbers, in the one buffer and nothing around it."""
    random = np.random.default_rng(1)
    pattern = device_pattern(shape, cells, 0.0, 1.0, tensor(1 / 255, -128))
    for index in (0, 1, 63, 1000, *random.integers(2, 60_000, 4)):
        seed = random.bytes(32)
        bytes_ = field(seed, int(index), shape, max(1, min(cells, max(shape) // 2)))
        expected = (bytes_.astype(np.int16) - 128).astype(np.int8).ravel()
        assert np.array_equal(checker.drawn(library, pattern, seed, int(index)), expected)


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero_point"),
    [
        (0.0, 1.0, 1 / 255, -128),
        (-1.0, 1.0, 2 / 255, -1),
        (0.0, 255.0, 1.0, -128),
        (0.0, 255.0, 2.0, -128),  # every other byte is half a step: to even, which no line gives
        (-3.0, 3.0, 0.011, 5),  # steps beyond int8 on both sides
        (0.0, 1.0, 0.1, -3),
        (0.0, 1.0, 50.0, 7),
    ],
)
def test_levels_are_those_of_the_runtimes(library, low, high, scale, zero_point):
    """Each of the 256 levels is the int8 value that an interpreter here is given for it."""
    from edgewm.runtimes.worker import _to_tensor

    shape, taken = (64, 64), tensor(scale, zero_point)
    pattern = device_pattern(shape, 20, low, high, taken)
    assert (pattern.levels == ()) == ((scale, low) != (2.0, 0.0))
    real = np.array([low + q / 255 * (high - low) for q in range(256)], np.float32)
    facts = {"dtype": "int8", "scale": scale, "zero_point": zero_point}
    seed, seen = bytes(range(32)), set()
    for index in range(9):
        bytes_ = field(seed, index, shape, 20)
        seen |= set(np.unique(bytes_).tolist())
        expected = _to_tensor(real[bytes_], facts).ravel()
        assert np.array_equal(expected, quantised(real[bytes_], taken).ravel())
        assert np.array_equal(checker.drawn(library, pattern, seed, index), expected)
    assert len(seen) >= 255


@pytest.mark.parametrize(("shape", "cells"), [((5, 5, 24), 12), ((200, 6), 64), ((2,) * 5, 1)])
def test_fields_without_room_are_refused(shape, cells):
    with pytest.raises(BadInput, match="cannot be drawn in the place of the input"):
        device_pattern(shape, cells, 0.0, 1.0, tensor(1 / 255, -128))


@pytest.mark.parametrize("allowed", [(9,), (2,), (99,), (2, 9), (6, 7, 8, 9), (2, 3, 5, 500)])
@pytest.mark.parametrize("groups", [24, 65])
@pytest.mark.parametrize("alpha", [0.05, 1e-6])
def test_the_bet_stops_where_python_stops(library, allowed, groups, alpha):
    """On random sequences of outcomes: the same group, the same verdict; never an earlier group."""
    random = np.random.default_rng(groups)
    stopped = 0
    for hit_rate in (1.0, 0.9, 0.6, 0.3, 0.1, 0.0):
        for _ in range(6):
            outcomes = random.choice(
                [HIT, MISS, SILENT], groups, p=[0.9 * hit_rate, 0.9 * (1 - hit_rate), 0.1]
            )
            chances = random.choice(len(allowed), groups)
            log10_e = e_process(outcomes, np.array(allowed)[chances], groups=groups)
            crossed = [owned(min(0.0, -e), alpha=alpha, tests=1, stamped=True) for e in log10_e]
            expected = crossed.index(True) + 1 if True in crossed else groups
            mark = _betting(groups, allowed, chances, alpha)
            said = checker.checked(library, mark, _Outcomes(outcomes))
            assert said[:2] == (True in crossed, expected)
            assert said[1] >= expected
            stopped += said[0]
    assert 0 < stopped < 36


def test_a_bar_that_is_met_exactly_is_not_met_early(library):
    """One group at M = 2 gives a bet of 3/2 exactly; alpha = 2/3 is met in Python's rounding or never."""
    for alpha in (0.6666, 0.66666666, 0.6667, 0.667):
        mark = _betting(1, (2,), np.zeros(1, int), alpha)
        said = checker.checked(library, mark, _Outcomes([HIT]))
        python = EProcess(groups=1).after(HIT, 2)
        assert said[0] <= owned(python.log10_p, alpha=alpha, tests=1, stamped=True)
    assert checker.checked(library, _betting(1, (2,), np.zeros(1, int), 0.667), _Outcomes([HIT]))[0]
    assert not checker.checked(
        library, _betting(1, (2,), np.zeros(1, int), 0.6666), _Outcomes([HIT])
    )[0]


def test_groups_choose_as_python_chooses(library):
    """Votes, ties, natural classes, classes of others and failures, in groups of four."""
    random = np.random.default_rng(3)
    triggers = make_triggers(
        OTHER,
        shape=(8, 8, 1),
        classes=10,
        groups=40,
        pattern="abstract:inputs_per_group=4",
        reference=lambda inputs: random.integers(0, 6, len(inputs)),
        random=bytes,
    )
    mark = make_device_mark(golden.MARKED.read_bytes(), triggers, OTHER, alpha=1e-30, stored=True)
    answers = triggers.answers(OTHER)
    seen = set()
    for _ in range(60):
        labels = np.where(
            random.random(160) < 0.2,
            np.repeat(answers[triggers.order], 4),
            random.integers(0, 10, 160),
        )
        labels[random.random(160) < 0.02] = -1
        given = iter(labels.tolist())
        said = checker.checked(library, mark, lambda _: next(given))  # noqa: B023
        outcomes = choose(
            labels,
            np.repeat(triggers.order, 4),
            excluded=triggers.excluded,
            answers=answers,
        )
        assert said[:2] == (False, 40)
        assert said[2] == (outcomes == HIT).sum()
        assert said[3] == (outcomes == SILENT).sum()
        assert said[4] == 160
        seen |= set(outcomes.tolist())
    assert seen == {HIT, MISS, SILENT}
    strange = checker.checked(library, mark, lambda _: 70_000)
    assert strange[2:4] == (0, 40)  # a class that the owner does not have has no vote


def test_labels_follow_the_rule_of_the_project(library):
    from edgewm.runtimes.label_rule import labels

    random = np.random.default_rng(0)
    for _ in range(200):
        row = random.integers(-3, 3, (1, 10)).astype(np.int8)
        expected = int(labels(row, tensor(0.1, 0))[0])
        assert checker.label(library, row[0], 0) == expected


def test_marked_is_owned_on_the_device_and_its_controls_are_not(library):
    """The golden mark through an interpreter, seeded and stored inputs alike; controls: twin, wrong key."""
    for file, triggers, key, expected in (
        (golden.MARKED, TRIGGERS, KEY, True),
        (golden.UNMARKED, TRIGGERS, KEY, False),
        (golden.MARKED, recommitted(TRIGGERS, OTHER), OTHER, False),
    ):
        model = file.read_bytes()
        with spec.parse("runtimes", "tflm").open(model) as session:
            labels = session.ask(triggers.inputs).labels
        mark = make_device_mark(model, triggers, key, stored=True)
        assert mark.stored is not None
        order = [int(np.flatnonzero(triggers.group_ids == j)[0]) for j in triggers.order]
        by_bytes = dict(zip((row.tobytes() for row in mark.stored), labels[order], strict=True))
        said = checker.checked(library, mark, lambda row: int(by_bytes[row.tobytes()]))  # noqa: B023
        assert said[0] is expected
        assert said[1] == (7 if expected else 64)
        if key is KEY:
            seeded = make_device_mark(model, triggers, key)
            assert seeded.stored is None
            again = checker.checked(library, seeded, lambda row: int(by_bytes[row.tobytes()]))  # noqa: B023
            assert again == said


def test_a_device_is_told_the_first_groups_alone(library):
    """Eight of 64: as many bets, and nothing of the others in the header; as far as Python with its run."""
    model = golden.MARKED.read_bytes()
    mark = make_device_mark(model, TRIGGERS, KEY, stored=True, groups=8)
    assert mark.stored is not None
    assert len(mark.stored) == len(mark.groups) == 8
    assert len(mark.nodes) == 64 // 2 + 1
    answers = TRIGGERS.answers(KEY)[TRIGGERS.order]
    for outcomes, said in (([HIT] * 8, (True, 7)), ([HIT, MISS] * 4, (False, 8))):
        given = iter(np.where(np.array(outcomes) == HIT, answers[:8], (answers[:8] + 1) % 10))
        assert checker.checked(library, mark, lambda _: int(next(given)))[:2] == said  # noqa: B023
    for groups in (0, 65):
        with pytest.raises(BadInput, match="--groups: got"):
            make_device_mark(model, TRIGGERS, KEY, groups=groups)


class _Outcomes:
    """Answers so that group after group comes to these outcomes; the answer is 0, class 1 is natural."""

    def __init__(self, outcomes: np.ndarray | list[int]) -> None:
        self._labels = iter({HIT: 0, MISS: 2, SILENT: 1}[code] for code in outcomes)

    def __call__(self, _: np.ndarray) -> int:
        return next(self._labels)


def _betting(
    groups: int, allowed: tuple[int, ...], chances: np.ndarray, alpha: float
) -> DeviceMark:
    """A mark with these numbers of allowed classes."""
    template = _template(groups, alpha)
    natural = np.zeros((groups, 1000), bool)
    natural[:, 1] = True
    return replace(
        template,
        groups=tuple(
            DeviceGroup(first_input=at, answer=0, inputs=1, chance=int(chance))
            for at, chance in enumerate(chances)
        ),
        natural=natural,
        allowed=allowed,
    )


@functools.lru_cache
def _template(groups: int, alpha: float) -> DeviceMark:
    made = make_triggers(OTHER, shape=(8, 8, 1), classes=10, groups=groups, random=bytes)
    return make_device_mark(golden.MARKED.read_bytes(), made, OTHER, alpha=alpha, stored=True)
