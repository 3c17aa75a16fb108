"""The report as readers meet it: in a real browser, on paper, and with names that a thief chose."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgewm import odds, report
from edgewm.case import Case, read_case
from edgewm.claims import make_claim
from edgewm.errors import BadInput, DoesNotCheck
from edgewm.hearing import questions_of
from edgewm.ledger import Ledger
from edgewm.tilt import load_tilt
from tests import golden
from tests.browser import Page, chromium
from tests.cases import Left, add, left, verified
from tests.ledgers import KEY, TRIGGERS, clock
from tests.needs import needs

pytestmark = [
    *(needs("openssl"), needs("rfc3161"), needs("securesystemslib")),
    *(needs("litert"), needs("jinja2")),
]

ILLEGIBLE = """
(() => {
  const lightness = colour => {
    const parts = colour.match(/[0-9.]+/g).slice(0, 3).map(c => c / 255)
      .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!colour.endsWith(', 0)')) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = [], sheet = document.querySelector('main').getBoundingClientRect();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim(), element = walk.currentNode.parentElement;
    if (!text || ['TITLE', 'DESC', 'STYLE'].includes(element.tagName.toUpperCase())) continue;
    const range = document.createRange();
    range.selectNodeContents(walk.currentNode);
    const style = getComputedStyle(element), box = range.getBoundingClientRect();
    const scale = element.getScreenCTM ? element.getScreenCTM().a : 1;
    const colour = element.getScreenCTM ? style.fill : style.color;
    const [a, b] = [lightness(colour), lightness(behind(element))].sort().reverse();
    if (parseFloat(style.fontSize) * scale < 12) found.push('small: ' + text.slice(0, 40));
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push('faint: ' + text.slice(0, 40));
    if (box.left < sheet.left || box.right > sheet.right + 0.5) found.push('cut: ' + text.slice(0, 40));
  }
  return found;
})()
"""
"""Text that is smaller than 12 pixels, too close to its background (WCAG 2.1, 4.5 to 1), or off the sheet."""


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Left:
    return left(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def case_of(owner: Left, number: int | None = None, ledger: Ledger | None = None) -> Case:
    held = ledger or owner.ledger
    return read_case(held, trust=owner.authority.trust(), now=clock(), number=number)


def with_pictures(owner: Left, case: Case) -> str:
    questions = questions_of(
        TRIGGERS, KEY, TRIGGERS.order, model=golden.MARKED.read_bytes(), on="litert"
    )
    return report.render(
        case,
        now=clock(),
        title="Muster GmbH v. <script>console.log(2)</script>",
        names=report.Names(roots=("root.pem",)),
        questions=questions,
        asked_again_on="litert",
        secret=True,
    )


def copied(owner: Left, folder: Path) -> Ledger:
    """A ledger that a test may add to."""
    shutil.copytree(owner.folder / "records", folder / "records")
    return Ledger(folder=folder / "records")


@pytest.mark.parametrize("number", [None, 4])
def test_the_case_is_read_in_order(owner: Left, number: int | None):
    """The last verification of a suspect, or the one that was named; controls apart; dates in order."""
    case = case_of(owner, number)
    assert case.asking.verdict["owned"] is (number is None)
    assert case.claim.number == 1
    assert [a.control for a in case.controls] == ([] if number else ["unmarked twin"])
    vouched = [event.vouched_by for event in case.events if event.record != 1 or event.by]
    assert vouched[:3] == ["authority", "owner", "judge"]
    assert case.first_group == 0
    assert case.bar == -6.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"owned": False}, "says owned=False, its own p-value"),
        ({"stamped": False}, "says owned=True, its own p-value"),
        ({"alpha": 1e-70}, "says owned=True, its own p-value"),
        (
            {"claim": {"sha256": "ab" * 32, "suspect_seen": "2026-01-01"}},
            "names a claim that is not",
        ),
    ],
)
def test_a_verdict_that_does_not_follow_is_refused(
    owner: Left, tmp_path: Path, change: dict[str, Any], said: str
):
    """Fields of a signed verdict that contradict each other or the ledger; unchanged it is read."""
    ledger = copied(owner, tmp_path)
    made = Left(folder=tmp_path, authority=owner.authority, seen=owner.seen)
    if "stamped" in change:
        change = {**change, "log10_p": -20.0}
    verified(made, "a.tflite", golden.MARKED.read_bytes())
    assert case_of(owner, ledger=ledger).asking.name == "a.tflite"
    verified(made, "a.tflite", golden.MARKED.read_bytes(), **change)
    with pytest.raises(DoesNotCheck, match=said):
        case_of(owner, ledger=ledger)


def test_stamped_needs_a_stamp_that_is_older(owner: Left, tmp_path: Path):
    """A verdict that says stamped for a suspect seen before the stamp was made is refused."""
    ledger = copied(owner, tmp_path)
    held = dict(case_of(owner).asking.verdict)
    held["claim"] = {**held["claim"], "suspect_seen": "2026-01-01T00:00:00+00:00"}
    add(ledger, "verification", "a.tflite", b"model", {"verdict": held})
    with pytest.raises(DoesNotCheck, match="no stamp in the ledger is older"):
        case_of(owner, ledger=ledger)


@pytest.mark.parametrize(
    ("verdict", "name"),
    [
        ({}, "owned"),
        ({"owned": 1}, "owned"),
        ({"runtimes": [{"runtime": "x"}]}, "version"),
        ({"flags": [7]}, "flags"),
        ({"log10_p": "small"}, "log10_p"),
        ({"log10_p": 0.5}, "log10_p"),
        ({"triggers_sha256": []}, "triggers_sha256"),
        ({"tests": True}, "tests"),
        ({"not_run": [{}]}, "runtime"),
        ({"tilt": 3}, "cells"),
        ({"adapters": [1]}, "adapters"),
    ],
)
def test_a_verdict_of_another_shape_is_refused(
    owner: Left, tmp_path: Path, verdict: dict[str, Any], name: str
):
    """A record may hold any JSON: what is no verdict is named in one line."""
    ledger = copied(owner, tmp_path)
    held = {**case_of(owner).asking.verdict, **verdict} if verdict else {}
    add(ledger, "verification", "a.tflite", b"model", {"verdict": held})
    with pytest.raises(BadInput, match=f"its verdict has no {name} as edgewm verify"):
        case_of(owner, ledger=ledger)


def test_names_of_strangers_are_text(owner: Left):
    """A hostile name is shown as it is spelled, its invisible characters too; nothing of it is markup."""
    text = report.render(case_of(owner), now=clock())
    assert "<img" not in text
    assert "&lt;img src=" in text
    assert "<b>customer" not in text
    assert "&lt;b&gt;customer" in text
    assert "\u202e" not in text
    assert "\\u202e\\x1b[31m &amp; &#34;model&#34;.tflite" in text


def test_a_report_shows_pictures_only_where_it_is_told_to(owner: Left):
    """Without questions no picture leaves; with them every group does, under a line that says secret."""
    case = case_of(owner)
    plain, full = report.render(case, now=clock()), with_pictures(owner, case)
    assert ("<img" in plain, "Confidential" in plain) == (False, False)
    assert full.count('<img src="data:image/png;base64,') == TRIGGERS.groups
    assert full.count("✓ hit") == TRIGGERS.groups
    assert "Confidential" in full


def test_the_control_is_told_as_not_shown(owner: Left):
    """The unmarked twin's report says so in every place where the other says shown."""
    text = report.render(case_of(owner, 4), now=clock())
    assert "Not shown: the answers are no proof." in text
    assert "does not say that the suspect" in text
    assert "Shown: the suspect depends" not in text
    assert "Shown: the suspect depends" in report.render(case_of(owner), now=clock())


def test_commands_repeat_the_verification(owner: Left):
    """What stands under "how to repeat it" is quoted for a shell and names every option that counted."""
    case = case_of(owner)
    told = dict(report._commands(case, report.Names(roots=("root.pem",))))
    line = told["the verdict, with the owner's key"].replace("\\\n", "")
    assert line.startswith("edgewm verify '<img src=")
    assert "--scores" not in line
    assert "All these values were judged" not in report.render(case, now=clock())
    for part in ("--on litert", "--alpha 1e-06", "--tests 1", "--claim 1", "--tsa-root root.pem"):
        assert part in line
    assert f"--suspect-seen {owner.seen.isoformat()}" in line
    assert max(len(part) for text in told.values() for part in text.splitlines()[1:]) < 120


def test_a_tilt_is_told_in_cells(tmp_path: Path):
    """A verification of ordinary inputs alone, by values: cells and z, no groups and no pictures."""
    ledger, tilt = Ledger(folder=tmp_path / "records"), load_tilt(golden.TILT)
    make_claim(ledger, KEY, tilt, scheme="lean", now=clock())
    asked = {"runtime": "litert", "version": "2.3.0", "arithmetic": "xnnpack"}
    verdict = {
        **{"owned": False, "log10_p": -2.5, "alpha": 1e-6, "tests": 1, "stamped": False},
        **{"groups": 0, "groups_asked": 0, "groups_hit": 0, "queries": 0, "sequential": False},
        **{"runtimes": [], "flags": [], "triggers_sha256": None, "scores": True},
        "tilt": {
            **{"cells": tilt.cells, "tilt_sha256": tilt.sha256},
            "runtimes": [
                {**asked, "cells_asked": 7, "queries": 48, "failed": 0, "z": 2.6, "log10_p": -2.5}
            ],
        },
    }
    add(ledger, "verification", "clone.tflite", b"model", {"verdict": verdict})
    case = read_case(ledger, trust=None, now=clock())
    text = report.render(case, now=clock())
    assert f"{tilt.cells} cells, each one of two directions" in text
    assert '<td class="number">2.6</td><td class="number">one in 310</td>' in text
    assert "groups of questions" not in text
    assert "All these values were judged" in text
    command = report._commands(case, report.Names())[2][1]
    assert command.startswith(
        "edgewm verify clone.tflite --tilt tilt.npz --key owner.key --on litert"
    )
    assert "--scores" in command


@pytest.mark.parametrize(
    ("log10_p", "said", "likened"),
    [
        (0.0, "next to certain", "what happens all the time"),
        (-0.5, "one in 3", "throwing heads once"),
        (-3.999, "one in 9,900", "throwing heads 13 times in a row"),
        (-6.0, "one in 1,000,000", "drawing the one marked ticket out of a million"),
        (-6.7, "one in 5,000,000", "drawing the one marked ticket out of a million"),
        (-64.9, "one in 10⁶⁴", "drawing the one marked ticket out of a million, 10 times in a row"),
    ],
)
def test_words_never_overstate(log10_p: float, said: str, likened: str):
    """Words are rounded towards innocence."""
    assert (odds.one_in(log10_p), odds.likened(log10_p)) == (said, likened)


@needs("chromium")
def test_a_browser_has_nothing_to_complain_about(owner: Left, page: Page, tmp_path: Path):
    """No message, no request, no small, faint or cut text, on the screen and on paper."""
    path = tmp_path / "report.html"
    path.write_text(with_pictures(owner, case_of(owner)))
    page.open(path)
    assert page.complaints() == []
    assert page.requests(path) == []
    assert page.value(ILLEGIBLE) == []
    assert page.value("[...document.images].every(i => i.complete && i.naturalWidth > 8)")
    named = "every(s => s.ariaLabel || s.querySelector('title').textContent)"
    assert page.value(f"[...document.querySelectorAll('svg')].{named}")
    assert page.value("[...document.images].every(i => i.alt)")
    page.call("Emulation.setEmulatedMedia", media="print")
    a4 = {"width": 665, "height": 950, "deviceScaleFactor": 1, "mobile": False}
    page.call("Emulation.setDeviceMetricsOverride", **a4)
    assert [t for t in page.value(ILLEGIBLE) if t.startswith("cut")] == []
    page.call("Emulation.clearDeviceMetricsOverride")
    page.call("Emulation.setEmulatedMedia", media="")
    assert len(page.screenshot()) > 50_000


@needs("chromium")
@pytest.mark.parametrize(
    ("broken", "seen"),
    [
        (("&lt;img src=", "<img src="), "complaint"),
        (("</main>", '<script>console.log("x")</script></main>'), "complaint"),
        (("</style>", "figcaption { font-size: 9px !important; } </style>"), "small"),
        (("</style>", ".kicker { color: #bbbbbb !important; } </style>"), "faint"),
        (("</style>", "td { white-space: nowrap; } pre { white-space: pre } </style>"), "cut"),
    ],
)
def test_the_browser_notices(
    owner: Left, page: Page, tmp_path: Path, broken: tuple[str, str], seen: str
):
    """The control: an unescaped name, a script, and styles that nobody could read are each seen."""
    path = tmp_path / "broken.html"
    text = with_pictures(owner, case_of(owner))
    text = text.replace("&#34;", '"').replace("&gt;", ">") if "img" in broken[1] else text
    assert broken[0] in text
    path.write_text(text.replace(*broken))
    page.open(path)
    if seen == "complaint":
        assert page.complaints() != []
    else:
        assert any(told.startswith(seen) for told in page.value(ILLEGIBLE))


@needs("chromium")
@needs("pypdf")
def test_tables_are_whole_on_paper(owner: Left, page: Page, tmp_path: Path):
    """Of 35 records over several pages every row stands on one page, under the head of its table."""
    import pypdf

    ledger = copied(owner, tmp_path)
    for number in range(30):
        add(ledger, "release", "model.tflite", b"model", {"to": f"customer {number}"})
    case = case_of(owner, ledger=ledger)
    path = tmp_path / "report.html"
    path.write_text(report.render(case, now=clock()))
    page.open(path)
    pages = [
        re.sub(r"\s", "", found.extract_text())
        for found in pypdf.PdfReader(io.BytesIO(page.pdf())).pages
    ]
    assert len(pages) > 4
    table = [text for text in pages if "sha256oftherecord" in text]
    assert len(table) > 1
    for record in case.audit.records:
        (on,) = [
            text
            for text in table
            if f"{record.kind}{record.time:%Y-%m-%d%H:%M:%S}" in text and record.sha256 in text
        ]
        assert on
    path.write_text(
        path.read_text()
        .replace("break-inside: avoid", "")
        .replace("</style>", "tr { line-height: 70 } </style>")
    )
    page.open(path)
    pages = [
        re.sub(r"\s", "", p.extract_text()) for p in pypdf.PdfReader(io.BytesIO(page.pdf())).pages
    ]
    assert not all(any(r.sha256 in text for text in pages) for r in case.audit.records)
