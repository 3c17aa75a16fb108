"""What the on-device checker takes at -Os, and how little of a full verification it asks.

Sizes are the compiler's, for every core; stack and instructions are those of a run in QEMU on a Cortex-M4,
where a network that costs nothing gives the right answers (a perfect mark) or wrong ones. The golden network
is verified on the board for real: checker and C engine, until the bet suffices and in full.

    EDGEWM_DATA=... python benchmarks/device_checker.py
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import serial
from cost_rows import NETWORKS
from results_file import write_result

from edgewm import make_triggers, targets
from edgewm.content import of_bytes
from edgewm.device_header import flash_bytes, header
from edgewm.device_mark import make_device_mark
from edgewm.firmware import build_firmware, running
from edgewm.key import Key, load_key
from edgewm.runtimes.board import Board
from edgewm.tflite import read_tflite
from edgewm.triggers import load_triggers

GOLDEN = Path(__file__).parent.parent / "tests/golden/v1"
CORES = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")
CLASSES = {"ic": 10, "kws": 12, "vww": 2}
CHECKER = targets.folder() / "cortex_m"
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")
INSTRUCTIONS_PER_STEP = 40
NEVER = 1e-300


def main() -> None:
    """Compile, run, count, write."""
    data = Path(os.environ["EDGEWM_DATA"])
    sizes = [size_of(core) for core in CORES]
    asked = [row for name, classes in CLASSES.items() for row in asked_of(data, name, classes)]
    boards = [on_board(name, alpha) for name in ("marked", "unmarked") for alpha in (1e-6, NEVER)]
    m4 = next(row for row in sizes if row["core"] == "cortex-m4")
    whole = {(row["network"], row["alpha"]): row for row in boards}
    early, full = whole["marked", 1e-6], whole["marked", NEVER]
    print(
        write_result(
            "device_checker",
            settings={
                "compiler": version("arm-none-eabi-gcc"),
                "emulator": version("qemu-system-arm"),
                "level": "-Os",
                "groups": 64,
                "alpha": 1e-6,
            },
            rows=[*sizes, *asked, *boards],
            summary={
                "text_bytes": m4["text_bytes"],
                "static_bytes": m4["data_bytes"] + m4["bss_bytes"],
                "stack_bytes": max(row["stack_bytes"] for row in asked),
                "stack_bytes_by_compiler": m4["stack_bytes"],
                "sequential_share_of_inferences": early["inferences"] / full["inferences"],
                "sequential_share_of_instructions": early["instructions"] / full["instructions"],
            },
        )
    )


def size_of(core: str) -> dict[str, Any]:
    """The checker compiled for one core, without an engine and without a mark."""
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "check.o"
        given = ["-std=c99", f"-mcpu={core}", "-mthumb", "-Os", "-fstack-usage", *WARNINGS]
        source = str(CHECKER / "edgewm_check.c")
        subprocess.run(["arm-none-eabi-gcc", *given, "-c", source, "-o", str(built)], check=True)
        told = subprocess.run(
            ["arm-none-eabi-size", built], capture_output=True, text=True, check=True
        )
        lines = built.with_suffix(".su").read_text().splitlines()
    text, data, bss = (int(number) for number in told.stdout.splitlines()[1].split()[:3])
    used = {line.split("\t")[0].rsplit(":", 1)[1]: int(line.split("\t")[1]) for line in lines}
    below = used["edgewm_draw"] + used.get("move_to", 0)
    return {
        "kind": "size",
        "core": core,
        "text_bytes": text,
        "data_bytes": data,
        "bss_bytes": bss,
        "stack_bytes": used["edgewm_check"] + max(below, used.get("with_power", 0)),
    }


def asked_of(data: Path, name: str, classes: int) -> list[dict[str, Any]]:
    """A perfect mark and none on inputs of one MLPerf Tiny network, the checker alone."""
    model = (data / "models" / f"{NETWORKS[name]}.tflite").read_bytes()
    shape = tuple(read_tflite(of_bytes(model)).inputs[0].shape[1:])
    key = Key(secret=bytes(32))
    triggers = make_triggers(key, shape=shape, classes=classes, groups=64, random=bytes)
    mark = make_device_mark(model, triggers, key)
    stored = make_device_mark(model, triggers, key, stored=True)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "edgewm_device.h").write_text(header(mark))
        program = Path(folder) / "check"
        sources = ["bench/check.c", "bench/startup.c", "edgewm_check.c"]
        given = ["-std=c99", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft", "-Os", *WARNINGS]
        given += [f"-I{folder}", f"-I{CHECKER}", *(str(CHECKER / source) for source in sources)]
        given += ["--specs=rdimon.specs", "-T", str(CHECKER / "bench/mps2.ld"), "-o", str(program)]
        subprocess.run(["arm-none-eabi-gcc", *given], check=True)
        for marked in (True, False):
            owned, groups, inferences, steps, drawn, stack = measured(program, marked)
            rows.append(
                {
                    "kind": "checker alone",
                    "network": name,
                    "perfect_mark": marked,
                    "input_bytes": mark.pattern.bytes,
                    "allowed_classes": mark.allowed[0],
                    "owned": bool(owned),
                    "groups": groups,
                    "inferences": inferences,
                    "share_of_full": inferences / len(triggers.inputs),
                    "instructions": steps * INSTRUCTIONS_PER_STEP,
                    "instructions_of_a_drawn_input": drawn * INSTRUCTIONS_PER_STEP,
                    "stack_bytes": stack,
                    "seeded_flash_bytes": flash_bytes(mark),
                    "stored_flash_bytes": flash_bytes(stored),
                }
            )
    return rows


def measured(program: Path, marked: bool) -> list[int]:
    """The numbers that bench/check.c prints."""
    arguments = "arg=check,arg=marked" if marked else "arg=check"
    done = subprocess.run(
        [
            *("qemu-system-arm", "-M", "mps2-an386", "-nographic", "-monitor", "none"),
            *("-serial", "none", "-icount", "shift=0", "-semihosting-config"),
            *(f"enable=on,target=native,{arguments}", "-kernel", str(program)),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return [int(number) for number in done.stdout.split()]


def on_board(name: str, alpha: float) -> dict[str, Any]:
    """The golden network on an emulated board that tests itself: checker and C engine."""
    model = (GOLDEN / f"{name}.tflite").read_bytes()
    triggers, key = load_triggers(GOLDEN / "triggers.npz"), load_key(GOLDEN / "owner.key")
    mark = make_device_mark(model, triggers, key, alpha=alpha)
    with tempfile.TemporaryDirectory() as folder:
        made = build_firmware(model, "an386", Path(folder), mark=mark)
        with running(made.path, "an386") as port, serial.serial_for_url(port, timeout=0.02) as line:
            board = Board(line, 300.0)
            board.greet()
            owned, groups, hits, silent, inferences = board.check()
            counted = board.counted()
    return {
        "kind": "board",
        "board": "an386",
        "network": name,
        "alpha": alpha,
        "owned": bool(owned),
        "groups": groups,
        "hits": hits,
        "silent": silent,
        "inferences": inferences,
        "instructions": counted.instructions,
        "stack_bytes_of_all": counted.stack_bytes,
    }


def version(program: str) -> str:
    """The first line that a program says of itself."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


if __name__ == "__main__":
    main()
