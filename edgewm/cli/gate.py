"""What ``edgewm verify`` does for a pipeline: ``--min-hit-rate`` and ``--junit``.

The questions, their order and what counts as shown stay those of the verb; only the exit code and the
report are added. Runtimes that do not answer become lines of the report instead of ending the run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadInput, EdgewmError
from ..runtimes.begin import LOCAL_RUNTIMES, Begun, names_a_runtime

if TYPE_CHECKING:
    from ..release import Release
    from ..verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What a release is asked for, and where the report goes."""

    artifact: str
    on: tuple[str, ...]
    min_hit_rate: float
    junit: Path | None

    def tolerant(self, asked: Sequence[Begun]) -> tuple[Begun, ...]:
        """The runtimes to ask, each allowed to fail: the report says which did."""
        return tuple(dataclasses.replace(part, optional=True) for part in asked)

    def judge(self, verdict: Verdict) -> Release:
        """Whether it ships; the report is written."""
        from ..release import check_release

        release = check_release(
            verdict, artifact=self.artifact, min_hit_rate=self.min_hit_rate, named=self.on
        )
        self._write(release)
        return release

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """An error inside is written into the report before it goes on."""
        from ..release import broken

        try:
            yield
        except EdgewmError as error:
            runtimes = [
                n for name in self.on for n in (LOCAL_RUNTIMES if name == "all" else [name])
            ]
            self._write(
                broken(
                    error,
                    artifact=self.artifact,
                    min_hit_rate=self.min_hit_rate,
                    runtimes=list(dict.fromkeys(runtimes)),
                )
            )
            raise

    def _write(self, release: Release) -> None:
        if self.junit is None:
            return
        from .. import __version__
        from ..files import write_file
        from ..release import junit

        write_file(self.junit, junit(release, version=__version__), argument="--junit")


def gate_of(
    suspect: str, *, on: tuple[str, ...], min_hit_rate: float | None, junit: Path | None, part: bool
) -> Gate | None:
    """The gate that the options ask for; None without one.

    `part` says that not every group may be asked. A release is a file that is asked here, which shows
    its inputs to nobody; what answers elsewhere would spend groups at every build.

    Raises:
        BadInput: a share outside 0 to 1, a report that is no .xml, a part, or no model file.
    """
    if min_hit_rate is None and junit is None:
        return None
    from ..release import check_min_hit_rate

    option = "--junit" if min_hit_rate is None else "--min-hit-rate"
    if part:
        raise BadInput(
            f"{option}: got --groups, --first-group or --sequential too; a release is asked every "
            "group, leave them out"
        )
    if names_a_runtime(suspect):
        raise BadInput(
            f"{option}: got {suspect.partition(':')[0]}:..., expected the .tflite file that ships"
        )
    check_min_hit_rate(min_hit_rate or 0.0)
    if junit is not None and junit.suffix != ".xml":
        raise BadInput(f"--junit: got {junit}, expected a name that ends in .xml")
    return Gate(artifact=Path(suspect).name, on=on, min_hit_rate=min_hit_rate or 0.0, junit=junit)
