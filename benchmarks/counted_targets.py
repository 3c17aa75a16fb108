"""Writes the `[counted]` part of the Cortex-M targets from what was counted in QEMU and by the compiler.

Instructions are those of edgewm's C engine at -O2 (cortex_m.json), whatever engine the target's times are of.
Rates by kind of layer are fitted to the four MLPerf Tiny networks, least squares of relative errors.
Pointwise and depthwise layers share one: they come together, in shares too alike to tell their rates apart.
The checker's bytes are those of -Os (device_checker.json). Flash of the C engine is left out, since these
targets' engines are others.

    EDGEWM_DATA=... python benchmarks/counted_targets.py
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from cortex_m import GOLDEN, NETWORKS
from markdown_tables import load

from edgewm import targets
from edgewm.inspection import inspect_bytes

KINDS = (("conv",), ("pointwise", "depthwise"), ("dense",))
"""With one rate each."""
BOARDS = {
    "cortex_m3": "an385",
    "cortex_m4_tflm": "an386",
    "cortex_m4_x_cube_ai": "an386",
    "cortex_m7": "an500",
    "cortex_m33": "an505",
    "cortex_m55": "an547",
    "cortex_m0plus": "",
}
"""No board with the last one's core is in QEMU: only its checker was compiled."""
CORES = {
    name: name.replace("_tflm", "").replace("_x_cube_ai", "").replace("_", "-") for name in BOARDS
}


def main() -> None:
    """Fit, write, and say how well the rates describe the four networks and predict a fifth."""
    data = Path(os.environ["EDGEWM_DATA"])
    files = {name: (data / "models" / file).read_bytes() for name, file in NETWORKS.items()}
    sizes = {row["core"]: row for row in load("device_checker")["rows"] if row["kind"] == "size"}
    for target, board in BOARDS.items():
        lines, sources = [], []
        if board:
            counts = {
                row["network"]: row["instructions"]
                for row in load("cortex_m")["rows"]
                if row["board"] == board
            }
            wanted = np.array([counts[name] for name in files])
            macs = np.array([macs_of(model) for model in files.values()])
            rates = np.linalg.lstsq(macs / wanted[:, None], np.ones(len(files)), rcond=None)[0]
            worst = np.abs(macs @ rates / wanted - 1).max()
            golden = macs_of((GOLDEN / "marked.tflite").read_bytes()) @ rates / counts["golden"] - 1
            told = {kind: float(r) for kinds, r in zip(KINDS, rates, strict=True) for kind in kinds}
            print(f"{target}: {told}; worst {worst:.1%}, golden network {golden:+.1%}")
            assert (rates > 0).all()
            held = ", ".join(f"{kind} = {rate:.2f}" for kind, rate in told.items())
            lines.append(f"instructions_per_mac = {{{held}}}")
            sources.append(f"edgewm's C engine in qemu-system-arm, {board}, cortex_m.json")
        sources.append("the checker at -Os, device_checker.json")
        size = sizes[CORES[target]]
        lines.append(f"checker_flash_bytes = {size['text_bytes']}")
        lines.append(f"checker_ram_bytes = {size['data_bytes'] + size['bss_bytes']}")
        lines.append(f"checker_stack_bytes = {size['stack_bytes']}")
        if board:
            lines.append("models = [")
            for name, model in files.items():
                digest = hashlib.sha256(model).hexdigest()
                file = Path(NETWORKS[name]).stem
                lines.append(
                    f'  {{name = "{file}", sha256 = "{digest}", instructions = {int(counts[name])}}},'
                )
            lines.append("]")
        path = targets.folder() / f"{target}.toml"
        kept = path.read_text(encoding="utf-8").split("\n[counted]\n")[0].rstrip("\n")
        source = f'source = "benchmarks/results: {"; ".join(sources)}"'
        path.write_text("\n".join([kept, "", "[counted]", source, *lines, ""]), encoding="utf-8")


def macs_of(model: bytes) -> npt.NDArray[np.float64]:
    """MACs of a file by `KINDS`, float64."""
    found = inspect_bytes(model).mix.macs
    return np.array([sum(found.get(kind, 0) for kind in kinds) for kinds in KINDS], np.float64)


if __name__ == "__main__":
    main()
