"""Two owners of one model: the golden owner, and a thief who put a mark of their own into a copy."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgewm import spec
from edgewm.claims import make_claim, request_for
from edgewm.cross_verification import Settled, settle
from edgewm.key import Key
from edgewm.ledger import Ledger
from edgewm.parties import ByKey, Model, Party
from edgewm.records import Record, Subject
from edgewm.runtimes import Answers, Engine
from edgewm.tilt import Tilt
from edgewm.triggers import Triggers, load_triggers
from tests import golden
from tests.authority import Authority
from tests.ledgers import KEY, NONCE, OTHER_KEY, THEN, TRIGGERS, clock

THIEFS = load_triggers(golden.OVERWRITTEN / "triggers.npz")
MARKED, UNMARKED = golden.MARKED.read_bytes(), golden.UNMARKED.read_bytes()
OVERWRITTEN = (golden.OVERWRITTEN / "model.tflite").read_bytes()
HOUR = dt.timedelta(hours=1)


@dataclass(kw_only=True)
class Remembering:
    """A session of LiteRT that runs the file once for all that will be asked of it."""

    facts: Any
    engine: Any
    labels: dict[bytes, int]

    def ask(self, inputs: np.ndarray) -> Answers:
        said = np.array([self.labels[row.tobytes()] for row in inputs], np.int64)
        return Answers(labels=said, outputs=None, latency_ms=1.0, reason="")

    def close(self) -> None:
        """Nothing to end."""

    def __enter__(self) -> Remembering:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_ANSWERED: dict[bytes, Remembering] = {}


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """LiteRT, which starts one process for each file in all tests of disputes."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False

    def open(self, model: bytes | None) -> Remembering:
        assert model is not None
        if model not in _ANSWERED:
            inputs = np.concatenate([TRIGGERS.inputs, THIEFS.inputs])
            with spec.parse("runtimes", "litert").open(model) as session:
                labels = session.ask(inputs).labels.tolist()
                held = dict(zip([row.tobytes() for row in inputs], labels, strict=True))
                _ANSWERED[model] = Remembering(
                    facts=session.facts, engine=session.engine, labels=held
                )
        return _ANSWERED[model]


@dataclass(frozen=True, kw_only=True)
class Saying:
    """A runtime that knows what each file says to each input."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False

    by_file: dict[bytes, dict[bytes, int]]

    def open(self, model: bytes | None) -> Remembering:
        assert model is not None
        engine = Engine(name="saying", version="1", arithmetic="reference")
        return Remembering(facts=None, engine=engine, labels=self.by_file[model])


def claimed_by(
    folder: Path,
    *replies: Callable[[bytes], bytes],
    key: Key = KEY,
    triggers: Triggers | Tilt = TRIGGERS,
) -> ByKey:
    """An owner with one claim, which has these replies as stamps: kept as they are, good or bad."""
    ledger = Ledger(folder=folder)
    claim = make_claim(ledger, key, triggers, scheme="robust", now=THEN)
    for reply in replies:
        request = request_for(claim, NONCE)
        keep_stamp(ledger, key, claim, request, reply(request))
    return ByKey(ledger=ledger, mark=triggers, key=key)


def thief(folder: Path, *replies: Callable[[bytes], bytes]) -> ByKey:
    """The same for the thief and their own mark."""
    return claimed_by(folder, *replies, key=OTHER_KEY, triggers=THIEFS)


def keep_stamp(ledger: Ledger, key: Key, claim: Record, request: bytes, reply: bytes) -> None:
    """What `add_stamp` does with a reply that it found good."""
    details = {
        "record": claim.sha256,
        "authority": "test",
        "reply_sha256": hashlib.sha256(reply).hexdigest(),
        "request_sha256": hashlib.sha256(request).hexdigest(),
    }
    subject = Subject(name=f"record {claim.number}", sha256=claim.sha256)
    ledger.append(
        "stamp",
        key,
        now=clock(),
        content=lambda: ([subject], details),
        attachments={"tsr": reply, "tsq": request},
    )


def settled(
    a: Party,
    b: Party,
    models: tuple[bytes, bytes],
    *authorities: Authority,
    seen: tuple[dt.timedelta, dt.timedelta] = (HOUR, HOUR),
    **more: object,
) -> Settled:
    """The outcome, asked two hours from now; the models were seen so long after now."""
    arguments = {
        "clock_skew": dt.timedelta(minutes=10),
        "trust": authorities[0].trust(),
        "on": [Remembered()],
        **more,
    }
    now = clock()
    held = [Model(content=m, seen=now + after) for m, after in zip(models, seen, strict=True)]
    return settle((a, b), (held[0], held[1]), now=now + 2 * HOUR, **arguments)
