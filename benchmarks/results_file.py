"""Writes benchmarks/results/NAME.json: rows, settings, versions and machine facts, the same way for all.

Scripts stay plain; this holds only what every result needs so that a stranger can judge and repeat it.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
CACHE = RESULTS / "cache"
_PACKAGES = (
    "edgewm",
    "numpy",
    "tensorflow",
    "keras",
    "ai-edge-litert",
    "tflite-runtime",
    "tflite-micro",
    "cryptography",
    "securesystemslib",
    "rfc3161-client",
)


def write_result(
    name: str,
    *,
    settings: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
) -> Path:
    """Write results/NAME.json and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {
        "benchmark": name,
        "settings": dict(settings),
        "summary": dict(summary),
        "rows": [dict(row) for row in rows],
        "versions": _versions(),
        "machine": _machine(),
        "commit": commit_of_checkout(),
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _machine() -> dict[str, Any]:
    cpu = "unknown"
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [x for x in info.read_text(encoding="utf-8").splitlines() if "model name" in x]
        cpu = lines[0].partition(":")[2].strip() if lines else cpu
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cpu": cpu,
        "cores": os.cpu_count(),
    }


def commit_of_checkout() -> str:
    """The commit that a number is measured at."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or f"not a checkout ({sys.version_info.major})"
