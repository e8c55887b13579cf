"""A filter of system calls: what no model needs is refused with EPERM.

The filter is a classic BPF program over ``struct seccomp_data`` (number at offset 0, the
architecture at 4, the low half of the first argument at 16). Numbers are from the kernel's
tables for x86_64 and aarch64.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
import struct

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_X32 = 0x40000000  # x86_64's second table of the same calls
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENT_AT = 0, 4, 16

# Name -> (x86_64, aarch64).
_REFUSED = {
    "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "bpf": (321, 280),
    "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "perf_event_open": (298, 241),
    "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "reboot": (169, 142),
    "setuid": (105, 146), "setgid": (106, 144),
}  # fmt: skip
_SOCKET = (41, 198)
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


def limit_system_calls(libc: ctypes.CDLL) -> bool:
    """Install the filter on this thread and what it starts; return whether that worked.

    Needs PR_SET_NO_NEW_PRIVS before. Sockets stay allowed within this machine (AF_UNIX).
    """
    machine = _ARCHITECTURES.get(platform.machine())
    if machine is None or struct.calcsize("P") != 8:
        return False
    program = build_filter(*machine)
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, header, 0, 0) == 0)


def build_filter(architecture: int, column: int) -> bytes:
    """Return the program: other architectures and refused numbers fail, the rest passes."""
    numbers = [pair[column] for pair in _REFUSED.values()]
    tail = [  # behind the list of refused numbers
        _step(_EQUAL, 0, 3, _SOCKET[column]),
        _step(_LOAD, 0, 0, _ARGUMENT_AT),
        _step(_EQUAL, 1, 0, socket.AF_UNIX),
        _step(_RETURN, 0, 0, _REFUSE),
        _step(_RETURN, 0, 0, _ALLOW),
        _step(_RETURN, 0, 0, _REFUSE),
    ]
    head = [
        _step(_LOAD, 0, 0, _ARCHITECTURE_AT),
        _step(_EQUAL, 0, len(numbers) + 1 + len(tail), architecture),
        _step(_LOAD, 0, 0, _NUMBER_AT),
    ]
    comparisons = [(_AT_LEAST, _X32), *((_EQUAL, number) for number in numbers)]
    # Each comparison jumps to the last step, which refuses.
    checks = [
        _step(kind, len(comparisons) - index - 1 + len(tail) - 1, 0, number)
        for index, (kind, number) in enumerate(comparisons)
    ]
    return b"".join([*head, *checks, *tail])


def _step(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
