"""Becomes a python of another processor under qemu user mode, confined first.

    python emulated.py QEMU CPU ROOT MEMORY_MIB CPU_S LAUNCH

An emulator does not know the kernel's sandboxes and ignores a limit on its guest's memory, so the limits
that sandbox.py sets are set here, on the emulator itself, which hands them down. LAUNCH is the text that
the emulated python runs. Standard library only: this runs without edgewm's own folder on the path.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Confine this process and run the emulator in its place."""
    # here and not above: this folder holds runtimes named like the packages that they run
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import sandbox  # type: ignore[import-not-found]

    qemu, cpu, root, memory_mib, cpu_s, launch = sys.argv[1:]
    applied = sandbox.apply(int(memory_mib), int(cpu_s), runs_program=True)
    environment = {
        **os.environ,
        "QEMU_LD_PREFIX": root,
        "PYTHONHOME": f"{root}/usr",
        "PYTHONPATH": f"{root}/usr/lib/python3/dist-packages",
        "PYTHONDONTWRITEBYTECODE": "1",
        "EDGEWM_CONFINED": ";".join(applied),
    }
    python = f"{root}/usr/bin/python3.11"
    os.execve(qemu, [qemu, "-cpu", cpu, python, "-c", launch], environment)  # noqa: S606


if __name__ == "__main__":
    main()
