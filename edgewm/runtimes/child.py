"""The interpreter in a worker process: start it, find its arithmetic, open models in it.

`start` returns while the child is still importing, so that the parent can read its own files meanwhile.
A crash, a refusal and a limit all end as one `ModelRefused` with the reason; an interpreter that fails
before it has seen any suspect file is `RuntimeUnavailable`.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..artifact import Tensor
from ..errors import BadInput, ModelRefused, RuntimeUnavailable
from . import Engine, ModelFacts, early
from .process import Process, Spawned, clean
from .session import NUMBERS, ChildSession, unsuitable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from .nursery import Nursery

CPU_LIMIT_S = 24 * 3600
"""A backstop for a worker whose parent was killed: the parent's own limits are far lower."""
_LONGEST_S = 24 * 3600
_DYNAMIC = "does not run the format dynamic (float activations, int8 weights), export int8"
_FLOAT16 = "does not run the format float16 (weights stored as float16), export int8"
_NOT_ON_TFLM = (
    ("Hybrid models are not supported", _DYNAMIC),
    ("Input type: FLOAT32 with filter type: INT8", _DYNAMIC),
    ("UInt8 was not true. Node DEQUANTIZE", _FLOAT16),
)
"""What TFLM prints of a whole storage format that it leaves out, and what that means."""
_BY_PATH = ("keras", "savedmodel")
"""Engines that read a path and no bytes."""
PROBED = ("litert", "tflite_runtime", "tflm")
"""Engines that run the probe, a `.tflite`."""
INSTALL = {
    "litert": "pip install ai-edge-litert",
    "tflite_runtime": "pip install 'edgewm[tflite-runtime]'",
    "tflm": "pip install 'edgewm[tflm]'",
    "onnxruntime": "pip install 'edgewm[onnx]'",
    "keras": "pip install 'edgewm[train]'",
    "savedmodel": "pip install 'edgewm[train]'",
}
"""What brings each interpreter; tflite-micro has pre-releases only, which pip takes through the extra."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a worker runs that is not in a python of this machine."""

    name: str
    """The runtime's own name: in front of every message, and the engine's."""
    command: list[str]
    """Program and arguments that end as worker.py on stdin and stdout."""
    ahead: bytes = b""
    """Bytes for the program, sent before the first frame."""
    install: str
    """What to do where the interpreter is missing there."""
    out_of_reach: bool = False
    """Whether killing `command` leaves the worker running, which then ends itself after a limit."""
    told: str = ""
    """What the engine's version says of the place."""


def start(
    engine: str,
    options: dict[str, Any],
    *,
    python: str | None = None,
    place: Place | None = None,
    memory_mib: int = 2048,
    timeout_s: float = 60.0,
    choice: dict[str, Any] | None = None,
    nursery: Nursery | None = None,
) -> Child:
    """Start a worker that begins to import `engine` (litert, tflite_runtime, tflm) at once.

    Args:
        engine: which interpreter.
        options: its options, as worker.py names them.
        python: another environment's python, 3.9 or later with numpy; None for this one.
        place: where it runs instead: under an emulator, on a board.
        memory_mib: address space that the worker may use, in MiB.
        timeout_s: seconds that starting, opening or one batch of answers may take.
        choice: which tensors of a model are asked, and in how many frames, as worker.py takes it.
        nursery: where to take the worker from, which has imported the interpreter before.

    Raises:
        BadInput: a limit that is not positive, or longer than a day.
        RuntimeUnavailable: `python` or the program of `place` cannot be started.
    """
    here = place or Place(
        name=engine, command=early.local(python or sys.executable), install=INSTALL[engine]
    )
    if memory_mib < 1 or not 0 < timeout_s <= _LONGEST_S:
        raise BadInput(
            f"{here.name}: got memory_mib={memory_mib}, timeout_s={timeout_s}, expected > 0, "
            f"and at most {_LONGEST_S:,} seconds"
        )
    request: dict[str, Any] = {"op": "start", "engine": engine, "options": options}
    request |= {"memory_mib": memory_mib, "cpu_s": CPU_LIMIT_S}
    request["answer_s"] = math.ceil(timeout_s) if here.out_of_reach else 0
    if nursery is not None:
        return nursery.child(here, request, timeout_s, choice)
    process = Process(
        here.name, origin=Spawned(here.command), memory_mib=memory_mib, timeout_s=timeout_s
    )
    process.send_ahead(here.ahead)
    process.send(request)
    return Child(engine, here, process, memory_mib, choice=choice)


def start_as(
    runtime: Any, engine: str, options: dict[str, Any], nursery: Nursery | None = None
) -> Child:
    """`start` with the limits, the python and the tensors that the fields of `runtime` name.

    Raises:
        BadInput: a number of a tensor or of frames that is none, or a limit as in `start`.
        RuntimeUnavailable: as in `start`.
    """
    return start(
        engine,
        options,
        python=runtime.python,
        memory_mib=runtime.memory_mib,
        timeout_s=runtime.timeout_s,
        choice=_choice(runtime),
        nursery=nursery,
    )


def _choice(runtime: Any) -> dict[str, Any]:
    """Which tensors of a model are asked, and in how many frames, as worker.py takes it."""
    chosen: dict[str, Any] = {
        name: getattr(runtime, name) for name in ("input", "output", "frames")
    }
    for name, number in chosen.items():
        if number is not None and number < (1 if name == "frames" else 0):
            raise BadInput(
                f"--on: got {name}={number}, expected {'1' if name == 'frames' else '0'} or more"
            )
    return chosen


def ask_raw(child: Child, model: bytes, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.generic]:
    """Raw output rows (n, K) of one model, without a probe; the worker then ends."""
    try:
        child.ready()
        child.load(model)
        return child.run(inputs)[0]
    finally:
        child.close()


class Child:
    """A started interpreter; as good as the runtime that started it wherever one is opened."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False

    def __init__(
        self,
        engine: str,
        place: Place,
        process: Process,
        memory_mib: int,
        *,
        arithmetic: str | None = None,
        choice: dict[str, Any] | None = None,
    ) -> None:
        self.isolation: tuple[str, ...] = ()
        """The restrictions that took hold, known once it is ready."""
        self.version = ""
        self._engine, self._name, self._place = engine, place.name, place
        self._process, self._memory_mib = process, memory_mib
        self._numpy_version = ""
        self._ready = False
        self._arithmetic, self._choice = arithmetic, choice or {}

    def ready(self) -> None:
        """Wait until the interpreter is imported and the process restricted.

        Raises:
            RuntimeUnavailable: the interpreter is missing or does not load.
        """
        if self._ready:
            return
        try:
            reply, _ = self._process.receive()
        except ModelRefused as error:
            raise RuntimeUnavailable(str(error)) from None
        if "error" in reply:
            self.close()
            raise RuntimeUnavailable(self._missing(clean(reply.get("text"))))
        self.version = clean(reply.get("version"))
        if self._place.told:
            machine = clean(reply.get("machine"))[:40]
            self.version = f"{self._engine} {self.version}, {machine}, {self._place.told}"
        self._numpy_version = clean(reply.get("numpy"))
        self.isolation = tuple(clean(text) for text in list(reply.get("isolation", []))[:16])
        self._process.said()  # what an import prints is no reason for what happens later
        self._ready = True

    def arithmetic(self) -> str:
        """What the probe finds; asked once, before any suspect file.

        Raises:
            RuntimeUnavailable: the interpreter does not run the probe, which it is known to run.
        """
        if self._engine not in PROBED:
            self.ready()
            return "unknown"  # there is no probe in its format
        if self._arithmetic is None:
            from . import probe

            known = probe.load()  # before the wait, since the worker is not ready yet either
            self.ready()
            try:
                self.load(known.model)
                self._arithmetic = probe.classify(self.run(known.inputs)[0])
            except ModelRefused as error:
                self.close()
                raise RuntimeUnavailable(self._broken(str(error))) from None
        return self._arithmetic

    def open(self, model: bytes | None) -> ChildSession:
        """Open a model file; the session then owns this worker, which ends with it.

        Raises:
            BadInput: no bytes.
            RuntimeUnavailable: the interpreter is not installed or does not work here.
            ModelRefused: it does not run this file, or the file is not one input and one output.
        """
        try:
            if not model:
                raise BadInput(f"{self._name}: got no model, expected the bytes of a model file")
            arithmetic = self.arithmetic()
            facts = self.load(model, self._choice)
        except BaseException:
            self.close()
            raise
        engine = Engine(name=self._name, version=self.version, arithmetic=arithmetic)
        return ChildSession(self, facts, engine)

    def load(self, model: bytes, choice: dict[str, Any] | None = None) -> ModelFacts:
        """Have the worker open `model`, asked by `choice`, in place of what it had open.

        Raises:
            ModelRefused: it does not; unless the reason is a crash, the worker goes on.
        """
        facts, reason = self.describe(model, choice)
        if reason:
            raise ModelRefused(f"{self._name}: the model {reason}")
        return facts

    def describe(
        self, model: bytes, choice: dict[str, Any] | None = None
    ) -> tuple[ModelFacts, str]:
        """Open `model` as `load` does, and say why it cannot be asked; empty when it can.

        Raises:
            ModelRefused: the interpreter does not run it.
        """
        header: dict[str, Any] = {"op": "open", "choice": choice or {}}
        if self._engine in _BY_PATH:
            from .placing import file_of

            with file_of(self._engine, model) as path:
                reply = self._opened({**header, "path": path})
        else:
            reply = self._opened(header, model)
        self._raise_error(reply, _other_format(self._engine, model) if "error" in reply else "")
        try:
            sizes = {
                part: None if reply[part] is None else int(reply[part])
                for part in ("arena_bytes", "arena_persistent_bytes")
            }
            facts = ModelFacts(
                inputs=tuple(_tensor(entry) for entry in reply["inputs"]),
                outputs=tuple(_tensor(entry) for entry in reply["outputs"]),
                **sizes,
            )
            return facts, unsuitable(facts, self._name if self._name in INSTALL else "")
        except (KeyError, TypeError, ValueError, OverflowError):
            raise self._process.lost("sent a reply that is not one") from None

    def _opened(self, header: dict[str, Any], model: bytes = b"") -> dict[str, Any]:
        """The reply to opening a model, which is sent before the worker is waited for."""
        self._process.send(header, model)
        self.ready()
        return self._process.receive()[0]

    def run(
        self, inputs: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.generic], list[int], str, float]:
        """Raw rows (n, K), indices that failed, why, and milliseconds, for one batch of inputs.

        Raises:
            ModelRefused: the worker crashed or passed a limit.
        """
        import numpy as np

        values = np.ascontiguousarray(inputs, np.dtype("<f4"))
        header = {"op": "run", "dtype": "<f4", "shape": list(values.shape)}
        self._process.send(header, values.tobytes())
        reply, payload = self._process.receive()
        self._raise_error(reply)
        try:
            if reply["dtype"] not in NUMBERS or int(reply["shape"][0]) != len(values):
                raise ValueError
            dtype, shape = np.dtype(reply["dtype"]), [int(length) for length in reply["shape"]]
            rows = np.frombuffer(payload, dtype).reshape(shape)
            if rows.ndim != 2 or (len(rows) and rows.shape[1] < 1):
                raise ValueError
            failed = [int(index) for index in reply["failed"] if 0 <= int(index) < len(values)]
            return rows, failed, clean(reply["reason"]), float(reply["latency_ms"])
        except (KeyError, TypeError, ValueError, IndexError, OverflowError):
            raise self._process.lost("sent a reply that is not one") from None

    def trial(self) -> dict[str, bool]:
        """Things that a stranger's file might make the worker do, and whether it can, found by trying.

        Raises:
            ModelRefused: the worker has ended.
        """
        self.ready()
        self._process.send({"op": "trial", "memory_mib": self._memory_mib})
        reply, _ = self._process.receive()
        self._raise_error(reply)
        return {clean(name): bool(can) for name, can in reply.items()}

    def moments(self, inputs: npt.NDArray[np.float32]) -> dict[str, list[float]]:
        """Mean square of each input channel of every layer with weights, by the weights' name.

        For an interpreter started with the option keep_activations, on the owner's own file.

        Raises:
            ModelRefused: the worker crashed, passed a limit or does not keep activations.
        """
        import numpy as np

        values = np.ascontiguousarray(inputs, np.dtype("<f4"))
        header = {"op": "moments", "dtype": "<f4", "shape": list(values.shape)}
        self._process.send(header, values.tobytes())
        reply, _ = self._process.receive()
        self._raise_error(reply)
        return {str(name): [float(x) for x in row] for name, row in reply["moments"].items()}

    def close(self) -> None:
        """Kill the worker; harmless when done already."""
        self._process.close()

    def _raise_error(self, reply: dict[str, Any], advice: str = "") -> None:
        """Turn an error reply into ModelRefused; the worker itself goes on."""
        printed = self._process.said(lines=2)  # the reason, then the operator that it stopped
        if "error" not in reply:
            return
        if reply["error"] == "memory":
            raise ModelRefused(
                f"{self._name}: needs more than memory_mib={self._memory_mib}",
                how="out_of_memory",
            )
        text = clean(reply.get("text")) + (f" ({printed})" if printed else "") + advice
        if self._engine == "tflm":
            text = next((f"{why}: {text}" for sign, why in _NOT_ON_TFLM if sign in text), text)
        raise ModelRefused(f"{self._name}: {text}")

    def _missing(self, text: str) -> str:
        if text.startswith("ModuleNotFoundError"):
            return f"{self._name}: not installed, {self._place.install} ({text})"
        return f"{self._name}: does not load: {text}"

    def _broken(self, text: str) -> str:
        if self._engine == "tflite_runtime" and not self._numpy_version.startswith("1."):
            return (
                f"{self._name}: tflite_runtime is built for NumPy 1, got NumPy {self._numpy_version}: "
                "pip install 'numpy<2', or name an environment that has it with python="
            )
        return f"{self._name}: does not run the probe: {text}"


def _other_format(engine: str, model: bytes) -> str:
    """What else a file is that an interpreter of `.tflite` refused; empty when nothing is known."""
    if engine not in PROBED or model[4:8] == b"TFL3":
        return ""
    import io
    import zipfile

    from ..content import of_bytes
    from ..model_formats import format_of, format_of_members
    from .placing import GRAPH

    found = format_of(of_bytes(model))
    if not found and model[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(io.BytesIO(model)) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return ""
        found = "savedmodel" if GRAPH in names else format_of_members(names)
    if not found:
        return ""
    reader = {"onnx": "onnxruntime"}.get(found, found)
    more = f": --on {reader}" if reader in INSTALL else ", which nothing here reads"
    return f"; the file is {found}{more}"


def _tensor(entry: dict[str, Any]) -> Tensor:
    return Tensor(
        name=clean(entry["name"])[:200],
        shape=tuple(int(length) for length in entry["shape"]),
        dtype=clean(entry["dtype"]),
        scale=float(entry["scale"]),
        zero_point=int(entry["zero_point"]),
    )
