"""Who signed a timestamp token: the parts of CMS (RFC 5652) that tie a signature to one certificate.

The token names its signer by issuer and serial number, outside the signature; a signed attribute holds the
digest of the certificate. Both must lead to the same one, and to one only: of two certificates under one
name and number, a library may check the signature with the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import der

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_SIGNING_CERTIFICATE = {
    "1.2.840.113549.1.9.16.2.12": "sha1",
    "1.2.840.113549.1.9.16.2.47": "sha256",
}
_ESS_DIGESTS = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}


def _signed_data(reply: bytes) -> list[der.Node]:
    _, token = der.read(reply).parts
    return token.parts[1].parts[0].parts


def _signer_info(reply: bytes) -> list[der.Node]:
    signers = _signed_data(reply)[-1].parts
    if len(signers) != 1:
        raise ValueError(f"{len(signers)} signers, expected one")
    return signers[0].parts


def signer_of(reply: bytes) -> Certificate:
    """The one certificate in the reply that the signature names by issuer and serial number.

    Raises:
        ValueError: no such reply, no such certificate, or several.
    """
    issuer, serial_number = _signer_info(reply)[1].parts
    found = [
        certificate
        for certificate in certificates_in(reply)
        if certificate.issuer.public_bytes() == issuer.encoded
        and der.whole_number(certificate.serial_number) == serial_number.encoded
    ]
    if len(found) != 1:
        raise ValueError(f"{len(found)} certificates of its signer are inside, expected one")
    return found[0]


def certificates_in(reply: bytes) -> list[Certificate]:
    """Every certificate in the reply.

    Raises:
        ValueError: no such reply, or no certificates.
    """
    from cryptography import x509

    fields = [field for field in _signed_data(reply) if field.tag == der.FIRST]
    try:
        return [
            x509.load_der_x509_certificate(part.encoded) for field in fields for part in field.parts
        ]
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from None


def signed_attributes(reply: bytes) -> list[der.Node]:
    """The attributes that the signature covers.

    Raises:
        ValueError: no such reply, or none.
    """
    found = _signer_info(reply)[3]
    if found.tag != der.FIRST:
        raise ValueError("the signature has no signed attributes")
    return found.parts


def names_certificate(attributes: Sequence[der.Node], signer: Certificate) -> bool:
    """Whether a signed attribute (ESSCertID of RFC 2634, ESSCertIDv2 of RFC 5035) is this one's digest."""
    from cryptography.hazmat.primitives.serialization import Encoding

    encoded = signer.public_bytes(Encoding.DER)
    for attribute in attributes:
        digest = _SIGNING_CERTIFICATE.get(der.dotted(attribute.parts[0]))
        if digest is None:
            continue
        first = attribute.parts[1].parts[0].parts[0].parts[0].parts
        if first[0].tag == der.SEQUENCE:  # v2 names its digest unless it is SHA-256
            digest = _ESS_DIGESTS[der.dotted(first[0].parts[0])]
            first = first[1:]
        return hashlib.new(digest, encoded, usedforsecurity=False).digest() == first[0].content
    return False
