"""Records: what is signed is what is kept, other tools agree, and one changed byte is noticed."""

from __future__ import annotations

import base64
import datetime as dt
import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edgewm.envelope import PAYLOAD_TYPE, seal, unseal
from edgewm.errors import BadInput, DoesNotCheck
from edgewm.records import BEFORE_THE_FIRST, Subject, make_record, read_record
from tests.ledgers import KEY, OTHER_KEY, THEN, changed_bytes
from tests.needs import needs

pytestmark = needs("securesystemslib")
SUBJECT = Subject(name="model.tflite", sha256="ab" * 32)


def release(**more: object):
    arguments = {
        "number": 1,
        "previous": BEFORE_THE_FIRST,
        "now": THEN,
        "subjects": [SUBJECT],
        "details": {"to": "Bób"},
        **more,
    }
    return make_record("release", KEY, **arguments)


def signed(payload: bytes) -> tuple[bytes, bytes]:
    """DSSE's pre-authentication encoding, written anew from its specification, and the payload type."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload), kind


def test_a_record_reads_back_as_it_was_made():
    """Fields and bytes; the statement is in-toto's version 1."""
    record = release()
    assert read_record(record.content, argument="X") == record
    assert (record.kind, record.time, record.subjects) == ("release", THEN, (SUBJECT,))
    assert record.claimant == KEY.public_key.hex()
    payload = json.loads(unseal(record.content, argument="X").payload)
    assert payload["_type"] == "https://in-toto.io/Statement/v1"
    assert payload["subject"] == [{"name": "model.tflite", "digest": {"sha256": "ab" * 32}}]


def test_another_library_checks_the_signature():
    """cryptography, over DSSE's encoding written out here: the signed bytes are the stored ones."""
    held = json.loads(release().content)
    encoded, _ = signed(base64.b64decode(held["payload"]))
    public = Ed25519PublicKey.from_public_bytes(KEY.public_key)
    public.verify(base64.b64decode(held["signatures"][0]["sig"]), encoded)


@needs("openssl")
def test_openssl_checks_the_signature(tmp_path: Path):
    """`openssl pkeyutl` agrees, and refuses the same signature under another key."""
    held = json.loads(release().content)
    (tmp_path / "signed").write_bytes(signed(base64.b64decode(held["payload"]))[0])
    (tmp_path / "sig").write_bytes(base64.b64decode(held["signatures"][0]["sig"]))
    said = []
    for key in (KEY, OTHER_KEY):
        pem = Ed25519PublicKey.from_public_bytes(key.public_key).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (tmp_path / "key.pem").write_bytes(pem)
        line = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in signed -sigfile sig"
        done = subprocess.run(line.split(), cwd=tmp_path, capture_output=True, check=False)
        said.append(done.returncode)
    assert said[0] == 0
    assert said[1] != 0


def test_securesystemslib_checks_the_envelope():
    """The library that others use reads our bytes; with another key it refuses."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey

    def key_of(named: str, public: str) -> SSlibKey:
        return SSlibKey(named, "ed25519", "ed25519", {"public": public})

    name = KEY.public_key.hex()
    envelope = Envelope.from_dict(json.loads(release().content))
    assert set(envelope.verify([key_of(name, name)], 1)) == {name}
    with pytest.raises(VerificationError):
        envelope.verify([key_of(name, OTHER_KEY.public_key.hex())], 1)


def test_every_changed_byte_of_an_envelope_is_noticed():
    """200 one-byte changes: each refused in one line, none an error of another kind."""
    content = release().content
    for _, changed in changed_bytes({"envelope": content}, 200, seed=1):
        with pytest.raises(DoesNotCheck):
            read_record(changed, argument="X")


@pytest.mark.parametrize(
    "respelled",
    [
        json.dumps,
        lambda held: json.dumps(held, separators=(",", ":")) + "\n",
        lambda held: json.dumps({**held, "more": 1}, separators=(",", ":")),
        lambda held: json.dumps(
            {**held, "signatures": held["signatures"] * 2}, separators=(",", ":")
        ),
        lambda held: json.dumps(
            {**held, "payload": held["payload"].replace("=", "") + "\n"}, separators=(",", ":")
        ),
    ],
)
def test_an_envelope_has_one_spelling(respelled):
    """The same content spelled differently is refused: else a byte could change unseen."""
    content = respelled(json.loads(release().content)).encode()
    with pytest.raises(DoesNotCheck, match="not a signed record as edgewm writes it"):
        read_record(content, argument="X")


def statement(**changes: object) -> dict[str, object]:
    held = json.loads(unseal(release().content, argument="X").payload)
    return {**held, **changes}


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"[]", "no edgewm record"),
        (b"[" * 100_000, "no edgewm record"),
        (b"\xff", "no edgewm record"),
        (statement(_type="https://in-toto.io/Statement/v0.1"), "in-toto statement of version 1"),
        (statement(predicateType="edgewm:record/gift/v1"), "expected one of claim"),
        (statement(predicateType="edgewm:record/claim/v1"), "trigger_root is missing"),
        (statement(predicateType="edgewm:record/release/v2"), "kind"),
        (statement(subject=[]), "one subject or more"),
        (statement(subject=[{"name": "x", "digest": {"sha1": "ab"}}]), "a sha256"),
        (statement(more=1), "expected _type"),
    ],
)
def test_signed_statements_of_another_form_are_refused(payload, said: str):
    """A good signature over something that is no record of this version."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    with pytest.raises(DoesNotCheck, match=said):
        read_record(seal(raw, KEY), argument="X")


def test_a_name_that_stands_twice_is_refused():
    """Two readers would take different values: one statement would be two claims."""
    text = json.dumps(statement()).replace('"to":', '"to": "Eve", "to":')
    with pytest.raises(DoesNotCheck, match="stands twice"):
        read_record(seal(text.encode(), KEY), argument="X")


def test_a_record_signed_for_somebody_else_is_refused():
    """The claimant that is named is the key that signs."""
    with pytest.raises(DoesNotCheck, match="as the claimant"):
        read_record(seal(json.dumps(statement()).encode(), OTHER_KEY), argument="X")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"now": dt.datetime(2026, 1, 1)}, "time zone"),
        ({"details": {}}, "to is missing"),
        ({"details": {"to": "Bob", "rate": float("nan")}}, "JSON"),
        ({"details": {"to": "Bob", "rate": {1, 2}}}, "JSON"),
        ({"subjects": []}, "one subject or more"),
    ],
)
def test_records_that_cannot_be_made(more: dict[str, object], said: str):
    """Bad input is refused before anything is kept."""
    with pytest.raises(BadInput, match=said):
        release(**more)
