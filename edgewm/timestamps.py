"""Timestamps by RFC 3161: a third party's signed word that some bytes existed at some time.

The request holds a SHA-256 and a nonce; the reply is kept as received and judged at its own time: the
certificates must be valid then, not now (`openssl ts -verify -attime`), and a stamp made after its
certificate's end is refused. rfc3161-client (on OpenSSL) checks the signature and the chain; checked here
are the digest, the nonce, the purpose and dates of the signer, that the signed attributes name the signer
(RFC 5035), and revocation lists. The chain is followed here once more: rfc3161-client before 1.0.9 took half
of the replies whose chain ends in a root that is not the one passed in, but has its name.
Trust comes from whoever checks: root certificates are always passed in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import der
from .authorities import Trust, check_not_revoked, leads_to
from .cms import certificates_in, names_certificate, signed_attributes, signer_of
from .errors import BadInput, DoesNotCheck

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_SHA256_OID = bytes.fromhex("0609608648016503040201")
_CLOCK_SLACK = dt.timedelta(minutes=10)
_LARGEST_REPLY_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """A checked timestamp."""

    time: dt.datetime
    """UTC, as the authority says."""
    latest: dt.datetime
    """The same plus the accuracy that the authority gives."""
    authority: str
    """Subject of the signer's certificate."""
    serial_number: int
    certificate_sha256: str
    """Of the signer's certificate, 64 hex digits: names can be equal."""

    @property
    def earliest(self) -> dt.datetime:
        """The time less the accuracy."""
        return self.time - (self.latest - self.time)


def make_request(sha256: bytes, nonce: bytes) -> bytes:
    """A timestamp query (.tsq) for 32 bytes of digest, with 8 random bytes as nonce."""
    imprint = der.write(
        der.SEQUENCE,
        der.write(der.SEQUENCE, _SHA256_OID, der.write(der.NULL)),
        der.write(der.OCTET_STRING, sha256),
    )
    number = der.whole_number(int.from_bytes(nonce, "big"))
    with_certificates = der.write(der.BOOLEAN, b"\xff")
    return der.write(der.SEQUENCE, der.whole_number(1), imprint, number, with_certificates)


def ask_authority(url: str, request: bytes, *, timeout_s: float = 30.0) -> bytes:
    """Send a query to an authority; the reply as received, not checked.

    Only the digest and the nonce leave the machine.

    Raises:
        BadInput: not a web address, or no reply.
    """
    import http.client
    import urllib.error
    import urllib.request

    if not url.startswith(("http://", "https://")):
        raise BadInput(
            f"--tsa: got {url}, expected an address that starts with http:// or https://"
        )
    asked = urllib.request.Request(  # noqa: S310
        url,
        data=request,
        headers={
            "Content-Type": "application/timestamp-query",
            "Accept": "application/timestamp-reply",
        },
    )
    try:
        with urllib.request.urlopen(asked, timeout=timeout_s) as answer:  # noqa: S310
            reply: bytes = answer.read(_LARGEST_REPLY_BYTES + 1)
    except http.client.IncompleteRead as error:
        return error.partial  # what arrived is judged like any other reply
    except urllib.error.HTTPError as error:
        raise BadInput(f"--tsa: {url} answered {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise BadInput(f"--tsa: {url} gave no reply ({reason}), try again or use files") from None
    if len(reply) > _LARGEST_REPLY_BYTES:
        raise BadInput(f"--tsa: {url} sent more than {_LARGEST_REPLY_BYTES} bytes")
    return reply


def check_reply(
    reply: bytes,
    request: bytes,
    *,
    sha256: bytes,
    trust: Trust,
    now: dt.datetime,
    argument: str,
) -> Stamp:
    """Check a reply (.tsr) to a query (.tsq) over the bytes with this digest.

    Raises:
        DoesNotCheck: anything is wrong with either, and what.
        BadInput: rfc3161-client is not installed, or no root certificates were passed.
    """
    from cryptography.hazmat.primitives import hashes

    if not trust.roots:
        raise BadInput("--tsa-root: got none, give the root certificate of the authority (.pem)")
    try:
        parsed = _parsed(reply)
        info, signer, attributes = parsed.tst_info, signer_of(reply), signed_attributes(reply)
    except _Refused as refused:
        raise DoesNotCheck(f"{argument}: {refused}") from None
    except (ValueError, KeyError, OverflowError) as error:
        raise DoesNotCheck(
            f"{argument}: no RFC 3161 reply, or cut short or changed: "
            f"{str(error).split(', location')[0]}"
        ) from None
    _check_says(info, request, sha256, argument)
    time = info.gen_time.astimezone(dt.UTC)
    _check_signer(signer, attributes, time, argument)
    _check_chain(parsed, trust, sha256, argument)
    certificates = certificates_in(reply)
    if not leads_to(trust.roots, signer, certificates, time):
        raise DoesNotCheck(
            f"{argument}: the signature or its certificates do not check against --tsa-root: no chain "
            "from the signer to a root given, valid at the stamp's time"
        )
    check_not_revoked(signer, certificates, trust, time, argument)
    if time > now + _CLOCK_SLACK:
        raise DoesNotCheck(f"{argument}: stamped at {time:%Y-%m-%d %H:%M:%S} UTC, which is not yet")
    return Stamp(
        time=time,
        latest=time + _accuracy(info),
        authority=signer.subject.rfc4514_string(),
        serial_number=info.serial_number,
        certificate_sha256=signer.fingerprint(hashes.SHA256()).hex(),
    )


class _Refused(Exception):
    """The authority said no."""


def _parsed(reply: bytes) -> Any:
    try:
        import rfc3161_client
    except ImportError:
        raise BadInput("stamps need rfc3161-client: pip install 'edgewm[records]'") from None
    parsed = rfc3161_client.decode_timestamp_response(der.with_sorted_certificates(reply))
    if parsed.status != 0:
        said = " ".join(parsed.status_string) or "no reason given"
        raise _Refused(f"the authority refused with status {parsed.status}: {said}")
    return parsed


def _check_says(info: Any, request: bytes, sha256: bytes, argument: str) -> None:
    """The reply is about this digest and answers this query."""
    imprint = info.message_imprint
    if imprint.hash_algorithm.dotted_string != "2.16.840.1.101.3.4.2.1":
        raise DoesNotCheck(f"{argument}: stamps a digest that is no SHA-256")
    if imprint.message != sha256:
        raise DoesNotCheck(
            f"{argument}: stamps the digest {imprint.message.hex()[:16]}..., "
            f"expected {sha256.hex()[:16]}...: it is a stamp of something else"
        )
    nonce = _nonce_of(request, sha256, argument)
    if info.nonce != nonce:
        raise DoesNotCheck(
            f"{argument}: its nonce is not that of the query: it answers another query"
        )


def _nonce_of(request: bytes, sha256: bytes, argument: str) -> int:
    """The nonce of a query of ours; the query must be exactly what `make_request` makes."""
    try:
        nonce = int.from_bytes(der.read(request).parts[2].content, "big")
        known = make_request(sha256, nonce.to_bytes(8, "big")) == request
    except (ValueError, IndexError, OverflowError):
        known = False
    if not known:
        raise DoesNotCheck(f"{argument}: its query is not one that edgewm made for this record")
    return nonce


def _check_signer(
    signer: Certificate, attributes: Sequence[der.Node], time: dt.datetime, argument: str
) -> None:
    """The signer's purpose and dates, and that it is the certificate that was signed."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        purposes = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (
        *(x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
        ValueError,
    ):
        purposes = None
    stamping = [ExtendedKeyUsageOID.TIME_STAMPING]
    if purposes is None or not purposes.critical or list(purposes.value) != stamping:
        raise DoesNotCheck(
            f"{argument}: the signer's certificate is not for time stamping only "
            "(critical extended key usage, RFC 3161 section 2.3)"
        )
    if not signer.not_valid_before_utc <= time <= signer.not_valid_after_utc:
        raise DoesNotCheck(
            f"{argument}: stamped at {time:%Y-%m-%d}, and the signer's certificate is valid from "
            f"{signer.not_valid_before_utc:%Y-%m-%d} to {signer.not_valid_after_utc:%Y-%m-%d} only "
            "(it had expired, or was not valid yet)"
        )
    try:
        named = names_certificate(attributes, signer)
    except (ValueError, IndexError):
        named = False
    if not named:
        raise DoesNotCheck(f"{argument}: the signature does not name the signer's certificate")


def _check_chain(parsed: Any, trust: Trust, sha256: bytes, argument: str) -> None:
    """One root at a time: of two roots under one name OpenSSL tries only the first."""
    import rfc3161_client

    told = ""
    for root in trust.roots:
        try:
            rfc3161_client.VerifierBuilder(roots=[root]).build().verify(parsed, sha256)
        except (rfc3161_client.VerificationError, ValueError) as error:
            _, marked, reason = str(error).partition("Verify error: ")
            told = reason.split('"')[0] if marked else "it was changed, or another key signed it"
        else:
            return
    raise DoesNotCheck(
        f"{argument}: the signature or its certificates do not check against --tsa-root: {told}"
    )


def _accuracy(info: Any) -> dt.timedelta:
    accuracy = info.accuracy
    if accuracy is None:
        return dt.timedelta()
    return dt.timedelta(
        seconds=accuracy.seconds or 0,
        milliseconds=accuracy.millis or 0,
        microseconds=accuracy.micros or 0,
    )
