"""A dossier binds its parts by one digest; parts and samples are shown alone, and nothing else can be."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from edgewm import commitment
from edgewm.architecture import graph_of
from edgewm.archive import pack, unpack
from edgewm.dossier import FORMAT, Dossier, claim_naming, leaf, make_dossier, read_dossier
from edgewm.dossier_proof import FORMAT as PROOF_FORMAT
from edgewm.dossier_proof import is_proof, prove_parts, prove_sample, read_proof
from edgewm.errors import BadInput, DoesNotCheck
from edgewm.hashing import H, encode
from edgewm.records import make_record
from edgewm.software import software_versions
from edgewm.training_set import TrainingSet, read_training_set
from tests import golden
from tests.ledgers import KEY, THEN, claimed
from tests.needs import needs

PARTS = {"seed": b"7", "parameters": b'{"epochs": 3}', "drawing": b"\x89PNG"}


def fixed(length: int) -> bytes:
    return b"r" * length


@pytest.fixture
def data(tmp_path: Path) -> TrainingSet:
    x = np.random.default_rng(3).random((50, 4)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(50))
    return read_training_set(str(tmp_path / "x.npz"))


@pytest.fixture
def dossier(data: TrainingSet) -> Dossier:
    return make_dossier(PARTS, data, random=fixed)


def test_it_comes_back_as_it_was(dossier: Dossier):
    """Written and read; `repr` shows no secret, and another secret gives another digest."""
    held = read_dossier(dossier.content())
    assert not is_proof(dossier.content())
    assert is_proof(prove_parts(dossier, ["seed"]))
    assert held == dossier
    assert held.digest == dossier.digest
    assert "7272" not in repr(held)
    assert make_dossier(PARTS, random=lambda n: b"q" * n).digest != (
        make_dossier(PARTS, random=fixed).digest
    )


def test_every_part_changes_the_digest(dossier: Dossier, data: TrainingSet):
    """One byte of any part, a part more or less, and the training set."""
    seen = {dossier.digest, make_dossier(PARTS, random=fixed).digest}
    for name, part in PARTS.items():
        seen.add(make_dossier({**PARTS, name: part + b"x"}, data, random=fixed).digest)
        rest = {other: part for other, part in PARTS.items() if other != name}
        seen.add(make_dossier(rest, data, random=fixed).digest)
    assert len(seen) == 2 + 2 * len(PARTS)


def test_a_small_part_cannot_be_guessed(dossier: Dossier):
    """The hash of the seed stands in the path of its neighbour: who has its salt can confirm a guess."""
    shown = prove_parts(dossier, ["training_set"])
    held = json.loads(unpack(shown, format=PROOF_FORMAT, argument="p")["proof.json"])
    (opened,) = held["opened"]
    beside = bytes.fromhex(opened["path"][0])

    def confirmed(salt: bytes) -> list[int]:
        leaves = [leaf("seed", salt, str(guess).encode()) for guess in range(100)]
        return [guess for guess, one in enumerate(leaves) if commitment.leaf_hash(one) == beside]

    assert confirmed(dossier.salt("seed")) == [7]
    known = [b"", bytes.fromhex(opened["salt"]), bytes.fromhex(held["digest"]), b"\x00" * 32]
    assert [confirmed(salt) for salt in known] == [[]] * 4
    for secret in (dossier.salt("seed"), dossier.secret, dossier.sample_secret):
        assert secret.hex().encode() not in shown


def test_one_sample_is_proved_and_no_other(dossier: Dossier, data: TrainingSet):
    """Its bytes and label; a sample that was not in the set cannot be put in its place."""
    shown = prove_sample(dossier, data, 17)
    held = read_proof(shown)
    assert held.digest == dossier.digest
    assert held.sample is not None
    assert (held.sample.index, held.sample.name) == (17, b"float32[4]")
    assert held.sample.label == (17).to_bytes(8, "little")
    assert held.content == data.content(17)[1]
    members = unpack(shown, format=PROOF_FORMAT, argument="p")
    for name, other in (("sample", data.content(18)[1]), ("parts/training_set", b"{}")):
        forged = pack({**members, name: other}, format=PROOF_FORMAT)
        with pytest.raises(DoesNotCheck):
            read_proof(forged)


@pytest.mark.parametrize("field", ["index", "name", "salt", "label", "path"])
def test_nothing_of_a_proof_can_be_changed(dossier: Dossier, data: TrainingSet, field: str):
    """A container that is in order, around a sample proof with one field of another sample's."""
    members = unpack(prove_sample(dossier, data, 17), format=PROOF_FORMAT, argument="p")
    other = unpack(prove_sample(dossier, data, 20), format=PROOF_FORMAT, argument="p")
    held, swapped = json.loads(members["proof.json"]), json.loads(other["proof.json"])
    swapped["sample"]["name"] = b"float32[5]".hex()
    held["sample"][field] = swapped["sample"][field]
    forged = pack({**members, "proof.json": json.dumps(held).encode()}, format=PROOF_FORMAT)
    with pytest.raises(DoesNotCheck, match="not in the training set"):
        read_proof(forged)


def test_parts_of_another_dossier_are_refused(dossier: Dossier):
    """Another digest, salt, path, number of parts, or content."""
    members = unpack(prove_parts(dossier, ["seed"]), format=PROOF_FORMAT, argument="p")
    held = json.loads(members["proof.json"])
    part = held["opened"][0]
    for changes in (
        {"digest": "ab" * 32},
        {"parts": 5},
        {"opened": []},
        {"opened": [part, part]},
        {"opened": [{**part, "salt": "00" * 32}]},
        {"opened": [{**part, "index": part["index"] ^ 1}]},
        {"opened": [{**part, "path": part["path"][:-1]}]},
        {"opened": [{**part, "index": 1 << 70}], "parts": 1 << 71},
        {"sample": {}},
        {"format": "edgewm-dossier-proof-2"},
    ):
        forged = {**members, "proof.json": json.dumps({**held, **changes}).encode()}
        with pytest.raises(DoesNotCheck):
            read_proof(pack(forged, format=PROOF_FORMAT))
    with pytest.raises(DoesNotCheck):
        read_proof(pack({**members, "parts/seed": b"8"}, format=PROOF_FORMAT))
    with pytest.raises(DoesNotCheck, match="holds more, which is no part of it"):
        read_proof(pack({**members, "more": b""}, format=PROOF_FORMAT))
    assert read_proof(pack(members, format=PROOF_FORMAT)).parts == {"seed": b"7"}


def test_a_dossier_that_does_not_hang_together_is_refused(dossier: Dossier):
    """Containers that are in order around something else."""
    members = unpack(dossier.content(), format=FORMAT, argument="d")
    for changes in (
        {"blocks": b"\x00" * 32},
        {"blocks": b""},
        {"parts/seed": b"8"},
        {"parts/training_set": b"[]"},
        {"dossier.json": b"[]"},
        {"dossier.json": members["dossier.json"].replace(b"72", b"73", 1)},
        {"more": b""},
    ):
        with pytest.raises(DoesNotCheck):
            read_dossier(pack({**members, **changes}, format=FORMAT))
    del members["blocks"]
    with pytest.raises(DoesNotCheck):
        read_dossier(pack(members, format=FORMAT))


@needs("securesystemslib")
def test_a_claim_names_it(dossier: Dossier, tmp_path: Path):
    """By its digest; a claim of another dossier, or without one, is refused."""
    _, plain = claimed(tmp_path / "ledger")
    bound, other = (
        make_record(
            "claim",
            KEY,
            number=number,
            previous=plain.sha256,
            now=THEN,
            subjects=plain.subjects,
            details={**plain.details, "dossier": digest},
        )
        for number, digest in ((2, dossier.digest), (3, "ab" * 32))
    )
    records = [plain, bound, other]
    assert claim_naming(dossier.digest, records) == bound
    assert claim_naming(dossier.digest, records, 2) == bound
    for number in (1, 3):
        with pytest.raises(DoesNotCheck, match="names the dossier"):
            claim_naming(dossier.digest, records, number)
    with pytest.raises(BadInput, match="no claim names this dossier"):
        claim_naming(dossier.digest, [plain, other])
    shown = prove_parts(dossier, ["seed"], evidence={"claim.json": bound.content})
    assert read_proof(shown).claim == bound
    with pytest.raises(DoesNotCheck, match="names the dossier"):
        read_proof(prove_parts(dossier, ["seed"], evidence={"claim.json": other.content}))


def test_what_cannot_be_a_part(dossier: Dossier, data: TrainingSet):
    """Names, an empty dossier, parts that are not there."""
    for name in ("Seed", "a/b", "", "training_set", "a" * 65):
        with pytest.raises(BadInput, match="--part: got the name"):
            make_dossier({name: b""})
    with pytest.raises(BadInput, match="nothing to put into it"):
        make_dossier({})
    with pytest.raises(BadInput, match="PART: got 'none', the dossier has drawing, "):
        prove_parts(dossier, ["none"])
    with pytest.raises(BadInput, match="no training set"):
        prove_sample(make_dossier(PARTS), data, 0)


def test_the_graph_of_a_tflite_file(tmp_path: Path):
    """Operators and tensors, no weights: a file with other weights has the same graph."""
    held = json.loads(graph_of(golden.MARKED))
    assert held["format"] == "tflite"
    assert held["operators"][0]["name"] == "CONV_2D"
    assert graph_of(golden.MARKED) == graph_of(golden.UNMARKED)
    with pytest.raises(BadInput, match="neither a"):
        graph_of(golden.KEY)


@needs("tensorflow")
@pytest.mark.train
def test_the_graph_of_a_keras_file(tmp_path: Path):
    """The layers as Keras wrote them; a zip without them is no .keras file."""
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="last")])
    model.save(tmp_path / "m.keras")
    held = json.loads(graph_of(tmp_path / "m.keras"))
    assert held["config"]["config"]["layers"][-1]["config"]["name"] == "last"
    (tmp_path / "x.keras").write_bytes(pack({"x": b""}, format="x"))
    with pytest.raises(BadInput, match=r"is no \.keras file"):
        graph_of(tmp_path / "x.keras")


def test_software_versions_name_what_is_installed():
    """numpy's version is the one that is imported."""
    held = json.loads(software_versions())
    assert held["packages"]["numpy"] == np.__version__
    assert held["python"].startswith("3.")


def test_the_digest_is_as_documented():
    """Computed once more from the docstring."""
    made = make_dossier({"seed": b"7"}, random=fixed)
    data = encode("part", "seed", made.salt("seed"), _sha256(b"7"))
    assert made.digest == H("dossier", 1, _sha256(b"\x00" + data)).hex()
    assert dataclasses.replace(made, parts={"seed": b"8"}).digest != made.digest


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
