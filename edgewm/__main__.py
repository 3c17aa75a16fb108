"""``python -m edgewm`` and the ``edgewm`` command.

`verify` is over in two tenths of a second, most of them start and end of interpreters, so its worker is
started before anything is imported, the garbage collector stays off, and the process leaves without
taking its modules apart.
"""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    brief = sys.argv[1:2] == ["verify"]
    if brief:
        gc.disable()
        from .runtimes.early import prepare

        prepare()  # the worker loads numpy while this process loads click
    try:
        from .cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before `run` was there to say so
        sys.stderr.write("edgewm: interrupted\n")
        code = 130
    if brief:
        sys.stderr.flush()  # run has flushed stdout
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
