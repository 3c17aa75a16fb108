"""A real timestamp authority for tests: OpenSSL's responder behind a small HTTP server on loopback.

Certificates are made here (root, intermediate, signers good and bad); every reply is signed by the openssl
program, so that none of our code checks itself.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edgewm import der
from edgewm.authorities import Trust

SETTINGS = """
[tsa]
default_tsa = responder
[responder]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = {digests}
accuracy = secs:{accuracy_s}
ess_cert_id_alg = {ess}
"""
TST_INFO = "1.2.840.113549.1.9.16.1.4"


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A folder with certificates, keys and the responder's settings."""

    folder: Path

    @property
    def root_path(self) -> Path:
        return self.folder / "root.pem"

    @property
    def chain_path(self) -> Path:
        """What `openssl ts -verify` is given beside the root."""
        return self.folder / "issuer.pem"

    def certificate(self, name: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.folder / f"{name}.pem").read_bytes())

    def key(self, name: str) -> ec.EllipticCurvePrivateKey:
        held = serialization.load_pem_private_key(
            (self.folder / f"{name}.key").read_bytes(), password=None
        )
        assert isinstance(held, ec.EllipticCurvePrivateKey)
        return held

    def trust(self, *revoked: x509.CertificateRevocationList) -> Trust:
        return Trust(roots=(self.certificate("root"),), revoked=revoked)

    def reply(
        self,
        request: bytes,
        *,
        signer: str = "signer",
        digests: str = "sha256",
        ess: str = "sha256",
        accuracy_s: int = 1,
    ) -> bytes:
        """What `openssl ts -reply` answers, the whole chain inside."""
        text = SETTINGS.format(folder=self.folder, digests=digests, ess=ess, accuracy_s=accuracy_s)
        settings, query, out = (self.folder / n for n in ("ts.cnf", "in.tsq", "out.tsr"))
        settings.write_text(text)
        query.write_bytes(request)
        named = ["-signer", self.folder / f"{signer}.pem", "-inkey", self.folder / f"{signer}.key"]
        _openssl(
            *("ts", "-reply", "-config", settings, "-queryfile", query, *named),
            *("-chain", self.folder / "chain.pem", "-out", out),
        )
        return out.read_bytes()

    def reply_for_another_purpose(self, request: bytes) -> bytes:
        """A reply by a certificate for code signing; `openssl ts` refuses to, `openssl cms` does not."""
        good = der.read(self.reply(request))
        status, token = good.parts
        info = token.parts[1].parts[0].parts[2].parts[1].parts[0].content
        (self.folder / "info.der").write_bytes(info)
        out = self.folder / "cms.der"
        _openssl(
            *("cms", "-sign", "-binary", "-nodetach", "-cades", "-md", "sha256", "-outform", "DER"),
            *("-in", self.folder / "info.der", "-econtent_type", TST_INFO, "-out", out),
            *("-signer", self.folder / "coder.pem", "-inkey", self.folder / "coder.key"),
            *("-certfile", self.folder / "chain.pem"),
        )
        return der.write(der.SEQUENCE, status.encoded, out.read_bytes())

    def revocation_list(
        self,
        name: str,
        reason: x509.ReasonFlags | None,
        *,
        when: dt.datetime,
        by: str = "issuer",
        issuer: str = "issuer",
    ) -> x509.CertificateRevocationList:
        """An issuer's list with one certificate on it; `by` another key, it is a forged one."""
        entry = x509.RevokedCertificateBuilder().serial_number(self.certificate(name).serial_number)
        entry = entry.revocation_date(when)
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        made = x509.CertificateRevocationListBuilder().issuer_name(self.certificate(issuer).subject)
        made = made.last_update(when).next_update(when + dt.timedelta(days=30))
        return made.add_revoked_certificate(entry.build()).sign(self.key(by), hashes.SHA256())


def make_authority(folder: Path, *, now: dt.datetime, years: int = 10) -> Authority:
    """A new authority: signer is good, expired is past its end, coder is for code signing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "serial").write_text("01\n")
    made = Authority(folder=folder)
    long = (now - dt.timedelta(days=30), now + dt.timedelta(days=365 * years))
    short = (now - dt.timedelta(days=30), now - dt.timedelta(days=5))
    stamping = ExtendedKeyUsageOID.TIME_STAMPING
    issue(made, "root", by="root", dates=long)
    issue(made, "issuer", by="root", dates=long)
    issue(made, "signer", by="issuer", dates=long, purpose=stamping)
    issue(made, "expired", by="issuer", dates=short, purpose=stamping)
    issue(made, "coder", by="issuer", dates=long, purpose=ExtendedKeyUsageOID.CODE_SIGNING)
    chain = [(folder / f"{name}.pem").read_bytes() for name in ("issuer", "root")]
    (folder / "chain.pem").write_bytes(b"".join(chain))
    return made


def issue(
    authority: Authority,
    name: str,
    *,
    by: str,
    dates: tuple[dt.datetime, dt.datetime],
    purpose: x509.ObjectIdentifier | None = None,
    again_as: str | None = None,
    number_of: str | None = None,
    new_number: bool = False,
) -> None:
    """Make NAME.pem and NAME.key.

    `again_as` issues a second certificate with that one's key, subject and number (or a `new_number`);
    `number_of` one with the number of another.
    """
    folder = authority.folder
    own = authority.key(again_as) if again_as else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test {again_as or name}")])
    numbered = None if new_number else again_as or number_of
    serial = (
        authority.certificate(numbered).serial_number if numbered else x509.random_serial_number()
    )
    issuer = subject if by == name else authority.certificate(by).subject
    signing = own if by == name else authority.key(by)
    made = x509.CertificateBuilder(issuer, subject, own.public_key(), serial, *dates)
    made = made.add_extension(
        x509.BasicConstraints(ca=purpose is None, path_length=None), critical=True
    )
    if purpose is not None:
        made = made.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    encoding, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / f"{name}.key").write_bytes(
        own.private_bytes(encoding, pkcs8, serialization.NoEncryption())
    )
    (folder / f"{name}.pem").write_bytes(made.sign(signing, hashes.SHA256()).public_bytes(encoding))


@contextlib.contextmanager
def serving(answer: Callable[[bytes], bytes], *, drop: int = 0) -> Iterator[str]:
    """The address of a server that answers queries; the last `drop` bytes of an answer never arrive."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            reply = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply[: len(reply) - drop])

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on stderr."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/stamp"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
