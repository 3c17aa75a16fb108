"""The memory of what a device was shown: it only grows, and another set's memory is not taken."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from edgewm.errors import BadInput
from edgewm.spent import SpentGroups

DIGEST = "ab" * 32


@pytest.fixture
def memory(tmp_path: Path) -> SpentGroups:
    return SpentGroups.beside(tmp_path / "t.npz", DIGEST)


def test_nothing_shown_is_nothing_spent(memory: SpentGroups):
    """Without a file the first group is free, and asking writes none."""
    assert memory.first_unspent() == 0
    assert not memory.path.exists()


def test_what_was_shown_stays_shown(memory: SpentGroups):
    """Each run moves the first free group on; a shorter or earlier run never moves it back."""
    memory.mark(0, 16, "board")
    assert memory.first_unspent() == 16
    memory.mark(16, 8, "board")
    memory.mark(0, 4, "another")
    assert memory.first_unspent() == 24
    held = json.loads(memory.path.read_text())
    assert [part["to"] for part in held["shown"]] == ["board", "board", "another"]


def test_the_memory_lies_beside_its_triggers(memory: SpentGroups, tmp_path: Path):
    """Its name is the trigger file's with an ending, and only the owner reads it."""
    memory.mark(0, 1, "board")
    assert [p.name for p in tmp_path.iterdir()] == ["t.npz.spent.json"]
    assert stat.S_IMODE(memory.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"format": "edgewm-spent-1", "triggers_sha256": "' + b"cd" * 32 + b'", "shown": []}',
        b'{"format": "edgewm-spent-2", "triggers_sha256": "' + b"ab" * 32 + b'", "shown": []}',
        b'{"format": "edgewm-spent-1", "triggers_sha256": "' + b"ab" * 32 + b'", "shown": [1]}',
    ],
)
def test_another_memory_is_refused(memory: SpentGroups, content: bytes):
    """A file of other triggers or another format is neither believed nor replaced."""
    memory.path.write_bytes(content)
    with pytest.raises(BadInput, match="is not the memory of these triggers, move it away"):
        memory.first_unspent()
    with pytest.raises(BadInput, match="move it away"):
        memory.mark(0, 1, "board")
    assert memory.path.read_bytes() == content
    memory.path.unlink()
    memory.mark(0, 1, "board")
    assert memory.first_unspent() == 1
