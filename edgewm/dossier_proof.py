"""A part of a dossier, or one sample of its training set, shown to a third party; the rest stays hidden.

A proof is one file (`edgewm.archive`):

    proof.json            {"format", "digest", "parts": how many there are, "opened": [{"name", "index",
                          "salt", "path"}], "sample": {"index", "name", "salt", "label", "path"}}
    parts/NAME            the parts that are opened
    sample                the bytes of the sample, where one is proved
    claim.json, stamps/   the claim that names the digest, and its stamps, where a ledger was at hand

Numbers and texts are JSON, bytes hex. Which bytes a sample is, its name says ("uint8[28x28x1]", or a path).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import commitment
from .archive import pack, unpack
from .claims import StampFiles
from .dossier import NAME, TRAINING_SET, Dossier, check_named, digest_of, leaf, training_set_facts
from .errors import BadInput, DoesNotCheck
from .manifest import SampleProof, prove
from .packed_stamps import unpacked_stamps
from .records import Record, no_name_twice, read_record
from .sealed_file import json_bytes
from .training_set import TrainingSet

FORMAT = "edgewm-dossier-proof-1"


@dataclass(frozen=True, kw_only=True)
class DossierProof:
    """What was shown, and checked as far as it can be without a trusted authority."""

    digest: str
    """Of the dossier, as a claim names it."""
    parts: Mapping[str, bytes] = field(repr=False)
    sample: SampleProof | None
    content: bytes | None = field(repr=False)
    """The sample's bytes."""
    claim: Record | None
    stamps: tuple[StampFiles, ...]


def prove_parts(
    dossier: Dossier, names: Sequence[str], *, evidence: Mapping[str, bytes] | None = None
) -> bytes:
    """The file that shows some parts.

    Args:
        evidence: members claim.json and stamps/ (`edgewm.packed_stamps`), where there are some.

    Raises:
        BadInput: no such part.
    """
    for name in names:
        if name not in dossier.parts:
            raise BadInput(f"PART: got {name!r}, the dossier has {', '.join(dossier.names)}")
    held = {**_opened(dossier, names), "sample": None}
    return _packed(held, dossier, names, evidence or {})


def prove_sample(
    dossier: Dossier,
    data: TrainingSet,
    index: int,
    *,
    evidence: Mapping[str, bytes] | None = None,
) -> bytes:
    """The file that shows that one sample was in the training set.

    Raises:
        BadInput: the dossier has no training set, no such sample, or the data cannot be read.
        DoesNotCheck: the data are not those of the manifest.
    """
    if dossier.manifest is None:
        raise BadInput("DOSSIER: it holds no training set")
    proof, content = prove(dossier.manifest, data, dossier.sample_secret, index)
    held = {
        **_opened(dossier, [TRAINING_SET]),
        "sample": {
            "index": proof.index,
            "name": proof.name.hex(),
            "salt": proof.salt.hex(),
            "label": proof.label.hex(),
            "path": [node.hex() for node in proof.path],
        },
    }
    return _packed(held, dossier, [TRAINING_SET], {"sample": content, **(evidence or {})})


def is_proof(content: bytes) -> bool:
    """Whether these bytes are a proof rather than a dossier."""
    return FORMAT.encode("ascii") in content[-160:]


def read_proof(content: bytes, *, argument: str = "PROOF") -> DossierProof:
    """A proof that checks, but for the stamps of its claim.

    Raises:
        BadInput: another kind of file.
        DoesNotCheck: what does not check.
    """
    members = unpack(content, format=FORMAT, argument=argument)
    try:
        held = json.loads(members.pop("proof.json"), object_pairs_hook=no_name_twice)
        if held["format"] != FORMAT:
            raise ValueError("another version")
        parts = {one["name"]: members.pop(f"parts/{one['name']}") for one in held["opened"]}
        if not parts or len(parts) != len(held["opened"]):
            raise ValueError("no part is opened, or one twice")
        if not all(NAME.fullmatch(name) for name in parts):
            raise ValueError("a part under a name that is none")
        for one in held["opened"]:
            _check_part(held, one, parts[one["name"]])
        shown = members.pop("sample", None)
        sample = None if shown is None else _sample(held["sample"], shown, parts[TRAINING_SET])
        if (sample is None) != (held["sample"] is None):
            raise ValueError("a sample without its bytes")
    except (KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise DoesNotCheck(f"{argument}: {error or 'not as edgewm writes it'}") from None
    enveloped = members.pop("claim.json", None)
    claim = (
        None if enveloped is None else read_record(enveloped, argument=f"{argument}: claim.json")
    )
    if claim is not None:
        check_named(claim, held["digest"])
    return DossierProof(
        digest=held["digest"],
        parts=parts,
        sample=sample,
        content=shown,
        claim=claim,
        stamps=unpacked_stamps(members, () if claim is None else (claim,), argument),
    )


def _opened(dossier: Dossier, names: Sequence[str]) -> dict[str, Any]:
    opened = []
    for name in names:
        index = dossier.names.index(name)
        path = commitment.audit_path(dossier.leaves, index)
        opened.append(
            {
                "name": name,
                "index": index,
                "salt": dossier.salt(name).hex(),
                "path": [node.hex() for node in path],
            }
        )
    return {
        "format": FORMAT,
        "digest": dossier.digest,
        "parts": len(dossier.parts),
        "opened": opened,
    }


def _packed(
    held: Mapping[str, Any], dossier: Dossier, names: Sequence[str], more: Mapping[str, bytes]
) -> bytes:
    parts = {f"parts/{name}": dossier.parts[name] for name in names}
    return pack({"proof.json": json_bytes(held), **parts, **more}, format=FORMAT)


def _check_part(held: Mapping[str, Any], one: Mapping[str, Any], part: bytes) -> None:
    data = leaf(one["name"], bytes.fromhex(one["salt"]), part)
    path = [bytes.fromhex(node) for node in one["path"]]
    head = commitment.head_from_path(data, one["index"], held["parts"], path)
    if head is None or digest_of(held["parts"], head) != held["digest"]:
        raise ValueError(f"{one['name']} is no part of dossier {str(held['digest'])[:16]}...")


def _sample(held: Mapping[str, Any], content: bytes, training_set: bytes) -> SampleProof:
    facts = training_set_facts(training_set)
    proof = SampleProof(
        index=held["index"],
        salt=bytes.fromhex(held["salt"]),
        name=bytes.fromhex(held["name"]),
        sha256=hashlib.sha256(content).digest(),
        label=bytes.fromhex(held["label"]),
        path=tuple(bytes.fromhex(node) for node in held["path"]),
    )
    if not proof.leads_to(bytes.fromhex(facts["head"]), facts["samples"]):
        raise ValueError("the sample is not in the training set of that dossier")
    return proof
