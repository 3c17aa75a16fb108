"""The kernels are what firmware engineers take: portable C99 that checkers have nothing to say about."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from edgewm.engine import kernels
from tests.engine.compiled import WARNINGS
from tests.needs import needs

SOURCES = [path for path in kernels() if path.suffix == ".c"]


@needs("cppcheck")
def test_cppcheck_has_nothing_to_say(tmp_path: Path):
    """All of its checks; and, the control, a fault is told."""
    checks = ["--std=c99", "--enable=all", "--inconclusive", "--error-exitcode=1", "--quiet"]
    quiet = ["--suppress=missingIncludeSystem", "--suppress=unusedFunction", "--inline-suppr"]
    folder = SOURCES[0].parent
    done = subprocess.run(
        ["cppcheck", *checks, *quiet, str(folder)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "fault.c").write_text("int f(void) { int a[2]; return a[2]; }\n")
    fault = subprocess.run(
        ["cppcheck", *checks, *quiet, str(tmp_path)], capture_output=True, check=False
    )
    assert fault.returncode == 1


@needs("arm-none-eabi-gcc")
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m7", "cortex-m33", "cortex-m55"])
def test_kernels_compile_for_every_core_without_a_warning(core: str, tmp_path: Path):
    """Cores that have no emulator here or are run elsewhere."""
    given = ["arm-none-eabi-gcc", f"-mcpu={core}", "-mthumb", "-O2", *WARNINGS, "-c"]
    subprocess.run([*given, *map(str, SOURCES)], cwd=tmp_path, check=True)
    assert len(list(tmp_path.glob("*.o"))) == len(SOURCES)


def test_kernels_use_no_heap_no_floating_point_and_two_functions_of_libc():
    """Headers included and functions called are those that the promise names."""
    text = "\n".join(path.read_text() for path in kernels())
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    assert set(re.findall(r"#include <(.*?)>", code)) == {"stdint.h", "string.h", "arm_acle.h"}
    assert not re.search(r"\b(float|double|malloc|free|printf)\b", code)
    called = set(re.findall(r"\b(mem\w+|str\w+)\(", code))
    assert called == {"memcpy", "memset"}
