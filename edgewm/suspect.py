"""What a caller may name as a suspect, and which runtimes then answer for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .artifact import Artifact, read_model
from .errors import BadInput
from .runtimes import Runtime
from .runtimes.begin import Begun, begin, names_a_runtime


def what_to_ask(
    suspect: Path | str | bytes | Artifact, on: Sequence[str | Runtime | Begun]
) -> tuple[bytes | None, tuple[Begun, ...]]:
    """The model's bytes, None where a program or a recording answers, and who is asked.

    Raises:
        BadInput: a file that cannot be read, or a runtime that takes no model beside one.
    """
    if isinstance(suspect, str) and names_a_runtime(suspect):
        return None, begin([suspect])
    model = (
        suspect.model
        if isinstance(suspect, Artifact)
        else suspect
        if isinstance(suspect, bytes)
        else _read(Path(suspect))
    )
    named = [part for part in on if not isinstance(part, Begun)]
    begun = [part for part in on if isinstance(part, Begun)]
    asked = (*begun, *begin(named)) if named or not begun else tuple(begun)
    for part in asked:
        if not part.runtime.needs_model:
            raise BadInput(
                f"--on: {part.spelling} answers without a model file, give it in place of SUSPECT"
            )
    return model, asked


def _read(path: Path) -> bytes:
    """A model file's bytes, or a SavedModel's folder as one zip."""
    if path.is_dir():
        from .runtimes.placing import packed_folder

        return packed_folder(path)
    return read_model(path)


def begun_again(asked: Sequence[Begun]) -> tuple[Begun, ...]:
    """The same runtimes once more: a child process answers for one opening only."""
    again = begin([part.spelling for part in asked])
    return tuple(replace(new, optional=old.optional) for new, old in zip(again, asked, strict=True))
