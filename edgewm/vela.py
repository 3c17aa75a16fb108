"""What Arm's own compiler estimates for an Ethos-U: its summary file, read.

`vela` compiles the model in a process of its own and writes one line of numbers; the compiled model is thrown
away. These are estimates of a compiler, which Arm says are no substitute for its software model, and layers
that the accelerator does not run are not in them.
"""

from __future__ import annotations

import csv
import importlib.util
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .errors import BadInput, ModelRefused, RuntimeUnavailable

INSTALL = "pip install 'edgewm[ethos-u]'"
ACCELERATORS = (
    *("ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256"),
    *("ethos-u65-256", "ethos-u65-512"),
    *("ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048"),
)
TIMEOUT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class VelaEstimate:
    """One model on one accelerator."""

    accelerator: str
    version: str
    inference_ms: float
    clock_hz: int
    cycles_npu: int
    cycles_total: int
    sram_bytes: int
    flash_bytes: int
    """Weights as the accelerator reads them, and commands, wherever its memory mode puts them."""
    system_config: str
    memory_mode: str
    cpu_operators: int
    """Operators that are left to the microcontroller beside it; their time is not in the estimate."""

    @property
    def origin(self) -> str:
        """Where the numbers come from, in words."""
        left = f", without {self.cpu_operators} operators left to the CPU"
        return (
            f"estimated by vela {self.version} for {self.accelerator} "
            f"({self.system_config}, {self.memory_mode}){left if self.cpu_operators else ''}"
        )


def installed() -> bool:
    """Whether the compiler is there; found without importing it."""
    return importlib.util.find_spec("ethosu") is not None


def vela_version() -> str:
    """Version of the installed compiler."""
    from importlib import metadata

    return metadata.version("ethos-u-vela")


def estimate(model: bytes, accelerator: str) -> VelaEstimate:
    """Compile a `.tflite` file's bytes and read the summary.

    Raises:
        BadInput: an accelerator that there is not.
        RuntimeUnavailable: vela is not installed.
        ModelRefused: vela does not compile this file.
    """
    if accelerator not in ACCELERATORS:
        raise BadInput(f"vela: got {accelerator!r}, expected one of {', '.join(ACCELERATORS)}")
    if not installed():
        raise RuntimeUnavailable(f"vela: not installed, {INSTALL}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        command = [sys.executable, "-m", "ethosu.vela", "model.tflite"]
        command += ["--accelerator-config", accelerator, "--output-dir", "."]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise ModelRefused(f"vela: took more than {TIMEOUT_S:.0f} s") from None
        summaries = list(folder.glob("model_summary*.csv"))
        if done.returncode or len(summaries) != 1:
            said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
            raise ModelRefused(f"vela: {said[-1][:300] if said else 'wrote no summary'}")
        return read_summary(
            summaries[0].read_text(encoding="utf-8"),
            accelerator=accelerator,
            version=vela_version(),
            printed=done.stdout,
        )


def read_summary(text: str, *, accelerator: str, version: str, printed: str) -> VelaEstimate:
    """The estimate in a summary file's text and in what vela printed beside it.

    Raises:
        ModelRefused: a column is missing or is no number.
    """
    lines = list(csv.DictReader(text.splitlines()))
    left = re.search(r"CPU operators = (\d+)", printed)
    try:
        (line,) = lines
        kib = {
            name: float(line[f"{name}_memory_used"])
            for name in ("sram", "dram", "on_chip_flash", "off_chip_flash")
        }
        return VelaEstimate(
            accelerator=accelerator,
            version=version,
            inference_ms=1000 * float(line["inference_time"]),
            clock_hz=round(float(line["core_clock"])),
            cycles_npu=round(float(line["cycles_npu"])),
            cycles_total=round(float(line["cycles_total"])),
            sram_bytes=round(1024 * kib["sram"]),
            flash_bytes=round(1024 * (kib["dram"] + kib["on_chip_flash"] + kib["off_chip_flash"])),
            system_config=line["system_config"],
            memory_mode=line["memory_mode"],
            cpu_operators=int(left.group(1)) if left else 0,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ModelRefused(f"vela: its summary is not as expected: {error!r}") from None
