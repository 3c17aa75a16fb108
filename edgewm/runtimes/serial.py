"""A board on a serial line that answers as MLPerf Tiny's firmware does, unmodified.

The model is on the board, so none is given. A board takes raw bytes: `encoding` says of which type, and
`model` (the owner's own file of the network) or `scale` and `zero_point` how real inputs become them. A
question that fails is asked once more, whatever its answer would have been; then it has failed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ..artifact import Tensor, read_model
from ..errors import BadInput, RuntimeUnavailable
from . import FAILED, Answers, Engine
from .board import Board, Inferred, Lost
from .label_rule import labels

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_TRIES = 2
_GONE = 3
"""Questions in a row without an answer after which the rest are not asked."""
_ROW = Tensor(name="results", shape=(), dtype="float32", scale=1.0, zero_point=0)
_INSTALL = "pip install 'edgewm[serial]'"


@dataclass(frozen=True, kw_only=True)
class SerialBoard:
    """Answers from a board."""

    needs_model: ClassVar[bool] = False
    spends: ClassVar[bool] = True

    port: str
    """A device file, a pty, or a URL of pyserial such as socket://host:port."""
    baud: int = 115200
    encoding: Literal["int8", "uint8", "float32"] = "int8"
    """Of the input bytes. uint8 of an int8 model is its value plus 128, as picture firmware takes it."""
    model: str = ""
    """A `.tflite` whose input says how numbers become steps; the board's own is not read."""
    scale: float = 0.0
    """Without `model`: the input's step, where it is quantised."""
    zero_point: int = 0
    timeout_s: float = 10.0
    """Longest wait for one reply."""

    def open(self, model: bytes | None) -> _Asking:
        """Open the line and ask the board its name.

        Raises:
            BadInput: a model was given too, or nothing says how inputs are quantised.
            RuntimeUnavailable: pyserial is missing, the port cannot be opened, or nobody answers.
        """
        if model is not None:
            raise BadInput("serial: got a model too, expected none: the board holds its own")
        if self.timeout_s <= 0 or self.baud < 1:
            raise BadInput(
                f"serial: got timeout_s={self.timeout_s:g}, baud={self.baud}, expected above 0"
            )
        taken = self._input()
        try:
            import serial
        except ImportError:
            raise RuntimeUnavailable(f"serial: pyserial is not installed: {_INSTALL}") from None
        try:
            line = serial.serial_for_url(self.port, self.baud, timeout=0.02, write_timeout=5)
        except (OSError, ValueError) as error:
            why = (str(error).splitlines() or ["it cannot be opened"])[0][:200]
            raise RuntimeUnavailable(f"serial: port={self.port}: {why}") from None
        board = Board(line, self.timeout_s)
        for left in reversed(range(_TRIES)):
            try:
                return _Asking(line, board, board.greet(), taken, self.encoding)
            except Lost as lost:
                if not left:
                    line.close()
                    raise RuntimeUnavailable(f"serial: port={self.port}: {lost}") from None
        raise AssertionError

    def _input(self) -> Tensor:
        """How real inputs become the board's."""
        if self.model:
            return _input_of(Path(self.model))
        if self.encoding == "int8" and not self.scale:
            raise BadInput(
                "serial: got encoding=int8 alone, expected model=FILE.tflite or scale=... and "
                "zero_point=..., which say how inputs become int8"
            )
        return Tensor(
            name="input",
            shape=(),
            dtype=self.encoding,
            scale=self.scale or 1.0,
            zero_point=self.zero_point,
        )


class _Asking:
    """An open line to a board that has said its name."""

    facts = None

    def __init__(self, line: Any, board: Board, name: str, taken: Tensor, encoding: str) -> None:
        self._line, self._board = line, board
        self._input, self._encoding = taken, encoding
        self._classes, self._gone = 0, ""
        self.engine = Engine(name="serial", version=name, arithmetic="unknown")

    def ask(self, inputs: npt.NDArray[np.float32]) -> Answers:
        """One inference for each of `inputs` (n, *shape)."""
        rows: list[tuple[float, ...] | None] = []
        reason, latency_ms, silent = "", 0.0, 0
        for content in _bytes_of(np.asarray(inputs), self._input, self._encoding):
            said, why = self._one(content)
            latency_ms += said.latency_ms if said else 0.0
            rows.append(said.values if said else None)
            reason = reason or why
            silent = 0 if said else silent + 1
            if silent == _GONE and not self._gone:
                self._gone = f"{why}; {_GONE} questions in a row, so the rest were not asked"
                reason = self._gone
        found = np.full(len(rows), FAILED, np.int64)
        answered = [at for at, row in enumerate(rows) if row is not None]
        values = np.full((len(rows), self._classes), np.nan)
        if answered:
            values[answered] = [rows[at] for at in answered]
            found[answered] = labels(values[answered], _ROW)
            if not reason and (found == FAILED).any():
                reason = "the board gave NaN"
        return Answers(labels=found, outputs=values, latency_ms=latency_ms, reason=reason)

    def close(self) -> None:
        """Give the line back."""
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _one(self, content: bytes) -> tuple[Inferred | None, str]:
        """The board's answer, or why there is none."""
        if self._gone:
            return None, self._gone
        why = ""
        for _ in range(_TRIES):
            try:
                if why:
                    self._board.greet()
                self._board.load(content)
                said = self._board.infer()
                self._classes = self._classes or len(said.values)
                if len(said.values) != self._classes:
                    raise Lost(
                        f"the board gave {len(said.values)} results, and {self._classes} before"
                    )
            except Lost as lost:
                why = why or str(lost)
            else:
                return said, ""
        return None, why


def _input_of(path: Path) -> Tensor:
    from ..content import of_bytes
    from ..flatbuffer import NotFlatbuffer
    from ..tflite import read_tflite

    try:
        return read_tflite(of_bytes(read_model(path, "serial: model"))).inputs[0]
    except (NotFlatbuffer, IndexError) as error:
        raise BadInput(f"serial: model={path} is no TensorFlow Lite model ({error})") from None


def _bytes_of(values: npt.NDArray[Any], taken: Tensor, encoding: str) -> list[bytes]:
    """What each input is on the line: quantised by the rule of worker.py, C order, little-endian."""
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    if encoding == "float32":
        return [row.astype("<f4").tobytes() for row in flat]
    lowest, highest = (-128, 127) if taken.dtype == "int8" else (0, 255)
    steps = np.rint(flat.astype(np.float64) / (taken.scale or 1.0)) + taken.zero_point
    whole = np.clip(steps, lowest, highest).astype(np.int64)
    if encoding != taken.dtype:
        whole = whole + (128 if encoding == "uint8" else -128)
    return [row.astype(np.uint8).tobytes() for row in whole % 256]
