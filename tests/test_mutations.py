"""200 damages each of a ledger, an envelope, a stamp, a disclosure, a dossier and a proof."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from edgewm.cli import run
from tests.mutations import DAMAGES, WHAT, Case, cases
from tests.needs import needs

pytestmark = [needs("openssl"), needs("rfc3161"), needs("securesystemslib"), needs("litert")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return cases(tmp_path_factory.mktemp("mutations"))


@pytest.mark.parametrize("what", WHAT)
def test_every_damage_is_noticed(made: dict[str, Case], what: str, capsys):
    """Exit code 3 and one line; 2 where so little is left that it could be any file. Undamaged: none."""
    case, seen = made[what], Counter()
    assert run(case.line) == 0
    capsys.readouterr()
    for path, damage, content in case.damaged(200, seed=9):
        whole = path.read_bytes()
        path.write_bytes(content)
        try:
            code = run(case.line)
        finally:
            path.write_bytes(whole)
        out, err = capsys.readouterr()
        nothing_left = path.suffix not in (".json", ".tsr", ".tsq") and len(content) < 4
        assert code == (2 if nothing_left else 3), (path, damage, len(content), err)
        assert (out, len(err.splitlines()), err[:8]) == ("", 1, "edgewm: ")
        seen[damage] += 1
    assert set(seen) == {damage.__name__ for damage in DAMAGES}


def test_the_kinds_are_those_that_are_tested(made: dict[str, Case]):
    """The benchmark and this file damage the same."""
    assert tuple(made) == WHAT
    assert all(
        isinstance(path, Path) and case.paths for case in made.values() for path in case.paths
    )
