"""A 64-bit ARM Linux board's own interpreter, emulated: Raspberry Pi 3 and later, most gateways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from . import Session
    from .child import Child


@dataclass(frozen=True, kw_only=True)
class QemuAarch64:
    """Answers from the aarch64 wheels of tflite-runtime or ai-edge-litert under qemu user mode."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False

    root: str
    """Folder made by `edgewm device linux-root --arch arm64`."""
    package: Literal["tflite_runtime", "litert"] = "tflite_runtime"
    delegate: Literal["xnnpack", "none", "reference"] = "xnnpack"
    """Which kernels; xnnpack is what an application gets that asks for nothing."""
    cpu: str = "cortex-a72"
    """Processor to emulate: that of a Raspberry Pi 4. Under qemu 7.2's `max` XNNPACK computes nonsense."""
    threads: int = 1
    """Threads of one inference."""
    memory_mib: int = 2048
    """Address space that the interpreter may use."""
    timeout_s: float = 300.0
    """Longest wait for starting, for opening, and for one batch of 64 answers."""

    def start(self) -> Child:
        """Begin to load the interpreter and return at once; `start().open(model)` opens a model."""
        from .emulation import start_emulated

        return start_emulated(self, "qemu_aarch64", architecture="arm64")

    def open(self, model: bytes | None) -> Session:
        """Open a `.tflite` file's bytes; errors as `Runtime.open`."""
        return self.start().open(model)
