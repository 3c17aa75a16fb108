"""Descriptions of devices: one .toml each in `targets/` at the top of the tree, inside the wheel.

A number without a source is refused, so that whoever reads a report can look every one of them up; a source
that was itself not looked up says so, and so do the tables. What a
device is estimated from is either a row of the cost model (`cpu` and `engine`) or one published time in the
file itself. `targets/README.md` describes every field.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .errors import BadInput

_SHIPPED = Path(__file__).parent / "targets"
_IN_TREE = Path(__file__).parent.parent / "targets"
UNCHECKED = ("from memory of ", "assumed: ")
"""How the source of a number begins that nobody has looked up."""
_NUMBERS = ("clock_hz", "flash_bytes", "ram_bytes", "link_bytes_per_s")


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published time of a network that is in no table."""

    milliseconds: float
    """Of one inference at the device's clock."""
    macs: int
    """Of that network."""
    source: str


@dataclass(frozen=True, kw_only=True)
class CountedModel:
    """Instructions of one inference of one file."""

    name: str
    sha256: str
    instructions: int


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What the emulator of a device counted: instructions and bytes, never cycles."""

    source: str
    """The result file that holds the counts, and the emulator."""
    instructions_per_mac: dict[str, float] = field(default_factory=dict)
    """By kind of layer (`layers.KINDS`), for files that were not counted themselves."""
    checker_flash_bytes: int | None = None
    checker_ram_bytes: int | None = None
    checker_stack_bytes: int | None = None
    engine_flash_bytes: int | None = None
    models: tuple[CountedModel, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Target:
    """One device."""

    name: str
    description: str
    runtimes: tuple[str, ...]
    """Who answers for it here, as `--on` takes them: shown by `doctor --silicon`, or an emulator of it."""
    cpu: str = ""
    """CPU class, as the cost model spells it; empty for this machine."""
    engine: str = ""
    board: str = ""
    """Board whose published energy stands for it."""
    clock_hz: int | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    """The largest block that an arena can lie in."""
    link_bytes_per_s: int | None = None
    """Input bytes a second over its serial line; None where inputs come as a file."""
    vela: str = ""
    """Accelerator, as the compiler `vela` spells it."""
    published: Published | None = None
    counted: Counted | None = None
    sources: dict[str, str] = field(default_factory=dict)
    """Where each number comes from, by the name of its field; `UNCHECKED` where nobody has looked."""

    def checked(self, number: str) -> bool:
        """Whether somebody has looked at what is cited for a number, named by its field."""
        return not self.sources.get(number, "").startswith(UNCHECKED)


def folder() -> Path:
    """Where the descriptions are: beside the package's modules once installed, else in the tree."""
    return _SHIPPED if _SHIPPED.is_dir() else _IN_TREE


def names() -> list[str]:
    """Names of the targets, sorted."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def load_target(name: str) -> Target:
    """A target by its name, or by the path of a .toml of one's own.

    Raises:
        BadInput: there is no such target, or its description is not one.
    """
    path = Path(name) if name.endswith(".toml") else folder() / f"{name}.toml"
    if not name.endswith(".toml") and name not in names():
        raise BadInput(
            f"target: got {name!r}, expected one of {', '.join(names())}, or a .toml of your own"
        )
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"target: {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"target: {path} is no TOML: {error}") from None
    return _target(held, str(path))


def _target(held: dict[str, Any], path: str) -> Target:
    target: Target = _filled(
        Target,
        {
            **held,
            "published": _part(Published, held.get("published"), f"{path} [published]"),
            "counted": _counted(held.get("counted"), f"{path} [counted]"),
            "runtimes": tuple(held.get("runtimes", ())),
        },
        path,
    )
    for number in _NUMBERS:
        value = getattr(target, number)
        if value is None:
            continue
        if not isinstance(value, int) or value <= 0:
            raise BadInput(
                f"target: {path}: {number} is {value!r}, expected a whole number above 0"
            )
        if not target.sources.get(number):
            raise BadInput(f"target: {path}: {number} has no source, say in [sources] who says so")
    return target


def _counted(held: dict[str, Any] | None, path: str) -> Counted | None:
    if held is None:
        return None
    models = tuple(_filled(CountedModel, model, path) for model in held.get("models", ()))
    found: Counted = _filled(Counted, {**held, "models": models}, path)
    return found


def _part(kind: type[Any], held: dict[str, Any] | None, path: str) -> Any:
    return None if held is None else _filled(kind, held, path)


def _filled(kind: type[Any], held: dict[str, Any], path: str) -> Any:
    known = [f.name for f in fields(kind)]
    unknown = [name for name in held if name not in known]
    if unknown:
        raise BadInput(f"target: {path}: got {unknown[0]!r}, expected one of {', '.join(known)}")
    try:
        return kind(**held)
    except TypeError as error:
        missing = str(error).rsplit("argument", maxsplit=1)[-1].lstrip("s: ")
        raise BadInput(f"target: {path}: got no {missing}") from None
