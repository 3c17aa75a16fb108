"""Every example runs from top to bottom; each asserts its own control."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.needs import needs

EXAMPLES = Path(__file__).parent.parent / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))
DATA = {"sound": "clips.npz", "movement": "windows.npz"}
ALL = """
import json, runpy, sys
for script, arguments in json.loads(sys.argv[1]):
    sys.argv = [script, *arguments, "--small"]
    print("==", script, flush=True)
    runpy.run_path(script, run_name="__main__")
"""


def test_every_script_is_in_the_list() -> None:
    told = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for path in EXAMPLES.iterdir():
        assert path.name == "README.md" or f"`{path.name}" in told, path.name
        lines = path.read_text(encoding="utf-8").splitlines()
        assert path.suffix == ".ipynb" or len(lines) <= 66, path.name


@pytest.mark.train
@needs("tensorflow")
@needs("sklearn")
def test_every_script_and_the_notebook_run(tmp_path: Path) -> None:
    """One process for all, since importing TensorFlow takes longer than any of them."""
    tones, shakes = waveforms(), windows()
    np.savez(tmp_path / "clips.npz", **tones)
    np.savez(tmp_path / "windows.npz", **shakes)
    (tmp_path / "walkthrough.py").write_text(code_of(EXAMPLES / "walkthrough.ipynb"))
    jobs = [
        (str(EXAMPLES / f"{name}.py"), [DATA[name]] if name in DATA else []) for name in SCRIPTS
    ]
    jobs.append(("walkthrough.py", []))
    done = subprocess.run(
        [sys.executable, "-c", ALL, json.dumps(jobs)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert done.stdout.count("==") == len(jobs)


def code_of(notebook: Path) -> str:
    """The cells in order, at small size, and what the last one must have shown."""
    held = json.loads(notebook.read_text(encoding="utf-8"))
    code = "\n".join("".join(c["source"]) for c in held["cells"] if c["cell_type"] == "code")
    assert len(code.splitlines()) <= 60
    assert code.count("SMALL = False") == 1
    ending = "\nassert [v.owned for v in verdicts.values()] == [True, True, False], verdicts\n"
    return code.replace("SMALL = False", "SMALL = True") + ending


def waveforms() -> dict[str, np.ndarray]:
    """Three sorts of noisy hum, a second each."""
    random = np.random.default_rng(0)
    y = np.arange(240) % 3
    time = np.arange(16_000) / 16_000
    x = np.sin(2 * np.pi * (150 + 120 * y)[:, None] * time) * 0.3
    return {"x": x + 0.05 * random.normal(size=x.shape), "y": y}


def windows() -> dict[str, np.ndarray]:
    """Three sorts of shaking, six channels."""
    random = np.random.default_rng(0)
    y = np.arange(240) % 3
    time = np.arange(100) / 100
    shake = np.sin(2 * np.pi * (2 + 3 * y)[:, None] * time)[:, :, None]
    x = shake * random.uniform(0.5, 1.0, (240, 1, 6)) + 0.1 * random.normal(size=(240, 100, 6))
    return {"x": x, "y": y}
