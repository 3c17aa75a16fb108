"""Signed statements: a DSSE envelope around bytes, signed with the owner's Ed25519 key.

DSSE (secure-systems-lab/dsse, version 1) signs the bytes of the payload and their type, so nothing has to
be spelled again to be checked. An envelope has one signature and exactly one spelling,

    {"payload":BASE64,"payloadType":TEXT,"signatures":[{"keyid":HEX,"sig":BASE64}]}

without spaces or a line end; any other spelling is refused, so that one changed byte is always noticed.
The keyid is the 32-byte public key itself in hex; what makes it the owner's is that the payload names it.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import BadInput, DoesNotCheck

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

    from .key import Key

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_SPELLING = re.compile(
    rb'\{"payload":"(?P<payload>[A-Za-z0-9+/]*=*)","payloadType":"application/vnd\.in-toto\+json",'
    rb'"signatures":\[\{"keyid":"(?P<keyid>[0-9a-f]{64})","sig":"(?P<sig>[A-Za-z0-9+/]{86}==)"\}\]\}'
)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What an envelope holds once its signature was checked."""

    payload: bytes
    signer: str
    """The Ed25519 public key, 64 hex digits."""


def seal(payload: bytes, key: Key) -> bytes:
    """The bytes of an envelope; made once, kept for ever.

    Raises:
        BadInput: securesystemslib is not installed.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    check_installed()
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner

    private = Ed25519PrivateKey.from_private_bytes(key.stream("sign", 32))
    signer = CryptoSigner(private, _public(key.public_key.hex()))
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return json.dumps(envelope.to_dict(), sort_keys=True, separators=(",", ":")).encode("ascii")


def unseal(content: bytes, *, argument: str) -> Opened:
    """The payload of an envelope whose one signature checks.

    Raises:
        DoesNotCheck: not an envelope as `seal` spells it, or the signature is not the named key's.
        BadInput: securesystemslib is not installed.
    """
    found = _SPELLING.fullmatch(content)
    payload = None if found is None else _strict_base64(found["payload"])
    if found is None or payload is None or _strict_base64(found["sig"]) is None:
        raise DoesNotCheck(
            f"{argument}: not a signed record as edgewm writes it, use an unchanged copy"
        )
    check_installed()
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    signer = found["keyid"].decode("ascii")
    try:
        Envelope.from_dict(json.loads(content)).verify([_public(signer)], 1)
    except VerificationError:
        raise DoesNotCheck(
            f"{argument}: the signature is not that of key {signer[:16]}..., use an unchanged copy"
        ) from None
    return Opened(payload=payload, signer=signer)


def _public(public_key: str) -> SSlibKey:
    from securesystemslib.signer import SSlibKey

    return SSlibKey(public_key, "ed25519", "ed25519", {"public": public_key})


def _strict_base64(text: bytes) -> bytes | None:
    """Decoded, or None where the last character holds bits that no encoder sets."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return raw if base64.b64encode(raw) == text else None


def check_installed() -> None:
    """Refuse to begin where records cannot be made.

    Raises:
        BadInput: securesystemslib is not installed.
    """
    try:
        import securesystemslib  # noqa: F401
    except ImportError:
        raise BadInput("records need securesystemslib: pip install 'edgewm[records]'") from None
