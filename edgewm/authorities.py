"""Whose timestamps count: root certificates, chains to them, and revocation lists.

Trust comes from whoever checks, never from the records. Chains are judged at the stamp's own time. Revocation
of the signer and of every certificate between it and a root is looked up in the lists that are passed in;
nothing is fetched.
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
    """Refuse a signer that was revoked, or whose every chain to a root holds a certificate that was.

    Raises:
        DoesNotCheck: so it is, or a list is not signed by the one whose name it has.
    """
    gone = {
        held: when
        for held in (signer, *certificates)
        if (when := _revoked(held, (*certificates, *trust.roots), trust, time)) is not None
    }
    if signer in gone:
        raise DoesNotCheck(f"{argument}: the signer's certificate was revoked on {gone[signer]}")
    rest = [held for held in certificates if held not in gone]
    if gone and not leads_to(trust.roots, signer, rest, time):
        names = ", ".join(
            f"{held.subject.rfc4514_string()} on {when}" for held, when in gone.items()
        )
        raise DoesNotCheck(
            f"{argument}: a certificate between the signer and --tsa-root was revoked: {names}"
        )


def _revoked(
    held: Certificate, issuers: Sequence[Certificate], trust: Trust, time: dt.datetime
) -> str | None:
    """The day and reason of a revocation that reaches back to `time`, or None.

    RFC 3161 section 4: a harmless reason leaves earlier stamps good, any other leaves none.
    """
    from cryptography import x509

    for listed in trust.revoked:
        if listed.issuer != held.issuer:
            continue
        named = [one for one in issuers if one.subject == held.issuer]
        if not any(_signed_list(one, listed) for one in named):
            raise DoesNotCheck(
                f"--crl: not signed by {held.issuer.rfc4514_string()}, whose name it has"
            )
        entry = listed.get_revoked_certificate_by_serial_number(held.serial_number)
        if entry is None:
            continue
        try:
            reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
        except x509.ExtensionNotFound:
            reason = "no reason given"
        if reason in _HARMLESS and time < entry.revocation_date_utc:
            continue
        return f"{entry.revocation_date_utc:%Y-%m-%d} ({reason})"
    return None


def _signed_list(issuer: Certificate, listed: CertificateRevocationList) -> bool:
    """Whether this certificate's key signed the list; certificates of strangers may hold any key."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        key: Any = issuer.public_key()
        return bool(listed.is_signature_valid(key))
    except (UnsupportedAlgorithm, TypeError, ValueError):
        return False
