"""What a test needs that may not be installed, and the line that installs it.

`needs("tflm")` is a mark: the test is skipped here with the install line as the reason, and fails where
EDGEWM_CI=1 says that everything must be there.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

TOOLS = {
    "litert": ("ai_edge_litert", "pip install ai-edge-litert"),
    "tflite_runtime": ("tflite_runtime", "pip install 'edgewm[tflite-runtime]'"),
    "tflm": ("tflite_micro", "pip install 'edgewm[tflm]'"),
    "tensorflow": ("tensorflow", "pip install 'edgewm[train]'"),
    "matplotlib": ("matplotlib", "pip install 'edgewm[plots]'"),
    "securesystemslib": ("securesystemslib", "pip install 'edgewm[records]'"),
    "rfc3161": ("rfc3161_client", "pip install 'edgewm[records]'"),
    "age": ("pyrage", "pip install 'edgewm[records]'"),
    "onnxruntime": ("onnxruntime", "pip install 'edgewm[onnx]'"),
    "onnx": ("onnx", "pip install onnx"),
    "dask": ("distributed", "pip install 'edgewm[cluster]'"),
    "serial": ("serial", "pip install 'edgewm[serial]'"),
    "vela": ("ethosu", "pip install 'edgewm[ethos-u]'"),
    "jinja2": ("jinja2", "pip install 'edgewm[report]'"),
    "pypdf": ("pypdf", "pip install pypdf"),
    "litert_quantizer": ("litert_quantizer", "pip install 'edgewm[attacks]'"),
    "yaml": ("yaml", "pip install pyyaml"),
    "sklearn": ("sklearn", "pip install scikit-learn"),
}
"""Tool: the module that it installs, and how to get it."""


PROGRAMS = {
    "apt-get": "a Debian or Ubuntu",
    "chromium": "apt-get install chromium",
    "cmake": "apt-get install cmake",
    "arm-none-eabi-gcc": "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "cppcheck": "apt-get install cppcheck",
    "gcc": "apt-get install gcc libc6-dev",
    "ld": "apt-get install binutils",
    "openssl": "apt-get install openssl",
    "qemu-aarch64-static": "apt-get install qemu-user-static",
    "sshd": "apt-get install openssh-server",
    "qemu-system-arm": "apt-get install qemu-system-arm",
}


def missing(name: str) -> bool:
    """Whether a tool is not installed; found without importing or running it."""
    if name in PROGRAMS:
        return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None
    return importlib.util.find_spec(TOOLS[name][0]) is None


def skipped(name: str) -> bool:
    """Whether tests of a tool are left out here; never where EDGEWM_CI=1 says that it must be there."""
    return missing(name) and os.environ.get("EDGEWM_CI") != "1"


def needs(name: str) -> pytest.MarkDecorator:
    """A mark for a test that needs one tool, or real data under the name "data"."""
    if name == "data":
        return pytest.mark.skipif(data_folder() is None, reason="set EDGEWM_DATA to a data folder")
    install = PROGRAMS[name] if name in PROGRAMS else TOOLS[name][1]
    return pytest.mark.skipif(skipped(name), reason=f"needs {name}: {install}")


def linux_root(arch: str) -> str:
    """The root of an ARM board in the folder EDGEWM_LINUX_ROOTS; the test is skipped where there is none."""
    folder = Path(os.environ.get("EDGEWM_LINUX_ROOTS", "")) / arch
    if not (folder / "edgewm-root.json").exists():
        make = f"edgewm device linux-root --arch {arch} -o FOLDER/{arch}, EDGEWM_LINUX_ROOTS=FOLDER"
        (pytest.fail if os.environ.get("EDGEWM_CI") == "1" else pytest.skip)(f"needs {make}")
    return str(folder)


def data_folder() -> Path | None:
    """The folder of real models and recordings that EDGEWM_DATA names; None without one."""
    named = os.environ.get("EDGEWM_DATA")
    return Path(named) if named else None
