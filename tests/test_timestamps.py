"""Stamps of a real authority: what is good, and every way of being bad, each with its reason."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from edgewm import der
from edgewm.authorities import Trust, read_trust
from edgewm.errors import BadInput, DoesNotCheck
from edgewm.timestamps import Stamp, ask_authority, check_reply, make_request
from tests.authority import Authority, issue, make_authority, serving
from tests.ledgers import NONCE, changed_bytes, clock
from tests.needs import needs

pytestmark = [needs("openssl"), needs("rfc3161")]
DIGEST = hashlib.sha256(b"a claim").digest()
REQUEST = make_request(DIGEST, NONCE)
DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), now=clock())


def checked(
    reply: bytes,
    authority: Authority,
    *,
    trust: Trust | None = None,
    now: dt.datetime | None = None,
) -> Stamp:
    return check_reply(
        reply,
        REQUEST,
        sha256=DIGEST,
        trust=trust or authority.trust(),
        now=now or clock(),
        argument="STAMP",
    )


def refused(reply: bytes, authority: Authority, **more: object) -> str:
    with pytest.raises(DoesNotCheck) as raised:
        checked(reply, authority, **more)
    assert raised.value.exit_code == 3
    assert len(str(raised.value).splitlines()) == 1
    return str(raised.value)


@pytest.mark.parametrize("ess", ["sha1", "sha256", "sha512"])
def test_a_good_stamp_checks(authority: Authority, ess: str):
    """OpenSSL's reply with its whole chain, which rfc3161-client alone does not read."""
    import rfc3161_client

    before = clock()
    reply = authority.reply(REQUEST, ess=ess)
    stamp = checked(reply, authority)
    assert abs(stamp.time - before) < dt.timedelta(seconds=5)
    assert stamp.latest == stamp.time + dt.timedelta(seconds=1)
    assert stamp.authority == "CN=test signer"
    sorted_copy = der.with_sorted_certificates(reply)
    assert sorted(sorted_copy) == sorted(reply)
    assert rfc3161_client.decode_timestamp_response(sorted_copy).status == 0


def test_openssl_reads_the_query_and_checks_the_reply(authority: Authority, tmp_path: Path):
    """`openssl ts -verify` agrees on the same bytes, and refuses them for another query."""
    (tmp_path / "r.tsr").write_bytes(authority.reply(REQUEST))
    codes = []
    for request in (REQUEST, make_request(DIGEST, b"8 others")):
        (tmp_path / "q.tsq").write_bytes(request)
        line = f"openssl ts -verify -in r.tsr -queryfile q.tsq -CAfile {authority.root_path}"
        line += f" -untrusted {authority.chain_path}"
        done = subprocess.run(line.split(), cwd=tmp_path, capture_output=True, check=False)
        codes.append(done.returncode)
    assert codes == [0, 1]


def test_a_stamp_is_judged_at_its_own_time(authority: Authority):
    """Years after its certificates have ended it still checks; a day before it was made it does not."""
    reply = authority.reply(REQUEST)
    assert checked(reply, authority, now=clock() + 36_500 * DAY) == checked(reply, authority)
    assert "which is not yet" in refused(reply, authority, now=clock() - DAY)


def test_bad_stamps_are_refused_with_their_reason(authority: Authority):
    """Wrong nonce, wrong digest, expired certificate, wrong purpose, an authority that says no."""
    other = hashlib.sha256(b"another claim").digest()
    bad = {
        "it answers another query": authority.reply(make_request(DIGEST, b"8 others")),
        "it is a stamp of something else": authority.reply(make_request(other, NONCE)),
        "it had expired": authority.reply(REQUEST, signer="expired"),
        "not for time stamping only": authority.reply_for_another_purpose(REQUEST),
        "refused with status 2: Message digest": authority.reply(REQUEST, digests="sha512"),
        "no RFC 3161 reply": b"<html>busy</html>",
    }
    for reason, reply in bad.items():
        assert reason in refused(reply, authority)


def test_a_query_that_is_not_ours_is_refused(authority: Authority):
    """The nonce is compared with a query of exactly our form over this digest."""
    reply = authority.reply(REQUEST)
    for request in (b"", REQUEST[:-1], REQUEST + b"\x00", make_request(b"\x00" * 32, NONCE)):
        with pytest.raises(DoesNotCheck, match="its query is not one that edgewm made"):
            check_reply(
                *(reply, request),
                sha256=DIGEST,
                trust=authority.trust(),
                now=clock(),
                argument="STAMP",
            )


def test_a_truncated_reply_is_refused_wherever_it_ends(authority: Authority):
    """From nothing to all but one byte."""
    reply = authority.reply(REQUEST)
    for length in [*range(0, len(reply), 37), len(reply) - 1]:
        assert "cut short" in refused(reply[:length], authority)


def test_another_authoritys_root_is_not_trusted(authority: Authority, tmp_path: Path):
    """Names are the same, keys are not; and without any root nothing can be checked.

    Twenty times, since what a library takes for the signer may depend on the order of random bytes.
    """
    for at in range(20):
        other = make_authority(tmp_path / str(at), now=clock())
        for signs, trusted in ((authority, other), (other, authority)):
            reply = signs.reply(REQUEST)
            said = refused(reply, authority, trust=trusted.trust())
            assert "do not check against --tsa-root" in said
    with pytest.raises(BadInput, match="--tsa-root: got none"):
        checked(authority.reply(REQUEST), authority, trust=Trust(roots=()))


def test_a_certificate_put_in_the_place_of_the_signers_is_refused(authority: Authority):
    """Same key, issuer and number, later end: the signed attributes name the digest of the other."""
    now = clock()
    issue(
        authority,
        "longer",
        by="issuer",
        dates=(now - DAY, now + 9 * DAY),
        purpose=ExtendedKeyUsageOID.TIME_STAMPING,
        again_as="expired",
    )
    reply = authority.reply(REQUEST, signer="expired")
    old, new = encoded(authority.certificate("expired")), encoded(authority.certificate("longer"))
    swapped = with_certificates(reply, lambda held: [new if c == old else c for c in held])
    assert "does not name the signer's certificate" in refused(swapped, authority)


def test_a_second_certificate_under_the_signers_name_is_refused(
    authority: Authority, tmp_path: Path
):
    """A liar's reply, signed by their own key under the real signer's name and number, holds both."""
    liar = make_authority(tmp_path / "liar", now=clock())
    for name in ("signer", "issuer"):
        for ending in ("pem", "key"):
            (liar.folder / f"real-{name}.{ending}").write_bytes(
                (authority.folder / f"{name}.{ending}").read_bytes()
            )
    dates = (clock() - DAY, clock() + DAY)
    stamping = ExtendedKeyUsageOID.TIME_STAMPING
    issue(liar, "fake", by="issuer", dates=dates, purpose=stamping, number_of="real-signer")
    forged = liar.reply(REQUEST, signer="fake")
    assert "do not check against --tsa-root" in refused(forged, authority)
    real = [authority.certificate(name) for name in ("signer", "issuer", "root")]
    both = with_certificates(forged, lambda held: [*held, *map(encoded, real)])
    assert "2 certificates of its signer are inside" in refused(both, authority)
    only = with_certificates(forged, lambda _: [encoded(one) for one in real])
    assert "does not name the signer's certificate" in refused(only, authority)


def encoded(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def with_certificates(reply: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    """The reply with other certificates, which no signature covers."""
    status, token = der.read(reply).parts
    signed = token.parts[1].parts[0].parts
    new = change([part.encoded for part in signed[3].parts])
    fields = [*(p.encoded for p in signed[:3]), der.write(der.FIRST, *new), signed[4].encoded]
    content = der.write(der.FIRST, der.write(der.SEQUENCE, *fields))
    held = der.write(der.SEQUENCE, token.parts[0].encoded, content)
    return der.write(der.SEQUENCE, status.encoded, held)


def test_revocation_follows_rfc_3161(authority: Authority):
    """A harmless reason leaves earlier stamps good; key compromise, or no reason, leaves none."""
    reply, now = authority.reply(REQUEST), clock()
    reasons = x509.ReasonFlags
    stays = authority.revocation_list("signer", reasons.superseded, when=now + DAY)
    other = authority.revocation_list("expired", reasons.key_compromise, when=now - DAY)
    assert checked(reply, authority, trust=authority.trust(stays, other)).serial_number
    for reason, when in (
        (reasons.superseded, now - DAY),
        (reasons.key_compromise, now + DAY),
        (None, now + DAY),
    ):
        gone = authority.revocation_list("signer", reason, when=when)
        assert "was revoked on" in refused(reply, authority, trust=authority.trust(gone))
    forged = authority.revocation_list("signer", None, when=now, by="signer")
    assert "--crl: not signed by" in refused(reply, authority, trust=authority.trust(forged))


def test_a_revoked_intermediate_leaves_no_chain(authority: Authority):
    """By the list of the root, and by its reason, as for the signer; other lists do not matter.

    The control: beside a second certificate of the same intermediate, not revoked, a chain is left.
    """
    reply, now = authority.reply(REQUEST), clock()
    reasons = x509.ReasonFlags

    def listed(name: str, reason: x509.ReasonFlags | None, when: dt.datetime, **more: str) -> Trust:
        one = authority.revocation_list(name, reason, when=when, issuer="root", **more)
        return authority.trust(one)

    for trust in (
        listed("issuer", reasons.superseded, now + DAY, by="root"),
        listed("signer", reasons.ca_compromise, now - DAY, by="root"),
    ):
        assert checked(reply, authority, trust=trust).serial_number
    for reason, when in ((reasons.ca_compromise, now + DAY), (None, now + DAY)):
        said = refused(reply, authority, trust=listed("issuer", reason, when, by="root"))
        assert "between the signer and --tsa-root was revoked: CN=test issuer on" in said
    said = refused(
        reply, authority, trust=listed("issuer", reasons.superseded, now - DAY, by="root")
    )
    assert "(superseded)" in said
    forged = listed("issuer", None, now, by="signer")
    assert "--crl: not signed by CN=test root" in refused(reply, authority, trust=forged)
    dates = (now - DAY, now + DAY)
    issue(authority, "twin", by="root", dates=dates, again_as="issuer", new_number=True)
    both = with_certificates(reply, lambda held: [*held, encoded(authority.certificate("twin"))])
    gone = listed("issuer", reasons.ca_compromise, now + DAY, by="root")
    assert checked(both, authority, trust=gone).serial_number
    assert "CN=test issuer on" in refused(reply, authority, trust=gone)


def test_changed_bytes_never_change_what_a_stamp_says(authority: Authority):
    """Of 600 one-byte changes each is refused, or lies in a certificate that nothing hangs on.

    The ledger and a disclosure also hold the digest of the reply: there every change is refused.
    """
    reply = authority.reply(REQUEST)
    good, accepted = checked(reply, authority), 0
    for _, changed in changed_bytes({"reply": reply}, 600, seed=4):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cryptography remarks on odd certificates
            with contextlib.suppress(DoesNotCheck):
                assert checked(changed, authority) == good
                accepted += 1
    assert accepted < 200


def test_online(authority: Authority):
    """The query goes out, the reply comes back as it was sent."""
    with serving(authority.reply) as url:
        assert checked(ask_authority(url, REQUEST), authority).authority == "CN=test signer"


def test_a_reply_that_breaks_off_is_refused(authority: Authority):
    """The connection ends early: what arrived is judged and refused, as are other addresses."""
    with serving(authority.reply, drop=100) as url:
        assert "cut short" in refused(ask_authority(url, REQUEST), authority)
    with pytest.raises(BadInput, match="gave no reply"):
        ask_authority(url, REQUEST, timeout_s=2)
    with pytest.raises(BadInput, match="expected an address"):
        ask_authority("file:///etc/passwd", REQUEST)


def test_trust_is_read_from_files(authority: Authority, tmp_path: Path):
    """PEM and DER; anything else is one line."""
    revoked = authority.revocation_list("expired", None, when=clock())
    for encoding in (Encoding.PEM, Encoding.DER):
        (tmp_path / "list.crl").write_bytes(revoked.public_bytes(encoding))
        held = read_trust([authority.root_path], [tmp_path / "list.crl"])
        assert (len(held.roots), held.revoked) == (1, (revoked,))
    for roots, lists in (([tmp_path / "list.crl"], []), ([tmp_path / "none"], [])):
        with pytest.raises(BadInput, match="--tsa-root: "):
            read_trust(roots, lists)
    with pytest.raises(BadInput, match="--crl: "):
        read_trust([], [authority.root_path])


@pytest.mark.parametrize(
    "encoded", [b"", b"\x30", b"\x30\x80", b"\x30\x81\x05", b"\x30\x05\x02", b"\x1f\x01\x00"]
)
def test_what_is_no_der_is_refused(encoded: bytes):
    """Cut short, indefinite or padded lengths, long tags."""
    with pytest.raises(ValueError, match=r"cut short|length|tag"):
        der.read(encoded)


def test_der_is_written_as_openssl_writes_it(tmp_path: Path):
    """Long and short lengths, and whole numbers with the high bit set."""
    long = der.write(der.SEQUENCE, der.whole_number(1 << 2047), der.whole_number(0))
    (tmp_path / "x.der").write_bytes(long)
    line = "openssl asn1parse -inform DER -in x.der"
    done = subprocess.run(line.split(), cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count("INTEGER") == 2
    assert der.read(long).parts[0].content == b"\x00" + (1 << 2047).to_bytes(256, "big")
