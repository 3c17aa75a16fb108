"""One hash for a whole training set, from which single samples can be proved to have been in it.

    salt_i = 16 bytes i of SHAKE("sample salts", secret, i // 1024)
    leaf_i = encode(salt_i, name, SHA-256 of its bytes, label)
    head   = Merkle tree head over the leaves, as RFC 6962 section 2.1

The salts keep a sample from being guessed by whoever sees its hash in the path of another. What is kept is
the head of every aligned subtree of 1024 leaves, 32 kB for a million samples: a proof then reads 1024
samples, not all, and a check tells which of them were changed.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from . import commitment
from .errors import DoesNotCheck
from .hashing import SHAKE, encode
from .training_set import Sample, TrainingSet

BLOCK = 1024
"""Leaves of a subtree whose head is kept; a power of two."""
_SALT_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is kept of a training set."""

    kind: str
    sample: str
    label: str
    count: int
    blocks: tuple[bytes, ...] = field(repr=False)
    """Heads of the subtrees of 1024 leaves; the last may have fewer."""

    @functools.cached_property
    def head(self) -> bytes:
        """The RFC 6962 tree head over all leaves."""
        return commitment.head_of(self.blocks)

    def facts(self) -> dict[str, Any]:
        """The JSON object that a dossier commits to."""
        return {
            "kind": self.kind,
            "sample": self.sample,
            "label": self.label,
            "samples": self.count,
            "head": self.head.hex(),
        }


@dataclass(frozen=True, kw_only=True)
class SampleProof:
    """What shows that one sample was in a training set; its bytes are shown beside it."""

    index: int
    salt: bytes = field(repr=False)
    name: bytes
    sha256: bytes
    label: bytes
    path: tuple[bytes, ...] = field(repr=False)

    def leads_to(self, head: bytes, samples: int) -> bool:
        """Whether the sample is number `index` of so many under a tree head."""
        data = leaf(self.salt, (self.name, self.sha256, self.label))
        return commitment.head_from_path(data, self.index, samples, self.path) == head


def leaf(salt: bytes, sample: Sample) -> bytes:
    """Leaf data of one sample."""
    return encode(salt, *sample)


def make_manifest(
    data: TrainingSet, secret: bytes, *, show: Callable[[int], None] = lambda done: None
) -> Manifest:
    """Read a training set once; memory does not grow with it but for 32 bytes every 1024 samples.

    Args:
        secret: 32 bytes that the salts are drawn from.
        show: called with the number of samples read so far, after every block.

    Raises:
        BadInput: the data cannot be read.
    """
    hashes, blocks = _hashes(data, secret, 0), []
    while block := list(itertools.islice(hashes, BLOCK)):
        blocks.append(commitment.head_of(block))
        show(len(blocks) * BLOCK)
    return Manifest(
        kind=data.kind,
        sample=data.sample,
        label=data.label,
        count=data.count,
        blocks=tuple(blocks),
    )


def prove(
    manifest: Manifest, data: TrainingSet, secret: bytes, index: int
) -> tuple[SampleProof, bytes]:
    """The proof of one sample, and its bytes.

    Raises:
        BadInput: no such sample, or the data cannot be read.
        DoesNotCheck: the data are not those of the manifest.
    """
    (name, sha256, label), content = data.content(index)
    check_same(manifest, data)
    number, within = divmod(index, BLOCK)
    block = list(itertools.islice(_hashes(data, secret, number * BLOCK), BLOCK))
    if commitment.head_of(block) != manifest.blocks[number]:
        raise changed(number, manifest.count)
    path = commitment.path_among(block, within) + commitment.path_among(manifest.blocks, number)
    proof = SampleProof(
        index=index,
        salt=_salts(secret, number)[within],
        name=name,
        sha256=sha256,
        label=label,
        path=tuple(path),
    )
    return proof, content


def check_same(manifest: Manifest, data: TrainingSet) -> None:
    """Refuse data of another form than the manifest's.

    Raises:
        DoesNotCheck: another number of samples, or other ones.
    """
    for name, here, there in (
        ("samples", data.count, manifest.count),
        ("samples of", data.sample, manifest.sample),
        ("labels of", data.label or "none", manifest.label or "none"),
    ):
        if here != there:
            raise DoesNotCheck(f"--data: got {name} {here}, the manifest has {name} {there}")


def changed(block: int, samples: int) -> DoesNotCheck:
    """What is said of data that are not those of a manifest."""
    last = min((block + 1) * BLOCK, samples) - 1
    return DoesNotCheck(
        f"--data: samples {block * BLOCK} to {last} are not those of the manifest: one or more of "
        "them was changed, or stands elsewhere"
    )


def _hashes(data: TrainingSet, secret: bytes, first: int) -> Iterator[bytes]:
    """Leaf hashes from sample `first` on, which begins a block."""
    sha256 = hashlib.sha256
    samples = iter(data.samples(first))
    for number in itertools.count(first // BLOCK):
        block = list(itertools.islice(samples, BLOCK))
        if not block:
            return
        for salt, sample in zip(_salts(secret, number), block, strict=False):
            yield sha256(b"\x00" + encode(salt, *sample)).digest()


def _salts(secret: bytes, block: int) -> list[bytes]:
    stream = SHAKE(_SALT_BYTES * BLOCK, "sample salts", secret, block)
    return [stream[at : at + _SALT_BYTES] for at in range(0, len(stream), _SALT_BYTES)]
