"""The published verdicts on devices: recomputed from the rows, none of the wanted runtimes left out."""

from __future__ import annotations

import json
from pathlib import Path

RESULT = Path(__file__).parent.parent / "benchmarks" / "results" / "one_verdict.json"
HELD = json.loads(RESULT.read_text(encoding="utf-8"))
WANTED = {
    *("litert", "tflite_runtime", "tflm"),
    *("qemu_aarch64:package=litert", "qemu_aarch64:package=tflite_runtime"),
    *("qemu_arm:package=tflite_runtime", "an386"),
}


def test_every_network_was_asked_on_every_runtime_in_both_modes() -> None:
    """Three networks at least, each on seven runtimes, marked and with both controls."""
    networks = {row["network"] for row in HELD["rows"]}
    assert len(networks) >= 3
    asked = {
        tuple(row[name] for name in ("network", "runtime", "suspect", "mode"))
        for row in HELD["rows"]
    }
    assert len(asked) == len(HELD["rows"])
    assert HELD["summary"]["missing"] == []
    for network in networks:
        for runtime in WANTED:
            for suspect in ("marked", "unmarked", "another key"):
                for mode in ("fixed", "sequential"):
                    assert (network, runtime, suspect, mode) in asked


def test_the_verdict_is_one_and_right() -> None:
    """Owned by every runtime where the file is marked and the key its own, by none otherwise."""
    for row in HELD["rows"]:
        assert row["owned"] is (row["suspect"] == "marked"), row
        assert row["owned"] is (row["log10_p"] <= -6), row
        assert row["failed"] == 0, row
    assert HELD["summary"]["same_verdict_everywhere"]
    for name, told in HELD["summary"]["networks"].items():
        of = [row for row in HELD["rows"] if row["network"] == name and row["mode"] == "fixed"]
        marked = [row["groups_hit"] for row in of if row["suspect"] == "marked"]
        assert told["fewest_hits_marked"] == min(marked)
        assert told["runtimes"] == len(marked)


def test_stopping_early_costs_little_on_a_cortex_m4() -> None:
    """A perfect mark of 64 groups takes at most 0.15 of them: the bar."""
    early = [
        row["queries"]
        for row in HELD["rows"]
        if (row["runtime"], row["suspect"], row["mode"]) == ("an386", "marked", "sequential")
        and row["groups"] == 64
        and row["groups_hit"] == row["groups_asked"]
    ]
    assert len(early) >= 2
    assert max(early) <= 0.15 * 64
