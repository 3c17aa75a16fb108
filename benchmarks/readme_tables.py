"""The tables of README.md and docs/, generated from benchmarks/results/*.json; a test holds them equal.

    python benchmarks/readme_tables.py           rewrite the documents
    python benchmarks/readme_tables.py --check   exit code 1 when one would change

A table stands between ``<!-- table NAME -->`` and ``<!-- end NAME -->``, and is made by a function in
`TABLES` of one of the `tables_*.py` beside this file: nothing lists them.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def all_tables() -> dict[str, Callable[[], str]]:
    """Every table by its name.

    Raises:
        SystemExit: two of one name.
    """
    tables: dict[str, Callable[[], str]] = {}
    for path in sorted(Path(__file__).parent.glob("tables_*.py")):
        for name, made in importlib.import_module(path.stem).TABLES.items():
            if name in tables:
                raise SystemExit(f"{path.name} has a second table {name}")
            tables[name] = made
    return tables


TABLES = all_tables()


def filled(text: str) -> str:
    """A document with every table made anew whose place it has."""
    for name in re.findall(r"<!-- table (\w+) -->", text):
        start, end = f"<!-- table {name} -->", f"<!-- end {name} -->"
        pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
        made = f"{start}\n{TABLES[name]()}\n{end}"
        text = pattern.sub(lambda _, made=made: made, text)  # type: ignore[misc]
    return text


def main() -> int:
    """Rewrite or check the documents."""
    changed = 0
    texts = [path.read_text(encoding="utf-8") for path in DOCUMENTS]
    for name in TABLES:
        if not any(f"<!-- table {name} -->" in text for text in texts):
            raise SystemExit(f"no document has a place for the table {name}")
    for path, now in zip(DOCUMENTS, texts, strict=True):
        new = filled(now)
        if "--check" in sys.argv[1:]:
            if new != now:
                print(
                    f"{path.name} differs from benchmarks/results: run benchmarks/readme_tables.py"
                )
            changed |= int(new != now)
        else:
            path.write_text(new, encoding="utf-8")
    return changed


if __name__ == "__main__":
    sys.exit(main())
