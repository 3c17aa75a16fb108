"""The README is what the results and the code say."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent


def test_tables_are_what_the_results_say() -> None:
    """Generating the tables from benchmarks/results changes nothing."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "readme_tables.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_verb_is_in_the_readme() -> None:
    """No verb is undocumented, and every one says what it is for."""
    from edgewm.cli import edgewm

    readme = (ROOT / "README.md").read_text()
    context = click.Context(edgewm)
    for verb in edgewm.list_commands(context):
        command = edgewm.get_command(context, verb)
        assert command is not None
        assert command.get_short_help_str()
        assert f"`{verb}" in readme, verb


def test_files_that_the_readme_names_exist() -> None:
    """Every path and link in the README leads somewhere."""
    readme = (ROOT / "README.md").read_text()
    named = re.findall(r"\]\(([A-Za-z_./]+)\)", readme)
    named += re.findall(r"`((?:edgewm|tests|benchmarks|targets)/[A-Za-z_./0-9]*)`", readme)
    assert named
    for path in named:
        assert (ROOT / path).exists(), path


def test_the_ten_lines_use_names_that_exist() -> None:
    """Every edgewm.NAME of the README's Python is public."""
    spec = importlib.util.find_spec("edgewm")
    assert spec is not None
    import edgewm

    readme = (ROOT / "README.md").read_text()
    for name in re.findall(r"edgewm\.([A-Za-z_]+)\(", readme):
        assert name in edgewm.__all__, name
