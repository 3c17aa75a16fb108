"""Keras 3 models to TFLite files, in a child process that serves many conversions.

TensorFlow takes 10 s to import, prints, and its converter keeps memory after every call. So the
work is done by `edgewm.converter` in a child that is renewed now and then: memory is bounded, a
program that exports a .keras file imports no TensorFlow, and a `Converter` started before training
is ready when the model is.

Dense layers are quantised per channel, the converter's default: such a file runs on LiteRT,
tflite-runtime 2.14 and TFLM alike. Stacks older than 2024 refuse it or use wrong scales, and some
NPUs want one scale a tensor; int8_dense_per_tensor and int8_per_tensor are for those.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import select
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from . import converter as child
from .converter import KerasModel
from .errors import BadInput, RuntimeUnavailable

CALIBRATION_SAMPLES = 200
"""How many representative samples are used: the first, so that a repeated export is the same."""
CONVERSIONS_PER_CHILD = 50


Inputs = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Format:
    """One way to store the numbers: what the TFLite converter is told, and what must come out."""

    calibrate: bool = False
    """Ranges of activations come from representative samples."""
    optimise: bool = True
    kernels: str = ""
    """Name in tf.lite.OpsSet of the only kernels allowed; empty for the converter's own choice."""
    asked_in: str = ""
    """dtype of input and output; empty for float32."""
    stored_as: str = ""
    """dtype of weights that are stored and not computed with."""
    switch: str = ""
    """Attribute of the converter to set True."""
    weights: str = ""
    """dtype that at least one constant of the file must have; anything else quantised nothing."""


_INT8 = Format(calibrate=True, kernels="TFLITE_BUILTINS_INT8", asked_in="int8", weights="int8")
_INT16X8 = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
_PER_TENSOR = "_experimental_disable_per_channel"

FORMATS = {
    "int8": _INT8,
    "int8_dense_per_tensor": dataclasses.replace(
        _INT8, switch=f"{_PER_TENSOR}_quantization_for_dense_layers"
    ),
    "int8_per_tensor": dataclasses.replace(_INT8, switch=_PER_TENSOR),
    "int16x8": Format(calibrate=True, kernels=_INT16X8, asked_in="int16", weights="int8"),
    "dynamic": Format(weights="int8"),
    "float16": Format(stored_as="float16", weights="float16"),
    "float32": Format(optimise=False),
}


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What one conversion gave."""

    model: bytes = field(repr=False)
    """The .tflite file, batch 1."""
    float_outputs: tuple[npt.NDArray[np.float32], ...] = field(repr=False)
    """(n, K) outputs of the Keras model for each array that was asked."""


class Converter:
    """A child process that converts, renewed after `conversions_per_child`; for one thread.

    Use it as a context, or call `close`. Nothing is started before `start` or the first `convert`.
    """

    def __init__(
        self, *, conversions_per_child: int = CONVERSIONS_PER_CHILD, timeout_s: float = 900.0
    ) -> None:
        self._limit = conversions_per_child
        self._timeout_s = timeout_s
        self._served = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Any = None

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Let a child begin to import TensorFlow, and return; no effect when there is one."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        self._process = subprocess.Popen(
            # -P: beside the script lie modules of ours that the standard library also names
            [sys.executable, "-P", str(Path(child.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=_environment(),
        )

    def convert(
        self,
        model: KerasModel,
        representative: Inputs | None = None,
        *,
        format: str = "int8",
        ask: Sequence[Inputs] = (),
    ) -> Converted:
        """Convert a keras.Model or a .keras file; the float model answers the arrays of `ask`.

        Raises:
            BadInput: see `export`.
            RuntimeUnavailable: TensorFlow or Keras is not installed.
        """
        settings = _format(format)
        samples = _checked_samples(representative, needed=settings.calibrate)
        _check_model(model)
        self.start()
        with tempfile.TemporaryDirectory(prefix="edgewm-") as name:
            folder = Path(name)
            request = _request(model, samples, folder, settings=settings, ask=ask)
            reply, said = self._exchange(request)
            _raise_for(reply, said)
            outputs = tuple(np.load(path) for path in request["answers"])
            return Converted(model=Path(request["out"]).read_bytes(), float_outputs=outputs)

    def close(self) -> None:
        """End the child at once; it holds nothing that could be lost."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None
        self._served = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _exchange(self, request: dict[str, Any]) -> tuple[dict[str, str], str]:
        """The reply to one request and what was printed meanwhile."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        log_from = os.fstat(self._log.fileno()).st_size
        try:
            process.stdin.write(child.frame(request))
            process.stdin.flush()
            reply = _reply(process, time.monotonic() + self._timeout_s)
        except BrokenPipeError:
            reply = None
        except BaseException:
            self.close()  # a reply that comes later would be taken for the next one
            raise
        said = os.pread(self._log.fileno(), 1 << 16, log_from).decode("utf-8", "replace")
        self._served += 1
        if reply is None:
            reply = {
                "failed": f"the converter crashed (exit status {process.wait()}), as it does on "
                "recurrent layers without unroll=True"
            }
            self.close()
        elif self._served >= self._limit:
            self.close()
        return reply, said


def finite(argument: str, inputs: object) -> Inputs:
    """`inputs` (n, *shape) as contiguous float32.

    Raises:
        BadInput: not a float array, no samples, NaN or infinity.
    """
    if not isinstance(inputs, np.ndarray) or inputs.dtype.kind != "f":
        got = inputs.dtype if isinstance(inputs, np.ndarray) else type(inputs).__name__
        raise BadInput(
            f"{argument}: got {got}, expected a float32 array in the model's value range"
        )
    if inputs.ndim < 2 or inputs.size == 0:
        raise BadInput(
            f"{argument}: got the shape {inputs.shape}, expected (n, *shape of one input)"
        )
    samples = np.ascontiguousarray(inputs, np.float32)
    bad = np.flatnonzero(~np.isfinite(samples.reshape(len(samples), -1)).all(axis=1))
    if len(bad):
        raise BadInput(
            f"{argument}: got NaN or infinity in {len(bad)} of {len(samples)} samples, first in "
            f"number {bad[0]}, expected finite numbers"
        )
    return samples


def _request(
    model: KerasModel,
    samples: Inputs | None,
    folder: Path,
    *,
    settings: Format,
    ask: Sequence[Inputs],
) -> dict[str, Any]:
    shape = None if samples is None else samples.shape[1:]
    try:
        source = _source(model, shape, folder)
        if samples is not None and settings.calibrate:
            np.save(folder / "representative.npy", samples)
        for i, inputs in enumerate(ask):
            np.save(folder / f"question{i}.npy", np.ascontiguousarray(inputs, np.float32))
    except OSError as error:
        raise BadInput(
            f"TMPDIR: {folder.parent} cannot hold the model: {error.strerror}, name another folder"
        ) from None
    return {
        "model": str(source),
        "folder": str(folder),
        "shape": shape,
        "settings": dataclasses.asdict(settings),
        "representative": str(folder / "representative.npy") if settings.calibrate else None,
        "questions": [str(folder / f"question{i}.npy") for i in range(len(ask))],
        "answers": [str(folder / f"answer{i}.npy") for i in range(len(ask))],
        "out": str(folder / "model.tflite"),
    }


def _source(model: KerasModel, shape: tuple[int, ...] | None, folder: Path) -> Path:
    """What the child opens: the .keras file itself, or a SavedModel written here."""
    if isinstance(model, str | Path):
        return Path(model).absolute()
    logger = logging.getLogger("tensorflow")  # says where it wrote assets, at a level users see
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        child.write_saved_model(model, shape, folder / "live")
    except child.ConversionError as error:
        raise BadInput(str(error)) from None
    finally:
        logger.setLevel(level)
    return folder / "live"


def _reply(process: subprocess.Popen[bytes], deadline: float) -> dict[str, str] | None:
    """The next framed reply, None when the child ended without one."""
    assert process.stdout is not None
    handle, held = process.stdout.fileno(), b""
    while len(held) < child.HEADER.size or len(held) < _frame_bytes(held):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([handle], [], [], left)[0]:
            raise BadInput("model: the converter gave no answer in time, raise timeout_s")
        part = os.read(handle, 1 << 16)
        if not part:
            return None
        held += part
    return child.parse(held)


def _frame_bytes(held: bytes) -> int:
    return int(child.HEADER.size + child.HEADER.unpack_from(held)[0])


def _raise_for(reply: dict[str, str], said: str) -> None:
    error: BadInput | RuntimeUnavailable
    if "unavailable" in reply:
        error = RuntimeUnavailable(
            f"export needs TensorFlow, pip install 'edgewm[train]': {reply['unavailable']}"
        )
    elif "refused" in reply:
        error = BadInput(reply["refused"])
    elif "failed" in reply:
        error = BadInput(f"model: does not convert: {reply['failed']}")
    else:
        return
    if said.strip():
        error.add_note(said.strip())  # what TensorFlow printed, for whoever looks past the one line
    raise error


def _environment() -> dict[str, str]:
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    # A conversion computes nothing that a GPU speeds up, and training may hold all of its memory.
    return {**os.environ, **quiet, "CUDA_VISIBLE_DEVICES": "-1"}


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise BadInput(f"--format: got {name!r}, expected one of {', '.join(FORMATS)}")
    return FORMATS[name]


def _check_model(model: KerasModel) -> None:
    expected = "expected a keras.Model or a file written by model.save('NAME.keras')"
    if isinstance(model, str | Path):
        path = Path(model)
        if not path.exists():
            raise BadInput(f"model: there is no {path}, {expected}")
        try:
            with zipfile.ZipFile(path) as archive:
                names = set(archive.namelist())
        except (OSError, zipfile.BadZipFile):
            raise BadInput(f"model: {path} is not a .keras file, {expected}") from None
        if not {"config.json", "metadata.json"} <= names:
            raise BadInput(f"model: {path} is a zip but not a .keras file, {expected}")
        return
    keras = sys.modules.get("keras")
    if keras is None or not isinstance(model, keras.Model):
        raise BadInput(f"model: got {type(model).__module__}.{type(model).__name__}, {expected}")
    if keras.backend.backend() != "tensorflow":
        raise BadInput(
            f"model: lives in {keras.backend.backend()}, save it as .keras and pass the file"
        )


def _checked_samples(representative: Inputs | None, *, needed: bool) -> Inputs | None:
    if representative is None:
        if needed:
            raise BadInput(
                "representative: got no samples, expected about 200 typical inputs (n, *shape) to "
                "measure the ranges of activations on"
            )
        return None
    samples = finite("representative", representative)[:CALIBRATION_SAMPLES]
    if needed and samples.min() == samples.max():
        raise BadInput(f"representative: every value is {samples.flat[0]}, expected typical inputs")
    return samples
