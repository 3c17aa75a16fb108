"""The GitHub action at the top of the tree: its script is run as GitHub's runner runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import golden, junit_reports
from tests.needs import needs

pytestmark = [needs("yaml"), needs("litert")]

ACTION = Path(__file__).parent.parent / "action.yml"
SPY = """#!/bin/sh
# stands where the runner has its python: notes what the script starts and hands on, then starts it
printf '%s\\n' "$@" >> "{folder}/arguments"
env >> "{folder}/environment"
for each in "$@"; do case "$each" in "{folder}"/edgewm.*) stat -c %a "$each" >> "{folder}/mode";; esac; done
exec "{python}" "$@"
"""


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    import yaml

    held: dict[str, Any] = yaml.safe_load(ACTION.read_text())
    return held


def step(action: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in action["runs"]["steps"] if each["name"] == name]
    return found


def filled(action: dict[str, Any], text: str, given: dict[str, str]) -> str:
    """What the runner puts in place of ${{ inputs.NAME }}."""
    for name, declared in action["inputs"].items():
        value = given[name] if declared.get("required") else given.get(name, declared["default"])
        text = text.replace("${{ inputs." + name + " }}", value)
    assert "${{" not in text
    return text


@pytest.fixture
def run(action: dict[str, Any], tmp_path: Path):
    """Runs the step that checks, with some inputs; the folder is the runner's temporary one too."""
    checks = step(action, "Check the mark")
    spy = tmp_path / "bin" / "python"
    spy.parent.mkdir()
    spy.write_text(SPY.format(folder=tmp_path, python=sys.executable))
    spy.chmod(0o755)

    def ran(**given: str) -> subprocess.CompletedProcess[str]:
        inputs = {
            "triggers": str(golden.TRIGGERS),
            "key": golden.KEY.read_text(),
            **{name.replace("_", "-"): value for name, value in given.items()},
        }
        (tmp_path / "script.sh").write_text(checks["run"])
        variables = {name: filled(action, text, inputs) for name, text in checks["env"].items()}
        path = f"{spy.parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            # what `shell: bash` stands for
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "script.sh"],
            cwd=tmp_path,
            env={**os.environ, **variables, "PATH": path, "RUNNER_TEMP": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return ran


def test_inputs_reach_the_scripts_as_variables_only(action: dict[str, Any]):
    """No expression stands inside a script, where a file's name could become a command."""
    scripts = [each["run"] for each in action["runs"]["steps"] if "run" in each]
    assert len(scripts) == 2
    assert not any("${{" in script for script in scripts)
    assert action["runs"]["using"] == "composite"
    assert all(each["shell"] == "bash" for each in action["runs"]["steps"] if "run" in each)
    used = {text for each in action["runs"]["steps"] for text in each.get("env", {}).values()}
    assert {"${{ inputs.key }}", "${{ inputs.min-hit-rate }}"} <= used
    for name, declared in action["inputs"].items():
        assert declared["description"]
        assert declared.get("required") or isinstance(declared["default"], str), name


def test_a_marked_model_passes(run, tmp_path: Path):
    """Exit code 0 and a report, with nothing but the model, the triggers and the key given."""
    done = run(model=str(golden.MARKED))
    assert (done.returncode, done.stderr) == (0, "")
    assert "RELEASE" in done.stdout
    _, cases = junit_reports.read((tmp_path / "edgewm-release.xml").read_bytes())
    assert cases["litert:delegate=xnnpack"] == ("passed", "")


def test_an_unmarked_model_is_refused(run, tmp_path: Path):
    """Exit code 1 ends the job, and the report says why."""
    done = run(model=str(golden.UNMARKED), runtimes="litert litert:delegate=none", junit="r.xml")
    assert (done.returncode, done.stderr) == (1, "")
    assert "REFUSED  litert: 5 of 64 groups hit (7.8%)" in done.stdout
    _, cases = junit_reports.read((tmp_path / "r.xml").read_bytes())
    assert {name: state for name, (state, _) in cases.items()} == {
        **{"litert": "failure", "litert:delegate=none": "failure"}
    }


def test_the_key_is_nowhere(run, tmp_path: Path):
    """It is on no command line, in no environment of what is started, in no output, in no file left."""
    model = tmp_path / "my model $(touch ran).tflite"
    shutil.copy(golden.MARKED, model)
    done = run(model=str(model), runtimes="litert")
    assert done.returncode == 0
    secret = golden.KEY.read_text().split('"secret": "')[1].split('"')[0]
    assert secret.startswith("PRIVATE")
    assert (tmp_path / "mode").read_text() == "600\n"
    assert str(model) in (tmp_path / "arguments").read_text().splitlines()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    assert "EDGEWM_KEY" not in (tmp_path / "environment").read_text()
    assert secret not in done.stdout + done.stderr
    assert not (tmp_path / "ran").exists()
    assert not list(tmp_path.glob("edgewm.*"))


def test_a_locked_key_takes_its_passphrase(run):
    """From the input of that name; without it one line says what is missing."""
    locked = golden.LOCKED.read_text()
    done = run(
        model=str(golden.MARKED), key=locked, passphrase=golden.PASSPHRASE, runtimes="litert"
    )
    assert (done.returncode, done.stderr) == (0, "")
    done = run(model=str(golden.MARKED), key=locked, runtimes="litert")
    assert done.returncode == 2
    assert "EDGEWM_PASSPHRASE" in done.stderr


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, "edgewm[tflm] @ file:///action"),
        ({"version": "0.1.0", "extras": ""}, "edgewm==0.1.0"),
        ({"version": "0.1.0", "extras": "tflm,plots"}, "edgewm[tflm,plots]==0.1.0"),
    ],
)
def test_what_is_installed(
    action: dict[str, Any], tmp_path: Path, given: dict[str, str], asked: str
):
    """The script asks pip for this tree, or for the version that is named, with the extras."""
    installs = step(action, "Install edgewm")
    inputs = {"model": "m", "triggers": "t", "key": "k", **given}
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')  # pip itself would need an index
    python.chmod(0o755)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", installs["run"]],
        env={
            **{name: filled(action, text, inputs) for name, text in installs["env"].items()},
            **{"PATH": f"{tmp_path}{os.pathsep}/usr/bin:/bin", "GITHUB_ACTION_PATH": "/action"},
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == asked
