"""Another order of classes, some of them, or more.

`order` names, for class 0, 1, 2, ... of the suspect, the class of the triggers that means the same, and -1
where there is none, such as a background class. A question that a suspect answers with such a class has
no vote, as one that it answers with a natural class.

The order must come from what the classes mean (a list of names, the accuracy on ordinary data). There are
so many orders that one chosen by the answers themselves would accuse the innocent, and nothing here can
see who chose it; the verdict says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import BadInput
from . import NO_CLASS, Questions


@dataclass(frozen=True, kw_only=True)
class Classes:
    """What the suspect's classes mean, as `order` or as a `file` with one whole number a line.

    A file is read at once and becomes the order, so that what is recorded does not depend on it.
    """

    order: tuple[int, ...] = ()
    file: str | None = None

    def __post_init__(self) -> None:
        if (self.file is None) == (not self.order):
            raise BadInput("classes: write either classes:order=2x0x1 or classes:file=order.txt")
        if self.file is not None:
            object.__setattr__(self, "order", _read(Path(self.file)))
            object.__setattr__(self, "file", None)
        if len(self.order) < 2 or min(self.order) < NO_CLASS or max(self.order) < 0:
            raise BadInput(
                f"classes: got the order {self.order}, expected a class from 0, or -1 for none, "
                "for each of two or more classes of the suspect"
            )

    def adapt(self, questions: Questions) -> Questions:
        """The same inputs, and what the suspect's classes mean; errors as `Adapter.adapt`."""
        if max(self.order) >= questions.classes:
            raise BadInput(
                f"classes: got class {max(self.order)}, the triggers have {questions.classes}, "
                "counted from 0"
            )
        if questions.order is not None:
            raise BadInput("classes: got an order twice, give it once")
        return replace(questions, order=self.order)


def _read(path: Path) -> tuple[int, ...]:
    try:
        return tuple(int(line) for line in path.read_text(encoding="utf-8").split())
    except OSError as error:
        raise BadInput(f"classes: file={path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise BadInput(f"classes: {path}: expected one whole number a line") from None
