"""Whose timestamps count: root certificates, chains to them, and revocation lists.

Trust comes from whoever checks, never from the records. Chains are judged at the stamp's own time. Only the
signer's own revocation is looked up, in the lists that are passed in; nothing is fetched.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import BadInput, DoesNotCheck

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateRevocationList

# RFC 3161, section 4: after these, stamps from before the revocation stay good.
_HARMLESS = {"unspecified", "affiliationChanged", "superseded", "cessationOfOperation"}


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Whose word counts."""

    roots: tuple[Certificate, ...]
    revoked: tuple[CertificateRevocationList, ...] = ()


def read_trust(roots: Sequence[Path], revocation_lists: Sequence[Path] = ()) -> Trust:
    """Root certificates (.pem, several in one file allowed) and revocation lists (.pem or DER).

    Raises:
        BadInput: a file that cannot be read or holds no such thing.
    """
    from cryptography import x509

    found: list[Certificate] = []
    for path in roots:
        try:
            found += x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError):
            raise BadInput(f"--tsa-root: {path} is no file of certificates (.pem)") from None
    revoked: list[CertificateRevocationList] = []
    for path in revocation_lists:
        try:
            content = path.read_bytes()
            load = x509.load_pem_x509_crl if b"-----BEGIN" in content else x509.load_der_x509_crl
            revoked.append(load(content))
        except (OSError, ValueError):
            raise BadInput(f"--crl: {path} is no certificate revocation list") from None
    return Trust(roots=tuple(found), revoked=tuple(revoked))


def leads_to(
    roots: Sequence[Certificate],
    signer: Certificate,
    certificates: Sequence[Certificate],
    time: dt.datetime,
) -> bool:
    """Whether a chain of issuers, each valid at `time`, leads from the signer to one of the roots."""
    reached, waiting = [signer], [signer]
    while waiting:
        one = waiting.pop()
        if any(_issued(one, root, time) for root in roots):
            return True
        found = [c for c in certificates if c not in reached and _issued(one, c, time)]
        reached += found
        waiting += found
    return False


def _issued(one: Certificate, issuer: Certificate, time: dt.datetime) -> bool:
    """Whether `issuer` is a certificate authority's, valid at `time`, and signed `one`."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    if not issuer.not_valid_before_utc <= time <= issuer.not_valid_after_utc:
        return False
    try:
        one.verify_directly_issued_by(issuer)
        return bool(issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (
        *(x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
        *(InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, KeyError),
    ):
        return False


def check_not_revoked(
    signer: Certificate,
    certificates: Sequence[Certificate],
    trust: Trust,
    time: dt.datetime,
    argument: str,
) -> None:
    """RFC 3161 section 4: a harmless reason leaves earlier stamps good, any other leaves none."""
    from cryptography import x509

    issuers: list[Any] = [
        c.public_key() for c in (*certificates, *trust.roots) if c.subject == signer.issuer
    ]
    for revoked in trust.revoked:
        if revoked.issuer != signer.issuer:
            continue
        if not any(revoked.is_signature_valid(key) for key in issuers):
            raise DoesNotCheck("--crl: not signed by the one who issued the signer's certificate")
        entry = revoked.get_revoked_certificate_by_serial_number(signer.serial_number)
        if entry is None:
            continue
        try:
            reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
        except x509.ExtensionNotFound:
            reason = "no reason given"
        if reason in _HARMLESS and time < entry.revocation_date_utc:
            continue
        raise DoesNotCheck(
            f"{argument}: the signer's certificate was revoked on "
            f"{entry.revocation_date_utc:%Y-%m-%d} ({reason})"
        )
