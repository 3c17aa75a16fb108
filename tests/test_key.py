"""The owner's secret: never shown, never overwritten, never changed unnoticed, and the same for ever."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import stat
import struct
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

from edgewm.errors import BadInput, DoesNotCheck
from edgewm.key import Key, load_key, new_key, passphrase_from_environment, save_key
from tests import golden

SECRET = bytes(range(32))
COMMITMENT = "a15d1974fb2dcffa0ed6c842b3fae7fa4f722343122c5f9366679292b6ee149a"


def test_key_file_is_private_whatever_the_umask(tmp_path: Path):
    """Mode 0600 from the first byte on, also where files are shared with everybody."""
    old = os.umask(0)
    try:
        save_key(Key(secret=SECRET), tmp_path / "k")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    assert load_key(tmp_path / "k") == Key(secret=SECRET)
    assert [p.name for p in tmp_path.iterdir()] == ["k"]


def test_key_is_never_overwritten(tmp_path: Path):
    """A second key under the same name is refused and the first stays; another name is free."""
    save_key(Key(secret=SECRET), tmp_path / "k")
    before = (tmp_path / "k").read_bytes()
    with pytest.raises(BadInput, match=r"--out: .* exists and is never overwritten"):
        save_key(new_key(), tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == before
    save_key(new_key(), tmp_path / "other")
    assert len(list(tmp_path.iterdir())) == 2


def test_secret_is_never_shown():
    """Not in repr, str, format, containers or a traceback with local variables."""
    key = Key(secret=SECRET)
    shown = [repr(key), str(key), f"{key}", f"{key!r}", repr([key]), repr({"key": key})]
    try:
        _fails(key)
    except ZeroDivisionError as error:
        trace = traceback.TracebackException.from_exception(error, capture_locals=True)
        shown.append("".join(trace.format()))
    assert "Key(commitment=" in shown[-1]
    for text in shown:
        assert SECRET.hex() not in text
        assert repr(SECRET) not in text
        assert "\\x01\\x02\\x03" not in text
    assert key.commitment[:16] in repr(key)


def _fails(held: Key) -> float:
    return len(held.commitment) / 0


def test_key_is_not_pickled():
    """A key does not slip into a pickle or a copy; its file is the only way out."""
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(BadInput, match="save_key"):
            way(Key(secret=SECRET))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_secret_has_32_bytes(length: int):
    """Shorter and longer secrets are refused."""
    with pytest.raises(BadInput, match=f"got {length} secret bytes"):
        Key(secret=bytes(length))


def test_new_keys_differ_and_take_the_given_randomness():
    """Keys come from the operating system, or from the source that is passed."""
    assert new_key() != new_key()
    assert new_key(lambda n: b"\x07" * n) == Key(secret=b"\x07" * 32)


def test_a_locked_key_opens_with_its_passphrase_only(tmp_path: Path):
    """The right passphrase gives the key back; another, none, or one more byte does not."""
    key, path = Key(secret=SECRET), tmp_path / "k"
    save_key(key, path, passphrase="pass w\u00f6rd")
    assert SECRET.hex() not in path.read_text()
    assert load_key(path, passphrase=lambda: "pass w\u00f6rd") == key
    for wrong in ("", "pass word", "pass w\u00f6rd "):
        with pytest.raises(BadInput, match="passphrase does not open"):
            load_key(path, passphrase=lambda text=wrong: text)
    with pytest.raises(BadInput, match="set EDGEWM_PASSPHRASE"):
        load_key(path)


def test_an_open_key_asks_for_no_passphrase(tmp_path: Path):
    """The passphrase is asked for only when a file is locked."""
    save_key(Key(secret=SECRET), tmp_path / "k")
    assert load_key(tmp_path / "k", passphrase=lambda: 1 / 0) == Key(secret=SECRET)


def test_passphrase_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    """EDGEWM_PASSPHRASE opens the locked golden key; unset is one line that names it."""
    with pytest.raises(BadInput, match="set EDGEWM_PASSPHRASE"):
        passphrase_from_environment()
    monkeypatch.setenv("EDGEWM_PASSPHRASE", golden.PASSPHRASE)
    assert load_key(golden.LOCKED, passphrase=passphrase_from_environment) == load_key(golden.KEY)


def _edited(path: Path, to: Path, change: Any) -> Path:
    held = json.loads(path.read_text())
    change(held)
    to.write_text(json.dumps(held))
    return to


def test_a_changed_commitment_does_not_check(tmp_path: Path):
    """A file whose secret is not the one it names is refused with its own exit code."""
    changed = _edited(golden.KEY, tmp_path / "a", lambda held: held.update(commitment="0" * 64))
    absent = _edited(golden.KEY, tmp_path / "b", lambda held: held.pop("commitment"))
    swapped = _edited(
        golden.KEY,
        tmp_path / "c",
        lambda held: held.update(secret="PRIVATE-EDGEWM-KEY-" + "1" * 64),
    )
    for path in (changed, absent, swapped):
        with pytest.raises(DoesNotCheck, match="was changed"):
            load_key(path)
    locked = _edited(golden.LOCKED, tmp_path / "d", lambda held: held.update(commitment="0" * 64))
    with pytest.raises(BadInput, match="or the file was changed"):
        load_key(locked, passphrase=lambda: golden.PASSPHRASE)
    assert load_key(_edited(golden.KEY, tmp_path / "e", lambda held: None)).commitment == COMMITMENT


@pytest.mark.parametrize(
    "change",
    [
        {"n": 1 << 30},
        {"n": 1 << 20, "r": 32},
        {"n": 1 << 21, "r": 1, "p": 64},
        {"p": 1 << 20},
        {"r": 1 << 20},
        {"n": 0},
        {"n": -32768},
        {"n": 1000},
        {"r": -1},
        {"p": 0},
        {"n": "many"},
        {"n": None},
        {"n": 10**30},
        {"kdf": "argon2id"},
        {"aead": "aes-gcm"},
        {"salt": "xyz"},
        {"nonce": ""},
        {"ciphertext": 5},
    ],
)
def test_a_hostile_lock_is_refused_at_once(tmp_path: Path, change: dict[str, Any]):
    """No file can ask for gigabytes or hours of scrypt, or for another lock than there is."""
    path = _edited(golden.LOCKED, tmp_path / "k", lambda held: held["locked"].update(change))
    started = time.monotonic()
    with pytest.raises(BadInput, match="not an edgewm key file this version can unlock"):
        load_key(path, passphrase=lambda: golden.PASSPHRASE)
    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 60000,
        b'{"format": "edgewm-key-2"}',
        b"PK\x03\x04",
    ],
)
def test_other_files_are_no_keys(tmp_path: Path, content: bytes):
    """Anything else is refused in one line that says how to make a key."""
    (tmp_path / "k").write_bytes(content)
    with pytest.raises(BadInput, match="make one with: edgewm keygen"):
        load_key(tmp_path / "k")


@pytest.mark.parametrize("secret", [None, 5, "", "PRIVATE-EDGEWM-KEY-12", "1" * 64])
def test_a_key_file_without_its_secret_is_refused(tmp_path: Path, secret: Any):
    """A missing, short or unprefixed secret is no secret."""
    path = _edited(golden.KEY, tmp_path / "k", lambda held: held.update(secret=secret))
    with pytest.raises(BadInput, match="holds no edgewm secret"):
        load_key(path)


def test_unreadable_paths_are_one_line(tmp_path: Path):
    """A missing file and a folder are refused."""
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(BadInput, match="cannot be read"):
            load_key(path)


def test_streams_are_apart():
    """Names, keys, salts and groups give unrelated bytes, and a longer stream begins as a shorter."""
    key, other = Key(secret=SECRET), Key(secret=SECRET[::-1])
    drawn = {
        key.stream("a", 32),
        key.stream("b", 32),
        other.stream("a", 32),
        key.group_key(b"s" * 32, 0),
        key.group_key(b"s" * 32, 1),
        key.group_key(b"t" * 32, 0),
        other.group_key(b"s" * 32, 0),
        key.pattern_seed(b"s" * 32),
        key.pattern_seed(b"t" * 32),
        bytes.fromhex(key.commitment),
        key.public_key,
        SECRET,
    }
    assert len(drawn) == 12
    assert key.stream("a", 64)[:32] == key.stream("a", 32)


def _by_hand(tag: str, *parts: bytes) -> Any:
    spelled = b"".join(struct.pack("<Q", len(p)) + p for p in (tag.encode(), *parts))
    return hashlib.shake_256(spelled)


def test_draws_are_pinned():
    """These bytes are the format: they equal hashlib over a spelling made by hand, for ever."""
    key, salt = Key(secret=SECRET), b"\xaa" * 32
    assert key.stream("sign", 32) == _by_hand("stream", SECRET, b"sign").digest(32)
    assert key.group_key(salt, 5) == _by_hand("group", SECRET, salt, struct.pack("<Q", 5)).digest(
        32
    )
    assert key.pattern_seed(salt) == _by_hand("pattern", SECRET, salt).digest(32)
    assert {
        "stream": key.stream("answers", 8).hex(),
        "group": key.group_key(salt, 5).hex(),
        "pattern": key.pattern_seed(salt).hex(),
        "commitment": key.commitment,
        "public": key.public_key.hex(),
    } == {
        "stream": "2668782e9743c758",
        "group": "9267a5727dd21269f0fe9fd48aec25cdbb68179c49a2e9e945c39ef399748fa3",
        "pattern": "134905a21067a8d65e426cd4b592f7ace8129aa42c4e10c032a42664e9c68481",
        "commitment": "622132df429feedd4145f49b3db8d4e8a766a65891dd4f48ddbafd51435fed5b",
        "public": "576bea3cf24d3609f53b71ad30b7cee146e57e5de7bbd11357da0e7e358824ff",
    }


def test_public_key_is_that_of_rfc_8032():
    """The claimant's key is Ed25519 over the stream "sign": a signature by that seed verifies."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

    key = Key(secret=SECRET)
    signature = Ed25519PrivateKey.from_private_bytes(key.stream("sign", 32)).sign(b"claim")
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, b"claim")


def test_golden_keys_are_read_for_ever():
    """Version 1 files, open and locked, give the key that was written in 0.1.0."""
    key = load_key(golden.KEY)
    assert key.commitment == COMMITMENT
    assert key.public_key.hex() == (
        "bb3a0605f27611edd08fe3c8ecd6d8e2e89960290b513d2ebc07d971da6dd289"
    )
    assert load_key(golden.LOCKED, passphrase=lambda: golden.PASSPHRASE) == key


def test_reading_an_open_key_imports_no_cryptography():
    """Only a locked file needs it: verifying does not pay for it."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom edgewm.key import load_key\n"
        f"load_key(Path({str(golden.KEY)!r}))\n"
        "print(any(m.startswith('cryptography') for m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
