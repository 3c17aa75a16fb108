"""Who answers: a model file goes in, labels come out.

A runtime is one frozen dataclass with one method, `open`, which gives a `Session`. Those that run a file
here (litert, tflite_runtime, tflm, onnxruntime, keras, savedmodel) do so in a child process of their own
(`process`, `worker`, `sandbox`): interpreters break each other in one process, print from C++ and crash on
hostile files. The same worker runs under an emulator (qemu_aarch64, qemu_arm) and on a board (ssh). Two ask
elsewhere: `exec` a program of the user's, `answers` a list collected before.

The same int8 file gives different answers on different engines, so a session names its engine's
arithmetic, found by replaying a probe network and never from the engine's name.

Two class attributes of a runtime say what a caller must know before it opens one: `needs_model` (whether
`open` wants bytes) and `spends` (whether asking shows the secret inputs to a device that is not ours;
not so for `answers`, whose inputs were shown before).
Those with a worker have `start()`, which begins to load the interpreter and returns at once;
`start().open(model)` is then `open(model)`. Those that run a file here say which format they read (`reads`).
"""

from __future__ import annotations

TYPE_CHECKING = (
    False  # typing itself costs a tenth of a start, and `early` is imported through here
)
if TYPE_CHECKING:
    from .contract import Answers as Answers
    from .contract import Engine as Engine
    from .contract import ModelFacts as ModelFacts
    from .contract import Runtime as Runtime
    from .contract import Session as Session

NOT_PLUGINS = (
    "asked",
    "begin",
    "board",
    "child",
    "contract",
    "early",
    "emulated",
    "emulation",
    "label_rule",
    "nursery",
    "other_engines",
    "placing",
    "probe",
    "process",
    "sandbox",
    "session",
    "tflite_engines",
    "worker",
)

FAILED = -1
"""The label of a question that got no answer."""

ARITHMETICS = ("xnnpack", "tflm", "builtin", "neon", "neon_litert", "reference", "unknown")
"""Kinds that the probe tells apart. "builtin" are the kernels without delegate on x86-64, "neon" those of
tflite-runtime on ARM, 32 and 64 bits alike, "neon_litert" those of LiteRT without delegate on ARM."""

_CONTRACT = ("Answers", "Engine", "ModelFacts", "Runtime", "Session")


def __getattr__(name: str) -> object:
    if name not in _CONTRACT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(".contract", __name__), name)
    globals()[name] = value
    return value
