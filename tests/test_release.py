"""The release check and its report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from junitparser import JUnitXml

from edgewm.errors import BadInput
from edgewm.key import load_key
from edgewm.release import Release, broken, check_release, junit
from edgewm.triggers import load_triggers
from edgewm.verdict import NotRun, Verdict
from edgewm.verification import verify
from tests import golden, junit_reports
from tests.needs import needs

pytestmark = needs("litert")

ON = ("litert", "litert:delegate=none")


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Verdict]:
    """What the golden files answer on two runtimes."""
    triggers, key = load_triggers(golden.TRIGGERS), load_key(golden.KEY)
    files = {"marked": golden.MARKED, "unmarked": golden.UNMARKED}
    return {name: verify(file, triggers=triggers, key=key, on=ON) for name, file in files.items()}


def checked(verdict: Verdict, min_hit_rate: float = 0.95, named: tuple[str, ...] = ON) -> Release:
    return check_release(verdict, artifact="m.tflite", min_hit_rate=min_hit_rate, named=named)


def with_hits(verdict: Verdict, at: int, hits: int) -> Verdict:
    """The verdict with another number of hits on one runtime, its evidence left as it was."""
    runtimes = list(verdict.runtimes)
    runtimes[at] = replace(runtimes[at], groups_hit=hits)
    return replace(verdict, runtimes=tuple(runtimes))


def test_a_marked_file_ships_and_an_unmarked_one_does_not(verdicts: dict[str, Verdict]):
    """Every runtime passes or fails on its own answers, and the line names one of them."""
    good, bad = checked(verdicts["marked"]), checked(verdicts["unmarked"])
    assert good.ships
    assert [case.state for case in good.cases] == ["passed", "passed"]
    assert good.summary.startswith("RELEASE  worst runtime litert: 64 of 64 groups hit (100.0%)")
    assert not bad.ships
    assert [case.state for case in bad.cases] == ["failed", "failed"]
    assert "56 fewer than the 61 of --min-hit-rate 0.95; not owned: log10 p -0.1" in bad.summary
    assert bad.summary.endswith("(and 1 more)")


@pytest.mark.parametrize(("hits", "share", "ships"), [(61, 0.95, True), (60, 0.95, False)])
@pytest.mark.parametrize("at", [0, 1])
def test_the_worst_runtime_decides(
    verdicts: dict[str, Verdict], at: int, hits: int, share: float, ships: bool
):
    """One group too few on either runtime refuses a release that is owned on both."""
    release = checked(with_hits(verdicts["marked"], at, hits), share)
    assert release.ships is ships
    assert release.worst.runtime == ON[at]
    if not ships:
        said = f"REFUSED  {ON[at]}: 60 of 64 groups hit (93.8%); 1 fewer than the 61 of"
        assert release.summary == f"{said} --min-hit-rate 0.95"


@pytest.mark.parametrize("groups", [1, 3, 20, 64, 100])
def test_a_share_that_is_met_exactly_passes(verdicts: dict[str, Verdict], groups: int):
    """No rounding error decides: h of m groups meet the number h/m, and one less does not."""
    verdict = replace(verdicts["marked"], groups=groups)
    for hits in range(1, groups + 1):
        share = float(f"{hits / groups:.17g}")
        assert checked(with_hits(with_hits(verdict, 0, hits), 1, hits), share).ships
        assert not checked(with_hits(with_hits(verdict, 0, hits - 1), 1, hits), share).ships


def test_hits_without_evidence_do_not_ship(verdicts: dict[str, Verdict]):
    """A share of zero still asks for ownership; a set without a p-value never ships."""
    assert checked(verdicts["marked"], 0.0).ships
    assert "not owned" in checked(verdicts["unmarked"], 0.0).summary
    kept = replace(verdicts["marked"], owned=False, p_value=None, no_p_value="labels were kept")
    assert "64 of 64 groups hit (100.0%); not owned: labels were kept" in checked(kept).summary
    many = replace(verdicts["marked"], owned=False, tests=10**60)
    assert "tests 1000000" in checked(many).summary


def test_runtimes_that_say_nothing(verdicts: dict[str, Verdict]):
    """Refusing the file or missing by name fails the release; missing under "all" is skipped."""
    refused = NotRun(spelling="tflm", reason="tflm: crashed (SIGSEGV)", refused=True)
    absent = NotRun(spelling="tflm", reason="tflm: not installed, pip install it")
    marked = verdicts["marked"]
    for part, named, state in (
        (refused, ("all",), "error"),
        (refused, ("tflm",), "error"),
        (absent, ("tflm",), "error"),
        (absent, ("all",), "skipped"),
    ):
        release = checked(replace(marked, not_run=(part,)), named=named)
        assert [case.state for case in release.cases] == ["passed", "passed", state]
        assert release.ships is (state == "skipped")
        if not release.ships:
            assert release.summary == f"REFUSED  {part.reason}"  # which begins with the runtime
    assert not replace(release, cases=release.cases[2:]).ships  # nothing was asked


@pytest.mark.parametrize("share", [-0.1, 1.01, 95, float("nan"), float("inf")])
def test_a_number_that_is_no_share_is_refused(verdicts: dict[str, Verdict], share: float):
    """One line with an example."""
    with pytest.raises(BadInput, match=r"--min-hit-rate: got .* such as 0\.95"):
        checked(verdicts["marked"], share)


def test_the_report_is_what_readers_expect(verdicts: dict[str, Verdict]):
    """Structure and counts hold for all four states; junitparser reads back what was written."""
    refused = NotRun(spelling="tflm", reason="tflm: crashed\x00 <SIGSEGV> & \u2019", refused=True)
    absent = NotRun(spelling="tflite_runtime", reason="not installed")
    verdict = with_hits(replace(verdicts["marked"], not_run=(refused, absent)), 1, 3)
    written = junit(checked(verdict, named=("all",)), version="0")
    properties, cases = junit_reports.read(written)
    assert {name: state for name, (state, _) in cases.items()} == {
        **{"litert": "passed", "litert:delegate=none": "failure"},
        **{"tflm": "error", "tflite_runtime": "skipped"},
    }
    assert cases["tflm"][1] == "tflm: crashed  <SIGSEGV> & \u2019"
    assert properties["artifact_sha256"] == verdict.artifact_sha256
    assert properties["triggers_sha256"] == verdict.triggers_sha256
    assert (properties["log10_p"], properties["tests"]) == ("-64", "1")
    assert properties["min_hit_rate"] == "0.95"
    (suite,) = JUnitXml.fromstring(written)
    assert [case.classname for case in suite] == ["m.tflite"] * 4
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (4, 1, 1, 1)
    assert written == junit(checked(verdict, named=("all",)), version="0")


def test_the_report_holds_no_secret(verdicts: dict[str, Verdict]):
    """Neither the key, nor its file's text, nor the answers in a row, nor any path."""
    key, triggers = load_key(golden.KEY), load_triggers(golden.TRIGGERS)
    answers = triggers.answers(key).tolist()
    for verdict in verdicts.values():
        text = junit(checked(verdict), version="0").decode()
        assert key.secret.hex() not in text
        assert "PRIVATE" not in text
        assert str(Path.cwd()) not in text
        for glue in ("", " ", ", ", ","):
            assert glue.join(map(str, answers[:6])) not in text


def test_an_error_is_a_report_too():
    """What stopped the check stands at every runtime, so that no older report is taken for this one."""
    release = broken(BadInput("--key: no"), artifact="m", min_hit_rate=0.5, runtimes=ON)
    _, cases = junit_reports.read(junit(release, version="0"))
    assert cases == dict.fromkeys(ON, ("error", "--key: no"))
    assert not release.ships
