"""The one process that opens model files: an interpreter, a pipe in, a pipe out.

It runs as `python worker.py` in this environment, in another one, on another machine or under an
emulator, so it is standard library and numpy only, needs no edgewm and runs on Python 3.9. Its neighbours
sandbox.py, asked.py and *_engines.py travel with it. Requests and replies are frames on stdin and stdout:

    4 bytes "EWM1", header length (4 bytes little-endian), payload length (8 bytes), JSON header, payload

    start   {engine, options, memory_mib, cpu_s, answer_s}  -> {version, numpy, machine, isolation}
            {..., nursery: true} + a model of ours           -> {version, numpy}, then forks: see `_nurse`
    open    {choice, path} or {choice} + model bytes         -> {inputs, outputs, arena_bytes,
                                                                 arena_persistent_bytes}
    run     {dtype, shape: [n, ...]} + float32 bytes         -> {dtype, shape, failed, reason,
                                                                 latency_ms} + rows
    moments {dtype, shape: [n, ...]} + float32 bytes         -> {moments: {weights' name: [mean squares]}}
    trial   {memory_mib}                                     -> {what it could be tried to do: whether it can}

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
import importlib  # noqa: E402
import json  # noqa: E402
import signal  # noqa: E402
import struct  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

_MAGIC = b"EWM1"
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9


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
        engine = _engine(request[0]["engine"], request[0]["options"])
        if request[0].get("nursery"):
            replies = _nurse(replies, engine, bytes(request[1]))
            if replies < 0:
                return
        _send(replies, _restrict(request[0], engine.version))
        gc.enable()
    except (ImportError, AttributeError, KeyError, RuntimeError, ValueError, OSError) as error:
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
    _neighbour("sandbox")  # imported once, here
    if model:
        import numpy as np

        shape = engine.open(model, {})["inputs"][0]["shape"][1:]
        _run(engine, np.zeros((1, *shape), np.float32))
        engine.end()
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


def _neighbour(name: str) -> Any:
    """A file beside this one: found here and not in the package, since here there may be none."""
    if name in sys.modules:
        return sys.modules[name]
    sys.path.insert(0, _HERE)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(_HERE)


def _restrict(request: dict[str, Any], version: str) -> dict[str, Any]:
    confined = os.environ.get("EDGEWM_CONFINED")  # emulated.py did it: an emulator forwards little
    applied = (
        _neighbour("sandbox").apply(request["memory_mib"], request["cpu_s"])
        if confined is None
        else confined.split(";")
    )
    facts = {"version": version, "numpy": _numpy_version(), "machine": os.uname().machine}
    return {**facts, "isolation": applied}


def _answer(
    engine: Any, header: dict[str, Any], payload: bytearray
) -> tuple[dict[str, Any], bytes]:
    if header["op"] == "open":
        return engine.open(header.get("path") or bytes(payload), header.get("choice", {})), b""
    if header["op"] == "trial":
        return _neighbour("sandbox").trial(header["memory_mib"]), b""
    if header["op"] in ("run", "moments"):
        import numpy as np

        inputs = np.frombuffer(payload, np.dtype(header["dtype"])).reshape(header["shape"])
        if header["op"] == "run":
            return _run(engine, inputs)
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


_ENGINES = {
    "litert": ("tflite_engines", "Lite"),
    "tflite_runtime": ("tflite_engines", "Lite"),
    "tflm": ("tflite_engines", "Micro"),
    "onnxruntime": ("other_engines", "Onnx"),
    "keras": ("other_engines", "Keras"),
    "savedmodel": ("other_engines", "SavedModel"),
}
"""Engine: the neighbouring file and the class that runs it."""


def _engine(name: str, options: dict[str, Any]) -> Any:
    module, kind = _ENGINES[name]
    return getattr(_neighbour(module), kind)(name, options)


if __name__ == "__main__":
    main()
