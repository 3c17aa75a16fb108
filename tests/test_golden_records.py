"""Records of version 1 that check for ever, with edgewm and, as docs/ says, without it."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgewm.audit import audit
from edgewm.authorities import read_trust
from edgewm.claims import grounds
from edgewm.disclosed import verify_disclosure
from edgewm.disclosure import package_grounds, read_package
from edgewm.dossier import read_dossier
from edgewm.dossier_proof import prove_sample, read_proof
from edgewm.errors import DoesNotCheck
from edgewm.ledger import Ledger
from edgewm.manifest import make_manifest
from tests import golden
from tests.dossiers import golden_samples
from tests.ledgers import KEY, TRIGGERS
from tests.needs import needs
from tests.recordings import saying

pytestmark = [needs("rfc3161"), needs("securesystemslib")]
HEAD = "2bcd07800887187a51e8390574597ba07ae5fbc5ced524bdc5f080824139c71a"
DOSSIER_DIGEST = "9fb722a90cd01b34ffc69fed99266ffc3a4133d66cd18e8a174521f403eb7778"
DOSSIER_STAMPED = dt.datetime(2026, 11, 26, 12, 3, 59, tzinfo=dt.UTC)
STAMPED = dt.datetime(2026, 11, 26, 2, 25, 55, tzinfo=dt.UTC)
SEEN = dt.datetime(2026, 11, 26, 2, 25, 58, tzinfo=dt.UTC)
LONG_AFTER = dt.datetime(2126, 1, 1, tzinfo=dt.UTC)
LEDGER = Ledger(folder=golden.RECORDS / "ledger")
DOCS = Path(__file__).parent.parent / "docs"


def test_the_golden_ledger_checks():
    """Six records, their digests, and the stamp, a century later."""
    found = audit(LEDGER, trust=read_trust([golden.RECORDS / "root.pem"]), now=LONG_AFTER)
    kinds = ["claim", "stamp", "marked", "release", "verification", "disclosure"]
    assert [record.kind for record in found.records] == kinds
    assert found.head == HEAD
    assert found.stamps[0].stamp is not None
    assert found.stamps[0].stamp.time == STAMPED


def test_the_golden_claim_counts_against_later_suspects_only():
    """A suspect seen three seconds after the stamp, and one seen before it."""
    arguments = {
        "triggers": TRIGGERS,
        "key": KEY,
        "trust": read_trust([golden.RECORDS / "root.pem"]),
        "now": LONG_AFTER,
    }
    assert grounds(LEDGER, suspect_seen=SEEN, **arguments).stamp is not None
    with pytest.raises(DoesNotCheck, match="not before the suspect was seen"):
        grounds(LEDGER, suspect_seen=STAMPED, **arguments)


def test_the_golden_disclosure_verifies():
    """12 groups for a third party: 7 hits suffice, none shows nothing."""
    package = read_package((golden.RECORDS / "disclosure").read_bytes())
    found = package_grounds(
        package,
        trust=read_trust([golden.RECORDS / "root.pem"]),
        suspect_seen=SEEN,
        now=LONG_AFTER,
    )
    for hits, owned in ((64, True), (0, False)):
        verdict = verify_disclosure(
            golden.MARKED, package=package, grounds=found, on=[saying(hits)]
        )
        assert (verdict.owned, verdict.stamped, verdict.tests) == (owned, True, 1)


def test_the_golden_dossier_checks(tmp_path: Path):
    """Its digest, a sample that is proved anew, and two proofs with a stamped claim, a century later."""
    held = read_dossier((golden.DOSSIER / "dossier").read_bytes())
    assert held.digest == DOSSIER_DIGEST
    data = golden_samples(tmp_path)
    assert make_manifest(data, held.sample_secret) == held.manifest
    sample = read_proof((golden.DOSSIER / "sample_proof").read_bytes())
    assert sample.sample is not None
    assert sample.content == data.content(sample.sample.index)[1]
    assert read_proof(prove_sample(held, data, 1234)).sample == sample.sample
    part = read_proof((golden.DOSSIER / "part_proof").read_bytes())
    assert dict(part.parts) == {"seed": b"1"}
    trust = read_trust([golden.DOSSIER / "root.pem"])
    for proof in (sample, part):
        assert proof.digest == DOSSIER_DIGEST
        assert proof.stamps[0].check(trust, LONG_AFTER).time == DOSSIER_STAMPED
    with pytest.raises(DoesNotCheck, match="do not check against --tsa-root"):
        sample.stamps[0].check(read_trust([golden.RECORDS / "root.pem"]), LONG_AFTER)


@needs("openssl")
def test_the_docs_check_the_golden_records_without_edgewm(tmp_path: Path):
    """Every block of checking_without_edgewm.md runs, top to bottom, with edgewm unimportable.

    The control: with one byte of a record changed, the first block fails.
    """
    if shutil.which("unzip") is None:
        Path(tmp_path / "unzip").write_text(
            f'#!/bin/sh\nexec {sys.executable} -m zipfile -e "$2" "$4"\n'
        )
        (tmp_path / "unzip").chmod(0o755)
    folder = shutil.copytree(golden.RECORDS, tmp_path / "given")
    shutil.copy(golden.DOSSIER / "sample_proof", folder)
    blocks = re.findall(
        r"^```(python|sh)\n(.*?)^```$",
        (DOCS / "checking_without_edgewm.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert [kind for kind, _ in blocks] == ["python", "sh", "sh", "python", "python", "python"]
    python = "import sys\nsys.modules['edgewm'] = None\n"
    for kind, block in blocks:
        python += block if kind == "python" else ""
        line = ["sh", "-e", "-c", f"PATH=$PATH:{tmp_path}\n{block}"]
        done = run([sys.executable, "-c", python] if kind == "python" else line, folder)
        assert done.returncode == 0, done.stderr
    record = folder / "ledger" / "00000003-marked.json"
    record.write_bytes(record.read_bytes().replace(b"eyJ", b"eyK", 1))
    assert run([sys.executable, "-c", python], folder).returncode != 0


def run(line: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
