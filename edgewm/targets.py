"""Descriptions of devices: one .toml each in `targets/` at the top of the tree, inside the wheel."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from .errors import BadInput

_SHIPPED = Path(__file__).parent / "targets"
_IN_TREE = Path(__file__).parent.parent / "targets"


def folder() -> Path:
    """Where the descriptions are: beside the package's modules once installed, else in the tree."""
    return _SHIPPED if _SHIPPED.is_dir() else _IN_TREE


def names() -> list[str]:
    """Names of the targets, sorted."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def load_target(name: str) -> dict[str, Any]:
    """The description of one target.

    Raises:
        BadInput: there is no such target.
    """
    if name not in names():
        raise BadInput(f"target: got {name!r}, expected one of {', '.join(names())}")
    return tomllib.loads((folder() / f"{name}.toml").read_text(encoding="utf-8"))
