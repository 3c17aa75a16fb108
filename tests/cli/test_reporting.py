"""``edgewm report`` on the command line."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.cases import Left, left
from tests.cli.command import MARKED, UNMARKED, printed_json, refused
from tests.needs import needs

pytestmark = [
    *(needs("openssl"), needs("rfc3161"), needs("securesystemslib")),
    *(needs("litert"), needs("jinja2")),
]


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Left:
    return left(tmp_path_factory.mktemp("case"))


@pytest.fixture
def case(owner: Left) -> tuple[str, ...]:
    """The arguments that every report of this owner has."""
    root = str(owner.authority.root_path)
    return ("report", str(owner.folder / "records"), "-o", "r.html", "--tsa-root", root)


def test_a_report_for_a_court_shows_opened_questions(cli, owner: Left, case):
    """With a package and the suspect: 12 pictures, each with what the suspect said; nothing secret."""
    opened = ("--disclosure", str(owner.package), "--suspect", MARKED)
    held = printed_json(cli(*case, *opened, "--json"))
    assert (held["owned"], held["questions"], held["secret"]) == (True, 12, False)
    assert held["controls"] == 1
    text = Path("r.html").read_text()
    assert text.count("✓ hit") == text.count("<img ") == 12
    assert "Confidential" not in text


def test_a_report_for_the_owner_is_as_secret_as_the_key(cli, case):
    """With triggers and key: every group, a line on top, and nobody else can read the file."""
    held = printed_json(cli(*case, "-t", "t.npz", "-k", "k", "--json"))
    assert (held["questions"], held["secret"]) == (64, True)
    assert stat.S_IMODE(Path("r.html").stat().st_mode) == 0o600
    text = Path("r.html").read_text()
    assert "Confidential" in text
    assert "✓ hit" not in text  # nobody was asked again


def test_a_report_on_the_control_is_not_shown(cli, owner: Left, case):
    """The unmarked twin's own report: exit code 1, and its pictures show misses."""
    opened = ("--disclosure", str(owner.package), "--suspect", UNMARKED, "--verification", "4")
    code, out, err = cli(*case, *opened)
    assert (code, err) == (1, "")
    assert out.startswith("wrote r.html on verification 4: NOT SHOWN")
    assert Path("r.html").read_text().count("✗ miss") > 6


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--suspect", MARKED), 2, "--suspect: says what pictures show"),
        (("-t", "t.npz"), 2, "--triggers: expected it together with --key"),
        (("--verification", "1"), 2, "record: got 1, which is a claim"),
        (("--disclosure", "k"), 2, "--disclosure: not a file of format"),
        (("--suspect", UNMARKED, "-t", "t.npz", "-k", "k"), 3, "give the file that was asked"),
    ],
)
def test_what_does_not_fit_is_refused(cli, case, more: tuple[str, ...], code: int, said: str):
    """One line each, and no file."""
    assert said in refused(cli(*case, *more), code)
    assert not Path("r.html").exists()


def test_a_changed_record_gives_no_report(cli, owner: Left, case, tmp_path: Path):
    """One changed byte of the ledger, or no authority's certificate: refused."""
    import shutil

    shutil.copytree(owner.folder / "records", tmp_path / "records")
    path = next((tmp_path / "records").glob("*-release.json"))
    path.write_bytes(path.read_bytes().replace(b"A", b"B", 1))
    refused(cli("report", str(tmp_path / "records"), *case[2:]), 3)
    assert "--tsa-root: got none" in refused(cli(*case[:4]))
