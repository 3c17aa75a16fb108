"""The options of ``edgewm verify`` that bring records: --ledger, --disclosure and what goes with them.

They travel as one value, so that the verb has one argument for them. Nothing of the records is imported
until one of the two is given.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadInput

if TYPE_CHECKING:
    import datetime as dt

    from ..authorities import Trust
    from ..claims import Grounds
    from ..key import Key
    from ..questioning import Run
    from ..tilt import Tilt
    from ..triggers import Triggers
    from ..verdict import Verdict

_IN = click.Path(path_type=Path)
_OPTIONS = (
    click.option(
        "--ledger", type=_IN, help="The owner's records: a stamped claim counts; claims are tests."
    ),
    click.option("--claim", type=int, help="Number of the claim to use, of several."),
    click.option(
        "--disclosure", type=_IN, help="A package of opened groups, in place of triggers and key."
    ),
    click.option("--identity", type=_IN, help="age identity file, for a sealed package."),
    click.option(
        "--suspect-seen", help="When the suspect was first seen: YYYY-MM-DD (UTC) or a full time."
    ),
    click.option(
        "--tsa-root", "roots", type=_IN, multiple=True, help="Authority's root certificate (.pem)."
    ),
    click.option("--crl", "crls", type=_IN, multiple=True, help="Revocation list of its issuer."),
)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What records were given."""

    ledger: Path | None
    claim: int | None
    disclosure: Path | None
    identity: Path | None
    suspect_seen: str | None
    roots: tuple[Path, ...]
    crls: tuple[Path, ...]

    def check(self) -> None:
        """Refuse options that do not go together.

        Raises:
            BadInput: which, and what to do.
        """
        if self.ledger is not None and self.disclosure is not None:
            raise BadInput("--disclosure: got --ledger too, a package brings its own records")
        alone = {
            "--claim": (self.claim is not None, self.ledger),
            "--identity": (self.identity is not None, self.disclosure),
            "--suspect-seen": (self.suspect_seen is not None, self.ledger or self.disclosure),
            "--tsa-root": (bool(self.roots), self.ledger or self.disclosure),
            "--crl": (bool(self.crls), self.ledger or self.disclosure),
        }
        for option, (given, with_) in alone.items():
            if given and with_ is None:
                raise BadInput(f"{option}: says something about records, give --ledger too")

    def seen(self) -> dt.datetime:
        """When the suspect was first seen, UTC.

        Raises:
            BadInput: not given, or no date.
        """
        if self.suspect_seen is None:
            raise BadInput(
                "--suspect-seen: got nothing; say since when the suspect is known to have been there "
                "(YYYY-MM-DD): a stamp counts only when it is older"
            )
        return day_or_time(self.suspect_seen, "--suspect-seen")

    def trust(self) -> Trust:
        """Whose stamps count."""
        from ..authorities import read_trust

        return read_trust(self.roots, self.crls)

    def grounds(self, triggers: Triggers | Tilt, key: Key) -> Grounds | None:
        """What --ledger says for these triggers; None without one.

        Raises:
            BadInput: no claim of these triggers, or every group was opened before the suspect was seen.
            DoesNotCheck: the ledger, the claim, or every stamp of it does not check.
        """
        if self.ledger is None:
            return None
        from ..claims import grounds
        from ..ledger import Ledger
        from .recording import now

        found = grounds(
            Ledger(folder=self.ledger),
            triggers=triggers,
            key=key,
            trust=self.trust(),
            suspect_seen=self.seen(),
            now=now(),
            number=self.claim,
        )
        committed = getattr(triggers, "groups", None)  # a tilt's inputs are never spent
        if committed is not None and found.first_group >= committed:
            raise BadInput(
                f"--ledger: all {committed} groups were opened before the suspect was seen, "
                "none is left to ask: this mark shows nothing about it"
            )
        return found


def day_or_time(text: str, option: str) -> dt.datetime:
    """A day, which begins at midnight UTC, or a time with its zone; in UTC.

    Raises:
        BadInput: neither.
    """
    import datetime as dt

    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        found = None
    day = len(text) == len("2026-01-31")
    if found is None or (found.tzinfo is None and not day):
        raise BadInput(
            f"{option}: got {text!r}, expected YYYY-MM-DD or a time with its zone, such as "
            "2026-01-31T12:00:00Z"
        )
    return found.replace(tzinfo=dt.UTC) if day else found.astimezone(dt.UTC)


def proof_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Adds the options above to a verb, which gets them as one argument `proof`."""

    @functools.wraps(verb)
    def with_proof(*positional: Any, **named: Any) -> int:
        proof = Proof(**{name: named.pop(name) for name in Proof.__dataclass_fields__})
        proof.check()
        return verb(*positional, proof=proof, **named)

    decorated: Callable[..., int] = with_proof
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def run_after(grounds: Grounds | None, run: Run, triggers: Triggers) -> Run:
    """The run to ask: never a group that was opened before the suspect was seen.

    Raises:
        BadInput: --first-group names such a group.
    """
    import dataclasses

    if grounds is None or not grounds.first_group:
        return run
    opened = grounds.first_group
    if run.first_group == 0 and (run.groups is None or run.groups <= triggers.groups - opened):
        return dataclasses.replace(
            run, first_group=opened, start_is_recorded=grounds.start_is_recorded
        )
    if run.first_group < opened:
        raise BadInput(
            f"--first-group: got {run.first_group}, the first {opened} groups were opened before the "
            "suspect was seen and do not count: start there or later"
        )
    recorded = grounds.start_is_recorded and run.first_group == opened
    return dataclasses.replace(run, start_is_recorded=recorded)


def with_grounds(verdict: Verdict, grounds: Grounds | None) -> tuple[Verdict, dict[str, Any]]:
    """The verdict with the notes on its records, and what --json prints beside it."""
    import dataclasses

    if grounds is None:
        return verdict, {}
    noted = dataclasses.replace(verdict, flags=(*verdict.flags, *grounds.notes))
    return noted, {"claim": grounds.as_dict()}


def verify_package(
    proof: Proof,
    suspect: str,
    *,
    on: Sequence[str],
    alpha: float,
    tests: int,
    chains: Sequence[str],
    refused: dict[str, bool],
) -> tuple[Verdict, dict[str, Any]]:
    """``edgewm verify --disclosure``: the verdict, and what --json prints beside it.

    Raises:
        BadInput: options that a package does not take (`refused`: option to whether it was given).
        DoesNotCheck: the package, its claim or its stamps do not check.
    """
    from ..disclosed import verify_disclosure
    from ..disclosure import is_sealed, package_grounds, read_package, unsealed
    from ..runtimes.begin import begin, names_a_runtime
    from .recording import now, read_file

    for option, given in refused.items():
        if given:
            raise BadInput(f"{option}: got --disclosure too, whose groups are asked; leave it out")
    content = read_file(proof.disclosure, "--disclosure")
    if is_sealed(content):
        if proof.identity is None:
            raise BadInput(f"--identity: {proof.disclosure} is sealed, give your age identity file")
        identity = read_file(proof.identity, "--identity").decode("utf-8", "replace")
        content = unsealed(content, identity)
    package = read_package(content)
    grounds = package_grounds(package, trust=proof.trust(), suspect_seen=proof.seen(), now=now())
    verdict = verify_disclosure(
        suspect,
        package=package,
        grounds=grounds,
        on=begin([suspect] if names_a_runtime(suspect) else on),
        alpha=alpha,
        tests=tests,
        adapters=chains,
    )
    return verdict, {"claim": grounds.as_dict()}
