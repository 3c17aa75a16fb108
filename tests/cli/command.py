"""How tests run a verb and read what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests import golden

MARKED, UNMARKED = str(golden.MARKED), str(golden.UNMARKED)
EDGEWM = [sys.executable, "-m", "edgewm"]

ANSWER = """
import io, sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
held = Interpreter(model_path=sys.argv[1])
held.allocate_tensors()
give, take = held.get_input_details()[0], held.get_output_details()[0]
scale, zero = give["quantization"]
for x in np.load(io.BytesIO(sys.stdin.buffer.read())):
    held.set_tensor(give["index"], np.clip(np.round(x / scale) + zero, -128, 127).astype("i1")[None])
    held.invoke()
    print(int(held.get_tensor(take["index"])[0].argmax()))
"""


def started(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own."""
    return subprocess.run(
        [*EDGEWM, *arguments], capture_output=True, text=True, timeout=60, check=False, **more
    )


def asking(suspect: str, *more: str, triggers: str = "t.npz", key: str = "k") -> Sequence[str]:
    """The arguments of a verification."""
    return ["verify", suspect, "--triggers", triggers, "--key", key, *more]


def refused(result: tuple[int, str, str], code: int = 2) -> str:
    """The one line of a refusal; nothing on stdout."""
    got, out, err = result
    assert got == code, err
    assert out == ""
    assert err.startswith("edgewm: ")
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    return err


def printed_json(result: tuple[int, str, str], code: int = 0) -> Any:
    """The one JSON object on stdout; nothing on stderr."""
    got, out, err = result
    assert (got, err) == (code, "")
    assert len(out.splitlines()) == 1
    return json.loads(out)


def answered(inputs: np.ndarray, model: str = MARKED) -> list[int]:
    """Labels of a device that edgewm does not know: a program of its own that runs the file."""
    Path("answer.py").write_text(ANSWER)
    np.save("inputs.npy", inputs)
    done = subprocess.run(
        [sys.executable, "answer.py", model],
        input=Path("inputs.npy").read_bytes(),
        capture_output=True,
        check=True,
    )
    return [int(line) for line in done.stdout.split()]
