"""A timestamp authority for show: OpenSSL's own, with a certificate made a moment ago on the owner's machine.

Its replies are real RFC 3161 and check like any other's, and prove nothing, since the owner could set its
clock. The demo needs one that works without a network; a real claim is stamped by somebody else.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import BadInput

NAME = "edgewm demo authority (for show only)"
_DAYS = "3650"
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_SETTINGS = """[tsa]
default_tsa = responder
[responder]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


@dataclass(frozen=True, kw_only=True)
class ShowAuthority:
    """A folder with a root, a signer and their keys."""

    folder: Path

    @property
    def root(self) -> Path:
        """The root certificate (.pem)."""
        return self.folder / "root.pem"

    def reply(self, request: bytes) -> bytes:
        """The reply (.tsr) to a query (.tsq), at this machine's time."""
        query, reply = self.folder / "query.tsq", self.folder / "reply.tsr"
        query.write_bytes(request)
        held = ("-config", self.folder / "settings", "-queryfile", query, "-out", reply)
        signer = ("-signer", self.folder / "signer.pem", "-inkey", self.folder / "signer.key")
        _openssl("ts", "-reply", *held, *signer, "-chain", self.root)
        return reply.read_bytes()


def make_show_authority(folder: Path) -> ShowAuthority:
    """A new authority in a new folder.

    Raises:
        BadInput: openssl is not installed, or it refused.
    """
    folder.mkdir(parents=True)
    made = ShowAuthority(folder=folder)
    (folder / "serial").write_text("01\n")
    (folder / "settings").write_text(_SETTINGS.format(folder=folder))
    (folder / "purpose").write_text("extendedKeyUsage=critical,timeStamping\n")
    signer, asked = folder / "signer.pem", folder / "signer.csr"
    keys = folder / "root.key", folder / "signer.key"
    authority = ("-x509", "-subj", f"/CN={NAME}", "-days", _DAYS, "-out", made.root)
    _openssl("req", *_CURVE, *authority, "-keyout", keys[0])
    _openssl("req", *_CURVE, "-subj", f"/CN={NAME} - signer", "-out", asked, "-keyout", keys[1])
    by_root = ("-CA", made.root, "-CAkey", keys[0], "-CAcreateserial", "-days", _DAYS)
    _openssl("x509", "-req", "-in", asked, *by_root, "-extfile", folder / "purpose", "-out", signer)
    return made


def _openssl(*arguments: str | Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise BadInput("demo: stamps need openssl: apt-get install openssl")
    done = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BadInput(f"demo: openssl refused: {done.stderr.strip().splitlines()[-1]}")
