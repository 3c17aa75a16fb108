"""Margins and hits of several files, and their pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgewm.charts import hit_chart, margin_chart
from edgewm.comparison import Cell, HitTable, Margins, hits, margins, margins_of, outputs_of
from edgewm.errors import BadInput, ModelRefused
from edgewm.key import Key, load_key
from edgewm.patterns import make_triggers
from edgewm.triggers import Triggers, load_triggers
from tests import golden
from tests.needs import needs

pytestmark = [needs("litert"), needs("matplotlib")]


@pytest.fixture(scope="module")
def held() -> tuple[Triggers, Key]:
    return load_triggers(golden.TRIGGERS), load_key(golden.KEY)


@pytest.fixture(scope="module")
def outputs(held: tuple[Triggers, Key]) -> dict[str, np.ndarray]:
    """Real outputs of the golden files for the golden inputs."""
    files = {"marked": golden.MARKED, "unmarked": golden.UNMARKED}
    return {name: outputs_of(file.read_bytes(), held[0].inputs) for name, file in files.items()}


def test_outputs_are_real_values(outputs: dict[str, np.ndarray]):
    """Dequantised softmax rows: within 0 to 1, and their sum is 1 up to the steps of int8."""
    for rows in outputs.values():
        assert rows.shape == (64, 10)
        assert rows.min() >= 0
        assert rows.max() <= 1
        assert np.abs(rows.sum(axis=1) - 1).max() <= 10 / 256


def test_margins_are_above_zero_for_the_owner_alone(
    held: tuple[Triggers, Key], outputs: dict[str, np.ndarray]
):
    """The marked file answers as drawn; the unmarked one and a wrong key are at chance."""
    marked, unmarked = margins_of(outputs, *held)
    assert (marked.kept, marked.name) == (1.0, "marked")
    assert (marked.control > 0).mean() < 0.3
    assert unmarked.kept < 0.3
    (beside,) = margins_of({"m": outputs["marked"]}, *held, control=outputs["unmarked"])
    assert np.array_equal(beside.marked, marked.marked)
    assert np.array_equal(beside.control, unmarked.marked)


def test_margins_by_hand():
    """The answer's output minus the largest other; a single output stands for two classes."""
    key = Key(secret=b"k" * 32)
    three = make_triggers(key, shape=(4,), classes=3, groups=2, random=lambda n: b"s" * n)
    rows = np.array([[0.5, 0.2, 0.3], [0.1, 0.1, 0.8]])
    found = margins(rows, three, np.array([0, 1]))
    assert found == pytest.approx([0.2, -0.7])
    two = make_triggers(key, shape=(4,), classes=2, groups=2, random=lambda n: b"s" * n)
    found = margins(np.array([[0.9], [0.9]]), two, np.array([1, 0]))
    assert found == pytest.approx([0.8, -0.8])
    with pytest.raises(BadInput, match="use the triggers of this model"):
        margins(rows, two, np.array([0, 1]))


def test_runtimes_that_give_no_outputs_are_refused(held: tuple[Triggers, Key]):
    """Labels alone make no margin, and neither does a file that is no model."""
    with pytest.raises(BadInput, match="gives labels only"):
        outputs_of(b"x", held[0].inputs, runtime="exec:command=true")
    with pytest.raises(ModelRefused):
        outputs_of(bytes(4096), held[0].inputs)


def test_hits_by_file_and_runtime(held: tuple[Triggers, Key]):
    """A number where it runs, the reason where it does not; marked and unmarked told apart."""
    models = {
        **{"marked": golden.MARKED.read_bytes(), "unmarked": golden.UNMARKED.read_bytes()},
        "broken": bytes(4096),
    }
    table = hits(models, triggers=held[0], key=held[1], on=["litert", "litert:delegate=none"])
    assert table.runtimes == ("litert", "litert:delegate=none")
    assert [table.arithmetic(name) for name in table.runtimes] == ["xnnpack", "builtin"]
    for runtime in table.runtimes:
        assert table.cell("marked", runtime).groups_hit == 64
        assert table.cell("unmarked", runtime).groups_hit in range(20)
        broken = table.cell("broken", runtime)
        assert broken.groups_hit is None
        assert broken.reason


def test_a_missing_runtime_has_no_column(held: tuple[Triggers, Key], tmp_path: Path):
    """It is listed with its reason; when none is left, that is an error."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    absent, models = f"tflm:python={python}", {"marked": golden.MARKED.read_bytes()}
    table = hits(models, triggers=held[0], key=held[1], on=["litert", absent])
    assert table.runtimes == ("litert",)
    assert [part.spelling for part in table.not_run] == [absent]
    with pytest.raises(BadInput, match="no runtime here answers"):
        hits(models, triggers=held[0], key=held[1], on=[absent])


def table(hit: int | None) -> HitTable:
    """Two files on two runtimes; the last cell as given."""
    cells = [
        Cell(file=file, runtime=runtime, arithmetic="a", groups_hit=count, reason="")
        for file, runtime, count in (("f", "r", 64), ("f", "s", 3), ("g", "r", 40), ("g", "s", hit))
    ]
    return HitTable(
        files=("f", "g"), runtimes=("r", "s"), groups=64, cells=tuple(cells), not_run=()
    )


def found(least: float) -> list[Margins]:
    values = np.linspace(least, 1, 64)
    return [Margins(name=name, marked=values, control=-values) for name in ("before", "after")]


@pytest.mark.parametrize("format", ["png", "svg"])
def test_the_same_values_give_the_same_picture(format: str, monkeypatch: pytest.MonkeyPatch):
    """Byte for byte, on another day and under another style; other values give another picture."""
    import matplotlib as mpl

    def drawn(value: int | None, least: float) -> list[bytes]:
        return [
            hit_chart(table(value), format=format),
            margin_chart(found(least), control="wrong key", format=format),
        ]

    once = drawn(None, 0.2)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": "other"}):
        assert drawn(None, 0.2) == once
    for again, first in zip(drawn(64, 0.3), once, strict=True):
        assert again != first
    for picture in once:
        if format == "png":
            with Image.open(io.BytesIO(picture)) as image:
                assert min(image.size) > 200
                assert set(image.info) <= {"dpi"}
        else:
            assert picture.startswith(b"<?xml")
            assert b"dc:date" not in picture


def test_cells_that_cannot_run_are_hatched():
    """They carry a word and a hatch, so that nothing is said by colour alone."""
    cannot = hit_chart(table(None), format="svg").decode()
    can = hit_chart(table(64), format="svg").decode()
    assert "<pattern" in cannot
    assert "<pattern" not in can
