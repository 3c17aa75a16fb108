"""The owner's secret: 32 bytes, and everything that is drawn from them.

Nothing else in edgewm is secret. Streams are SHAKE-256 under a name, so that one use tells nothing of
another; the signing key is the Ed25519 key whose seed is the stream "sign".

Key file, version 1 (JSON, one object, mode 0600, never overwritten):

    {"format": "edgewm-key-1", "commitment": HEX, "secret": "PRIVATE-EDGEWM-KEY-" + 64 hex digits}
    {"format": "edgewm-key-1", "commitment": HEX, "locked": {"kdf": "scrypt", "n": 32768, "r": 8, "p": 1,
     "salt": HEX, "aead": "chacha20-poly1305", "nonce": HEX, "ciphertext": HEX}}

The ciphertext is of the 32 bytes; its associated data is the ASCII text of the commitment. scrypt is
RFC 7914, the AEAD RFC 8439. Only a locked file needs `cryptography`, so verifying does not import it.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import BadInput, DoesNotCheck
from .files import write_new
from .hashing import SHAKE, H

FORMAT = "edgewm-key-1"
_PREFIX = "PRIVATE-EDGEWM-KEY-"
_SCRYPT = {"n": 32768, "r": 8, "p": 1}
_LARGEST_SCRYPT_BYTES = 1 << 28
_LARGEST_SCRYPT_P = 4


@dataclass(frozen=True, kw_only=True)
class Key:
    """32 secret bytes; `repr` and pickling by accident never show them."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != 32:
            raise BadInput(f"key: got {len(self.secret)} secret bytes, expected 32")

    def __repr__(self) -> str:
        return f"Key(commitment={self.commitment[:16]}...)"

    def __reduce__(self) -> str:
        raise BadInput("key: a key is never copied or pickled, write it with save_key")

    @property
    def commitment(self) -> str:
        """Public name of this key, 64 hex digits; tells nothing of the secret."""
        return H("key", self.secret).hex()

    def stream(self, name: str, length: int) -> bytes:
        """The first `length` bytes of the key's stream `name`."""
        return SHAKE(length, "stream", self.secret, name)

    def group_key(self, salt: bytes, group: int) -> bytes:
        """k_j of one group of one trigger set, 32 bytes."""
        return SHAKE(32, "group", self.secret, salt, group)

    def pattern_seed(self, salt: bytes) -> bytes:
        """Seed of one set's inputs; showing it opens those inputs and no answer, key or other set."""
        return SHAKE(32, "pattern", self.secret, salt)

    @property
    def public_key(self) -> bytes:
        """The claimant's Ed25519 public key (RFC 8032), 32 bytes."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        signing = Ed25519PrivateKey.from_private_bytes(self.stream("sign", 32))
        return signing.public_key().public_bytes_raw()


def new_key(random: Callable[[int], bytes] = secrets.token_bytes) -> Key:
    """A fresh key from the operating system's randomness, or from the source that is passed."""
    return Key(secret=random(32))


def save_key(
    key: Key,
    path: Path,
    *,
    passphrase: str | None = None,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> None:
    """Write a key file, mode 0600.

    Raises:
        BadInput: the file exists (a key is never overwritten) or cannot be written.
    """
    held: dict[str, Any] = {"format": FORMAT, "commitment": key.commitment}
    if passphrase is None:
        held["secret"] = _PREFIX + key.secret.hex()
    else:
        held["locked"] = _lock(key, passphrase, random)
    text = json.dumps(held, indent=1) + "\n"
    write_new(path, text.encode("ascii"), argument="--out", mode=0o600)


def load_key(path: Path, *, passphrase: Callable[[], str] | None = None) -> Key:
    """Read a key file; `passphrase` is called only when the file is locked.

    Raises:
        BadInput: not a key file, or locked and the passphrase is wrong or not at hand.
        DoesNotCheck: the secret in the file is not the one it commits to.
    """
    held = _read(path)
    if "locked" in held:
        if passphrase is None:
            raise BadInput(f"--key: {path} is locked, set EDGEWM_PASSPHRASE")
        key = _unlock(path, held, passphrase())
    else:
        text = held.get("secret")
        if not isinstance(text, str) or not re.fullmatch(_PREFIX + "[0-9a-f]{64}", text):
            raise BadInput(f"--key: {path} holds no edgewm secret, expected {_PREFIX}...")
        key = Key(secret=bytes.fromhex(text.removeprefix(_PREFIX)))
    if key.commitment != held.get("commitment"):
        raise DoesNotCheck(f"--key: {path} was changed: its secret is not the one it names")
    return key


def passphrase_from_environment() -> str:
    """The passphrase in EDGEWM_PASSPHRASE.

    Raises:
        BadInput: the variable is not set.
    """
    text = os.environ.get("EDGEWM_PASSPHRASE")
    if text is None:
        raise BadInput("--key: the key file is locked, set EDGEWM_PASSPHRASE to its passphrase")
    return text


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            held = json.loads(stream.read(65536))
    except OSError as error:
        raise BadInput(f"--key: {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, dict) or held.get("format") != FORMAT:
        raise BadInput(f"--key: {path} is not an edgewm key file, make one with: edgewm keygen")
    return held


def _lock(key: Key, passphrase: str, random: Callable[[int], bytes]) -> dict[str, Any]:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    salt, nonce = random(16), random(12)
    cipher = ChaCha20Poly1305(_derive(passphrase, salt, **_SCRYPT))
    sealed = cipher.encrypt(nonce, key.secret, key.commitment.encode("ascii"))
    return {
        "kdf": "scrypt",
        **_SCRYPT,
        "salt": salt.hex(),
        "aead": "chacha20-poly1305",
        "nonce": nonce.hex(),
        "ciphertext": sealed.hex(),
    }


def _unlock(path: Path, held: dict[str, Any], passphrase: str) -> Key:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    try:
        locked = held["locked"]
        if locked["kdf"] != "scrypt" or locked["aead"] != "chacha20-poly1305":
            raise ValueError
        cost = {name: int(locked[name]) for name in ("n", "r", "p")}
        if 128 * cost["n"] * cost["r"] > _LARGEST_SCRYPT_BYTES or cost["p"] > _LARGEST_SCRYPT_P:
            raise ValueError  # a hostile file could otherwise ask for all memory, or for hours
        cipher = ChaCha20Poly1305(_derive(passphrase, bytes.fromhex(locked["salt"]), **cost))
        nonce, sealed = bytes.fromhex(locked["nonce"]), bytes.fromhex(locked["ciphertext"])
        named = str(held["commitment"]).encode("ascii")
        return Key(secret=cipher.decrypt(nonce, sealed, named))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise BadInput(f"--key: {path} is not an edgewm key file this version can unlock") from None
    except InvalidTag:
        raise BadInput(
            f"--key: the passphrase does not open {path}: it is another one, or the file was changed"
        ) from None


def _derive(passphrase: str, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase.encode("utf-8"))
