"""A Debian root of another processor with an interpreter in it, unpacked without any rights.

apt downloads the packages, with folders and a configuration of its own, so that this machine's packages
and architectures stay as they are; it checks Debian's signature and every digest. pip downloads the wheels
against the digests below. Debian 12, because its Python 3.11 is the last that tflite-runtime has wheels
for, and its NumPy 1 is what these need.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .errors import BadInput, RuntimeUnavailable
from .runtimes.emulation import FACTS, emulator

ARCHITECTURES = {"arm64": "aarch64", "armhf": "armv7l"}
"""Debian's name of a processor, and Python's."""
MIRROR = "http://deb.debian.org/debian"
_SUITE = "bookworm"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PACKAGES = (
    *("libc6", "libgcc-s1", "libstdc++6", "libgfortran5"),
    *("zlib1g", "libexpat1", "libffi8", "libbz2-1.0", "liblzma5", "libssl3"),
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"),
    *("python3-numpy", "libblas3", "liblapack3"),
)
_WHEELS = {
    "arm64": (
        (
            "tflite-runtime==2.14.0",
            "ce9fa5d770a9725c746dcbf6f59f3178233b3759f09982e8b2db8d2234c333b0",
        ),
        (
            "ai-edge-litert==2.1.6",
            "8475d18c73698d9244380ad72f67caf540e5c72d9a80c66d17c4b81ca81a21c8",
        ),
    ),
    "armhf": (
        (
            "tflite-runtime==2.14.0",
            "c4e66a74165b18089c86788400af19fa551768ac782d231a9beae2f6434f7949",
        ),
    ),
}
"""Requirement and sha256 of its wheel; only these are unpacked, the interpreters need no more."""
# ai-edge-litert 2.2 and 2.3 end in a segmentation fault in their constructor under Debian 12's qemu 7.2.
_PLATFORMS = ("manylinux_2_34", "manylinux_2_27")


def make_root(
    architecture: str, folder: Path, *, mirror: str = MIRROR, say: Callable[[str], None]
) -> dict[str, Any]:
    """Download and unpack a root into `folder`, which appears whole or not at all.

    Args:
        architecture: arm64 or armhf.
        folder: must not exist, or be such a root already, which is then left as it is.
        mirror: where Debian's packages come from.
        say: called with what is being done.

    Returns:
        Its facts: arch, suite, packages (file names, which hold the versions), wheels (sha256 by name).

    Raises:
        BadInput: another thing stands at `folder`, or a download failed or did not check.
        RuntimeUnavailable: apt, dpkg-deb, Debian's keyring, pip or qemu is missing.
    """
    if folder.exists():
        return _existing(architecture, folder)
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise RuntimeUnavailable(f"{program}: not installed, this needs a Debian or Ubuntu")
    if not _KEYRING.exists():
        raise RuntimeUnavailable(f"{_KEYRING}: not there, apt-get install debian-archive-keyring")
    program = emulator(architecture)
    partial = folder.with_name(folder.name + f".{os.getpid()}.partial")
    try:
        (partial / "downloads").mkdir(parents=True)
        packages = _packages(architecture, partial, mirror, say)
        wheels = _wheels(architecture, partial, say)
        shutil.rmtree(partial / "downloads")
        say("compiling its python files")
        _compile(program, partial, wheels)
        facts = {"arch": architecture, "suite": _SUITE, "packages": packages, "wheels": wheels}
        (partial / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        partial.rename(folder)
    except OSError as error:
        raise BadInput(f"-o: {folder} cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return facts


def _existing(architecture: str, folder: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        if facts["arch"] == architecture:
            return facts
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise BadInput(
        f"-o: {folder} exists and is no root of {architecture}, expected a new folder's name"
    )


def _packages(
    architecture: str, partial: Path, mirror: str, say: Callable[[str], None]
) -> list[str]:
    """Download Debian's packages and unpack them into `partial`; their file names."""
    say("reading Debian's list of packages")
    apt = (partial / "downloads" / "apt").resolve()
    for name in ("lists/partial", "archives/partial", "apt.conf.d", "preferences.d"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "debian.sources").write_text(
        f"Types: deb\nURIs: {mirror}\nSuites: {_SUITE}\nComponents: main\nSigned-By: {_KEYRING}\n"
    )
    options = {
        **{"Dir": apt, "Dir::Etc": apt, "Dir::State": apt, "Dir::Cache": apt},
        **{"Dir::Etc::sourcelist": apt / "debian.sources", "Dir::Etc::sourceparts": "/dev/null"},
        **{"Dir::State::status": apt / "status", "Acquire::Languages": "none"},
        **{"APT::Architecture": architecture, "APT::Sandbox::User": os.environ.get("USER", "root")},
    }
    lines = [f'{option} "{value}";' for option, value in options.items()]
    lines.append(f'APT::Architectures {{ "{architecture}"; }};')
    (apt / "apt.conf").write_text("\n".join(lines) + "\n")
    environment = {**os.environ, "APT_CONFIG": str(apt / "apt.conf"), "LC_ALL": "C"}
    _run(["apt-get", "-qq", "--error-on=any", "update"], apt, environment)
    say("downloading Debian's packages")
    _run(["apt-get", "-qq", "download", *_PACKAGES], apt, environment)
    found = sorted(apt.glob("*.deb"))
    for package in found:
        _run(["dpkg-deb", "-x", str(package), str(partial)], apt, environment)
    for name in ("blas", "lapack"):  # what update-alternatives does on a running system
        (library,) = (partial / "usr" / "lib").glob(f"*/{name}/lib{name}.so.3")
        (library.parents[1] / library.name).symlink_to(f"{name}/{library.name}")
    return [package.name for package in found]


def _wheels(architecture: str, partial: Path, say: Callable[[str], None]) -> dict[str, str]:
    """Download the wheels and unpack them beside NumPy; sha256 by requirement."""
    say("downloading wheels")
    downloads = partial / "downloads"
    pinned = dict(_WHEELS[architecture])
    listed = downloads / "requirements.txt"
    lines = [f"{name} --hash=sha256:{digest}" for name, digest in pinned.items()]
    listed.write_text("\n".join(lines) + "\n")
    machine = ARCHITECTURES[architecture]
    platforms = [f"--platform={platform}_{machine}" for platform in _PLATFORMS]
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "download"]
    pip += ["--no-deps", "--only-binary=:all:", "--python-version=3.11", "--require-hashes"]
    _run([*pip, *platforms, "-d", str(downloads), "-r", str(listed)], downloads, None)
    say("unpacking")
    for wheel in downloads.glob("*.whl"):
        with zipfile.ZipFile(wheel) as file:
            file.extractall(partial / "usr" / "lib" / "python3" / "dist-packages")
    return pinned


def _compile(program: str, partial: Path, wheels: dict[str, str]) -> None:
    """Import once what a worker imports, so that python keeps its bytecode: a start costs a third then."""
    root = str(partial.resolve())
    names = ["numpy", "ctypes", "json", "struct", "resource", "platform"]
    names += [wheel.partition("==")[0].replace("-", "_") + ".interpreter" for wheel in wheels]
    libraries = {"QEMU_LD_PREFIX": root, "PYTHONHOME": f"{root}/usr"}
    libraries["PYTHONPATH"] = f"{root}/usr/lib/python3/dist-packages"
    for name in names:
        command = [program, f"{root}/usr/bin/python3.11", "-c", f"import {name}"]
        _run(command, partial, {**os.environ, **libraries})


def _run(command: Sequence[str], folder: Path, environment: dict[str, str] | None) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        telling = [line for line in said if line.startswith(("E:", "ERROR:"))] or said[-1:]
        program = "pip" if "pip" in command else command[0]
        raise BadInput(f"linux-root: {program} failed: {' '.join(telling)[:400] or 'no reason'}")
