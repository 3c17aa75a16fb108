"""Ledgers for tests: the golden triggers claimed by the golden key, stamped by a real authority."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from edgewm.claims import add_stamp, make_claim, request_for
from edgewm.key import Key, load_key
from edgewm.ledger import Ledger
from edgewm.records import Record, Subject
from edgewm.timestamps import Stamp
from edgewm.triggers import load_triggers
from tests import golden
from tests.authority import Authority

KEY, TRIGGERS = load_key(golden.KEY), load_triggers(golden.TRIGGERS)
OTHER_KEY = Key(secret=b"another owner's secret, 32 bytes")
NONCE = b"8 bytes!"
THEN = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def clock() -> dt.datetime:
    """The real time: replies of a real authority carry it."""
    return dt.datetime.now(dt.UTC)


def add(ledger: Ledger, kind: str = "release", key: Key = KEY, **details: object) -> Record:
    """One more record about some file."""
    subject = Subject(name="model.tflite", sha256="ab" * 32)
    held: Mapping[str, object] = details or {"to": "a customer"}
    return ledger.append(kind, key, now=THEN, content=lambda: ([subject], held))


def claimed(folder: Path) -> tuple[Ledger, Record]:
    """A ledger that holds one claim."""
    ledger = Ledger(folder=folder)
    return ledger, make_claim(ledger, KEY, TRIGGERS, scheme="robust", now=THEN)


def stamp(
    ledger: Ledger,
    record: Record,
    authority: Authority,
    *,
    name: str = "test authority",
    reply: Callable[[bytes], bytes] | None = None,
) -> tuple[Record, Stamp]:
    """Have a record stamped by a real authority, or by what stands in for its reply."""
    request = request_for(record, NONCE)
    return add_stamp(
        ledger,
        KEY,
        record,
        authority=name,
        request=request,
        reply=(reply or authority.reply)(request),
        trust=authority.trust(),
        now=clock(),
    )


def changed_bytes(
    contents: Mapping[str, bytes], count: int, seed: int
) -> Iterator[tuple[str, bytes]]:
    """`count` times one of the contents with one byte changed; repeatable."""
    rng = np.random.default_rng(seed)
    names = sorted(name for name, content in contents.items() if content)
    for _ in range(count):
        name = names[rng.integers(len(names))]
        content = bytearray(contents[name])
        content[rng.integers(len(content))] ^= int(rng.integers(1, 256))
        yield name, bytes(content)
