"""One spelling for every use: it is read back as written, and what it cannot mean is one line."""

from __future__ import annotations

import ast
import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from edgewm import spec
from edgewm.errors import BadInput
from tests.needs import skipped

PLUGINS = [(kind, name) for kind in spec.KINDS for name in spec.names(kind)]
REQUIRED = {
    "exec": ":command=true",
    "qemu_aarch64": ":root=a",
    "qemu_arm": ":root=a",
    "serial": ":port=a",
    "ssh": ":host=a",
    "answers": ":file=a.npz",
    "imported": ":path=a.npy",
    "logo": ":file=a.png",
    "classes": ":order=-1x0x1",
    "range": ":low=-1,high=1",
    "standardise": ":mean=0.5x-0.25,deviation=0.125",
}
FOLDER = Path(spec.__file__).parent


@dataclasses.dataclass(frozen=True, kw_only=True)
class Every:
    """A plug-in of somebody else, with a field of every type that can be spelled."""

    count: int = 1
    rate: float = 0.5
    text: str = ""
    maybe: str | None = None
    mode: Literal["none", "all"] = "all"
    shape: tuple[int, ...] = ()
    flag: bool = False


@dataclasses.dataclass
class Mutable:
    """Not frozen, and so no plug-in."""

    count: int = 1


class Plain:
    """No dataclass, and so no plug-in."""


def _plugin(kind: str, name: str) -> Any:
    if kind == "schemes" and skipped("tensorflow"):
        pytest.skip("schemes need TensorFlow")
    return spec.parse(kind, name + REQUIRED.get(name, ""))


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_every_plugin_returns_from_its_spelling(kind: str, name: str):
    """parse(spell(x)) == x, the spelling writes every field on one line, and it is stable."""
    plugin = _plugin(kind, name)
    text = spec.spell(plugin)
    assert spec.parse(kind, text) == plugin
    assert spec.spell(spec.parse(kind, text)) == text
    assert text.partition(":")[0] == name
    assert len(text.splitlines()) == 1
    for field in dataclasses.fields(plugin):
        assert f"{field.name}=" in text


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_a_plugin_file_holds_one_public_frozen_keyword_only_dataclass(kind: str, name: str):
    """Its fields are its only configuration, and it says what it is for."""
    plugin = type(_plugin(kind, name))
    tree = ast.parse((FOLDER / kind / f"{name}.py").read_text(encoding="utf-8"))
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert [c for c in classes if not c.startswith("_")] == [plugin.__name__]
    assert plugin.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(plugin))
    assert plugin.__doc__
    assert not plugin.__doc__.startswith(f"{plugin.__name__}(")  # what dataclass writes itself
    assert plugin.__bases__ == (object,)


def test_the_table_of_plugins_is_the_folder():
    """There are plug-ins of six kinds, and files that only serve them are not among them."""
    kinds = {"patterns", "schemes", "runtimes", "adapters", "attacks", "containers"}
    assert {kind for kind, _ in PLUGINS} == kinds
    assert ("runtimes", "litert") in PLUGINS
    assert ("runtimes", "worker") not in PLUGINS
    assert all((FOLDER / kind / f"{name}.py").is_file() for kind, name in PLUGINS)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"text": "a,b"},
        {"text": 'say "a"'},
        {"text": " padded "},
        {"text": "none", "maybe": "none"},
        {"text": "back\\slash", "maybe": ""},
        {"text": "two\nlines\tand\x00more\x1c"},
        {"text": "a=b:c;d #e", "maybe": "\u00e9\u2192\u4e2d\u2028"},
        {"count": -3, "rate": 1e-300, "mode": "none", "shape": (28, 28, 1), "flag": True},
        {"rate": 0.1 + 0.2, "shape": (640,)},
    ],
)
def test_values_return_from_their_spelling(values: dict[str, Any]):
    """Commas, quotes, padding, line ends, the word none and every digit of a float survive."""
    text = spec.spell(Every(**values))
    assert spec.parse("patterns", text) == Every(**values)
    assert len(text.splitlines()) == 1


def test_any_text_returns_from_its_spelling():
    """The same for 500 random texts of the characters that mean something here."""
    random = np.random.default_rng(1)
    letters = list('ax1 ,="\\:.\n\t\x00none\u00e9')
    for _ in range(500):
        plugin = Every(text="".join(random.choice(letters, random.integers(0, 9))))
        assert spec.parse("patterns", spec.spell(plugin)) == plugin


def test_a_class_of_somebody_else_is_named_by_its_module():
    """A dotted name is imported, its fields are read, and an object spells the same name."""
    assert spec.parse("patterns", "tests.test_spec.Every:count=3,flag=yes") == Every(
        count=3, flag=True
    )
    assert spec.spell(Every()).startswith("tests.test_spec.Every:count=1,")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("lite", ["'lite'", "litert", "tflm", "answers"]),
        ("litert:thread=1", ["'thread'", "threads", "delegate"]),
        ("litert:threads=two", ["threads=two", "whole number"]),
        ("litert:threads=1.5", ["threads=1.5", "whole number"]),
        ("litert:timeout_s=soon", ["timeout_s=soon", "a number"]),
        ("litert:timeout_s=nan", ["timeout_s=nan", "a number"]),
        ("litert:timeout_s=inf", ["timeout_s=inf", "a number"]),
        ("litert:delegate=gpu", ["delegate=gpu", "xnnpack", "reference"]),
        ("litert:threads=1,threads=2", ["'threads' twice"]),
        ("litert:threads", ["name:field=value"]),
        ("litert:threads=1 delegate=none", ["threads=1 delegate=none"]),
        ('exec:command=say "a"', ["quote a value"]),
        ('exec:command="a', ["quote a value"]),
        ("exec", ["'command'", "exec:command=VALUE"]),
        ("", ["name:field=value"]),
        ("../litert", ["name:field=value"]),
        ("no.such.module.Class", ["no.such.module.Class", "does not import"]),
        ("tests.test_spec.Nothing", ["does not import"]),
        ("tests.test_spec.Plain", ["expected a frozen, keyword-only dataclass"]),
        ("tests.test_spec.Mutable", ["expected a frozen, keyword-only dataclass"]),
        ("tests.test_spec.Every:flag=perhaps", ["flag=perhaps", "true or false"]),
        ("tests.test_spec.Every:shape=28,28", ["expected name:field=value"]),
        ("tests.test_spec.Every:shape=28xa", ["shape=28xa", "28x28x1"]),
    ],
)
def test_what_cannot_be_read_is_one_line_that_names_the_options(text: str, named: list[str]):
    """Unknown names, fields and values say what was got and what there is."""
    with pytest.raises(BadInput) as caught:
        spec.parse("runtimes", text)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    for part in named:
        assert part in message


def test_a_module_that_fails_while_it_is_imported_is_one_line(tmp_path: Path, monkeypatch):
    """Whatever somebody's module raises is a refusal; the control imports."""
    (tmp_path / "broken_plugin.py").write_text("raise ZeroDivisionError('at import')\n")
    (tmp_path / "whole_plugin.py").write_text(
        "import dataclasses\n\n"
        "@dataclasses.dataclass(frozen=True, kw_only=True)\n"
        "class Whole:\n    n: int = 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BadInput, match="at import"):
        spec.parse("attacks", "broken_plugin.Broken")
    assert spec.parse("attacks", "whole_plugin.Whole:n=2").n == 2


def test_listing_imports_nothing():
    """Names come from file names: no plug-in, no numpy, no interpreter is imported."""
    code = (
        "import sys\n"
        "from edgewm import spec\n"
        "assert all(spec.names(kind) for kind in spec.KINDS[:4])\n"
        "print(*sorted(m for m in sys.modules if m.startswith(('edgewm', 'numpy', 'keras'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["edgewm", "edgewm.errors", "edgewm.spec"]


@pytest.mark.parametrize("text", ["litert", "litert:delegate=reference", "prune:share=0.25"])
def test_brief_leaves_out_what_is_as_by_default(text: str) -> None:
    """What is left is read back as the same plug-in."""
    kind = "attacks" if text.startswith("prune") else "runtimes"
    plugin = spec.parse(kind, text)
    assert spec.brief(plugin) == text
    assert spec.parse(kind, spec.brief(plugin)) == plugin
