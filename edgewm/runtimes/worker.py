"""The one process that opens model files: an interpreter, a pipe in, a pipe out.

It runs as `python worker.py` in this environment, in another one, on another machine or under an
emulator, so it is standard library and numpy only, needs no edgewm and runs on Python 3.9. Its neighbour
sandbox.py travels with it. Requests and replies are frames on stdin and stdout:

    4 bytes "EWM1", header length (4 bytes little-endian), payload length (8 bytes), JSON header, payload

    start   {engine, options, memory_mib, cpu_s, answer_s}  -> {version, numpy, machine, isolation}
            {..., nursery: true} + a model of ours           -> {version, numpy}, then forks: see `_nurse`
    open    {} + model bytes                                 -> {inputs, outputs, stateful, arena_bytes,
                                                                 arena_persistent_bytes}
    run     {dtype, shape: [n, ...]} + float32 bytes         -> {dtype, shape, failed, reason,
                                                                 latency_ms} + rows
    trial   {memory_mib}                                     -> {what it could be tried to do: whether it can}
    moments {dtype, shape: [n, ...]} + float32 bytes         -> {moments: {weights' name: [mean squares]}}

A reply may be {error: unavailable | refused | memory | failed, text}. What interpreters print from C++ on
stdout would corrupt the frames, so the frames move to a private descriptor and stdout joins stderr.
"""

from __future__ import annotations

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
# This folder holds a tflite_runtime.py of ours, which would hide the real package.
sys.path[:] = [p for p in sys.path if os.path.abspath(p or os.getcwd()) != _HERE]

import contextlib  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import re  # noqa: E402
import signal  # noqa: E402
import struct  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

_MAGIC = b"EWM1"
_LARGEST_ARENA = 64 << 20
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
_RESOURCE_OPERATORS = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "HASHTABLE"}


def main() -> None:
    """Answer requests until stdin closes."""
    gc.disable()  # starting is faster without
    replies = _take_stdout()
    with contextlib.suppress(ImportError):  # if it is missing, the interpreter will say so
        import numpy  # noqa: F401 - now, while the parent finds out what it wants to ask
    request = _receive(0)
    if request is None:
        return
    try:
        answer_s = int(request[0].get("answer_s", 0))
        engine = _ENGINES[request[0]["engine"]](request[0]["options"])
        if request[0].get("nursery"):
            replies = _nurse(replies, engine, bytes(request[1]))
            if replies < 0:
                return
        _send(replies, _restrict(request[0], engine.version))
        gc.enable()
    except (ImportError, AttributeError, KeyError, RuntimeError, OSError) as error:
        text = f"{type(error).__name__}: {error}"
        _send(replies, {"error": "unavailable", "text": text[:2000], "numpy": _numpy_version()})
        return
    while True:
        request = _receive(0)
        if request is None:
            return
        header, payload = request
        signal.alarm(answer_s)  # where no parent can kill this process, it ends itself; 0 is never
        try:
            answer = _answer(engine, header, payload)
        except MemoryError:
            answer = {"error": "memory", "text": "out of memory"}, b""
        except Exception as error:  # an interpreter may raise anything on a hostile file
            kind = "refused" if header.get("op") == "open" else "failed"
            text = str(error) if isinstance(error, (RuntimeError, ValueError)) else repr(error)
            text = text or "it does not run, without a reason (too large for the memory limit?)"
            answer = {"error": kind, "text": text[:2000]}, b""
        signal.alarm(0)
        _send(replies, *answer)


def _nurse(replies: int, engine: Any, model: bytes) -> int:
    """Fork a worker for each request on stdin, which is a socket; only in a worker does this return.

    `f` comes with three descriptors, the worker's stdin, stdout and stderr, and is answered with its pid;
    `w` and `k` name a pid and are answered with how that worker ended: at once (None when it has not), or
    after killing it. `model` is one of ours, run once: no fork then has to look at what the processor can.

    Returns:
        The descriptor for replies, in a worker; -1 in the nursery, when its parent has closed the socket.
    """
    import ctypes
    import socket

    control = socket.socket(fileno=os.dup(0))
    _sandbox()  # imported once, here
    import numpy as np

    shape = engine.open(model)["inputs"][0]["shape"][1:]
    _run(engine, np.zeros((1, *shape), np.float32))
    engine._interpreter = None
    _send(replies, {"version": engine.version, "numpy": _numpy_version()})
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    nursery = os.getpid()
    gc.freeze()  # so that a fork does not copy what it never changes
    while True:
        request, descriptors, *_ = socket.recv_fds(control, 5, 3)
        if len(request) < 5:
            return -1
        kind, pid = struct.unpack("<cI", request)
        if kind != b"f":
            _send(replies, {"status": _ended(pid, now=kind == b"k")})
            continue
        pid = os.fork()
        if pid == 0:
            if libc is not None:
                libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL)
            if os.getppid() != nursery:
                os._exit(1)
            for standard, descriptor in enumerate(descriptors):
                os.dup2(descriptor, standard)
            control.detach()
            return _take_stdout()
        for descriptor in descriptors:
            os.close(descriptor)
        _send(replies, {"pid": pid})


def _ended(pid: int, now: bool) -> int | None:
    try:
        if now:
            os.kill(pid, _SIGKILL)
        ended, status = os.waitpid(pid, 0 if now else os.WNOHANG)
    except (ChildProcessError, ProcessLookupError):
        return 0
    return os.waitstatus_to_exitcode(status) if ended else None


def _take_stdout() -> int:
    private = os.dup(1)
    os.dup2(2, 1)
    try:
        opened = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        opened = []
    for descriptor in opened:
        if descriptor > 2 and descriptor != private:
            try:
                os.close(descriptor)  # whatever the parent's C libraries let through
            except OSError:
                continue
    return private


def _receive(source: int) -> tuple[dict[str, Any], bytearray] | None:
    start = _exactly(source, 16)
    if start is None:
        return None
    magic, header_length, payload_length = struct.unpack("<4sIQ", start)
    if magic != _MAGIC:
        raise SystemExit("worker: got something that is not a frame on stdin")
    header = _exactly(source, header_length)
    payload = _exactly(source, payload_length)
    if header is None or payload is None:
        return None
    return json.loads(header), payload


def _exactly(source: int, length: int) -> bytearray | None:
    got = bytearray(length)
    view = memoryview(got)
    at = 0
    while at < length:
        count = os.readv(source, [view[at:]])
        if count == 0:
            return None
        at += count
    return got


def _send(target: int, header: dict[str, Any], payload: bytes = b"") -> None:
    text = json.dumps(header).encode()
    frame = memoryview(struct.pack("<4sIQ", _MAGIC, len(text), len(payload)) + text + payload)
    while frame:
        frame = frame[os.write(target, frame) :]


def _numpy_version() -> str:
    return str(getattr(sys.modules.get("numpy"), "__version__", ""))


def _sandbox() -> Any:
    sys.path.insert(0, _HERE)
    try:
        import sandbox  # type: ignore[import-not-found]
    finally:
        sys.path.remove(_HERE)
    return sandbox


def _restrict(request: dict[str, Any], version: str) -> dict[str, Any]:
    confined = os.environ.get("EDGEWM_CONFINED")  # emulated.py did it: an emulator forwards little
    applied = (
        _sandbox().apply(request["memory_mib"], request["cpu_s"])
        if confined is None
        else confined.split(";")
    )
    facts = {"version": version, "numpy": _numpy_version(), "machine": os.uname().machine}
    return {**facts, "isolation": applied}


def _answer(
    engine: Any, header: dict[str, Any], payload: bytearray
) -> tuple[dict[str, Any], bytes]:
    if header["op"] == "open":
        return engine.open(bytes(payload)), b""
    if header["op"] == "trial":
        return _sandbox().trial(header["memory_mib"]), b""
    if header["op"] == "run":
        import numpy as np

        inputs = np.frombuffer(payload, np.dtype(header["dtype"])).reshape(header["shape"])
        return _run(engine, inputs)
    if header["op"] == "moments":
        import numpy as np

        inputs = np.frombuffer(payload, np.dtype(header["dtype"])).reshape(header["shape"])
        return {"moments": engine.moments(_to_tensor(inputs, engine.facts["inputs"][0]))}, b""
    raise ValueError(f"unknown request {header['op']!r}")


def _run(engine: Any, inputs: Any) -> tuple[dict[str, Any], bytes]:
    import numpy as np

    samples = _to_tensor(inputs, engine.facts["inputs"][0])
    size = 1
    for length in engine.facts["outputs"][0]["shape"]:
        size *= abs(length)  # a free axis is -1 and holds one sample here
    rows = np.zeros((len(samples), size), np.dtype(engine.facts["outputs"][0]["dtype"]))
    failed, reason = [], ""
    started = time.perf_counter()
    for index in range(len(samples)):
        try:
            rows[index] = engine.ask(samples[index : index + 1]).ravel()
        except (RuntimeError, ValueError) as error:
            failed.append(index)
            reason = reason or str(error)[:500]
    latency_ms = (time.perf_counter() - started) * 1000
    header = {
        "dtype": rows.dtype.name,
        "shape": list(rows.shape),
        "failed": failed,
        "reason": reason,
        "latency_ms": latency_ms,
    }
    return header, rows.tobytes()


def _to_tensor(inputs: Any, tensor: dict[str, Any]) -> Any:
    """float32 (n, *shape) in the model's own type, quantised by the model's own step and zero point.

    Half a step rounds to even; a whole-number input without a step takes the values themselves.
    """
    import numpy as np

    dtype = np.dtype(tensor["dtype"])
    if dtype.kind == "f":
        return inputs.astype(dtype)
    span = np.iinfo(dtype)
    steps = np.rint(inputs.astype(np.float64) / (tensor["scale"] or 1.0)) + tensor["zero_point"]
    return np.clip(steps, span.min, span.max).astype(dtype)


def _tensor(name: str, shape: Any, dtype: Any, scales: Any, zero_points: Any) -> dict[str, Any]:
    import numpy as np

    one = len(scales) == 1
    return {
        "name": str(name)[:200],
        "shape": [int(length) for length in shape],
        "dtype": np.dtype(dtype).name,
        "scale": float(scales[0]) if one else 0.0,
        "zero_point": int(zero_points[0]) if one and len(zero_points) == 1 else 0,
    }


class _Lite:
    """LiteRT and its predecessor tflite-runtime, which share one Python interface."""

    def __init__(self, options: dict[str, Any], package: str) -> None:
        import importlib

        self._module = importlib.import_module(package + ".interpreter")
        self.version = str(importlib.import_module(package).__version__)
        self._arguments: dict[str, Any] = {"num_threads": int(options.get("threads", 1))}
        resolver = {"none": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}.get(
            options.get("delegate", "xnnpack")
        )
        if resolver is not None:
            chosen = getattr(self._module.OpResolverType, resolver)
            self._arguments["experimental_op_resolver_type"] = chosen
        if options.get("keep_activations"):
            self._arguments["experimental_preserve_all_tensors"] = True
        self.facts: dict[str, Any] = {}
        self._interpreter: Any = None

    def open(self, model: bytes) -> dict[str, Any]:
        self._interpreter = None
        opened = self._module.Interpreter(model_content=model, **self._arguments)
        first = opened.get_input_details()
        if len(first) == 1 and len(first[0]["shape"]) > 0 and first[0]["shape"][0] != 1:
            opened.resize_tensor_input(first[0]["index"], [1, *first[0]["shape"][1:]])
        try:
            opened.allocate_tensors()
        except RuntimeError as error:
            if not str(error) and _larger_than_the_limit(opened.get_tensor_details()):
                raise MemoryError from None  # it fails without a word
            raise
        inputs, outputs = opened.get_input_details(), opened.get_output_details()
        operators = {detail["op_name"] for detail in opened._get_ops_details()}
        self.facts = {
            "inputs": [self._describe(detail) for detail in inputs],
            "outputs": [self._describe(detail) for detail in outputs],
            "stateful": bool(operators & _RESOURCE_OPERATORS),
            "arena_bytes": None,
            "arena_persistent_bytes": None,
        }
        self._interpreter = opened
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        return self.facts

    def ask(self, sample: Any) -> Any:
        interpreter = self._interpreter
        interpreter.reset_all_variables()  # or a recurrent layer would remember the last sample
        interpreter.set_tensor(self._input, sample)
        interpreter.invoke()
        return interpreter.get_tensor(self._output)

    def moments(self, samples: Any) -> dict[str, list[float]]:
        """Mean square of each input channel of every layer with weights; needs keep_activations."""
        import numpy as np

        held = self._interpreter
        details = {detail["index"]: detail for detail in held.get_tensor_details()}
        layers = [[int(i) for i in op["inputs"]][:2] for op in held._get_ops_details()]
        layers = [pair for pair in layers if len(pair) == 2 and min(pair) >= 0]
        sums: dict[str, Any] = {}
        for sample in samples:
            self.ask(sample[None])
            for source, weights in layers:
                values = held.get_tensor(source).astype(np.float64)
                if values.ndim:
                    zero = details[source]["quantization"][1]
                    square = ((values - zero) ** 2).reshape(-1, values.shape[-1]).mean(axis=0)
                    name = details[weights]["name"]
                    sums[name] = sums.get(name, 0.0) + square
        return {name: (total / len(samples)).tolist() for name, total in sums.items()}

    @staticmethod
    def _describe(detail: dict[str, Any]) -> dict[str, Any]:
        shape = detail.get("shape_signature", detail["shape"])
        steps = detail["quantization_parameters"]
        return _tensor(
            detail["name"],
            shape if len(shape) == len(detail["shape"]) else detail["shape"],
            detail["dtype"],
            steps["scales"],
            steps["zero_points"],
        )


class _Micro:
    """TensorFlow Lite Micro, the interpreter that runs on microcontrollers, built for this machine."""

    def __init__(self, options: dict[str, Any]) -> None:
        from tflite_micro.python.tflite_micro import _version, runtime

        self._module = runtime
        self.version = str(_version.__version__)
        self._arena_bytes = int(options.get("arena_kib", 256)) << 10
        self.facts: dict[str, Any] = {}
        self._interpreter: Any = None

    def open(self, model: bytes) -> dict[str, Any]:
        self._interpreter = None
        opened = self._allocate(model)
        details = opened.get_input_details(0), opened.get_output_details(0)
        allocated = _allocations(opened)
        self.facts = {
            "inputs": [self._describe(details[0])] * self._count(opened.get_input_details),
            "outputs": [self._describe(details[1])] * self._count(opened.get_output_details),
            "stateful": self._module.count_resource_variables(model) > 0,
            "arena_bytes": allocated.get("total"),
            "arena_persistent_bytes": allocated.get("tail"),
        }
        self._interpreter = opened
        return self.facts

    def ask(self, sample: Any) -> Any:
        interpreter = self._interpreter
        interpreter.reset()
        interpreter.set_input(sample, 0)
        interpreter.invoke()
        return interpreter.get_output(0)

    def _allocate(self, model: bytes) -> Any:
        """Double the arena until the model fits: its need is not in the file."""
        arena_bytes = self._arena_bytes
        while True:
            try:
                return self._module.Interpreter.from_bytes(model, arena_size=arena_bytes)
            except RuntimeError:
                arena_bytes *= 2
                if arena_bytes > _LARGEST_ARENA:
                    raise

    @staticmethod
    def _count(details: Any) -> int:
        for index in range(1, 3):
            try:
                details(index)
            except (IndexError, ValueError, RuntimeError):
                return index
        return 3

    @staticmethod
    def _describe(detail: dict[str, Any]) -> dict[str, Any]:
        steps = detail["quantization_parameters"]
        return _tensor("", detail["shape"], detail["dtype"], steps["scales"], steps["zero_points"])


def _larger_than_the_limit(tensors: list[dict[str, Any]]) -> bool:
    """Whether a single tensor needs more address space than this process may use."""
    import math
    import resource

    import numpy as np

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    sizes = [
        math.prod(map(int, tensor["shape"])) * np.dtype(tensor["dtype"]).itemsize
        for tensor in tensors
    ]
    return limit != resource.RLIM_INFINITY and max(sizes, default=0) > limit


def _allocations(interpreter: Any) -> dict[str, int]:
    """Arena bytes by part (total, head, tail), read from what TFLM prints on stderr."""
    source, target = os.pipe()
    os.set_blocking(target, False)
    kept = os.dup(2)
    os.dup2(target, 2)
    try:
        interpreter.print_allocations()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(target)
    text = os.read(source, 1 << 16).decode("utf-8", "replace")
    os.close(source)
    found = re.findall(r"Arena allocation (total|head|tail) (\d+) bytes", text)
    return {part: int(number) for part, number in found}


_ENGINES: dict[str, Any] = {
    "litert": lambda options: _Lite(options, "ai_edge_litert"),
    "tflite_runtime": lambda options: _Lite(options, "tflite_runtime"),
    "tflm": _Micro,
}

if __name__ == "__main__":
    main()
