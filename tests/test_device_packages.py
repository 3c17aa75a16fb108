"""The checker as embedded projects take it: compilers, CMake, Zephyr, Arduino, PlatformIO, all offline."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import edgewm
from edgewm.device_header import flash_bytes, header
from edgewm.device_mark import make_device_mark
from edgewm.engine import make_engine, write_engine
from edgewm.key import Key, load_key
from edgewm.triggers import load_triggers, recommitted
from tests import golden
from tests.checker import SOURCES, WARNINGS
from tests.needs import needs

TRIGGERS, KEY, OTHER = load_triggers(golden.TRIGGERS), load_key(golden.KEY), Key(secret=b"o" * 32)
ARM = ("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb")
EXAMPLE = SOURCES / "examples" / "self_test" / "self_test.c"


def run(*command: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, check=False, timeout=90
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@needs("arm-none-eabi-gcc")
def test_the_checker_is_small_and_without_warnings(tmp_path: Path) -> None:
    """Cortex-M4, -Os: 2 KiB of code, 512 bytes of stack, no static memory, memcpy and memset alone."""
    built = tmp_path / "check.o"
    given = (*WARNINGS, "-Os", "-fstack-usage", "-c", SOURCES / "edgewm_check.c", "-o", built)
    run(*ARM, *given)
    text, data, bss = map(int, run("arm-none-eabi-size", built).stdout.splitlines()[1].split()[:3])
    assert text <= 2048
    assert data + bss == 0
    stack = {
        line.split("\t")[0].rsplit(":", 1)[1]: int(line.split("\t")[1])
        for line in built.with_suffix(".su").read_text().splitlines()
    }
    assert stack["edgewm_check"] + stack["edgewm_draw"] + stack.get("move_to", 0) <= 512
    wanted = set(re.findall(r" U (\w+)", run("arm-none-eabi-nm", built).stdout))
    assert {"memcpy", "memset"} <= wanted
    assert not {name for name in wanted if not name.startswith("__aeabi_l")} - {"memcpy", "memset"}


@needs("cppcheck")
def test_cppcheck_has_nothing_to_say() -> None:
    quiet = ("--quiet", "--suppress=missingIncludeSystem", "--suppress=unusedFunction")
    checks = ("--enable=all", "--std=c99", "--error-exitcode=1")
    run("cppcheck", *checks, *quiet, SOURCES / "edgewm_check.c")


@needs("gcc")
def test_the_example_finds_the_mark_and_not_in_its_controls(tmp_path: Path) -> None:
    """Generated engine and checker in one program: exit 0 for the marked file, 1 for twin and wrong key."""
    other = recommitted(TRIGGERS, OTHER)
    write_engine(make_engine(golden.MARKED.read_bytes()), tmp_path)
    (tmp_path / "edgewm_model.c").unlink()
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    subprocess.run(["gcc", "-c", f"-I{tmp_path}", *tmp_path.glob("*.c")], cwd=kernels, check=True)
    run("gcc", *WARNINGS, "-c", SOURCES / "edgewm_check.c", "-o", kernels / "check.o")
    for file, triggers, key, stored, code in (
        (golden.MARKED, TRIGGERS, KEY, False, 0),
        (golden.UNMARKED, TRIGGERS, KEY, False, 1),
        (golden.MARKED, other, OTHER, True, 1),
    ):
        own, app = make_engine(file.read_bytes()), tmp_path / f"app{code}{stored:d}"
        app.mkdir()
        for name in ("edgewm_model.c", "edgewm_model.h"):
            (app / name).write_text(own.files[name])
        mark = make_device_mark(file.read_bytes(), triggers, key, stored=stored)
        (app / "edgewm_device.h").write_text(header(mark))
        given = (f"-I{app}", f"-I{SOURCES}", f"-I{tmp_path}", EXAMPLE, app / "edgewm_model.c")
        run("gcc", *WARNINGS, *given, *kernels.glob("*.o"), "-o", app / "self_test")
        assert subprocess.run([app / "self_test"], check=False, timeout=60).returncode == code


@needs("arm-none-eabi-gcc")
def test_the_example_links_for_a_microcontroller_and_takes_the_flash_that_the_header_says(
    tmp_path: Path,
) -> None:
    write_engine(make_engine(golden.MARKED.read_bytes()), tmp_path)
    for stored in (False, True):
        mark = make_device_mark(golden.MARKED.read_bytes(), TRIGGERS, KEY, stored=stored)
        text = header(mark)
        assert f"Flash: {flash_bytes(mark)} bytes" in text.splitlines()[0]
        (tmp_path / "edgewm_device.h").write_text(text)
        constants = tmp_path / "constants.c"
        constants.write_text(
            '#include "edgewm_device.h"\nextern const edgewm_mark_t *at;\n'
            "const edgewm_mark_t *at = &edgewm_device_mark;\n"
        )
        built = tmp_path / "constants.o"
        run(*ARM, *WARNINGS, f"-I{SOURCES}", "-c", constants, "-o", built)
        constants.unlink()
        taken = int(run("arm-none-eabi-size", built).stdout.splitlines()[1].split()[0])
        assert flash_bytes(mark) <= taken <= flash_bytes(mark) + 8  # aligned
    run(
        *ARM,
        "-Os",
        *WARNINGS,
        "--specs=nosys.specs",
        *sources(tmp_path),
        "-o",
        tmp_path / "self_test",
    )


@needs("arm-none-eabi-gcc")
def test_the_arduino_sketch_is_cpp_that_compiles(tmp_path: Path) -> None:
    """With a stand-in for Arduino's own Serial."""
    write_engine(make_engine(golden.MARKED.read_bytes()), tmp_path)
    mark = make_device_mark(golden.MARKED.read_bytes(), TRIGGERS, KEY)
    (tmp_path / "edgewm_device.h").write_text(header(mark))
    (tmp_path / "Arduino.h").write_text(
        "struct Port { void begin(unsigned long); void print(const char *); void print(unsigned long);\n"
        "void println(const char *); };\nextern Port Serial;\n"
    )
    sketch = SOURCES / "examples" / "SelfTest" / "SelfTest.ino"
    run("arm-none-eabi-g++", "-std=gnu++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
        f"-I{tmp_path}", f"-I{SOURCES}", "-include", "Arduino.h", "-x", "c++", sketch)  # fmt: skip


@needs("cmake")
@needs("gcc")
def test_cmake_and_zephyr_build_the_library(tmp_path: Path) -> None:
    """CMake for real; Zephyr's own functions are stood in for, with the option on and off."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "main.c").write_text(
        "#include <edgewm_check.h>\n"
        "int main(void) { const int8_t row[3] = {1, 9, 9}; return edgewm_label(row, 3, 0) != 1; }\n"
    )
    start = "cmake_minimum_required(VERSION 3.20)\nproject(app C)\nadd_executable(app main.c)\n"
    (app / "CMakeLists.txt").write_text(
        f"{start}add_subdirectory({SOURCES} checker)\ntarget_link_libraries(app edgewm_check)\n"
    )
    run("cmake", "-S", app, "-B", tmp_path / "plain")
    run("cmake", "--build", tmp_path / "plain")
    run(tmp_path / "plain" / "app")
    stand_ins = (
        "macro(zephyr_include_directories)\n include_directories(${ARGN})\nendmacro()\n"
        "macro(zephyr_library)\n add_library(of_module STATIC)\nendmacro()\n"
        "macro(zephyr_library_sources)\n target_sources(of_module PRIVATE ${ARGN})\nendmacro()\n"
    )
    (app / "CMakeLists.txt").write_text(
        f"{start}{stand_ins}add_subdirectory({SOURCES}/zephyr module)\nif(CONFIG_EDGEWM_CHECK)\n"
        f"target_include_directories(app PRIVATE {SOURCES})\ntarget_link_libraries(app of_module)\nendif()\n"
    )
    run("cmake", "-S", app, "-B", tmp_path / "zephyr", "-DCONFIG_EDGEWM_CHECK=y")
    run("cmake", "--build", tmp_path / "zephyr")
    run(tmp_path / "zephyr" / "app")
    run("cmake", "-S", app, "-B", tmp_path / "off")
    assert "of_module" not in run("cmake", "--build", tmp_path / "off", "--target", "help").stdout


@needs("yaml")
def test_the_zephyr_module_names_what_is_there() -> None:
    """Only keys that Zephyr's schema has; its folder of CMake, and a Kconfig that defines the option."""
    import yaml

    held = yaml.safe_load((SOURCES / "zephyr" / "module.yml").read_text())
    assert set(held) == {"name", "build"}
    assert re.fullmatch(r"[a-zA-Z][\w-]*", held["name"])
    assert set(held["build"]) == {"cmake", "kconfig"}
    assert (SOURCES / held["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert "config EDGEWM_CHECK\n\tbool " in (SOURCES / held["build"]["kconfig"]).read_text()


def test_arduino_and_platformio_manifests_hold_their_rules() -> None:
    """What the two specifications ask of a manifest, and that both name the same release and files."""
    lines = (SOURCES / "library.properties").read_text().splitlines()
    arduino = dict(line.split("=", maxsplit=1) for line in lines)
    assert len(arduino) == len(lines)
    required = (
        "name",
        "version",
        "author",
        "maintainer",
        "sentence",
        "paragraph",
        "category",
        "url",
    )
    assert all(arduino[key].strip() for key in (*required, "architectures"))
    assert re.fullmatch(r"[A-Za-z0-9][\w .-]{0,62}", arduino["name"])
    assert not arduino["name"].lower().startswith("arduino")
    assert arduino["category"] in ("Display", "Communication", "Signal Input/Output", "Sensors",
        "Device Control", "Timing", "Data Storage", "Data Processing", "Other")  # fmt: skip
    assert not arduino["paragraph"].startswith(arduino["sentence"])
    assert (SOURCES / arduino["includes"]).is_file()
    assert not (SOURCES / "src").exists()  # else sources would be looked for only there
    assert [path.stem for path in (SOURCES / "examples").glob("*/*.ino")] == ["SelfTest"]

    platformio = json.loads((SOURCES / "library.json").read_text())
    known = {"name", "version", "description", "keywords", "license", "homepage", "authors", "frameworks",
             "platforms", "headers", "build", "export", "examples"}  # fmt: skip
    assert set(platformio) == known
    assert all(re.fullmatch(r"[a-z\d\-_+. ]{1,50}", word) for word in platformio["keywords"])
    assert (SOURCES / platformio["headers"]).is_file()
    assert platformio["build"]["srcFilter"] == ["-<*>", "+<edgewm_check.c>"]
    for name in platformio["export"]["include"]:
        assert (SOURCES / name).exists()
    for example in platformio["examples"]:
        assert all((SOURCES / example["base"] / name).is_file() for name in example["files"])
    for key, other in (
        ("name", "name"),
        ("version", "version"),
        ("license", "license"),
        ("homepage", "url"),
    ):
        assert platformio[key] == arduino[other]
    assert arduino["version"] == edgewm.__version__
    assert f"VERSION {edgewm.__version__} " in (SOURCES / "CMakeLists.txt").read_text()


def sources(folder: Path) -> list[str | Path]:
    """What the example is compiled from."""
    return [f"-I{folder}", f"-I{SOURCES}", EXAMPLE, SOURCES / "edgewm_check.c", *folder.glob("*.c")]
