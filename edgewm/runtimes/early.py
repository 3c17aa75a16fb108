"""Start a worker before anything else is imported.

Half of the time of a short verification is an interpreter's own start: python, numpy, a shared library.
The command line calls `prepare` as its first act, and the worker does that half while this process reads
its arguments and files. Nothing but `os`, `sys` and `fcntl` is imported here, for the same reason.
"""

from __future__ import annotations

import fcntl
import os
import sys

_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031  # Linux's F_SETPIPE_SZ
_HERE = os.path.dirname(os.path.abspath(__file__))  # pathlib costs a start
# Imported, not run, so that the bytecode cache serves. The current folder, which -c puts on the path and
# which may hold anything, comes off before; worker.py takes its own folder off again.
_LAUNCH = f"import sys;sys.path[:]=[{_HERE!r},*filter(None,sys.path)];import worker;worker.main()"
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # numpy's own threads would cost address space and a start
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
_prepared: list[tuple[int, list[int]]] = []


def prepare(workers: int = 1) -> None:
    """Start `workers` processes of this python for the next runtimes that are opened.

    What is never taken ends with this process. A failure to start is left to whoever needs the worker.
    """
    for _ in range(workers):
        try:
            _prepared.append(spawn(local(sys.executable)))
        except OSError:
            return


def local(python: str) -> list[str]:
    """The words that start a worker with a `python` that reads this machine's files."""
    return [python, "-c", _LAUNCH]


def take(command: list[str]) -> tuple[int, list[int]]:
    """A worker that `command` starts, a prepared one if there is one.

    Returns:
        Its process id, and the parent's ends of its stdin, stdout and stderr, none of which blocks.

    Raises:
        OSError: its program cannot be started.
    """
    if _prepared and command == local(sys.executable):
        return _prepared.pop(0)
    return spawn(command)


def spawn(command: list[str], request: tuple[int, int] | None = None) -> tuple[int, list[int]]:
    """A new worker, as `take` gives one; `request` are the ends (its, ours) of another stdin than a pipe.

    Raises:
        OSError: its program cannot be started.
    """
    request, reply, noise = request or os.pipe(), os.pipe(), os.pipe()
    child_ends = (request[0], reply[1], noise[1])
    parent_ends = [request[1], reply[0], noise[0]]
    try:
        pid = os.posix_spawnp(
            command[0],
            command,
            {**os.environ, **_ENVIRONMENT},
            file_actions=[(os.POSIX_SPAWN_DUP2, end, to) for to, end in enumerate(child_ends)],
            setpgroup=0,  # Ctrl-C is for the parent; a session of its own would cost CPU share
        )
    except OSError:
        for end in parent_ends:
            os.close(end)
        raise
    finally:
        for end in child_ends:
            os.close(end)
    ours(parent_ends)
    return pid, parent_ends


def ours(parent_ends: list[int]) -> None:
    """Make our ends of three pipes such that neither reading nor a whole model makes us wait."""
    for end in parent_ends:
        os.set_blocking(end, False)
    try:
        fcntl.fcntl(parent_ends[0], _SET_PIPE_SIZE, _PIPE_BYTES)
    except OSError:
        return  # the pipe stays small, and the rest of a model is sent later
