"""Labels that somebody collected elsewhere: from a locked device, a web form, a product on a bench.

The file gives labels in the order in which the questions were asked. A list that ends early gives fewer
answers than asked; the caller counts the rest as not asked. Nothing here can tell where labels come from.
Reading them shows nobody anything: the inputs were shown when ``edgewm ask`` wrote them, and counted then.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..files import NO_ARRAYS
from . import FAILED, Answers, Engine

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


@dataclass(frozen=True, kw_only=True)
class RecordedAnswers:
    """Answers from a file.

    The file is an .npz with `labels` (q,) of whole numbers and optionally the `inputs` (q, *shape) they
    answer, or a text file with one label a line; -1 means that the question failed.
    """

    needs_model: ClassVar[bool] = False
    spends: ClassVar[bool] = False

    file: str

    def open(self, model: bytes | None) -> _Recording:
        """Read the file.

        Raises:
            BadInput: a model was given too, or the file is not a list of labels.
        """
        if model is not None:
            raise BadInput("answers: got a model too, expected none: the labels are in the file")
        path = Path(self.file)
        try:
            labels, inputs = _read_npz(path) if path.suffix == ".npz" else (_read_text(path), None)
        except OSError as error:
            raise BadInput(f"answers: file={path} cannot be read: {error.strerror}") from None
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or (len(labels) and labels.min() < -1):
            raise BadInput(
                f"answers: {path}: got labels of {labels.dtype} {labels.shape}, expected whole "
                "numbers (q,) from 0, with -1 for a failed question"
            )
        if inputs is not None and len(inputs) != len(labels):
            raise BadInput(f"answers: {path}: got {len(inputs)} inputs for {len(labels)} labels")
        return _Recording(labels.astype(np.int64), inputs, str(path))


class _Recording:
    """Hands out labels in order."""

    facts = None
    engine = Engine(name="answers", version="", arithmetic="unknown")

    def __init__(
        self, labels: npt.NDArray[np.int64], inputs: npt.NDArray[np.float32] | None, path: str
    ) -> None:
        self._labels, self._inputs, self._path, self._at = labels, inputs, path, 0

    def ask(self, inputs: npt.NDArray[np.float32]) -> Answers:
        """The next labels, at most as many as `inputs` (n, *shape), fewer when the file ends.

        Raises:
            BadInput: the file holds inputs and they are not these.
        """
        values = np.asarray(inputs)
        start, self._at = self._at, min(self._at + len(values), len(self._labels))
        labels = self._labels[start : self._at]
        if self._inputs is not None:
            recorded, asked = self._inputs[start : self._at], values[: len(labels)]
            same = recorded.shape == asked.shape
            differ = (
                []
                if not same
                else [i for i in range(len(labels)) if (recorded[i] != asked[i]).any()]
            )
            if not same or differ:
                where = f"input {start + differ[0]}" if differ else f"shape {recorded.shape[1:]}"
                raise BadInput(
                    f"answers: {self._path}: {where} is not what is asked, expected labels for "
                    "these questions in this order"
                )
        reason = "marked as failed in the file" if (labels == FAILED).any() else ""
        return Answers(labels=labels.copy(), outputs=None, latency_ms=0.0, reason=reason)

    def close(self) -> None:
        """Nothing to end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _read_npz(path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32] | None]:
    try:
        with np.load(path, allow_pickle=False) as file:
            labels = file["labels"]
            inputs = file["inputs"].astype(np.float32) if "inputs" in file.files else None
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise  # whoever asked says that it cannot be read
    except (KeyError, *NO_ARRAYS):
        raise BadInput(
            f"answers: {path} is not an .npz with labels (q,) and maybe inputs"
        ) from None
    return labels, inputs


def _read_text(path: Path) -> npt.NDArray[np.int64]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        return np.array([int(line) for line in lines if line], np.int64)
    except (ValueError, OverflowError):
        raise BadInput(
            f"answers: {path}: expected one whole number a line and nothing else"
        ) from None
