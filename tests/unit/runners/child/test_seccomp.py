"""The filter of system calls, computed here as the kernel would, for both architectures."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest
from ways_out import CALLS

from runners.child import seccomp, system_calls

PID = 4711
ALLOW = 0x7FFF0000
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
OTHER_NAMES = {"newfstatat": "fstatat"}  # as the generic table calls it
# What a header of some years ago does not know yet.
NEW = {"cachestat", "map_shadow_stack", "futex_wake", "futex_wait", "futex_requeue", "mseal"}

# Ways out by number: name -> (x86_64, aarch64), those that tests/process takes and more.
REFUSED = {
    **{name: numbers for name, numbers in CALLS.items() if name not in system_calls.LIMITED},
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200),
    "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242), "sendmsg": (46, 211),
    "recvmsg": (47, 212), "sendmmsg": (307, 269), "recvmmsg": (299, 243),
    "getsockopt": (55, 209), "setsockopt": (54, 208), "execve": (59, 221), "setpgid": (109, 154),
    "setsid": (112, 157), "setuid": (105, 146), "capset": (126, 91), "setpriority": (141, 140),
    "sched_setscheduler": (144, 119), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchown": (93, 55), "fchownat": (260, 54), "utimensat": (280, 88), "setxattr": (188, 5),
    "linkat": (265, 37), "symlinkat": (266, 36), "mknodat": (259, 33), "truncate": (76, 45),
    "shmat": (30, 196), "mount": (165, 40), "chroot": (161, 51), "process_madvise": (440, 440),
    "open_by_handle_at": (304, 265), "seccomp": (317, 277), "io_uring_enter": (426, 426),
    "landlock_restrict_self": (446, 446), "flock": (73, 32), "personality": (135, 92),
}  # fmt: skip
REFUSED.pop("clone3", None)


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Run the program over one call and return what it returns."""
    constant, column = ARCHITECTURES[machine]
    program = seccomp.build_filter(constant, column, PID)
    filled = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("iIQ6Q", number, architecture or constant, 0, *filled)
    steps = [struct.unpack_from("HBBI", program, at) for at in range(0, len(program), 8)]
    position = loaded = 0
    while True:
        code, if_true, if_false, value = steps[position]
        position += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            (loaded,) = struct.unpack_from("I", data, value)
            continue
        held = {0x15: loaded == value, 0x35: loaded >= value, 0x25: loaded > value}.get(
            code, bool(loaded & value)
        )
        position += if_true if held else if_false


def answer(machine: str, name: str, *arguments: int) -> str:
    """Return what a limited call is told: ``allowed`` or the name of an error."""
    number = system_calls.LIMITED[name][ARCHITECTURES[machine][1]]
    assert number is not None
    found = verdict(machine, number, *arguments)
    return "allowed" if found == ALLOW else errno.errorcode[found & 0xFFFF]


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_what_is_on_the_list_passes_and_nothing_else(machine: str) -> None:
    column = ARCHITECTURES[machine][1]
    allowed = {numbers[column] for numbers in system_calls.ALLOWED.values()}
    limited = {numbers[column] for numbers in system_calls.LIMITED.values()}
    for number in range(system_calls.NEWEST_KNOWN + 1):
        if number not in limited:
            wanted = ALLOW if number in allowed else 0x00050000 | errno.EPERM
            assert verdict(machine, number) == wanted, number


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("name", REFUSED)
def test_ways_out_are_refused_by_number(machine: str, name: str) -> None:
    number = REFUSED[name][ARCHITECTURES[machine][1]]
    assert verdict(machine, number) == 0x00050000 | errno.EPERM


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("number", [system_calls.NEWEST_KNOWN + 1, 1000, 0x40000000, 0x7FFFFFFF])
def test_newer_calls_and_the_second_table_are_not_there(machine: str, number: int) -> None:
    assert verdict(machine, number) == 0x00050000 | errno.ENOSYS


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_calls_of_another_architecture_are_refused(machine: str) -> None:
    for number in (0, 1, 11, 63, 64):
        assert verdict(machine, number, architecture=0x40000003) == 0x00050000 | errno.EPERM


THREAD = 0x3D0F00  # what pthread_create asks for
ARGUMENTS = {
    "a thread": ("clone", (THREAD,), "allowed"),
    "a process": ("clone", (17,), "EPERM"),
    "a process by vfork": ("clone", (0x4100 | 17,), "EPERM"),
    "a thread in a new user namespace": ("clone", (THREAD | 0x10000000,), "EPERM"),
    "a thread in a new network": ("clone", (THREAD | 0x40000000,), "EPERM"),
    "clone3": ("clone3", (0,), "ENOSYS"),
    "a signal to itself": ("kill", (PID, 9), "allowed"),
    "a signal to another": ("kill", (PID + 1, 0), "EPERM"),
    "a signal to its group": ("kill", (0, 0), "EPERM"),
    "a signal to all": ("kill", (2**64 - 1, 0), "EPERM"),
    "a signal to its thread": ("tgkill", (PID, 5, 6), "allowed"),
    "a signal to another's thread": ("tgkill", (PID - 1, 5, 6), "EPERM"),
    "its own limits": ("prlimit64", (0,), "allowed"),
    "its own limits by number": ("prlimit64", (PID,), "allowed"),
    "another's limits": ("prlimit64", (1,), "EPERM"),
    "its own cores": ("sched_setaffinity", (0,), "allowed"),
    "another's cores": ("sched_setaffinity", (PID + 1,), "EPERM"),
    "the name of a thread": ("prctl", (15,), "allowed"),
    "life after its parent": ("prctl", (1,), "EPERM"),
    "a tracer": ("prctl", (0x59616D61,), "EPERM"),
    "being dumpable": ("prctl", (4,), "EPERM"),
    "the flags of a file": ("fcntl", (3, 4), "allowed"),
    "the owner of a file": ("fcntl", (3, 8), "EPERM"),
    "a lease": ("fcntl", (3, 1024), "EPERM"),
    "is it a terminal": ("ioctl", (1, 0x5401), "allowed"),
    "typing into a terminal": ("ioctl", (0, 0x5412), "EPERM"),
    "the owner of a socket": ("ioctl", (3, 0x8901), "EPERM"),
    "words to the parent": ("sendto", (3, 0, 5, 0, 0, 0), "allowed"),
    "words to an address": ("sendto", (3, 0, 5, 0, 0x1000, 16), "EPERM"),
    "words to a high address": ("sendto", (3, 0, 5, 0, 0x7F00_0000_0000, 16), "EPERM"),
}


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_decide(machine: str, case: str) -> None:
    name, arguments, wanted = ARGUMENTS[case]
    assert answer(machine, name, *arguments) == wanted


def test_the_upper_half_of_a_number_of_32_bits_does_not_count() -> None:
    """The kernel does not look at it either: a process id is an int."""
    assert answer("x86_64", "kill", PID | 1 << 40, 9) == "allowed"
    assert answer("x86_64", "kill", PID + 1 | 1 << 40, 9) == "EPERM"


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_are_the_kernels(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip(f"{HEADERS[machine]} is not installed (linux-libc-dev)")
    column = ARCHITECTURES[machine][1]
    lines = HEADERS[machine].read_text().splitlines()
    pattern = re.compile(r"#define __NR(?:3264)?_(\w+)\s+(\d+)$")
    theirs = {m[1]: int(m[2]) for m in map(pattern.match, lines) if m}
    tables = {**system_calls.ALLOWED, **system_calls.LIMITED, **REFUSED}
    for name, numbers in tables.items():
        generic = OTHER_NAMES.get(name, name) if column else name
        if numbers[column] is None:
            assert generic not in theirs, name
        elif generic in theirs or name not in NEW:
            assert theirs.get(generic) == numbers[column], name
