"""A worker in a Debian root of another processor, run by qemu user mode.

`edgewm device linux-root` unpacks such a root. It needs no rights, chroot or binfmt: the emulator takes
libraries from the root and everything else, worker.py and its neighbours too, from this machine. What
answers is the board's own package, to the byte; the processor below it is the emulator's. So labels are
evidence of the arithmetic, and latencies are not a board's.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from ..errors import BadInput, RuntimeUnavailable
from . import early
from .child import CPU_LIMIT_S, Child, Place, start

FACTS = "edgewm-root.json"
"""What is in a root, written last: a folder without it is not whole."""
_EMULATOR_MIB = 6144
"""Address space of the emulator itself: 4 GiB are the 32-bit guest's, reserved and not used."""


def start_emulated(runtime: Any, name: str, *, architecture: str) -> Child:
    """Start a worker with the interpreter of the root's processor that the fields of `runtime` name.

    Args:
        runtime: its root (made by `edgewm device linux-root`), qemu's name of the cpu, package, threads,
            delegate and limits.
        name: the runtime's name.
        architecture: Debian's name of the processor, arm64 or armhf.

    Raises:
        BadInput: `root` is not such a folder, or of another processor.
        RuntimeUnavailable: qemu is not installed.
    """
    root, cpu = runtime.root, runtime.cpu
    folder = Path(root).resolve()
    make = f"edgewm device linux-root --arch {architecture} -o {root}"
    held = _facts(folder)
    if held.get("arch") != architecture:
        got = f"a root of {held['arch']}" if "arch" in held else "no root of Debian"
        raise BadInput(f"{name}: got root={root}, {got}, expected what this makes: {make}")
    if not cpu or not all(part.isalnum() for part in cpu.split("-")):
        raise BadInput(f"{name}: got cpu={cpu!r}, expected a name such as cortex-a53")
    program = emulator(architecture)
    return start(
        runtime.package,
        {"threads": runtime.threads, "delegate": runtime.delegate},
        place=Place(
            name=name,
            command=[
                *(sys.executable, "-S", "-E", str(Path(__file__).with_name("emulated.py"))),
                *(
                    program,
                    cpu,
                    str(folder),
                    str(runtime.memory_mib + _EMULATOR_MIB),
                    str(CPU_LIMIT_S),
                ),
                early.local("")[-1],
            ],
            install=f"make the root again: {make}",
            told="emulated",
        ),
        memory_mib=runtime.memory_mib,
        timeout_s=runtime.timeout_s,
    )


def emulator(architecture: str) -> str:
    """The path of qemu's user mode program for one of Debian's processors.

    Raises:
        RuntimeUnavailable: it is not installed.
    """
    machine = {"arm64": "aarch64", "armhf": "arm"}[architecture]
    found = shutil.which(f"qemu-{machine}-static") or shutil.which(f"qemu-{machine}")
    if found is None:
        raise RuntimeUnavailable(
            f"qemu-{machine}-static: not installed, apt-get install qemu-user-static"
        )
    return found


def _facts(folder: Path) -> dict[str, Any]:
    try:
        held = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}
