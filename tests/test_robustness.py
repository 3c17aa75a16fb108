"""The robustness benchmark: a cell that runs with its controls, grids, and what is said of the results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import golden
from tests.needs import needs

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts import each other by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.mark.usefixtures("scripts")
def test_grids_hold_every_attack_once_and_ours_before_the_baselines() -> None:
    """The core grid has 12 attacks or more on 3 seeds, the small one two owners, the full one everything."""
    import robustness
    from robustness_cells import ATTACKS, SPELLINGS, Cell
    from robustness_victims import Pair
    from tilt_training import PROTOCOLS

    from edgewm import spec

    core = robustness.cells_of("core")
    assert len(core) == len(set(core)) == len({cell.path for cell in core})
    assert {cell.pair.seed for cell in core} == {0, 1, 2}
    assert len(ATTACKS) >= 12
    assert {c.attack for c in core if c.pair.scheme == "default"} == set(ATTACKS)
    schemes = {"default", "triggers", "more", "adi", "logo", "margin", "ewe"}
    assert {c.pair.scheme for c in core} == schemes
    for scheme in ("margin", "ewe"):
        assert {c.pair.seed for c in core if c.pair.scheme == scheme} == {0}
        asked = {c.attack for c in core if c.pair.scheme == scheme}
        assert asked == {*robustness.TELLING, "clone, hard labels"}
    assert core[0].pair.scheme == "default"
    assert {c.attack for c in robustness.cells_of("full")} == set(SPELLINGS)
    assert len({c.pair for c in robustness.cells_of("small")}) == 2
    for attack in SPELLINGS:
        for dataset in PROTOCOLS:
            cell = Cell(pair=Pair(dataset=dataset, scheme="default", seed=0), attack=attack)
            if cell.spelling:
                spec.parse("attacks", cell.spelling)


@needs("litert")
@needs("tensorflow")
@pytest.mark.train
@pytest.mark.usefixtures("scripts")
def test_a_cell_stands_beside_its_controls(monkeypatch: Any, tmp_path: Path) -> None:
    """On digits: the thief's file shows the key and no control does; the row says what a verdict says."""
    import robustness_cells
    from robustness_evidence import Marks
    from robustness_victims import Pair
    from tilt_training import PROTOCOLS

    from edgewm import load_key, load_triggers, verify
    from edgewm.attacks import Victim
    from edgewm.datasets import load_dataset

    held = load_dataset("digits")
    key, triggers = load_key(golden.KEY), load_triggers(golden.TRIGGERS)
    marked, unmarked = (path.read_bytes() for path in (golden.MARKED, golden.UNMARKED))
    asked = Marks(triggers=triggers, key=key)
    for name, value in {
        "marks_of": lambda pair: asked,
        "marked_file": lambda *_: marked,
        "control_files": lambda *_: {"unmarked_twin": unmarked, "independent": unmarked},
        "thiefs_samples": lambda cell: (held.x_train, held.y_train),
        "prepare": lambda pair: None,
        "PROTOCOLS": {"digits": PROTOCOLS["fashion_mnist"]},
        "CACHE": tmp_path,
    }.items():
        monkeypatch.setattr(robustness_cells, name, value)
    pair = Pair(dataset="digits", scheme="default", seed=0)
    with robustness_cells.converter():
        cell = robustness_cells.Cell(pair=pair, attack="noise 5 %")
        robustness_cells.run(cell)
        thief, *innocents = robustness_cells.rows_of(cell)
    assert thief["control"] is None
    assert [row["control"] for row in innocents] == ["wrong_key", "unmarked_twin", "independent"]
    assert thief["log10_p"] < -6 < min(row["log10_p"] for row in innocents)
    assert 0.5 < thief["thief_accuracy"] <= 1 >= thief["marked_accuracy"] > 0.5
    answers = Victim(file=marked).ask(asked.inputs)
    said = asked.judge(answers.labels, answers.scores)
    for by_scores, log10_p in ((False, said.log10_p_labels), (True, said.log10_p)):
        verdict = verify(marked, triggers=triggers, key=key, scores=by_scores)
        assert (said.groups_hit, log10_p) == (verdict.worst.groups_hit, verdict.log10_p)


@pytest.mark.usefixtures("scripts")
def test_what_is_written_is_what_was_measured() -> None:
    """results/robustness.json: accuracies from 0 to 1, hits within what was asked, controls in every cell,
    no innocent at 1e-6, and the summary is that of the rows."""
    import robustness
    from markdown_tables import load

    held = load("robustness")
    cells: dict[tuple[Any, ...], set[Any]] = {}
    for row in held["rows"]:
        cell = (row["dataset"], row["scheme"], row["seed"], row["attack"])
        cells.setdefault(cell, set()).add(row["control"])
        for name in ("clean_accuracy", "marked_accuracy", "thief_accuracy"):
            assert 0 <= row[name] <= 1
        assert 0 <= row["groups_hit"] <= row["groups_asked"]
        assert row["log10_p"] <= 0
        assert row["control"] is None or row["log10_p"] > -6
        assert row["default"] == (row["scheme"] == "default")
    assert all(
        found == {None, "wrong_key", "unmarked_twin", "independent"} for found in cells.values()
    )
    assert json.loads(json.dumps(robustness.summary_of(held["rows"]))) == held["summary"]


@pytest.mark.usefixtures("scripts")
def test_innocents_are_accused_as_often_as_alpha_says() -> None:
    """results/false_accusations.json: 30 models and 1,000 keys a scheme, no share above alpha beyond its
    interval, nobody at 1e-6."""
    from markdown_tables import load

    for scheme, said in load("false_accusations")["summary"].items():
        assert said["keys"] >= 1000, scheme
        assert said["models"] >= 30 or "other owners" in scheme
        for alpha, share in said["shares"].items():
            assert share["interval"][0] <= float(alpha), (scheme, alpha)
        assert said["smallest_log10_p"] > -6
