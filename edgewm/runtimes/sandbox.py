"""What a worker gives up before it opens a file that nobody trusts.

A model file is input to several hundred thousand lines of C++, so the process that opens it first limits
its memory and CPU time, and then gives up writing files, the network, new programs, new processes and
other processes' memory. Limits come from setrlimit; the rest from Landlock and from a seccomp filter
that answers EPERM, both Linux; threads stay allowed, since XNNPACK needs them. Nothing here is required:
`apply` does what the kernel offers and returns what it did, for `edgewm doctor` to show.

Standard library only and Python 3.9, because this file travels beside worker.py to other machines.
Numbers are from Linux's uapi headers: landlock.h, seccomp.h, audit.h, unistd.h.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Callable
from typing import Any

_PR_SET_NO_NEW_PRIVS = 38
_EPERM, _ENOSYS = 1, 38
_CLONE_THREAD = 0x00010000
# access mode, create, truncate, append, tmpfile
_WRITING = 0o3 | 0o100 | 0o1000 | 0o2000 | 0o20000000

_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
# (from ABI, bits): execute, write, remove and make; refer; truncate; ioctl on devices
_LANDLOCK_FILES = ((1, 0x1FF3), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
_LANDLOCK_EXECUTE = 1
_LANDLOCK_TCP = 0b11  # bind, connect; from ABI 4
_LANDLOCK_SCOPES = 0b11  # abstract unix sockets, signals; from ABI 6

# Same number on every architecture: calls that were added after the tables were unified.
_DENIED_EVERYWHERE = (424, 425, 426, 427, 428, 429, 430, 434, 438, 440, 452)
_X86_64: dict[str, Any] = {
    "audit": 0xC000003E,
    "seccomp": 317,
    # network; fork, vfork, execve; files; ptrace; mounts and modules; keys; other processes' memory
    "denied": (
        *(41, 42, 43, 44, 46, 49, 50, 53, 288, 307),
        *(57, 58, 59, 322),
        *(76, 82, 83, 84, 85, 86, 87, 88, 90, 91, 92, 93, 94, 132, 133, 188, 189, 190, 197, 198),
        *(199, 235, 258, 259, 260, 261, 263, 264, 265, 266, 268, 280, 316),
        *(101, 129, 135, 155, 160, 161, 163, 165, 166, 167, 169, 175, 176, 200, 246, 248, 249, 250),
        *(272, 297, 298, 304, 308, 310, 311, 312, 313, 321, 323),
    ),
    "execve": 59,
    "open": 2,
    "openat": 257,
    "clone": 56,
    "kill": 62,
    "tgkill": 234,
    "prlimit64": 302,
}
_AARCH64: dict[str, Any] = {
    "audit": 0xC00000B7,
    "seccomp": 277,
    "denied": (
        *(198, 199, 200, 201, 202, 203, 206, 211, 242, 269),
        *(221, 281),
        *(5, 6, 7, 14, 15, 16, 33, 34, 35, 36, 37, 38, 45, 52, 53, 54, 55, 88, 276),
        *(39, 40, 41, 51, 89, 92, 97, 104, 105, 106, 117, 130, 138, 142, 164, 217, 218, 219, 224),
        *(240, 241, 265, 268, 270, 271, 272, 273, 280, 282),
    ),
    "execve": 221,
    "openat": 56,
    "clone": 220,
    "kill": 129,
    "tgkill": 131,
    "prlimit64": 261,
}
_CLONE3, _OPENAT2 = 435, 437  # their flags lie in memory a filter cannot read


def apply(memory_mib: int, cpu_s: int, *, runs_program: bool = False) -> list[str]:
    """Restrict this process for good and say how, one short text for each measure that took hold.

    `memory_mib` bounds the address space, `cpu_s` the CPU seconds of the whole process. With
    `runs_program` it may still become another program, which inherits all the rest. Never raises.
    """
    applied: list[str] = []
    measures: list[Callable[[], list[str]]] = [
        lambda: _limits(memory_mib, cpu_s),
        _no_new_privileges,
        lambda: _landlock(runs_program),
        lambda: _seccomp(runs_program),
    ]
    for measure in measures:
        try:
            applied += measure()
        except (OSError, ValueError, AttributeError, ImportError):
            continue  # a measure that this kernel does not have is missing from the list
    return applied


def trial(memory_mib: int) -> dict[str, bool]:
    """Whether this process still can do each of these things, found by trying; after `apply`."""
    found = {}
    for name, attempt in (
        ("write files", _write),
        ("connect to a network", _connect),
        ("start programs", _start),
        ("signal other processes", lambda: os.kill(os.getppid(), 0)),
        ("raise its limits", _raise),
        (f"take more than {memory_mib} MiB", lambda: _take(memory_mib)),
        ("read files", lambda: os.close(os.open(__file__, os.O_RDONLY))),
    ):
        try:
            attempt()
            found[name] = True
        except (OSError, ValueError, MemoryError, ImportError):
            found[name] = False
    return found


def _write() -> None:
    path = os.path.join(os.environ.get("TMPDIR") or "/tmp", f"edgewm-trial-{os.getpid()}")  # noqa: S108
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)


def _connect() -> None:
    import socket

    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()


def _start() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _raise() -> None:
    import resource

    held = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, held)  # the same again is not allowed either


def _take(memory_mib: int) -> None:
    import mmap

    mmap.mmap(-1, memory_mib << 20).close()


def _limits(memory_mib: int, cpu_s: int) -> list[str]:
    import resource

    applied = []
    for name, value, said in (
        ("RLIMIT_CORE", 0, "no core dumps"),
        ("RLIMIT_FSIZE", 0, "no file growth"),
        ("RLIMIT_CPU", cpu_s, f"cpu {cpu_s} s"),
        ("RLIMIT_AS", memory_mib << 20, f"memory {memory_mib} MiB"),
    ):
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (OSError, ValueError, AttributeError):
            continue
        if name != "RLIMIT_AS" or sys.platform == "linux":  # elsewhere set, and not enforced
            applied.append(said)
    return applied


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused by the kernel")
    return result


def _no_new_privileges() -> list[str]:
    if sys.platform != "linux":
        return []
    libc = _libc()
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    return ["no new privileges"]


def _landlock(runs_program: bool) -> list[str]:
    if sys.platform != "linux":
        return []
    libc = _libc()
    abi = _checked(libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))
    files = 0
    for since, bits in _LANDLOCK_FILES:
        files |= bits if abi >= since else 0
    files &= ~_LANDLOCK_EXECUTE if runs_program else files
    rules = struct.pack("=Q", files)
    if abi >= 4:
        rules += struct.pack("=Q", _LANDLOCK_TCP)
    if abi >= 6:
        rules += struct.pack("=Q", _LANDLOCK_SCOPES)
    handle = _checked(
        libc.syscall(_LANDLOCK_CREATE, rules, ctypes.c_size_t(len(rules)), ctypes.c_uint32(0))
    )
    try:
        _checked(libc.syscall(_LANDLOCK_RESTRICT, ctypes.c_int(handle), ctypes.c_uint32(0)))
    finally:
        os.close(handle)
    return [f"landlock {abi}"]


def _seccomp(runs_program: bool) -> list[str]:
    table = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(platform.machine())
    if sys.platform != "linux" or table is None or sys.maxsize < 2**32:
        return []
    if runs_program:
        denied = tuple(call for call in table["denied"] if call != table["execve"])
        table = {**table, "denied": denied}
    program = _filter(table, os.getpid())
    libc = _libc()
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: unsigned short, padding, pointer
    header = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    mode_filter, all_threads = ctypes.c_uint(1), ctypes.c_uint(1)
    if libc.syscall(table["seccomp"], mode_filter, all_threads, header) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return ["seccomp"]


def _filter(table: dict[str, Any], pid: int) -> bytes:
    """The filter as classic BPF: 8 bytes an instruction, the call's data as its packet."""
    allow, deny, absent = 0x7FFF0000, 0x00050000 | _EPERM, 0x00050000 | _ENOSYS

    def load(offset: int) -> bytes:
        return struct.pack("=HBBI", 0x20, 0, 0, offset)

    def equal(value: int, yes: int, no: int) -> bytes:
        return struct.pack("=HBBI", 0x15, yes, no, value)

    def at_least(value: int, yes: int, no: int) -> bytes:
        return struct.pack("=HBBI", 0x35, yes, no, value)

    def any_bit(value: int, yes: int, no: int) -> bytes:
        return struct.pack("=HBBI", 0x45, yes, no, value)

    def leave(verdict: int) -> bytes:
        return struct.pack("=HBBI", 0x06, 0, 0, verdict)

    def argument(index: int, high: bool = False) -> bytes:
        return load(16 + 8 * index + (4 if high else 0))

    def when(call: int, *block: bytes) -> bytes:
        return equal(call, 0, len(block)) + b"".join(block)

    code = load(4) + equal(table["audit"], 1, 0) + leave(deny) + load(0)
    code += at_least(0x40000000, 0, 1) + leave(absent)  # the x32 calls of x86_64
    for call in (*table["denied"], *_DENIED_EVERYWHERE):
        code += when(call, leave(deny))
    for call in (_CLONE3, _OPENAT2):
        code += when(call, leave(absent))  # the C library then uses the older call, checked below
    for name, index in (("open", 1), ("openat", 2)):
        if name in table:
            test = (argument(index), any_bit(_WRITING, 0, 1), leave(deny), leave(allow))
            code += when(table[name], *test)
    test = (argument(0), any_bit(_CLONE_THREAD, 1, 0), leave(deny), leave(allow))
    code += when(table["clone"], *test)
    for name in ("kill", "tgkill"):  # abort() needs to signal itself
        test = (argument(0), equal(pid, 1, 0), leave(deny), leave(allow))
        code += when(table[name], *test)
    code += when(  # reading a limit is allowed, setting one is not
        table["prlimit64"],
        *(argument(2), equal(0, 0, 2), argument(2, high=True), equal(0, 1, 0)),
        *(leave(deny), leave(allow)),
    )
    return code + leave(allow)
