"""A real Linux board over ssh: the worker goes there through the connection and answers from there.

Nothing is installed or left on the board, not even a file: its python reads worker.py and sandbox.py from
the connection. It needs Python 3.9, NumPy and the interpreter's package. The user's own ssh does keys,
host keys, jumps and aliases, and asks nothing, so a key or an agent must be set up. The board is the
examiner's own: the secret inputs pass through its memory.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from ..errors import BadInput

if TYPE_CHECKING:
    from . import Session
    from .child import Child

_PACKAGES = {"tflite_runtime": "tflite-runtime", "litert": "ai-edge-litert"}
# What the board's python runs: two modules from stdin, which is then the worker's.
_TRAVEL = ("sandbox", "asked", "tflite_engines", "worker")
"""In the order in which they import each other."""
_BOOT = """
import json, os, sys, types
def take(left):
    got = b""
    while len(got) < left:
        more = os.read(0, left - len(got))
        if not more: sys.exit("the connection ended")
        got += more
    return got
sources = json.loads(take(int(take(8), 16)))
for name in sources:
    module = types.ModuleType(name)
    module.__file__ = "/nonexistent/" + name + ".py"
    sys.modules[name] = module
    exec(compile(sources[name], name + ".py", "exec"), module.__dict__)
sys.modules["worker"].main()
"""


@dataclass(frozen=True, kw_only=True)
class Board:
    """Answers from an interpreter on another machine."""

    needs_model: ClassVar[bool] = True
    spends: ClassVar[bool] = False

    host: str
    """As ssh takes it: a name of ~/.ssh/config, or user@address."""
    python: str = "python3"
    """The board's python, with numpy and the package."""
    package: Literal["tflite_runtime", "litert"] = "tflite_runtime"
    delegate: Literal["xnnpack", "none", "reference"] = "xnnpack"
    """Which kernels; xnnpack is what an application gets that asks for nothing."""
    threads: int = 1
    """Threads of one inference."""
    config: str | None = None
    """A file for ssh -F; none for the user's own."""
    memory_mib: int = 2048
    """Address space that the interpreter may use."""
    timeout_s: float = 120.0
    """Longest wait for connecting, for opening, and for one batch of 64 answers."""

    def start(self) -> Child:
        """Begin to connect and return at once; `start().open(model)` opens a model.

        Raises:
            BadInput: a host that ssh would take for an option.
            RuntimeUnavailable: ssh is not installed.
        """
        from .child import Place, start

        if not self.host or self.host.startswith("-") or not self.host.isprintable():
            raise BadInput(f"ssh: got host={self.host!r}, expected a name or user@address")
        here = Path(__file__).parent
        sources = json.dumps({n: (here / f"{n}.py").read_text() for n in _TRAVEL})
        remote = f"OPENBLAS_NUM_THREADS=1 exec {shlex.quote(self.python)} -c {shlex.quote(_BOOT)}"
        options = ["BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=15"]
        place = Place(
            name="ssh",
            command=[
                *("ssh", "-T", *(["-F", self.config] if self.config else [])),
                *(word for option in options for word in ("-o", option)),
                *("--", self.host, remote),
            ],
            ahead=f"{len(sources.encode()):08x}{sources}".encode(),
            install=f"on {self.host}: pip install {_PACKAGES[self.package]}",
            out_of_reach=True,
            told=f"on {self.host}",
        )
        return start(
            self.package,
            {"threads": self.threads, "delegate": self.delegate},
            place=place,
            memory_mib=self.memory_mib,
            timeout_s=self.timeout_s,
        )

    def open(self, model: bytes | None) -> Session:
        """Open a `.tflite` file's bytes there; errors as `Runtime.open`."""
        return self.start().open(model)
