"""A report on one verification that a lawyer can follow and an expert can repeat: one HTML file.

The file stands alone: no script, no address, pictures inside. A content security policy says so to the
browser, so that not even a name that slipped through could load or run anything. Every string that comes
from a record is escaped by the template engine, whichever template prints it, and characters that cannot
be seen (controls, marks that turn the direction of writing) are spelled out.
"""

from __future__ import annotations

import base64
import datetime as dt
import io
import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__, odds
from .case import Asking, Case
from .errors import RuntimeUnavailable

if TYPE_CHECKING:
    from PIL import Image

    from .hearing import Question

_LONGEST_TEXT = 2000
_LONGEST_LINE = 84
_TEMPLATE = "report.html.jinja"


@dataclass(frozen=True, kw_only=True)
class Names:
    """How the files are called in the commands that repeat the verification."""

    ledger: str = "records"
    triggers: str = "triggers.npz"
    tilt: str = "tilt.npz"
    key: str = "owner.key"
    roots: tuple[str, ...] = ()


def render(
    case: Case,
    *,
    now: dt.datetime,
    title: str = "",
    names: Names | None = None,
    questions: Sequence[Question] = (),
    asked_again_on: str = "",
    secret: bool = False,
) -> str:
    """The report as HTML.

    Args:
        title: of the case, for the first page.
        questions: groups to show as pictures (`edgewm.hearing`).
        asked_again_on: the runtime that gave what the questions hold as said.
        secret: it shows questions that were not opened, and says so on top.

    Raises:
        RuntimeUnavailable: Jinja2 is not installed.
    """
    verdict = case.asking.verdict
    names = names or Names()
    template = _environment().get_template(_TEMPLATE)
    text: str = template.render(
        case=case,
        claim={"note": "", **case.claim.details},
        verdict=verdict,
        suspect=case.asking.record.subjects[0],
        bars=_bars(case),
        commands=_commands(case, names),
        made=now,
        names=names,
        odds=odds,
        p=case.asking.log10_p,
        stamp=next(
            (
                e
                for e in case.events
                if e.vouched_by == "authority" and e.record == case.claim.number
            ),
            None,
        ),
        questions=questions,
        asked_again_on=asked_again_on,
        hits_again=sum(q.outcome == "hit" for q in questions),
        secret=secret,
        title=title,
        version=__version__,
    )
    return text


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar of the figure that shows how surprising answers are."""

    label: str
    log10_p: float
    is_suspect: bool

    @property
    def decades(self) -> float:
        """How many powers of ten an innocent model is away from such answers."""
        return 0.0 - self.log10_p


def _bars(case: Case) -> list[Bar]:
    def bar(asking: Asking, label: str, *, is_suspect: bool) -> list[Bar]:
        p = asking.log10_p
        return [] if p is None else [Bar(label=label, log10_p=p, is_suspect=is_suspect)]

    bars = bar(case.asking, f"suspect: {case.asking.name}", is_suspect=True)
    for control in case.controls:
        bars += bar(control, f"control: {control.control}", is_suspect=False)
    return bars


def _commands(case: Case, names: Names) -> list[tuple[str, str]]:
    """What to type, and what it is for; every name quoted for a shell."""
    verdict, asking = case.asking.verdict, case.asking
    suspect = f"./{asking.name}" if asking.name.startswith("-") else asking.name
    roots = [part for root in names.roots for part in ("--tsa-root", root)]
    ledger = ["--ledger", names.ledger]
    ask: list[str] = ["edgewm", "verify", suspect]
    if verdict["triggers_sha256"]:
        ask += ["--triggers", names.triggers]
    if verdict["tilt"]:
        ask += ["--tilt", names.tilt]
    ask += ["--key", names.key]
    runtimes = verdict["runtimes"] or (verdict["tilt"] or {}).get("runtimes", [])
    ask += [part for held in runtimes for part in ("--on", held["runtime"])]
    ask += [part for spelled in verdict["adapters"] for part in ("--adapter", spelled)]
    ask += ["--alpha", f"{verdict['alpha']:g}", "--tests", str(_tests_named(verdict))]
    ask += [option for option in ("--sequential", "--scores") if verdict[option[2:]]]
    if case.suspect_seen is not None:
        seen = case.suspect_seen.isoformat()
        ask += [*ledger, "--claim", str(case.claim.number), "--suspect-seen", seen, *roots]
    found = [
        ("that the suspect file is the one that was asked", ["sha256sum", suspect]),
        (
            "that no record was changed, removed or added",
            ["edgewm", "record", "check", *ledger, *roots, "--head", case.audit.head],
        ),
        ("the verdict, with the owner's key", ask),
    ]
    if case.opened:
        by_others = ["edgewm", "verify", suspect, "--disclosure", "package"]
        seen = "DATE" if case.suspect_seen is None else case.suspect_seen.isoformat()
        by_others += ["--suspect-seen", seen, *roots]
        found.append(("the opened questions alone, without the key", by_others))
    return [(told, _typed(line)) for told, line in found]


def _typed(line: Sequence[str]) -> str:
    """A command for a shell, an option and its value never apart, in lines that fit the page."""
    lines = [""]
    for at, part in enumerate(line):
        quoted = shlex.quote(_visible(part))
        with_value = part.startswith("-") and at + 1 < len(line)
        room = len(quoted) + (len(line[at + 1]) if with_value else 0)
        if lines[-1] and len(lines[-1]) + room > _LONGEST_LINE and part.startswith("-"):
            lines.append("   ")
        lines[-1] += f" {quoted}" if lines[-1] else quoted
    return " \\\n".join(lines)


def _tests_named(verdict: Any) -> int:
    """What --tests was: the verdict's number also counts the claims of the ledger and adapter chains."""
    grounds = verdict["claim"]
    claims = grounds.get("claims") if isinstance(grounds, dict) else 1
    more = (claims if type(claims) is int and claims > 0 else 1) * max(len(verdict["chains"]), 1)
    tests = int(verdict["tests"])
    return tests // more if tests % more == 0 else tests


def _environment() -> Any:
    try:
        import jinja2
    except ImportError:
        raise RuntimeUnavailable(
            "report: Jinja2 is missing: pip install 'edgewm[report]'"
        ) from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: _visible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"date": _date, "png": _png, "since": _since}
    return environment


def _visible(text: str) -> str:
    r"""Text whose every character is seen: a control, say, as \\x1b; cut where it is endless."""
    cut = text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "..."
    return "".join(
        character
        if character == "\n" or unicodedata.category(character)[0] not in "CZ" or character == " "
        else character.encode("unicode_escape").decode("ascii")
        if ord(character) != 0xA0
        else " "
        for character in cut
    )


def _date(time: dt.datetime) -> str:
    return f"{time.day} {time:%B %Y, %H:%M:%S} UTC"


def _since(earlier: dt.datetime, later: dt.datetime) -> str:
    """A span of time in words, rounded down."""
    seconds = int((later - earlier).total_seconds())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def _png(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
