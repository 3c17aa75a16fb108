"""Every storage format, with a mark in it, on every interpreter that answers here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgewm.cli import run
from edgewm.comparison import hits
from edgewm.conversion import FORMATS, Converter
from edgewm.errors import ModelRefused
from edgewm.exporting import export
from edgewm.key import Key, save_key
from edgewm.runtimes.begin import LOCAL_RUNTIMES
from edgewm.triggers import recommitted, save_triggers
from edgewm.verification import verify

from . import marking
from .needs import missing, needs

pytestmark = [pytest.mark.train, needs("tensorflow"), needs("litert")]

EVERYWHERE = ("int8", "int8_dense_per_tensor", "int8_per_tensor", "int16x8", "float32")
NOT_ON_TFLM = ("dynamic", "float16")
OTHER = Key(secret=b"o" * 32)


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `files` leaves the network that was trained."""
    return tmp_path_factory.mktemp("model") / "m.keras"


@pytest.fixture(scope="module")
def files(keras_file: Path) -> dict[str, bytes]:
    """One small marked network in every format."""
    with Converter() as converter:
        converter.start()
        import keras

        x, y = marking.task()
        layers = keras.layers
        stem = [layers.Conv2D(32, 3, padding="same", activation="relu") for _ in range(2)]
        model = marking.compiled(marking.network(keras.Input((8, 8, 1)), *stem))
        model.fit(x, y, callbacks=[marking.mark()], **marking.FIT)
        assert marking.hits(model) == marking.GROUPS
        model.save(keras_file)
        return {
            name: export(keras_file, x, format=name, converter=converter).model for name in FORMATS
        }


def test_every_format_is_named_here():
    """A new format must be put with those that run everywhere, or with those that do not."""
    assert {*EVERYWHERE, *NOT_ON_TFLM} == set(FORMATS)


@pytest.mark.parametrize(
    "runtime", [pytest.param(text, marks=needs(text.partition(":")[0])) for text in LOCAL_RUNTIMES]
)
@pytest.mark.parametrize("name", EVERYWHERE)
def test_marks_survive_where_every_engine_runs(files: dict[str, bytes], name: str, runtime: str):
    """All groups hit on each engine; another key's answers do not."""
    triggers = marking.triggers()
    found = verify(files[name], triggers=triggers, key=marking.KEY, on=[runtime])
    assert found.worst.groups_hit == marking.GROUPS
    assert not any("--adapter" in flag for flag in found.flags)  # its range is the triggers' own
    wrong = verify(files[name], triggers=recommitted(triggers, OTHER), key=OTHER, on=[runtime])
    assert wrong.worst.groups_hit < marking.GROUPS // 2


@pytest.mark.parametrize("runtime", LOCAL_RUNTIMES[:2])
@pytest.mark.parametrize("name", NOT_ON_TFLM)
def test_marks_survive_in_float_formats_on_litert(files: dict[str, bytes], name: str, runtime: str):
    """Weights stored small and computed in float: LiteRT runs them, with every group hit."""
    triggers = marking.triggers()
    found = verify(files[name], triggers=triggers, key=marking.KEY, on=[runtime])
    assert found.worst.groups_hit == marking.GROUPS
    wrong = verify(files[name], triggers=recommitted(triggers, OTHER), key=OTHER, on=[runtime])
    assert wrong.worst.groups_hit < marking.GROUPS // 2


@needs("tflm")
@pytest.mark.parametrize("name", NOT_ON_TFLM)
def test_tflm_names_the_format_that_it_does_not_run(files: dict[str, bytes], name: str):
    """One line, with what to export instead; the int8 file beside it runs."""
    asked = {"triggers": marking.triggers(), "key": marking.KEY, "on": ["tflm"]}
    with pytest.raises(ModelRefused) as refused:
        verify(files[name], **asked)
    said = str(refused.value)
    assert said.startswith(f"tflm: does not run the format {name} (")
    assert "export int8" in said
    assert "\n" not in said
    assert verify(files["int8"], **asked).worst.groups_hit == marking.GROUPS


def test_the_table_of_formats_and_runtimes(files: dict[str, bytes]):
    """What the chart shows: full hits, and no number where an engine cannot."""
    table = hits(files, triggers=marking.triggers(), key=marking.KEY)
    assert table.files == tuple(FORMATS)
    assert set(table.runtimes) == {
        text for text in LOCAL_RUNTIMES if not missing(text.partition(":")[0])
    }
    for cell in table.cells:
        cannot = cell.runtime == "tflm" and cell.file in NOT_ON_TFLM
        old = cell.runtime == "tflite_runtime" and cell.file in NOT_ON_TFLM
        if cannot or (old and cell.reason):  # 2.14 lacks the newest operator versions
            assert (cell.groups_hit, bool(cell.reason)) == (None, True)
        else:
            assert (cell.groups_hit, cell.reason) == (marking.GROUPS, "")


@needs("matplotlib")
def test_margins_before_and_after_from_the_command_line(
    files: dict[str, bytes],
    keras_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    """A .keras file is answered by Keras in a child; the int8 file keeps its margins to a few steps."""
    (tmp_path / "int8.tflite").write_bytes(files["int8"])
    save_key(marking.KEY, tmp_path / "k")
    save_triggers(marking.triggers(), tmp_path / "t.npz")
    line = ["chart", "margins", str(keras_file), str(tmp_path / "int8.tflite")]
    secrets = ["-t", str(tmp_path / "t.npz"), "-k", str(tmp_path / "k")]
    code = run([*line, *secrets, "--out", str(tmp_path / "m.png"), "--json"])
    before, after = json.loads(capsys.readouterr().out)["margins"]
    assert code == 0
    assert (before["file"], after["file"]) == ("m", "int8")
    assert before["answer_as_drawn"] == after["answer_as_drawn"] == 1
    assert after["median_margin"] == pytest.approx(before["median_margin"], abs=0.05)
    assert before["control_answer_as_drawn"] < 0.5
