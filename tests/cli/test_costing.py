"""``edgewm inspect`` and ``edgewm bench verify`` on the command line."""

from __future__ import annotations

import re
from pathlib import Path

from tests import golden
from tests.cli.command import printed_json, refused
from tests.costs import small
from tests.needs import needs


@needs("tflm")
def test_inspect_shows_every_layer(cli):
    """One row a layer; JSON has the same and the totals."""
    found = printed_json(cli("inspect", str(golden.MARKED), "--json"))
    assert found["macs"] == sum(layer["macs"] for layer in found["layers"]) > 0
    arena = found["arena"]
    assert arena["total_bytes"] == arena["persistent_bytes"] + arena["non_persistent_bytes"]
    code, out, err = cli("inspect", str(golden.MARKED))
    assert (code, err) == (0, "")
    for layer in found["layers"]:
        assert layer["operator"] in out
        assert f"{layer['macs']:,}" in out
    assert found["sha256"] in out
    assert f"{arena['persistent_bytes']:,} persistent" in out


def test_inspect_refuses_other_files(cli):
    """A key is no model, and neither is what is not there."""
    assert "no TensorFlow Lite model" in refused(cli("inspect", str(golden.KEY)))
    assert "cannot be read" in refused(cli("inspect", str(Path("nothing.tflite"))))


def test_bench_verify_shows_costs(cli, tmp_path: Path):
    """A column a target, a letter behind each number and its origin below; a picture; JSON with the same."""
    line = ("bench", "verify", str(golden.MARKED), "-t", "t.npz")
    targets = ("--on", "cortex_m4_tflm", "cortex_m3")
    found = printed_json(cli(*line, *targets, "--json"))
    assert [cost["target"] for cost in found] == ["cortex_m4_tflm", "cortex_m3"]
    assert found[0]["queries_sequential"]["value"] == 7
    assert found[0]["total_full_s"]["origin"].startswith("estimated from MLPerf Tiny v0.5")
    code, out, err = cli(*line, *targets)
    assert (code, err) == (0, "")
    assert "energy full mJ" in out
    assert "fits" in out
    for cost in found:
        for figure in cost.values():
            if isinstance(figure, dict):
                assert figure["origin"].split("; ")[0] in out
    tight = small(tmp_path, ram=100)
    code, out, err = cli(*line, "--on", str(tight))
    assert (code, err) == (1, "")
    assert "small: does not fit: RAM: " in out


@needs("litert")
def test_bench_verify_measures_this_host(cli):
    """The default target is this machine: a column a runtime that works here."""
    found = printed_json(cli("bench", "verify", str(golden.MARKED), "-t", "t.npz", "--json"))
    assert found[0]["target"] == "host litert:delegate=xnnpack"
    assert found[0]["inference_ms"]["origin"].startswith("measured on this host")


@needs("matplotlib")
def test_bench_verify_draws(cli):
    """PNG or SVG by the name, the same bytes twice, also with a target that has no time."""
    line = ("bench", "verify", str(golden.MARKED), "-t", "t.npz")
    for name, start, times in (("a.png", b"\x89PNG", 1), ("a.svg", b"<?xml", 2)):
        drawn = []
        for _ in range(times):
            code, out, _ = cli(*line, "--on", "cortex_m4_tflm", "--on", "cortex_m3", "--out", name)
            assert code == 0
            assert f"wrote {name}" in out
            drawn.append(Path(name).read_bytes())
        assert len(set(drawn)) == 1
        assert drawn[0].startswith(start)


def test_bench_verify_refuses(cli):
    """Another target, another picture format, triggers that are none."""
    line = ("bench", "verify", str(golden.MARKED), "-t")
    assert "expected one of cortex_m0plus" in refused(cli(*line, "t.npz", "--on", "z80"))
    assert ".png or .svg" in refused(cli(*line, "t.npz", "--out", "a.gif"))
    assert "cannot be read" in refused(cli(*line, "nothing.npz"))


def test_the_list_of_targets_marks_what_nobody_has_looked_up(cli):
    """A question mark behind a remembered clock; none behind that core's memory, nor on MLPerf's board."""
    code, drawn, _ = cli("list", "targets")
    rows = {line.split()[0]: line for line in drawn.splitlines() if line.strip()}
    assert code == 0
    assert re.search(r"72 \? +128 +20 ", rows["cortex_m3"])
    assert "?" not in rows["cortex_m4_tflm"]
    assert "unchecked" in rows["?"]
