"""Trigger files: read back as written, never read when changed, refused in one line when hostile."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewm.errors import BadInput, DoesNotCheck
from edgewm.key import Key, load_key
from edgewm.triggers import Triggers, commit, load_triggers, save_triggers
from tests import golden

KEY = Key(secret=bytes(range(32)))
OTHER = Key(secret=bytes(range(1, 33)))
GROUPS, CLASSES = 6, 5
MARK = b"edgewm-triggers-1 sha256:"


def made(**changes: Any) -> Triggers:
    """A small set: 6 groups of two 3x2 inputs, 5 classes, one natural class in every other group."""
    inputs = np.linspace(0, 1, 2 * GROUPS * 6, dtype=np.float32).reshape(-1, 3, 2)
    excluded = np.zeros((GROUPS, CLASSES), bool)
    excluded[::2, 1] = True
    parts: dict[str, Any] = {
        "inputs": inputs,
        "group_ids": np.repeat(np.arange(GROUPS, dtype=np.int32), 2),
        "excluded": excluded,
        "salt": b"s" * 32,
        "provenance": {"pattern": "abstract"},
        **changes,
    }
    return commit(KEY, parts.pop("inputs"), parts.pop("group_ids"), **parts)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_triggers(made(), tmp_path / "t.npz")
    return tmp_path / "t.npz"


def members_of(path: Path) -> dict[str, bytes]:
    """The raw .npy members of a trigger file."""
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def forge(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """A file with any members and a digest that is right, as a hostile claimant would make it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = MARK + b"0" * 64
    body = buffer.getvalue()[: -len(MARK) - 64]
    path.write_bytes(body + MARK + hashlib.sha256(body).hexdigest().encode())
    return path


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    """An array as the bytes of an .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=pickled)
    return stream.getvalue()


def declared(descr: str, shape: str, body: bytes = b"") -> bytes:
    """An .npy whose header says what it likes."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body


# ---- whole files


def test_a_set_returns_from_its_file(path: Path):
    """Every part, the root, the order, the digest and the answers are those that were saved."""
    before, after = made(), load_triggers(path)
    for name in ("inputs", "group_ids", "excluded", "commitments"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
        assert getattr(after, name).dtype == getattr(before, name).dtype
    for name in ("salt", "header", "beacon", "provenance", "root", "order", "sha256", "shape"):
        assert getattr(after, name) == getattr(before, name)
    np.testing.assert_array_equal(after.answers(KEY), before.answers(KEY))
    np.testing.assert_array_equal(after.allowed, [4, 5] * 3)


def test_the_same_set_is_the_same_file(path: Path, tmp_path: Path):
    """Saving twice, and saving what was loaded, gives the same bytes; another salt does not."""
    save_triggers(load_triggers(path), tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()
    save_triggers(made(salt=b"t" * 32), tmp_path / "other.npz")
    assert (tmp_path / "other.npz").read_bytes() != path.read_bytes()


def test_secret_inputs_are_private(path: Path):
    """The file is for its owner only, and repr shows a digest and no value."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    held = load_triggers(path)
    assert repr(held) == f"Triggers(groups=6, classes=5, sha256={held.sha256[:16]}...)"


def test_answers_are_in_the_file_only_when_they_are_shown(path: Path, tmp_path: Path):
    """Without the key there are none; with it they are the drawn ones, and the digest is the same."""
    assert "answers.npy" not in members_of(path)
    save_triggers(made(), tmp_path / "shown.npz", key_to_show_answers=KEY)
    shown = np.load(io.BytesIO(members_of(tmp_path / "shown.npz")["answers.npy"]))
    np.testing.assert_array_equal(shown, made().answers(KEY))
    assert load_triggers(tmp_path / "shown.npz").sha256 == load_triggers(path).sha256
    with pytest.raises(BadInput, match="did not make these triggers"):
        save_triggers(made(), tmp_path / "wrong.npz", key_to_show_answers=OTHER)
    assert not (tmp_path / "wrong.npz").exists()


def test_numpy_reads_the_file(path: Path):
    """The format needs no edgewm: numpy alone reads every member."""
    with np.load(path) as archive:
        assert set(archive.files) == {
            *("inputs", "group_ids", "excluded", "commitments"),
            *("salt", "header", "beacon", "provenance"),
        }
        assert json.loads(archive["header"].tobytes())["classes"] == CLASSES


# ---- keys and answers


def test_answers_are_never_natural_classes():
    """Over many groups no answer is an excluded class; those left are all used."""
    groups = 300
    excluded = np.zeros((groups, CLASSES), bool)
    excluded[:, [0, 3]] = True
    held = made(
        inputs=np.arange(groups, dtype=np.float32)[:, None],
        group_ids=np.arange(groups, dtype=np.int32),
        excluded=excluded,
    )
    assert set(held.answers(KEY).tolist()) == {1, 2, 4}


def test_another_key_is_refused():
    """Triggers give answers to the key that committed to them and to no other."""
    assert len(made().answers(KEY)) == GROUPS
    with pytest.raises(BadInput, match=f"--key: key {OTHER.commitment[:16]}.* did not make"):
        made().answers(OTHER)


@pytest.mark.parametrize(
    ("classes", "natural", "fits"), [(2, 0, True), (2, 1, False), (5, 3, True), (5, 4, False)]
)
def test_at_least_two_classes_stay_allowed(classes: int, natural: int, fits: bool):
    """At most K - 2 classes of a group are natural, none of two."""
    excluded = np.zeros((GROUPS, classes), bool)
    excluded[2, :natural] = True
    if fits:
        assert made(excluded=excluded).allowed[2] == classes - natural
        return
    with pytest.raises(BadInput, match="excluded, expected at most"):
        made(excluded=excluded)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"group_ids": np.zeros(12, np.int32)}, "do not cover 0 to 5"),
        ({"group_ids": np.arange(12, dtype=np.int32)}, "do not cover 0 to 5"),
        ({"group_ids": np.arange(5, dtype=np.int32)}, "group ids"),
        ({"inputs": np.zeros(12, np.float32)}, "got inputs"),
        ({"inputs": np.zeros((12, 0), np.float32)}, "got inputs"),
        ({"inputs": np.full((12, 2), np.nan, np.float32)}, "NaN or infinity"),
        ({"inputs": np.full((12, 2), np.inf, np.float32)}, "NaN or infinity"),
        ({"salt": b"short"}, "salt of the wrong length"),
        ({"excluded": np.zeros((6, 1), bool)}, "2 or more classes"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], said: str):
    """Groups without inputs, inputs without groups, NaN and short salts are no trigger set."""
    with pytest.raises(BadInput, match=said):
        made(**changes)
    assert made().groups == GROUPS


# ---- changed and hostile files


def test_every_changed_byte_is_noticed(path: Path, tmp_path: Path):
    """One flipped bit anywhere does not check (or is no trigger file), and nothing is ever parsed."""
    content, changed = path.read_bytes(), tmp_path / "changed.npz"
    places = {*range(0, len(content), 7), *range(len(content) - 200, len(content))}
    for at in sorted(places):
        edited = bytearray(content)
        edited[at] ^= 1 << at % 8
        changed.write_bytes(edited)
        with pytest.raises((DoesNotCheck, BadInput)) as caught:
            load_triggers(changed)
        assert len(str(caught.value).splitlines()) == 1
        if 4 <= at < len(content) - 64 - len(MARK):
            assert isinstance(caught.value, DoesNotCheck), at
    changed.write_bytes(content)
    assert load_triggers(changed).sha256 == load_triggers(path).sha256


def test_truncated_and_longer_files_are_noticed(path: Path, tmp_path: Path):
    """Cut at every 64th byte, or with a byte more at either end, it is not the file that was written."""
    content, changed = path.read_bytes(), tmp_path / "changed.npz"
    pieces = [content[:length] for length in range(0, len(content), 64)]
    for piece in (*pieces, content[:-1], content + b"\x00", b"\x00" + content, content + content):
        changed.write_bytes(piece)
        with pytest.raises((DoesNotCheck, BadInput)):
            load_triggers(changed)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"hello", b"\x93NUMPY", b"TFL3" * 100, b"{}", MARK + b"0" * 64]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes):
    """What is no trigger file is refused in one line."""
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises((BadInput, DoesNotCheck), match=r"^--triggers: "):
        load_triggers(tmp_path / "t.npz")


def test_folders_and_missing_files_are_refused(tmp_path: Path):
    """A path that holds no file is one line, with the argument it came from."""
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(BadInput, match=r"^TRIGGERS: .* cannot be read"):
            load_triggers(path, argument="TRIGGERS")


class _Bomb:
    """Unpickling this ends the process."""

    def __reduce__(self) -> Any:
        return (sys.exit, (99,))


def _forgeries() -> dict[str, tuple[str, bytes]]:
    good = np.zeros((GROUPS, 32), np.uint8)
    return {
        "huge": ("inputs", declared("<f4", "(1000000000000,)")),
        "huge product": ("inputs", declared("<f4", f"({2**40}, {2**40}, {2**40})")),
        "negative": ("inputs", declared("<f4", "(-1, 3)", b"0000")),
        "not numbers": ("inputs", declared("<f4", "('a',)")),
        "longer than its bytes": ("group_ids", declared("<i4", "(13,)", bytes(48))),
        "shorter than its bytes": ("group_ids", declared("<i4", "(11,)", bytes(48))),
        "pickled": ("inputs", npy(np.array([_Bomb()], object), pickled=True)),
        "a pickle": ("inputs", pickle.dumps(_Bomb())),
        "text": ("inputs", npy(np.array(["a", "b"]))),
        "doubles": ("inputs", npy(np.zeros((12, 3, 2)))),
        "big-endian": ("inputs", npy(np.zeros((12, 3, 2), ">f4"))),
        "fortran": ("inputs", npy(np.asfortranarray(np.ones((12, 3, 2), np.float32)))),
        "nan": ("inputs", npy(np.full((12, 3, 2), np.nan, np.float32))),
        "no bool": ("excluded", declared("|b1", "(6, 5)", bytes([2]) * 30)),
        "format 2.0": ("salt", b"\x93NUMPY\x02\x00\x00\x00\x00\x00"),
        "deep header": ("salt", declared("<f4", "(" * 9000)),
        "no npy": ("salt", b""),
        "other groups": ("commitments", npy(good[:5])),
        "short salt": ("salt", npy(np.zeros(31, np.uint8))),
        "header no json": ("header", npy(np.frombuffer(b"{", np.uint8))),
        "header a list": ("header", npy(np.frombuffer(b"[]", np.uint8))),
        "header deep": ("header", npy(np.frombuffer(b"[" * 100_000, np.uint8))),
        "header of version 2": ("header", npy(np.frombuffer(b'{"version": 2}', np.uint8))),
        "header of other groups": (
            "header",
            npy(np.frombuffer(b'{"version":1,"groups":7,"classes":5}', np.uint8)),
        ),
        "provenance no json": ("provenance", npy(np.frombuffer(b"\xff", np.uint8))),
    }


@pytest.mark.parametrize("name", sorted(_forgeries()))
def test_forged_members_are_refused(path: Path, tmp_path: Path, name: str):
    """With a digest that is right, members that lie about themselves are still refused in one line."""
    member, content = _forgeries()[name]
    members = {**members_of(path), f"{member}.npy": content}
    with pytest.raises(BadInput) as caught:
        load_triggers(forge(tmp_path / "forged.npz", members))
    assert len(str(caught.value).splitlines()) == 1
    control = forge(tmp_path / "control.npz", members_of(path))
    assert load_triggers(control).sha256 == load_triggers(path).sha256


def test_missing_and_compressed_members_are_refused(path: Path, tmp_path: Path):
    """Every member must be there, and stored: nothing in the file can inflate."""
    members = members_of(path)
    for name in members:
        rest = {key: value for key, value in members.items() if key != name}
        with pytest.raises(BadInput, match=name.removesuffix(".npy")):
            load_triggers(forge(tmp_path / "forged.npz", rest))
    with pytest.raises(BadInput, match="compressed"):
        load_triggers(forge(tmp_path / "forged.npz", members, zipfile.ZIP_DEFLATED))


def test_a_forged_shape_takes_no_memory(path: Path, tmp_path: Path):
    """Within 512 MiB of address space beyond its start a reader refuses 4 TB and a 2 GB inflation."""
    bomb = {**members_of(path), "inputs.npy": declared("<f4", "(500000000,)") + bytes(1 << 24)}
    files = [
        forge(tmp_path / "bomb.npz", bomb, zipfile.ZIP_DEFLATED),
        forge(
            tmp_path / "huge.npz",
            {**members_of(path), "inputs.npy": declared("<f4", "(1000000000000,)")},
        ),
    ]
    code = (
        "import resource, sys\nfrom pathlib import Path\nimport numpy\n"
        "from edgewm.errors import BadInput\nfrom edgewm.triggers import load_triggers\n"
        "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + (512 << 20),) * 2)\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n        load_triggers(Path(name))\n"
        "    except BadInput:\n        print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, files)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["refused", "refused"]


def test_a_very_large_file_is_not_read(tmp_path: Path):
    """Above 1 GiB nothing is read at all."""
    with (tmp_path / "t.npz").open("wb") as stream:
        stream.truncate((1 << 30) + 1)
    with pytest.raises(BadInput, match="above 1 GiB"):
        load_triggers(tmp_path / "t.npz")


# ---- for ever


def test_golden_triggers_are_read_for_ever():
    """Version 1: root, digest, order and answers stay what 0.1.0 committed to."""
    held = load_triggers(golden.TRIGGERS)
    assert held.root.hex() == "644e0bbb302c19d1ef63638abe16e48756103165ad8c468adbc593a37ed653f3"
    assert held.sha256 == "a498cb3bee34c60713ea1ff7107f955442f493eac6579099f85ed27456c1b6eb"
    assert held.salt.hex() == "0dbfab7dca22ac7504b6aed4f112d7a1d3752e2c0e1cc067aef4caa3c66d4eb6"
    assert held.order[:8] == [42, 1, 30, 59, 50, 36, 7, 52]
    assert (held.groups, held.classes, held.shape) == (64, 10, (8, 8, 1))
    assert bytes(held.answers(load_key(golden.KEY)).tolist()).hex() == (
        "01090008080802040603030203020600010004040303030506090403070404050808010202030905"
        "010102030208080308010605030605080307070904080509"
    )
    assert json.loads(held.provenance)["pattern"] == "abstract:cells=4,inputs_per_group=1"
