"""Descriptions of devices."""

from __future__ import annotations

import csv
import re
import tomllib
from pathlib import Path

import pytest

from edgewm import spec
from edgewm.cost_model import KINDS, board_energy, calibration
from edgewm.errors import BadInput
from edgewm.layers import KINDS as LAYER_KINDS
from edgewm.layers import Mix
from edgewm.targets import folder, load_target, names
from tests.needs import data_folder, needs

EXPECTED = {
    *("host", "cortex_m0plus", "cortex_m3", "cortex_m4_tflm", "cortex_m4_x_cube_ai"),
    *("cortex_m7", "cortex_m33", "cortex_m55", "cortex_m85", "esp32_s3"),
    *("raspberry_pi_aarch64", "raspberry_pi_armv7"),
    *("ethos_u55", "ethos_u65", "ethos_u85"),
}
MINE = """
name = "mine"
description = "a board"
runtimes = ["tflm"]
clock_hz = 1_000_000
[sources]
clock_hz = "measured"
"""


def test_every_class_of_device_is_there():
    """From a core without DSP to an accelerator and embedded Linux."""
    assert set(names()) >= EXPECTED


@pytest.mark.parametrize("name", names())
def test_a_target_is_whole(name: str):
    """Its name is its file's, its runtimes can be spelled, and something says what an inference costs."""
    target = load_target(name)
    assert target.name == name
    assert target.description
    for runtime in target.runtimes:
        spec.parse("runtimes", runtime)
    if name == "host":
        return
    assert target.clock_hz
    if not target.vela:  # an accelerator is on many boards
        assert target.flash_bytes
        assert target.ram_bytes
    known = calibration(target.cpu, target.engine) is not None
    assert known or target.published or target.counted or target.vela or name in UNMEASURED
    assert not target.board or board_energy(target.board) is not None


UNMEASURED = {"cortex_m3", "cortex_m55"}
"""Cores without a published time: what an emulator counts is all there is."""


@pytest.mark.parametrize("name", names())
def test_nothing_is_cited_that_was_not_looked_up(name: str):
    """A data sheet, a product page or an application note stands there only as what somebody remembered."""
    target = load_target(name)
    for number, source in target.sources.items():
        remembered = any(word in source for word in ("data sheet", "product", "'s page", "note AN"))
        assert target.checked(number) is not (remembered or source.startswith("assumed"))
        assert not remembered or ", unchecked: " in source


@needs("data")
def test_clocks_from_mlperf_tiny_are_those_of_the_published_rows():
    """Round, submitter, board and clock of each such source are together in the calibration rows."""
    data = data_folder()
    assert data is not None
    with (data / "mlperf_tiny" / "calibration.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    cited = 0
    for name in names():
        target = load_target(name)
        found = re.fullmatch(
            r"MLPerf Tiny v([\d.]+), ([^,]+), (\S+)", target.sources.get("clock_hz", "")
        )
        if not found:
            continue
        edition, who, board = found.groups()
        of = [
            row
            for row in rows
            if row["round"] == edition
            and row["org"].casefold() == who.casefold()
            and row["system"].replace("-", "_").startswith(board.replace("-", "_"))
        ]
        assert of, name
        assert {float(row["mhz"]) * 1e6 for row in of} == {float(target.clock_hz or 0)}, name
        cited += 1
    assert cited >= 5


def test_numbers_without_a_source_are_refused(tmp_path: Path):
    """The same file is taken with a source and refused without; by its path, like one of ours by its name."""
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    assert load_target(str(path)).clock_hz == 1_000_000
    path.write_text(MINE.replace('clock_hz = "measured"', ""))
    with pytest.raises(BadInput, match=r"clock_hz has no source"):
        load_target(str(path))
    path.write_text(MINE.replace("1_000_000", "-1"))
    with pytest.raises(BadInput, match=r"clock_hz is -1, expected a whole number above 0"):
        load_target(str(path))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name = ", "is no TOML"),
        (MINE.replace("clock_hz = 1", "clok_hz = 1"), "got 'clok_hz', expected one of name"),
        (MINE.replace('description = "a board"', ""), "got no 'description'"),
        (MINE + "[published]\nmacs = 3\n", "got no 'milliseconds' and 'source'"),
        (MINE + '[counted]\nsource = "x"\nmodels = [{name = "a"}]\n', "got no 'sha256'"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, why: str):
    """What is wrong, where, and what was expected."""
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=why):
        load_target(str(path))


def test_unknown_names_are_refused(tmp_path: Path):
    """With the names that there are."""
    with pytest.raises(BadInput, match="expected one of cortex_m0plus"):
        load_target("cortex_m99")
    with pytest.raises(BadInput, match="cannot be read"):
        load_target(str(tmp_path / "nothing.toml"))


def test_the_readmes_example_is_a_target(tmp_path: Path):
    """What the README tells a reader to write is taken as it stands."""
    readme = (folder() / "README.md").read_text(encoding="utf-8")
    first, counted = (part.partition("```")[0] for part in readme.split("```toml")[1:3])
    path = tmp_path / "my_board.toml"
    path.write_text(first + "\n".join(line.strip() for line in counted.splitlines()))
    target = load_target(str(path))
    assert target.counted is not None
    assert set(target.counted.instructions_per_mac) <= set(LAYER_KINDS)
    assert tomllib.loads(first)["name"] == target.name


def test_the_engine_decides_and_not_the_core():
    """One chip, one network, two engines: several times the cycles; no number for a pair that nobody ran."""
    mix = Mix(
        macs=dict.fromkeys(LAYER_KINDS, 1000),
        live_macs=dict.fromkeys(LAYER_KINDS, 500),
        activation_bytes=0,
        constant_bytes=0,
        layers=5,
    )
    slow, fast = (calibration("cortex-m4", engine) for engine in ("tflm", "x-cube-ai"))
    assert slow is not None
    assert fast is not None
    assert slow.cycles(mix) == pytest.approx(1000 * sum(slow.cycles_per_mac[k] for k in KINDS))
    assert fast.cycles(mix) == pytest.approx(500 * sum(fast.cycles_per_mac[k] for k in KINDS))
    assert fast.drops_empty_channels
    assert not slow.drops_empty_channels
    assert slow.cycles(mix) > 3 * fast.cycles(mix)
    assert "MLPerf Tiny v0.5 reference Nucleo-L4R5ZI" in slow.origin
    assert calibration("cortex-m4", "nobody") is None
    assert board_energy("nobody's board") is None
