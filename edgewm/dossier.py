"""What else an owner may want to show one day, bound into a claim by one digest that tells nothing.

    salt_p = SHAKE("part salt", secret, name)                                    32 bytes
    leaf_p = encode("part", name, salt_p, SHA-256 of the part)                   in the order of names
    digest = H("dossier", number of parts, Merkle tree head as RFC 6962)

Parts are bytes under names: the facts of a training set (`edgewm.manifest`), parameters, a seed, a graph,
software versions, a drawing. The salts keep a small part (a seed, a version) from being guessed from the
digest, or from the paths of others; each part, and each sample of the training set, can be shown alone
(`edgewm.dossier_proof`). The salts follow from a secret of 32 random bytes that only the dossier holds.

A dossier is one file (`edgewm.archive`), to be kept like the key: dossier.json, parts/NAME, and the heads of
the manifest's blocks, 32 bytes each, in `blocks`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import commitment
from .archive import pack, unpack
from .errors import BadInput, DoesNotCheck
from .hashing import SHAKE, H, encode
from .manifest import BLOCK, Manifest, make_manifest
from .records import Record, no_name_twice
from .sealed_file import json_bytes
from .training_set import TrainingSet

FORMAT = "edgewm-dossier-1"
TRAINING_SET = "training_set"
"""The part that holds the facts of a manifest."""
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Dossier:
    """Parts under one digest; `repr` shows neither them nor the secret."""

    secret: bytes = field(repr=False)
    """32 bytes."""
    parts: Mapping[str, bytes] = field(repr=False)
    manifest: Manifest | None = None
    """Of the training set; None where there is none."""

    @property
    def names(self) -> list[str]:
        """The parts, in the order in which they stand in the tree."""
        return sorted(self.parts)

    @functools.cached_property
    def leaves(self) -> list[bytes]:
        """Leaf data of the parts."""
        return [leaf(name, self.salt(name), self.parts[name]) for name in self.names]

    @functools.cached_property
    def digest(self) -> str:
        """What a claim names, 64 hex digits."""
        return digest_of(len(self.parts), commitment.tree_head(self.leaves))

    def salt(self, name: str) -> bytes:
        """What keeps a part from being guessed."""
        return SHAKE(32, "part salt", self.secret, name)

    @property
    def sample_secret(self) -> bytes:
        """What the salts of the samples are drawn from."""
        return SHAKE(32, "sample secret", self.secret)

    def content(self) -> bytes:
        """The file."""
        members = {
            "dossier.json": json_bytes(
                {"format": FORMAT, "secret": self.secret.hex(), "digest": self.digest}
            ),
            **{f"parts/{name}": self.parts[name] for name in self.names},
        }
        if self.manifest is not None:
            members["blocks"] = b"".join(self.manifest.blocks)
        return pack(members, format=FORMAT)


def leaf(name: str, salt: bytes, part: bytes) -> bytes:
    """Leaf data of one part."""
    return encode("part", name, salt, hashlib.sha256(part).digest())


def digest_of(parts: int, head: bytes) -> str:
    """What a claim names, 64 hex digits."""
    return H("dossier", parts, head).hex()


def make_dossier(
    parts: Mapping[str, bytes],
    data: TrainingSet | None = None,
    *,
    random: Callable[[int], bytes] = secrets.token_bytes,
    show: Callable[[int], None] = lambda done: None,
) -> Dossier:
    """Put parts and a training set under one digest.

    Args:
        show: see `edgewm.manifest.make_manifest`.

    Raises:
        BadInput: nothing to put into it, a name that cannot be one, or data that cannot be read.
    """
    for name in parts:
        if not NAME.fullmatch(name) or name == TRAINING_SET:
            raise BadInput(
                f"--part: got the name {name!r}, expected lower case letters, digits and _, and not "
                f"{TRAINING_SET}"
            )
    if not parts and data is None:
        raise BadInput("dossier: got nothing to put into it, give --data or another part")
    empty = Dossier(secret=random(32), parts=dict(parts))
    if data is None:
        return empty
    manifest = make_manifest(data, empty.sample_secret, show=show)
    held = {**parts, TRAINING_SET: json_bytes(manifest.facts())}
    return Dossier(secret=empty.secret, parts=held, manifest=manifest)


def read_dossier(content: bytes, *, argument: str = "DOSSIER") -> Dossier:
    """A dossier whose digests check.

    Raises:
        BadInput: another kind of file.
        DoesNotCheck: it was changed, or does not hang together.
    """
    members = unpack(content, format=FORMAT, argument=argument)
    try:
        held = json.loads(members.pop("dossier.json"), object_pairs_hook=no_name_twice)
        blocks = members.pop("blocks", None)
        parts = {name.removeprefix("parts/"): part for name, part in members.items()}
        if any(not name.startswith("parts/") for name in members) or held["format"] != FORMAT:
            raise ValueError("it holds something that is no part")
        secret = bytes.fromhex(held["secret"])
        manifest = None if blocks is None else _manifest(parts[TRAINING_SET], blocks)
        found = Dossier(secret=secret, parts=parts, manifest=manifest)
        if len(secret) != 32 or not parts or held["digest"] != found.digest:
            raise ValueError("its parts are not those of its digest")
        if (TRAINING_SET in parts) != (manifest is not None):
            raise ValueError("it holds a training set without its blocks")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DoesNotCheck(f"{argument}: not a dossier as edgewm writes it: {error}") from None
    return found


def claim_naming(digest: str, records: Sequence[Record], number: int | None = None) -> Record:
    """The claim of a ledger that names a dossier; by default the first.

    Raises:
        BadInput: none does, or that record is no claim.
        DoesNotCheck: that claim names another dossier, or none.
    """
    from .claims import record_numbered

    if number is not None:
        claim = record_numbered(records, number, kind="claim")
        check_named(claim, digest)
        return claim
    for record in records:
        if record.kind == "claim" and record.details.get("dossier") == digest:
            return record
    raise BadInput(
        f"--ledger: no claim names this dossier ({digest[:16]}...): edgewm claim --dossier"
    )


def check_named(claim: Record, digest: str) -> None:
    """Refuse a claim of another dossier.

    Raises:
        DoesNotCheck: it names another one, or none.
    """
    named = str(claim.details.get("dossier", "none"))
    if claim.kind != "claim" or named != digest:
        raise DoesNotCheck(
            f"{claim.kind} {claim.number}: names the dossier {named[:16]}, this one is {digest[:16]}"
        )


def training_set_facts(part: bytes) -> dict[str, Any]:
    """The facts of a manifest, as a part holds them.

    Raises:
        ValueError, KeyError, TypeError: it holds none.
    """
    facts: dict[str, Any] = json.loads(part, object_pairs_hook=no_name_twice)
    if type(facts["samples"]) is not int or facts["samples"] < 1:
        raise ValueError("a training set without samples")
    if len(bytes.fromhex(facts["head"])) != 32:
        raise ValueError("a training set without a tree head")
    return facts


def _manifest(part: bytes, blocks: bytes) -> Manifest:
    facts = training_set_facts(part)
    count = facts["samples"]
    if len(blocks) != 32 * -(-count // BLOCK):
        raise ValueError("another number of blocks than samples need")
    found = Manifest(
        kind=facts["kind"],
        sample=facts["sample"],
        label=facts["label"],
        count=count,
        blocks=tuple(blocks[at : at + 32] for at in range(0, len(blocks), 32)),
    )
    if json_bytes(found.facts()) != part:
        raise ValueError("its blocks are not those of the training set")
    return found
