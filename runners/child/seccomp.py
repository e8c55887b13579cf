"""A filter of system calls: what computing with a model needs passes, all else is refused.

A list of what is forbidden is complete only for the kernel of its day; this is a list of what is
allowed (``runners.child.system_calls``). Calls that reach other processes pass with arguments
that mean this process alone. Refusals are answers (EPERM; ENOSYS for calls that are newer than
this list and for ``clone3``, so that libraries fall back), never a kill.

The filter is a classic BPF program over ``struct seccomp_data``: the call's number at offset 0,
the architecture at 4, the arguments of 8 bytes each from 16, low half first on both
architectures. https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator, Sequence

from runners.child import system_calls

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_ANSWER = 0x00050000  # with an error number in the low 16 bits
_LOAD, _EQUAL, _AT_LEAST, _ABOVE, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x25, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

_CLONE_THREAD = 0x00010000
_NAMESPACES = 0x7E020000  # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET
# PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_CAPBSET_READ,
# PR_GET_NO_NEW_PRIVS, PR_SVE_GET_VL, PR_SME_GET_VL, PR_SET_VMA (names of memory). None of them
# changes what ends this process.
_PRCTL = (2, 3, 15, 16, 21, 23, 39, 51, 64, 0x53564D41)
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_GETPIPE_SZ. Not F_SETOWN, which
# sends signals, and no locks, leases and notices, which reach other programs.
_FCNTL = (0, 1, 2, 3, 4, 1030, 1032)
# TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: questions, and its own flags.
_IOCTL = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)

Steps = list[bytes]


def limit_system_calls(libc: ctypes.CDLL) -> bool:
    """Install the filter on this thread and what it starts; return whether that worked.

    Needs PR_SET_NO_NEW_PRIVS before.
    """
    machine = _ARCHITECTURES.get(platform.machine())
    if machine is None or struct.calcsize("P") != 8:
        return False
    program = build_filter(*machine, os.getpid())
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, header, 0, 0) == 0)


def build_filter(architecture: int, column: int, pid: int) -> bytes:
    """Return the program for an architecture, its column of the tables, and this process."""
    steps = [
        _load(_ARCHITECTURE_AT),
        *_if_equal((architecture,), [_load(_NUMBER_AT)], otherwise=_refuse()),
    ]
    for name, check in _checks(pid).items():
        steps += _block(system_calls.LIMITED[name][column], check)
    for low, high in _ranges(system_calls.ALLOWED, column):
        steps += [_step(_AT_LEAST, 0, 2, low), _step(_ABOVE, 1, 0, high), _return(_ALLOW)]
    # Above the known ones are newer calls, and x86_64's second table (x32).
    steps += [
        _step(_ABOVE, 0, 1, system_calls.NEWEST_KNOWN),
        _return(_ANSWER | errno.ENOSYS),
        _refuse(),
    ]
    return b"".join(steps)


def _checks(pid: int) -> dict[str, Steps]:
    """Return what decides the calls that depend on their arguments."""
    return {
        "clone": _thread_alone(),
        "clone3": [_return(_ANSWER | errno.ENOSYS)],  # its flags lie in memory, out of sight
        "kill": _argument_in(0, (pid,)),
        "tgkill": _argument_in(0, (pid,)),
        "prlimit64": _argument_in(0, (0, pid)),
        "sched_setaffinity": _argument_in(0, (0, pid)),
        "prctl": _argument_in(0, _PRCTL),
        "fcntl": _argument_in(1, _FCNTL),
        "ioctl": _argument_in(1, _IOCTL),
        "sendto": _no_address(),
    }


def _thread_alone() -> Steps:
    """Pass flags that make a thread of this process, and no new name space."""
    return [
        _load(_ARGUMENTS_AT),
        _step(_ANY_BIT, 0, 2, _CLONE_THREAD),
        _step(_ANY_BIT, 1, 0, _NAMESPACES),
        _return(_ALLOW),
        _refuse(),
    ]


def _argument_in(index: int, values: Sequence[int]) -> Steps:
    """Pass these values of an argument of 32 bits; the kernel ignores its upper half too."""
    return [
        _load(_ARGUMENTS_AT + 8 * index),
        *_if_equal(values, [_return(_ALLOW)], otherwise=_refuse()),
    ]


def _no_address() -> Steps:
    """Pass what is sent to the other end of a pair: the fifth argument, an address, is null."""
    low = _ARGUMENTS_AT + 8 * 4
    return [
        _load(low),
        _step(_EQUAL, 0, 3, 0),
        _load(low + 4),
        _step(_EQUAL, 0, 1, 0),
        _return(_ALLOW),
        _refuse(),
    ]


def _if_equal(values: Sequence[int], then: Steps, otherwise: bytes) -> Iterator[bytes]:
    """Compare what was loaded: ``otherwise`` returns, and ``then`` is what follows."""
    for index, value in enumerate(values):
        yield _step(_EQUAL, len(values) - index, 0, value)
    yield otherwise
    yield from then


def _block(number: int | None, check: Steps) -> Steps:
    """Decide one call by a check that always returns; others pass by it."""
    return [] if number is None else [_step(_EQUAL, 0, len(check), number), *check]


def _ranges(table: dict[str, system_calls.Numbers], column: int) -> Iterator[tuple[int, int]]:
    """Yield the runs of neighbouring numbers, first and last."""
    numbers = sorted(n for n in (row[column] for row in table.values()) if n is not None)
    runs: dict[int, list[int]] = {}
    for position, number in enumerate(numbers):
        runs.setdefault(number - position, []).append(number)
    for run in runs.values():
        yield run[0], run[-1]


def _load(offset: int) -> bytes:
    return _step(_LOAD, 0, 0, offset)


def _return(verdict: int) -> bytes:
    return _step(_RETURN, 0, 0, verdict)


def _refuse() -> bytes:
    return _return(_ANSWER | errno.EPERM)


def _step(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
