"""`edgewm verify` as a release gate: exit code, one line, and a report that a pipeline reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgewm.key import new_key, save_key
from edgewm.runtimes.begin import LOCAL_RUNTIMES
from tests import junit_reports
from tests.cli.command import MARKED, UNMARKED, asking, printed_json, refused, started
from tests.needs import missing, needs

pytestmark = needs("litert")

GATE = ("--min-hit-rate", "0.95", "--junit", "r.xml")


def report() -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    return junit_reports.read(Path("r.xml").read_bytes())


def test_a_marked_file_ships_and_an_unmarked_one_is_refused(cli):
    """Exit code 0 and 1, one line that names runtime and distance, and a report of each."""
    code, out, err = cli("verify", MARKED, "-t", "t.npz", "-k", "k", *GATE)
    assert (code, err) == (0, "")
    assert "RELEASE  worst runtime litert: 64 of 64 groups hit (100.0%)" in out.splitlines()[-1]
    assert report()[1] == {"litert": ("passed", "")}
    code, out, err = cli(*asking(UNMARKED, *GATE))
    assert (code, err) == (1, "")
    last = out.splitlines()[-1]
    assert last.startswith("REFUSED  litert: 5 of 64 groups hit (7.8%); 56 fewer than the 61")
    properties, cases = report()
    assert cases == {"litert": ("failure", last.removeprefix("REFUSED  litert: "))}
    assert properties["owned"] == "false"


def test_every_runtime_is_a_case(cli):
    """Under "all" what is not installed is skipped, and everything else passed."""
    code, out, _ = cli(*asking(MARKED, "--on", "all", *GATE))
    assert code == 0
    _, cases = report()
    assert set(cases) == set(LOCAL_RUNTIMES)
    for name, (state, _) in cases.items():
        tool = name.partition(":")[0]
        assert state == ("skipped" if missing(tool) else "passed")
    assert out.count("RELEASE") == 1


def test_a_missing_runtime_that_was_named_is_refused(cli):
    """Naming an interpreter that is not there is an error of the release, not something to skip."""
    Path("python").write_text("#!/bin/sh\nexec true\n")
    Path("python").chmod(0o755)
    absent = f"tflm:python={Path('python').absolute()}"
    code, out, err = cli(*asking(MARKED, "--on", "litert", "--on", absent, *GATE))
    assert (code, err) == (1, "")
    assert f"REFUSED  {absent}: " in out
    assert {state for state, _ in report()[1].values()} == {"passed", "error"}
    refused(cli(*asking(MARKED, "--on", "litert", "--on", absent)))  # without the gate: misuse


def test_json_has_the_release_beside_the_verdict(cli):
    """The verdict's fields stay as they are; one more says whether it ships."""
    plain = printed_json(cli(*asking(MARKED, "--json")))
    gated = printed_json(cli(*asking(MARKED, "--min-hit-rate", "1", "--json")))
    release = gated.pop("release")
    for verdict in (plain, gated):
        verdict["runtimes"][0].pop("latency_ms")
    assert gated == plain
    assert (release["ships"], release["reason"], release["worst_runtime"]) == (True, "", "litert")
    assert not Path("r.xml").exists()
    held = printed_json(cli(*asking(UNMARKED, "--junit", "r.xml", "--json")), 1)["release"]
    assert (held["ships"], held["cases"][0]["state"]) == (False, "failed")


def test_the_gate_spends_nothing(cli):
    """Asking the owner's own file shows its inputs to nobody; what would spend them is refused."""
    assert cli(*asking(MARKED, "--on", "all", *GATE))[0] == 0
    assert not Path("t.npz.spent.json").exists()
    program = f"exec:command={sys.executable} -c secret"
    said = refused(cli(*asking(program, *GATE)))
    assert "got exec:..., expected the .tflite file that ships" in said
    assert "secret" not in said
    assert not Path("t.npz.spent.json").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--min-hit-rate", "95"], "--min-hit-rate: got 95, expected a share"),
        (["--min-hit-rate", "0.9", "--groups", "8"], "leave them out"),
        (["--min-hit-rate", "0.9", "--first-group", "0"], "leave them out"),
        (["--junit", "r.xml", "--sequential"], "--junit: got --groups, --first-group or"),
        (["--junit", "k"], "--junit: got k, expected a name that ends in .xml"),
        (["--junit", "none/r.xml"], "--junit: none/r.xml cannot be written"),
    ],
)
def test_bad_options_are_one_line(cli, more: list[str], said: str):
    """Refused before anything is asked or overwritten."""
    key = Path("k").read_bytes()
    assert said in refused(cli(*asking(MARKED, *more)))
    assert Path("k").read_bytes() == key
    assert not Path("r.xml").exists()


def test_an_older_report_does_not_stand(cli):
    """A check that cannot be made leaves a report of errors, where the last one said passed."""
    assert cli(*asking(MARKED, *GATE))[0] == 0
    save_key(new_key(), Path("other"))
    line = refused(cli(*asking(MARKED, *GATE, key="other")))
    _, cases = report()
    assert cases == {"litert": ("error", line.removeprefix("edgewm: ").rstrip("\n"))}
    refused(cli(*asking("none.tflite", "--on", "all", *GATE)))
    assert {state for state, _ in report()[1].values()} == {"error"}
    assert set(report()[1]) == set(LOCAL_RUNTIMES)


def test_without_the_gate_nothing_of_it_is_imported():
    """A verdict alone pays nothing for the report."""
    code = (
        "import sys\nfrom edgewm.cli import run\nrun(sys.argv[1:])\n"
        "assert not {'junitparser', 'edgewm.release'} & set(sys.modules) or '--junit' in sys.argv"
    )
    for more in ((), ("--junit", "r.xml")):
        line = [sys.executable, "-c", code, *asking(MARKED, *more)]
        assert subprocess.run(line, check=False).returncode == 0
    assert report()[1]


def test_the_real_command_gives_the_same_exit_code():
    """`python -m edgewm` as a pipeline runs it."""
    assert started(*asking(MARKED, *GATE)).returncode == 0
    assert started(*asking(UNMARKED, *GATE)).returncode == 1
