"""Byte-level damage to what edgewm signs, stamps and packs, and the verb that has to notice it."""

from __future__ import annotations

import datetime as dt
import functools
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgewm.claims import make_claim
from edgewm.disclosure import disclose, package_of
from edgewm.dossier import make_dossier
from edgewm.dossier_proof import prove_sample
from edgewm.ledger import Ledger
from edgewm.packed_stamps import packed_stamps
from tests import golden
from tests.authority import make_authority
from tests.dossiers import golden_samples
from tests.ledgers import KEY, THEN, TRIGGERS, add, clock, stamp

WHAT = ("ledger", "envelope", "stamp", "disclosure", "dossier", "proof")
Damage = Callable[[bytes, np.random.Generator], bytes]


def _at(content: bytes, rng: np.random.Generator) -> int:
    return int(rng.integers(len(content)))


def changed(content: bytes, rng: np.random.Generator) -> bytes:
    """One byte is another."""
    at = _at(content, rng)
    return content[:at] + bytes([content[at] ^ int(rng.integers(1, 256))]) + content[at + 1 :]


def removed(content: bytes, rng: np.random.Generator) -> bytes:
    """One byte is gone."""
    at = _at(content, rng)
    return content[:at] + content[at + 1 :]


def inserted(content: bytes, rng: np.random.Generator) -> bytes:
    """One byte more, at the end too."""
    at = int(rng.integers(len(content) + 1))
    return content[:at] + rng.bytes(1) + content[at:]


def cut_short(content: bytes, rng: np.random.Generator) -> bytes:
    """The end is gone, or all of it."""
    return content[: _at(content, rng)]


def repeated(content: bytes, rng: np.random.Generator) -> bytes:
    """A piece stands twice."""
    at, length = _at(content, rng), int(rng.integers(1, 65))
    return content[: at + length] + content[at:]


def blanked(content: bytes, rng: np.random.Generator) -> bytes:
    """A piece is zeros."""
    at, length = _at(content, rng), int(rng.integers(1, 65))
    return content[:at] + bytes(len(content[at : at + length])) + content[at + length :]


DAMAGES: Sequence[Damage] = (changed, removed, inserted, cut_short, repeated, blanked)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Files of one kind, and the arguments of the verb that checks them."""

    what: str
    paths: tuple[Path, ...]
    line: tuple[str, ...]

    def damaged(self, count: int, seed: int) -> Iterator[tuple[Path, str, bytes]]:
        """`count` times one of the files, what happened to it, and what it holds then; repeatable."""
        rng, contents = np.random.default_rng(seed), [path.read_bytes() for path in self.paths]
        done = 0
        while done < count:
            which = int(rng.integers(len(contents)))
            damage = DAMAGES[rng.integers(len(DAMAGES))]
            content = damage(contents[which], rng)
            if content == contents[which]:
                continue  # zeros where zeros were
            done += 1
            yield self.paths[which], damage.__name__, content


def cases(folder: Path) -> dict[str, Case]:
    """One of each kind, made with a real authority."""
    authority = make_authority(folder / "authority", now=clock())
    data = golden_samples(folder)
    dossier = make_dossier({"seed": b"1"}, data, random=lambda length: b"r" * length)
    ledger = Ledger(folder=folder / "ledger")
    claim = make_claim(
        ledger, KEY, TRIGGERS, scheme="robust", now=THEN, more={"dossier": dossier.digest}
    )
    _, stamped = stamp(
        ledger, claim, authority, reply=functools.partial(authority.reply, accuracy_s=0)
    )
    seen = stamped.time + dt.timedelta(seconds=1)
    tomorrow = clock() + dt.timedelta(days=1)
    opened = disclose(ledger, KEY, TRIGGERS, groups=12, to="a court", now=tomorrow)
    add(ledger)
    records = ledger.records()
    evidence = {"claim.json": claim.content, **packed_stamps(ledger, records, [claim])}
    files = {
        "disclosure": package_of(ledger, KEY, TRIGGERS, opened.number),
        "dossier": dossier.content(),
        "proof": prove_sample(dossier, data, 17, evidence=evidence),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    shutil.copy(golden.MARKED, folder / "model.tflite")
    root = ("--tsa-root", str(authority.root_path))
    check = ("record", "check", "--ledger", str(ledger.folder), *root)
    every = sorted(p for p in ledger.folder.rglob("*") if p.is_file() and p.stat().st_size)
    envelopes = tuple(path for path in every if path.suffix == ".json")
    verify = ("verify", str(folder / "model.tflite"), "--disclosure", str(folder / "disclosure"))
    made = (
        Case(what="ledger", paths=tuple(every), line=check),
        Case(what="envelope", paths=envelopes, line=check),
        Case(what="stamp", paths=tuple(p for p in every if p.suffix == ".tsr"), line=check),
        Case(
            what="disclosure",
            paths=(folder / "disclosure",),
            line=(*verify, "--suspect-seen", seen.isoformat(), *root),
        ),
        *(
            Case(
                what=name,
                paths=(folder / name,),
                line=("dossier", "check", str(folder / name), *root),
            )
            for name in ("dossier", "proof")
        ),
    )
    while clock() <= seen:
        time.sleep(0.05)
    return {case.what: case for case in made}
