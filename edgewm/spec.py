"""How a plug-in is spelled: ``name:field=value,field=value``, one text for every use.

A plug-in is one frozen, keyword-only dataclass in one file of its kind's folder. Its spelling is the
command line argument, the test id, the benchmark row and the text that gets signed, so `spell` writes
every field: a default that changes in a later version must not change what an old text means.

    litert:threads=1,delegate=xnnpack          a file of ours: edgewm/runtimes/litert.py
    their.module.Class:field=3                 a dataclass of somebody else
    exec:command="./ask --fast a,b"            a value with a comma or a quote is a JSON string
    abstract:shape=28x28x1                     a tuple of whole numbers

Listing a folder reads file names and imports nothing.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import re
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .errors import BadInput

_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}
KINDS = ("patterns", "schemes", "runtimes", "adapters", "attacks", "containers")
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_.]*$")
_FIELD = re.compile(r'\s*([a-z_][a-z0-9_]*)=("(?:[^"\\]|\\.)*"|[^,"]*)\s*(,|$)')


def names(kind: str) -> list[str]:
    """Names of the plug-ins of one kind, sorted, without importing any of them."""
    folder = Path(__file__).parent / kind
    hidden = _not_plugins(folder)
    return sorted(p.stem for p in folder.glob("*.py") if p.stem not in hidden)


def load(kind: str, name: str) -> type[Any]:
    """The dataclass that `name` means.

    Raises:
        BadInput: there is no such plug-in, or the dotted name is not a frozen dataclass.
    """
    if "." in name:
        return _load_foreign(kind, name)
    if name not in names(kind):
        raise BadInput(f"{kind}: got {name!r}, expected one of {', '.join(names(kind))}")
    module = importlib.import_module(f"edgewm.{kind}.{name}")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and dataclasses.is_dataclass(value)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    ]
    (plugin,) = found  # the contract test holds every file to exactly one
    return plugin


def parse(kind: str, text: str) -> Any:
    """The plug-in that `text` spells.

    Raises:
        BadInput: unknown name or field, or a value that does not fit the field's type.
    """
    name, _, rest = text.strip().partition(":")
    if not _NAME.match(name):
        raise BadInput(f"{kind}: got {text!r}, expected name:field=value,field=value")
    plugin = load(kind, name)
    hints = typing.get_type_hints(plugin)
    known = {f.name: f for f in dataclasses.fields(plugin)}
    values: dict[str, Any] = {}
    for field, raw in _split(text, rest):
        if field not in known:
            raise BadInput(
                f"{name}: got the field {field!r}, expected one of {', '.join(known) or 'none'}"
            )
        if field in values:
            raise BadInput(f"{name}: got the field {field!r} twice, give it once")
        values[field] = _read(name, field, raw, hints[field])
    missing = [
        f.name
        for f in known.values()
        if f.name not in values
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise BadInput(f"{name}: got no {missing[0]!r}, write {name}:{missing[0]}=VALUE")
    return plugin(**values)


def spell(plugin: Any) -> str:
    """The one text of a plug-in, every field written; `parse` gives the plug-in back."""
    return _spelled(plugin, dataclasses.fields(plugin))


def brief(plugin: Any) -> str:
    """For people: only the fields that are not as by default. `parse` gives the plug-in back too."""
    changed = [f for f in dataclasses.fields(plugin) if getattr(plugin, f.name) != f.default]
    return _spelled(plugin, changed)


def _spelled(plugin: Any, written: Iterable[dataclasses.Field[Any]]) -> str:
    cls = type(plugin)
    package, _, module = cls.__module__.rpartition(".")
    ours = package.startswith("edgewm.") and package.removeprefix("edgewm.") in KINDS
    name = module if ours else f"{cls.__module__}.{cls.__qualname__}"
    fields = [f"{f.name}={_write(getattr(plugin, f.name))}" for f in written]
    return name + (":" + ",".join(fields) if fields else "")


def _not_plugins(folder: Path) -> set[str]:
    """Files of a kind's folder that serve its plug-ins: those the folder's __init__ names."""
    text = (folder / "__init__.py").read_text(encoding="utf-8") if folder.exists() else ""
    served = re.search(r"^NOT_PLUGINS = \((.*?)\)$", text, re.MULTILINE | re.DOTALL)
    listed = re.findall(r'"(\w+)"', served.group(1)) if served else []
    return {"__init__", *listed}


def _load_foreign(kind: str, name: str) -> type[Any]:
    module_name, _, class_name = name.rpartition(".")
    try:
        plugin = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:  # a module of somebody else may raise anything
        raise BadInput(f"{kind}: got {name!r}, which does not import: {error}") from None
    if not (
        isinstance(plugin, type)
        and dataclasses.is_dataclass(plugin)
        and plugin.__dataclass_params__.frozen  # type: ignore[attr-defined]
        and all(f.kw_only for f in dataclasses.fields(plugin))
    ):
        raise BadInput(f"{kind}: got {name!r}, expected a frozen, keyword-only dataclass")
    return plugin


def _split(text: str, rest: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    at = 0
    while at < len(rest):
        match = _FIELD.match(rest, at)
        if match is None:
            raise BadInput(
                f"got {text!r}, expected name:field=value,field=value "
                '(quote a value that holds a comma: field="a,b")'
            )
        pairs.append((match.group(1), match.group(2)))
        at = match.end()
    return pairs


def _read(name: str, field: str, raw: str, hint: Any) -> Any:
    try:
        quoted = raw.startswith('"')
        if raw.strip() == "none" and type(None) in typing.get_args(hint):
            return None  # a quoted "none" is a text
        return _convert(json.loads(raw) if quoted else raw.strip(), hint)
    except ValueError:
        raise BadInput(f"{name}: got {field}={raw}, expected {_describe(hint)}") from None


def _convert(text: str, hint: Any) -> Any:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return _convert(text, next(o for o in typing.get_args(hint) if o is not type(None)))
    if typing.get_origin(hint) is typing.Literal:
        allowed = typing.get_args(hint)
        if text not in allowed:
            raise ValueError
        return text
    if typing.get_origin(hint) is tuple:
        item = typing.get_args(hint)[0]
        return tuple(_convert(part, item) for part in text.split("x")) if text else ()
    if hint is bool:
        if text not in _BOOLEANS:
            raise ValueError
        return _BOOLEANS[text]
    if hint is float and not math.isfinite(float(text)):
        raise ValueError
    if hint in (int, float, str):
        return hint(text)
    raise ValueError


def _describe(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        if typing.get_args(hint)[0] is float:
            return "numbers with x between them, such as 0.485x0.456x0.406"
        return "whole numbers with x between them, such as 28x28x1"
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(hint, str(hint))


def _write(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "x".join(_write(item) for item in value)
    if isinstance(value, str):
        plain = re.fullmatch(r"[^,\"\\\s](?:[^,\"\\\x00-\x1f]*[^,\"\\\s])?", value)
        return value if plain and value != "none" else json.dumps(value)
    return repr(value)
