"""The wheel: what is inside, and that it verifies in an environment that has nothing else.

Needs an index that pip can reach; skipped without one, except where EDGEWM_CI=1 says that everything
must be there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest

import edgewm
from edgewm.engine import kernels
from tests import golden
from tests.needs import needs

TREE = Path(edgewm.__file__).parent.parent


def _pip(python: str | Path, *arguments: str) -> None:
    """pip, or a skip with its last line; a failure under EDGEWM_CI=1."""
    done = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    if os.environ.get("EDGEWM_CI") != "1" and "No matching distribution" in done.stderr:
        pytest.skip("needs a package index that pip can reach")
    pytest.fail(done.stderr[-2000:])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _pip(sys.executable, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(TREE))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `edgewm` command of an environment with the wheel and its dependencies, and no more."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    _pip(folder / "bin" / "python", "install", "--quiet", "--prefer-binary", str(wheel))
    return folder / "bin" / "edgewm"


def _ran(command: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "EDGEWM", "VIRTUAL"))
    }
    return subprocess.run(
        [command, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=kept,
        timeout=120,
        check=False,
    )


def test_the_wheel_holds_the_package_and_the_targets(wheel: Path):
    """Every module and every target is inside, and no test, benchmark or cache."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    for path in (TREE / "edgewm").rglob("*.py"):
        assert path.relative_to(TREE).as_posix() in inside
    templates = [path.name for path in (TREE / "edgewm" / "templates").iterdir()]
    assert templates
    for name in templates:
        assert f"edgewm/templates/{name}" in inside
    targets = [path.name for path in (TREE / "targets").glob("*.toml")]
    assert targets
    for name in targets:
        assert f"edgewm/targets/{name}" in inside
    for path in kernels():
        assert f"edgewm/targets/cortex_m/engine/{path.name}" in inside
    assert {name.split("/")[0] for name in inside} == {
        "edgewm",
        f"edgewm-{edgewm.__version__}.dist-info",
    }
    assert not [name for name in inside if "__pycache__" in name or "tests" in name]
    assert f"edgewm-{edgewm.__version__}.dist-info/licenses/LICENSE" in inside
    assert "edgewm/py.typed" in inside


def test_the_base_install_has_no_training_library(installed: Path):
    """No TensorFlow, Keras, SciPy or Matplotlib comes with verifying."""
    done = _ran(installed.parent / "python", "-m", "pip", "list", "--format=json", folder=Path("/"))
    found = {part["name"].lower() for part in json.loads(done.stdout)}
    assert "edgewm" in found
    assert not found & {"tensorflow", "keras", "scipy", "matplotlib", "scikit-learn", "torch"}


@needs("litert")
def test_the_base_install_verifies(installed: Path, tmp_path: Path):
    """The golden files give their verdict there, and the unmarked one is not owned."""
    asked = ("--triggers", str(golden.TRIGGERS), "--key", str(golden.KEY), "--json")
    done = _ran(installed, "verify", str(golden.MARKED), *asked, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    then, now = json.loads(golden.VERDICT.read_text()), json.loads(done.stdout)
    for name in ("owned", "log10_p", "groups_hit", "artifact_sha256", "triggers_sha256"):
        assert now[name] == then[name]
    assert _ran(installed, "verify", str(golden.UNMARKED), *asked, folder=tmp_path).returncode == 1


def test_the_base_install_makes_keys_and_triggers(installed: Path, tmp_path: Path):
    """Everything but training works: a key, triggers, their sheet, the inputs to ask elsewhere."""
    for line in (
        "keygen --out k",
        "triggers make --key k --shape 28x28x1 --classes 10 --out t.npz",
        "triggers show t.npz --key k --sheet s.png",
        "ask --triggers t.npz --out q.npz",
    ):
        done = _ran(installed, *line.split(), folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), line
    assert {p.name for p in tmp_path.iterdir()} >= {"k", "t.npz", "s.png", "q.npz"}


def test_the_base_install_says_what_works(installed: Path, tmp_path: Path):
    """`list` knows the targets inside the package; `doctor` has litert and names what is missing."""
    listed = json.loads(_ran(installed, "list", "--json", folder=tmp_path).stdout)
    assert listed["targets"] == sorted(p.stem for p in (TREE / "targets").glob("*.toml"))
    done = _ran(installed, "doctor", "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row["spec"].partition(":")[0]: row for row in json.loads(done.stdout)}
    assert rows["litert"]["available"] is True
    assert rows["tflm"]["available"] is False
    assert "pip install" in rows["tflm"]["reason"]


@pytest.mark.parametrize(
    "line",
    [
        "demo --out demo",
        "export m.keras --data x.npy --out m.tflite",
        "triggers make --natural digits",
        f"claim -t {golden.TRIGGERS} -k {golden.KEY} --ledger records",
    ],
)
def test_what_the_base_install_lacks_is_one_line(installed: Path, tmp_path: Path, line: str):
    """What needs TensorFlow, real data or records says how to install it: exit code 2 and nothing written."""
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).uniform(0, 1, (20, 8, 8, 1)))
    words = line.split()
    if words[0] == "triggers":
        save = _ran(installed, "keygen", "--out", "k", folder=tmp_path)
        assert save.returncode == 0
        words += ["--key", "k", "--shape", "8x8x1", "--classes", "10", "--out", "t.npz"]
    before = sorted(tmp_path.iterdir())
    done = _ran(installed, *words, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("edgewm: ")
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'edgewm[" in done.stderr
    assert sorted(tmp_path.iterdir()) == before
