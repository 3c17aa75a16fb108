"""Who may import whom, and what importing costs.

Imports are read from the source, those inside functions too: a rule that holds only at the top of a
file is no rule.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgewm
from tests import golden
from tests.needs import needs

PACKAGE = Path(edgewm.__file__).parent
RANKS = (
    ("errors",),
    (
        *("spec", "hashing", "files", "key", "commitment", "triggers"),
        *("stats", "evidence", "artifact", "spent", "targets", "datasets"),
        *("signed_sum", "smoothed_tail", "signed_evidence", "drawn_sum"),
        *("sealed_file", "regions", "tilt", "undecided"),
        *("der", "cms", "authorities", "envelope", "records", "ledger"),
        *("timestamps", "claims", "audit"),
        *("archive", "opened", "disclosure", "packed_stamps"),
        *("training_set", "manifest", "dossier", "dossier_proof", "architecture", "software"),
        *("dispute",),
        *("signatures", "content", "flatbuffer", "tflite_schema", "tflite", "model_formats"),
        *("layers", "dead_channels", "cost_model"),
        *("weight_layouts", "weight_windows"),
        *("sounds",),
    ),
    ("patterns", "runtimes", "adapters", "containers", "parts"),
    (
        *(
            "verification",
            "questioning",
            "output_scores",
            "selection",
            "tilt_verification",
            "suspect",
            "fitting",
            "verdict",
            "release",
        ),
        *("disclosed", "parties", "cross_verification"),
        *("last_layer", "data_marking", "trace"),
        *("finding", "matching", "scanning"),
        *("case", "hearing", "odds", "report"),
        *("engine", "firmware", "device_mark", "device_header"),
        *("silicon", "inspection", "cost", "cost_figures", "host_timing", "vela"),
        *("comparison", "charts", "sheet", "doctor", "linux_root"),
    ),
    ("conversion", "converter", "exporting", "reconstruction", "schemes", "attacks", "networks"),
    ("demo", "cloning_demo", "demo_records", "show_authority", "cli", "__init__", "__main__"),
)
RANK = {name: rank for rank, names in enumerate(RANKS) for name in names}

THIRD_PARTY = (
    set(),
    {"numpy", "cryptography"},
    {"numpy", "PIL", "ai_edge_litert", "tflite_runtime", "tflite_micro"},
    {"numpy", "PIL"},
    {"numpy", "keras", "tensorflow"},
    {"numpy", "click", "rich", "keras", "tensorflow", "matplotlib"},
)
"""What each rank may import; inside a function or not is the next table's matter."""

MORE = {
    "datasets": {"sklearn", "keras"},  # real data for the demo, fetched by whoever has it
    "runtimes.other_engines": {"keras", "onnxruntime", "tensorflow"},
    "release": {"junitparser"},
    "charts": {"matplotlib"},
    "envelope": {"securesystemslib"},
    "timestamps": {"rfc3161_client"},
    "disclosure": {"pyrage"},
    "report": {"jinja2"},
    "scanning.cluster": {"distributed"},
    "runtimes.serial": {"serial"},
    "attacks.filter": {"PIL"},
    "attacks.theft": {"litert_quantizer"},
}
AT_THE_TOP = {"numpy", "PIL", "click", "rich"}
"""Third parties that a module may import before it is used; three of `schemes` are keras classes."""

KERAS_AT_THE_TOP = {"schemes.lean", "schemes.mark", "schemes.mark_outputs"}


def modules() -> list[str]:
    """Every module of the package, dotted, without the package's own name."""
    paths = (p.relative_to(PACKAGE).with_suffix("") for p in PACKAGE.rglob("*.py"))
    return sorted(".".join(path.parts) for path in paths)


def part(module: str) -> str:
    """The file or folder of the ranks' table that a module belongs to."""
    return module.split(".", maxsplit=1)[0]


def imported(module: str) -> Iterator[tuple[str, bool, bool]]:
    """What a module imports: dotted name, whether at its top, whether of ours."""
    path = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    here = ["edgewm", *module.split(".")]
    for node, at_the_top in _walk(tree, at_the_top=True):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            base = here[: len(here) - node.level] if node.level else []
            stem = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
            names = [_submodule(stem, alias.name) for alias in node.names]
        for name in names:
            ours = name.split(".")[0] == "edgewm"
            yield name.removeprefix("edgewm.") if ours else name, at_the_top, ours


def _walk(tree: ast.AST, *, at_the_top: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue  # never run
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, at_the_top
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(node, at_the_top=at_the_top and not inside)


def _submodule(stem: str, name: str) -> str:
    """`from stem import name`: the module that is meant."""
    folder = PACKAGE.joinpath(*stem.split(".")[1:])
    is_module = stem.startswith("edgewm") and (
        (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
    )
    return f"{stem}.{name}" if is_module else stem


def test_every_module_has_one_rank():
    """A new file is put into the table once, and the table names no file that is gone."""
    named = sorted(name for names in RANKS for name in names)
    assert sorted({part(module) for module in modules()}) == named


def test_contributors_read_the_same_ranks():
    """The table of CONTRIBUTING has every module once, at its rank."""
    contributing = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| (.*?) \|", contributing, re.MULTILINE)
    listed = [(name, int(rank)) for rank, names in rows for name in re.findall(r"`(\w+)/?`", names)]
    assert sorted(listed) == sorted((n, r) for n, r in RANK.items() if n != "__main__")


@pytest.mark.parametrize("module", modules())
def test_modules_import_their_rank_and_those_above(module: str):
    """Nothing imports what stands below it, at its top or inside a function."""
    for name, _, ours in imported(module):
        if ours and name != "edgewm":  # the package itself: only its version
            below = RANK[part(name)] > RANK[part(module)]
            assert not below, f"{module} imports {name}"


@pytest.mark.parametrize("module", modules())
def test_third_parties_are_those_of_the_rank(module: str):
    """Each rank imports its own third parties, and the heavy ones only inside functions."""
    allowed = THIRD_PARTY[RANK[part(module)]] | MORE.get(module, set())
    for name, at_the_top, ours in imported(module):
        root = name.split(".")[0]
        if ours or root in sys.stdlib_module_names:
            continue
        if module in ("runtimes.worker", "runtimes.emulated") and root in ("sandbox", "worker"):
            continue  # its neighbours: it runs alone, in another environment's python
        neighbours = ("runtimes.tflite_engines", "runtimes.other_engines", "runtimes.emulated")
        if root in ("asked", "sandbox") and module in neighbours:
            continue  # files beside each other: they run alone, in another environment's python
        assert root in allowed, f"{module} imports {name}"
        if at_the_top:
            light = AT_THE_TOP | ({"keras"} if module in KERAS_AT_THE_TOP else set())
            assert root in light, f"{module} imports {name} at its top"


def test_modules_do_not_import_each_other_in_circles():
    """At their tops, files can be read in one order."""
    graph = {
        module.removesuffix(".__init__"): {
            name for name, at_the_top, ours in imported(module) if ours and at_the_top
        }
        for module in modules()
    }
    done: set[str] = set()
    while len(done) < len(graph):
        ready = {
            module
            for module, needed in graph.items()
            if module not in done and not (needed & set(graph)) - done - {module}
        }
        assert ready, sorted(set(graph) - done)
        done |= ready


def test_the_reader_of_imports_sees_them():
    """The control: known imports at the top, inside functions and under TYPE_CHECKING are told apart."""
    assert ("triggers", True, True) in imported("patterns.__init__")
    assert ("errors", True, True) in imported("spec")
    assert ("schemes.mark", False, True) in imported("demo")
    assert ("keras", False, False) in imported("networks")
    assert ("keras", True, False) in imported("schemes.mark")
    assert "key" not in {name for name, *_ in imported("verification")}  # a type only
    assert ("runtimes.begin", True, True) in imported("verification")


def _modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {"tensorflow", "keras", "scipy", "matplotlib", "sklearn", "pandas", "jax", "torch"}


def test_importing_the_package_imports_nothing():
    """`import edgewm` costs nothing: no numpy, no module of its own."""
    found = _modules_after("import edgewm")
    assert "numpy" not in found
    assert {m for m in found if m.startswith("edgewm")} == {"edgewm"}
    assert "numpy" in _modules_after("import edgewm; edgewm.load_triggers")


@needs("litert")
@pytest.mark.parametrize("arguments", [[], ["--on", "all", "--sequential"]])
def test_verifying_imports_nothing_heavy(arguments: list[str]):
    """Through the command line, a verdict needs no training library, no scipy and no drawing."""
    line = [str(golden.MARKED), "--triggers", str(golden.TRIGGERS), "--key", str(golden.KEY)]
    found = _modules_after(
        f"from edgewm.cli import run\nassert run({['verify', *line, *arguments]!r}) == 0"
    )
    assert not {m.split(".")[0] for m in found} & (HEAVY | {"PIL", "cryptography", "rich"})
    assert not {m.split(".")[0] for m in found} & {"ai_edge_litert", "tflite_runtime"}  # in a child
    assert "edgewm.verification" in found
    assert not {m for m in found if m.startswith("edgewm.adapters")}
    assert not found & {"edgewm.claims", "edgewm.ledger", "edgewm.timestamps", "edgewm.disclosure"}


@needs("litert")
def test_adapters_are_imported_when_one_is_named():
    """The control of the above: a chain loads its own adapters and no others."""
    line = [str(golden.MARKED), "--triggers", str(golden.TRIGGERS), "--key", str(golden.KEY)]
    found = _modules_after(
        "from edgewm.cli import run\n"
        f"assert run({['verify', *line, '--adapter', 'range:low=0,high=1']!r}) == 0"
    )
    adapters = {m for m in found if m.startswith("edgewm.adapters.")}
    assert adapters == {"edgewm.adapters.chain", "edgewm.adapters.range"}


@pytest.mark.parametrize(
    "code",
    [
        "from edgewm.cli import run; run(['list'])",
        "from edgewm.cli import run; run(['verify', '--help'])",
        "from edgewm import load_key, load_triggers, verify, Verdict, Artifact, make_triggers",
    ],
)
def test_looking_around_imports_nothing_heavy(code: str):
    """Help, lists and the names that verify need no training library."""
    assert not {m.split(".")[0] for m in _modules_after(code)} & HEAVY


def test_public_names_are_sorted_and_where_they_are_said_to_be():
    """`__all__` is sorted, is the table of homes, and unknown names are an AttributeError."""
    assert edgewm.__all__ == sorted(edgewm.__all__)
    assert set(edgewm.__all__) == set(edgewm._HOME)
    assert dir(edgewm) == edgewm.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = edgewm.nothing


@needs("tensorflow")
@pytest.mark.train
def test_every_public_name_resolves():
    """Each name is found, and twice is the same object."""
    code = (
        "import edgewm\n"
        "assert all(getattr(edgewm, n) is getattr(edgewm, n) for n in edgewm.__all__)\n"
        "assert edgewm.Mark.__module__ == 'edgewm.schemes.mark'\n"
        "assert callable(edgewm.verify) and callable(edgewm.export)"
    )
    assert "keras" in _modules_after(code)
