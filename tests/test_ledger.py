"""The ledger: a chain that only grows, that several may write, and that notices every changed byte."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgewm.audit import audit
from edgewm.claims import make_claim
from edgewm.errors import BadInput, DoesNotCheck
from edgewm.ledger import Ledger
from edgewm.records import BEFORE_THE_FIRST, Subject, make_record
from tests.authority import Authority, make_authority
from tests.ledgers import KEY, OTHER_KEY, THEN, TRIGGERS, add, changed_bytes, claimed, clock, stamp
from tests.needs import needs

pytestmark = needs("securesystemslib")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(folder=tmp_path / "ledger")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), now=clock())


def test_records_come_back_in_order(ledger: Ledger):
    """Each names the one before; the bytes on the disk are those that were signed."""
    made = [add(ledger) for _ in range(3)]
    assert ledger.records() == made
    assert [record.number for record in made] == [1, 2, 3]
    assert [r.previous for r in made] == [BEFORE_THE_FIRST, made[0].sha256, made[1].sha256]
    assert (ledger.folder / "00000002-release.json").read_bytes() == made[1].content


def test_what_was_removed_renamed_or_swapped_is_noticed(ledger: Ledger, tmp_path: Path):
    """Every record but the last; that one is known by its digest, kept elsewhere."""
    made = [add(ledger) for _ in range(4)]
    paths = sorted(ledger.folder.glob("*.json"))
    paths[1].rename(tmp_path / "away")
    with pytest.raises(DoesNotCheck, match="expected record 2 here"):
        ledger.records()
    paths[2].rename(paths[1])
    with pytest.raises(DoesNotCheck, match="it was renamed"):
        ledger.records()
    paths[1].rename(paths[2])
    (tmp_path / "away").rename(paths[1])
    assert audit(ledger, trust=None, now=THEN, head=made[-1].sha256).head == made[-1].sha256
    paths[3].unlink()
    assert audit(ledger, trust=None, now=THEN).head == made[2].sha256
    with pytest.raises(DoesNotCheck, match="--head: no record"):
        audit(ledger, trust=None, now=THEN, head=made[-1].sha256)


def test_a_record_put_in_the_place_of_another_is_noticed(ledger: Ledger):
    """Even one that the owner signed: the chain would have to be signed anew from there."""
    add(ledger)
    add(ledger)
    other = make_record(
        "release",
        KEY,
        number=1,
        previous=BEFORE_THE_FIRST,
        now=THEN,
        subjects=[Subject(name="x", sha256="00" * 32)],
        details={"to": "Eve"},
    )
    (ledger.folder / "00000001-release.json").write_bytes(other.content)
    with pytest.raises(DoesNotCheck, match="does not follow record 1"):
        ledger.records()


def test_a_ledger_has_one_owner(ledger: Ledger):
    """Another key cannot append, and a record of another key is not taken as one of this chain."""
    first = add(ledger)
    with pytest.raises(BadInput, match="use that key or another ledger"):
        add(ledger, key=OTHER_KEY)
    foreign = make_record(
        "release",
        OTHER_KEY,
        number=2,
        previous=first.sha256,
        now=THEN,
        subjects=first.subjects,
        details={"to": "Eve"},
    )
    (ledger.folder / "00000002-release.json").write_bytes(foreign.content)
    with pytest.raises(DoesNotCheck, match="the ledger is"):
        ledger.records()


@needs("rfc3161")
@needs("openssl")
def test_every_changed_byte_of_a_ledger_is_noticed(
    ledger: Ledger, authority: Authority, tmp_path: Path
):
    """200 one-byte changes of records, stamps and queries: each refused; 200 of the stamp alone too."""
    _, claim = claimed(ledger.folder)
    stamp(ledger, claim, authority)
    add(ledger)
    contents = {
        str(p.relative_to(ledger.folder)): p.read_bytes()
        for p in ledger.folder.rglob("*")
        if p.is_file()
    }
    stamps = {name: content for name, content in contents.items() if name.endswith(".tsr")}
    now = clock()
    assert audit(ledger, trust=authority.trust(), now=now).stamps[0].record == 1
    changes = [*changed_bytes(contents, 200, seed=2), *changed_bytes(stamps, 200, seed=3)]
    for at, (name, changed) in enumerate(changes):
        (ledger.folder / name).write_bytes(changed)
        last = name.startswith("00000003")  # no later record names the last one
        with pytest.raises(DoesNotCheck):
            audit(ledger, trust=authority.trust() if at % 2 or last else None, now=now)
        (ledger.folder / name).write_bytes(contents[name])
    assert len(audit(ledger, trust=authority.trust(), now=now).records) == 3


def test_files_that_a_record_names_must_be_there(ledger: Ledger):
    """An attachment that is gone is a reason, not a traceback."""
    add(ledger)
    with pytest.raises(DoesNotCheck, match="it is gone"):
        ledger.attachment("ab" * 32, "tsr")


def test_several_writers_lose_nothing(ledger: Ledger):
    """40 records from 4 threads: one chain, nothing lost, nothing left half written."""
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: add(ledger), range(40)))
    assert {record.sha256 for record in ledger.records()} == {record.sha256 for record in made}
    assert not list(ledger.folder.glob(".*.part"))


def test_what_a_killed_writer_left_is_cleared(ledger: Ledger):
    """Half a record beside the chain, and an empty name at its end, stop nobody."""
    add(ledger)
    (ledger.folder / ".00000002-release.json.abc.part").write_bytes(b'{"payl')
    (ledger.folder / "00000002-release.json").write_bytes(b"")
    assert len(ledger.records()) == 1
    assert add(ledger).number == 2
    assert len(ledger.records()) == 2
    assert not list(ledger.folder.glob(".*.part"))


WRITER = """
import datetime as dt, sys
from pathlib import Path
from edgewm.key import load_key
from edgewm.ledger import Ledger
from edgewm.records import Subject
key, ledger = load_key(Path(sys.argv[2])), Ledger(folder=Path(sys.argv[1]))
subject = Subject(name="x", sha256="ab" * 32)
while True:
    record = ledger.append("release", key, now=dt.datetime.now(dt.UTC),
                           content=lambda: ([subject], {"to": "a customer"}))
    print(record.sha256, flush=True)
"""


def test_killed_writers_lose_nothing_that_they_acknowledged(ledger: Ledger, tmp_path: Path):
    """kill -9 at 12 moments with two processes appending; benchmarks/ledger_crash.py does 200."""
    from tests import golden

    acknowledged: list[str] = []
    for at in range(6):
        line = [sys.executable, "-c", WRITER, str(ledger.folder), str(golden.KEY)]
        writers = [subprocess.Popen(line, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        outs = [writer.stdout for writer in writers]
        acknowledged += [out.readline().strip() for out in outs if out is not None]
        time.sleep(0.003 * at)
        for writer in writers:
            writer.kill()
        acknowledged += [line.strip() for out in outs if out is not None for line in out]
        for writer in writers:
            writer.wait()
            assert writer.stdout is not None
            writer.stdout.close()
    found = {record.sha256 for record in ledger.records()}
    whole = {digest for digest in acknowledged if len(digest) == 64}  # a last line may be cut
    assert len(whole) >= 12
    assert whole <= found
    assert add(ledger).number == len(found) + 1


def test_checking_is_fast(tmp_path: Path):
    """1,000 records in under a second (10,000 under 10 s): signatures, links, names."""
    folder, previous = tmp_path / "many", BEFORE_THE_FIRST
    folder.mkdir()
    for number in range(1, 1001):
        record = make_record(
            "release",
            KEY,
            number=number,
            previous=previous,
            now=THEN,
            subjects=[Subject(name="x", sha256="ab" * 32)],
            details={"to": "a customer"},
        )
        (folder / f"{number:08d}-release.json").write_bytes(record.content)
        previous = record.sha256
    started = time.perf_counter()
    assert len(audit(Ledger(folder=folder), trust=None, now=THEN).records) == 1000
    assert time.perf_counter() - started < 1.0


def test_a_copy_of_a_ledger_is_a_ledger(ledger: Ledger, tmp_path: Path):
    """Read-only media, other names: nothing depends on where it lies."""
    _, claim = claimed(ledger.folder)
    copy = shutil.copytree(ledger.folder, tmp_path / "copy")
    copy.chmod(0o555)
    assert Ledger(folder=copy).records() == [claim]
    copy.chmod(0o755)


def test_claims_are_of_drawn_answers_and_ones_own_key(ledger: Ledger):
    """Another key did not make these triggers."""
    with pytest.raises(BadInput, match="did not make these triggers"):
        make_claim(ledger, OTHER_KEY, TRIGGERS, scheme="robust", now=THEN)
