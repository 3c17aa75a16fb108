"""Verify a suspect by a disclosure: what a court or a notary does, who has no key.

The evidence is the e-process over the opened run, which may end anywhere; a start that no stamped record
fixes costs a factor m, as in `edgewm.verification`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from .questioning import Run
from .verification import verify

if TYPE_CHECKING:
    from .artifact import Artifact
    from .claims import Grounds
    from .disclosure import Package
    from .key import Key
    from .runtimes import Runtime
    from .runtimes.begin import Begun
    from .triggers import Triggers
    from .verdict import Verdict


def verify_disclosure(
    suspect: Path | str | bytes | Artifact,
    *,
    package: Package,
    grounds: Grounds,
    on: Sequence[str | Runtime | Begun] = ("litert",),
    alpha: float = 1e-6,
    tests: int = 1,
    adapters: Sequence[str] | Sequence[Sequence[str]] = (),
) -> Verdict:
    """Ask `suspect` the opened questions; arguments as those of `edgewm.verify`.

    Args:
        package: a disclosure that checks (`edgewm.disclosure.read_package`).
        grounds: what its records say for this suspect (`edgewm.disclosure.package_grounds`).
        tests: suspects x marks; the claims in the owner's ledger are multiplied in.

    Raises:
        BadInput, RuntimeUnavailable, ModelRefused: as `edgewm.verify`.
    """
    opened = package.groups
    # OpenedGroups has every property of Triggers that verify reads, and its keys stand for the Key
    verdict = verify(
        suspect,
        triggers=cast("Triggers", opened),
        key=cast("Key", opened.keys),
        on=on,
        alpha=alpha,
        tests=tests * grounds.claims,
        sequential=True,
        stamped=grounds.stamp is not None,
        run=Run(
            first_group=opened.first_group,
            groups=len(opened.opened),
            start_is_recorded=grounds.start_is_recorded,
        ),
        adapters=adapters,
    )
    said = f"{len(opened.opened)} of {opened.groups} groups were opened and asked, no others"
    return dataclasses.replace(verdict, flags=(*verdict.flags, said, *grounds.notes))
