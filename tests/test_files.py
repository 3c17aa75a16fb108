"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgewm.errors import BadInput
from edgewm.files import write_file, write_new

# A disk that is full after 100 bytes, as the kernel would say it.
_FULL = """
import resource, signal, sys
from pathlib import Path
from edgewm.errors import BadInput
from edgewm.files import write_file, write_new
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
write = {"new": write_new, "replace": write_file}[sys.argv[1]]
try:
    write(Path(sys.argv[2]), b"x" * int(sys.argv[3]), argument="--out")
except BadInput as error:
    print(error)
"""


def _on_a_full_disk(how: str, path: Path, size: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _FULL, how, str(path), str(size)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("how", ["new", "replace"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, how: str):
    """No file of that name, no temporary file, one line; what fits is written."""
    said = _on_a_full_disk(how, tmp_path / "a", 101)
    assert said == f"--out: {tmp_path / 'a'} cannot be written: File too large"
    assert list(tmp_path.iterdir()) == []
    assert _on_a_full_disk(how, tmp_path / "a", 100) == ""
    assert (tmp_path / "a").read_bytes() == b"x" * 100


def test_a_full_disk_leaves_the_old_file(tmp_path: Path):
    """Replacing a file fails without touching it."""
    (tmp_path / "a").write_bytes(b"old")
    assert "cannot be written" in _on_a_full_disk("replace", tmp_path / "a", 101)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_new_files_never_replace_and_others_do(tmp_path: Path):
    """write_new keeps what is there, write_file replaces it in one step."""
    write_new(tmp_path / "a", b"first", argument="--out")
    with pytest.raises(BadInput, match=r"--out: .*a exists and is never overwritten"):
        write_new(tmp_path / "a", b"second", argument="--out")
    assert (tmp_path / "a").read_bytes() == b"first"
    write_file(tmp_path / "a", b"third", argument="--out")
    assert (tmp_path / "a").read_bytes() == b"third"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_dangling_link_is_a_name_that_is_taken(tmp_path: Path):
    """A new file is not written through a link that somebody left."""
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="never overwritten"):
        write_new(tmp_path / "a", b"secret", argument="--out")
    assert not (tmp_path / "elsewhere").exists()


def test_modes_are_at_most_what_was_asked(tmp_path: Path):
    """The umask takes away and never adds; a replaced file takes the new mode."""
    old = os.umask(0)
    try:
        write_new(tmp_path / "secret", b"", argument="--out", mode=0o600)
        os.umask(0o077)
        write_file(tmp_path / "public", b"", argument="--out")
        (tmp_path / "was public").write_bytes(b"")
        (tmp_path / "was public").chmod(0o644)
        write_file(tmp_path / "was public", b"", argument="--out", mode=0o600)
    finally:
        os.umask(old)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_file_system_without_links_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where links are refused (FAT), new files are still written whole and never overwritten."""

    def no_link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    write_new(tmp_path / "a", b"first", argument="--out", mode=0o600)
    assert (tmp_path / "a").read_bytes() == b"first"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    with pytest.raises(BadInput, match="never overwritten"):
        write_new(tmp_path / "a", b"second", argument="--out")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["missing/a", "file/a", ".", "..", "", "folder", "n" * 300])
@pytest.mark.parametrize("write", [write_new, write_file])
def test_places_that_cannot_be_written_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write, name: str
):
    """A missing folder, a path through a file, a folder's name, a name too long: each is refused."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInput, match=r"^--out: ") as caught:
        write(Path(name), b"x", argument="--out")
    assert len(str(caught.value).splitlines()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
    write(tmp_path / "folder" / "a", b"x", argument="--out")


def test_what_a_killed_run_left_does_not_stop_the_next(tmp_path: Path):
    """In a container every run has the same process number: leftovers of one are no obstacle."""
    (tmp_path / f".a.{os.getpid()}.part").write_bytes(b"half")
    write_new(tmp_path / "a", b"whole", argument="--out")
    assert (tmp_path / "a").read_bytes() == b"whole"
