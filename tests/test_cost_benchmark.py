"""The published error of the cost model is the one that its rows give."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from edgewm.layers import Mix
from tests.needs import data_folder, needs

ROOT = Path(__file__).parent.parent
HELD = json.loads((ROOT / "benchmarks" / "results" / "cost_model.json").read_text())


@pytest.fixture
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def errors(rows: list[dict]) -> tuple[int, float, float]:
    sizes = np.abs([row["error"] for row in rows])
    return len(sizes), round(float(np.median(sizes)), 4), round(float(np.quantile(sizes, 0.9)), 4)


def test_errors_are_those_of_the_rows():
    """Recomputed from every held-out row: over all, and without results that repeat an earlier round."""
    for name, rows in (
        ("all", HELD["rows"]),
        ("without_repeats", [row for row in HELD["rows"] if not row["repeat"]]),
    ):
        told = HELD["summary"][name]
        assert errors(rows) == (told["rows"], told["median"], told["percentile_90"])
        assert told["median"] <= HELD["settings"]["bars"]["median"]
        assert told["percentile_90"] <= HELD["settings"]["bars"]["percentile_90"]
    for cpu, told in HELD["summary"]["by_cpu"].items():
        rows = [row for row in HELD["rows"] if row["cpu"] == cpu]
        assert errors(rows) == (told["rows"], told["median"], told["percentile_90"])


def test_nothing_held_out_was_fitted():
    """Every judged row is of a later round than any that the fit saw."""
    for row in HELD["rows"]:
        version = float(row["row"].split()[2].removeprefix("v"))
        assert version > HELD["settings"]["fitted_up_to"]


def made(conv: int, depthwise: int, live: float = 1.0) -> Mix:
    macs = {"conv": conv, "pointwise": 0, "depthwise": depthwise, "dense": 1000, "other": 0}
    return Mix(
        macs=macs,
        live_macs={kind: round(n * live) for kind, n in macs.items()},
        activation_bytes=0,
        constant_bytes=0,
        layers=1,
    )


@pytest.mark.usefixtures("_benchmarks")
def test_the_fit_finds_what_made_the_rows():
    """Rows made by known rates are predicted within 3 %; dropped channels are noticed, not imagined."""
    from cost_fit import fit
    from cost_rows import Row

    mixes = {
        "a": made(1_000_000, 0),
        "b": made(100_000, 400_000),
        "c": made(500_000, 500_000),
        "empty": made(800_000, 100_000, live=0.4),
    }

    def row(engine: str, network: str, drops: bool, round_: float = 1.0, speed: float = 1.0) -> Row:
        held = mixes[network].live_macs if drops else mixes[network].macs
        cycles = speed * (2.0 * held["conv"] + 5.0 * held["depthwise"] + 3.0 * held["dense"])
        return Row(
            round=round_, maker="m", system="s", network=network, cpu="core", engine=engine,
            version=(), cycles=cycles, uj=None,
        )  # fmt: skip

    rows = [row(e, n, e == "dropping") for e in ("keeping", "dropping") for n in mixes]
    found = fit(rows, mixes)
    assert found.drops == {("core", "keeping"): False, ("core", "dropping"): True}
    for one in rows:
        assert found.cycles(one.pair, mixes[one.network]) == pytest.approx(one.cycles, rel=0.03)
    older = [row("dropping", n, True, 0.9, speed=2.0) for n in mixes]
    trend = fit([*rows, *older], mixes)
    pair = ("core", "dropping")
    assert trend.cycles(pair, mixes["a"]) == pytest.approx(found.cycles(pair, mixes["a"]), rel=0.03)
    assert trend.cycles(pair, mixes["a"], newer=True) < 0.9 * trend.cycles(pair, mixes["a"])
    assert found.cycles(pair, mixes["a"], newer=True) == found.cycles(pair, mixes["a"])


@needs("data")
@pytest.mark.usefixtures("_benchmarks")
def test_the_shipped_coefficients_are_those_of_the_data():
    """Fitted again from the published results, the table in targets/ comes out the same."""
    folder = data_folder()
    assert folder is not None
    sys.modules.pop("cost_model", None)
    from cost_fit import fit
    from cost_model import _SETTINGS
    from cost_rows import mixes, read_rows

    from edgewm.cost_model import KINDS, calibration

    rows = [r for r in read_rows(folder) if not any(name in r.system for name in _SETTINGS)]
    drops = {}
    for pair in {row.pair for row in rows}:
        held = calibration(*pair)
        assert held is not None
        drops[pair] = held.drops_empty_channels
    found = fit(rows, mixes(folder), drops)
    for pair, rates in found.cycles_per_mac.items():
        held = calibration(*pair)
        assert held is not None
        assert [held.cycles_per_mac[kind] for kind in KINDS] == pytest.approx(rates, rel=1e-3)
