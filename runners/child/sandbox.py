"""What a child process gives up before it touches a model file, without being root.

Landlock limits files, TCP and signals; seccomp refuses system calls that no model needs, every
socket among them; privileges, core dumps and large files are given up besides. All apply to the
calling thread and what it starts, and a forked child has one thread. Sources:
https://docs.kernel.org/userspace-api/landlock.html,
https://docs.kernel.org/userspace-api/seccomp_filter.html, capabilities(7) and core(5).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys
from collections.abc import Iterator

from runners import protocol
from runners.child import library_places, seccomp

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_ASK_VERSION = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << bit for bit in range(1, 6))
_MAKE_DIR, _MAKE_FILE = 1 << 7, 1 << 8
_REFER, _TRUNCATE = 1 << 13, 1 << 14
# Nothing may be executed, and no link, pipe, socket or device may be made, by anybody.
_READ = _READ_FILE | _READ_DIR
_WRITE = (
    _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_FILE | _REFER | _TRUNCATE
)
_FILE_ONLY = _WRITE_FILE | _READ_FILE | _TRUNCATE
# Landlock version -> how many of the file rights it knows. Later ones leave files as they are.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16, 6: 16, 7: 16, 8: 16, 9: 17}
_KEEPS_FROM_EMPTYING = 3  # the first version that knows _TRUNCATE

_CAPABILITIES_VERSION = 0x20080522
# Reading and writing files of other users, where Landlock lets it; root in a container needs it.
_KEPT_CAPABILITIES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH

_GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
_SYSTEM_PATHS = (
    "/usr", "/lib", "/lib64", "/bin", "/opt", "/nix/store", "/etc/ld.so.cache", "/etc/localtime",
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/sys",
    "/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm", "/dev/urandom", "/dev/null",
)  # fmt: skip


def enter_sandbox(assignment: protocol.Assignment) -> str:
    """Give up what no model needs; return in words what was given up, or why it was not."""
    reason = _why_not(assignment)
    if reason:
        return f"off ({reason})"
    libc = ctypes.CDLL(None, use_errno=True)
    limit_resources(assignment.is_job)
    give_up_privileges(libc)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return "off (the system refused to give up privileges)"
    version = _limit_files(libc, assignment)
    calls = seccomp.limit_system_calls(libc)
    return _words(version, calls)


def _words(landlock_version: int, calls: bool) -> str:
    if landlock_version and not calls:
        return f"partial (files only; no filter of system calls on {platform.machine()})"
    if not landlock_version:
        return "partial (system calls only)" if calls else _NOTHING
    if landlock_version < _KEEPS_FROM_EMPTYING:
        return "partial (this kernel cannot keep foreign files from being emptied)"
    return "on (files, network, processes)"


_NOTHING = "off (this kernel offers no Landlock and no seccomp)"


def _why_not(assignment: protocol.Assignment) -> str | None:
    if not sys.platform.startswith("linux"):
        return f"not available on {platform.system() or sys.platform}"
    if assignment.factories:
        return "your own inferencer may need anything"
    config = assignment.config
    if config is not None and config.trust_remote_code:
        return "the model's own code is trusted"
    if assignment.uses_gpu and any(map(os.path.exists, _GPU_DEVICES)):
        return "a GPU is used"
    return None


def limit_resources(may_write: bool) -> None:
    """Forbid core dumps, and large files to those who have no file to write.

    One byte, and not none, since a program that takes core dumps through a pipe gets them with a
    limit of 0; no core file is smaller than a page.
    """
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (_core_limit(resource.RLIMIT_CORE),) * 2)
    if not may_write:
        size = 1024 * 1024
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _core_limit(kind: int) -> int:
    import resource

    _, hard = resource.getrlimit(kind)
    return 1 if hard == resource.RLIM_INFINITY else min(1, hard)


def give_up_privileges(libc: ctypes.CDLL) -> None:
    """Drop what root may do beyond its own files; others have nothing to drop."""
    kept = _KEPT_CAPABILITIES
    held = ctypes.create_string_buffer(24)  # effective, permitted, inheritable; low, then high
    header = struct.pack("Ii", _CAPABILITIES_VERSION, 0)
    if libc.capget(header, held) == 0:
        kept &= struct.unpack_from("I", held)[0]
        libc.capset(header, struct.pack("6I", kept, kept, 0, 0, 0, 0))


def _limit_files(libc: ctypes.CDLL, assignment: protocol.Assignment) -> int:
    """Restrict this thread to its libraries and its model; return Landlock's version, or 0."""
    version = libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    if version < 1:
        return 0
    rights = (1 << _FILE_RIGHTS.get(version, _FILE_RIGHTS[9])) - 1
    network = 0b11 if version >= 4 else 0
    scopes = 0b11 if version >= 6 else 0
    attributes = struct.pack("QQQ", rights, network, scopes)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = libc.syscall(_CREATE_RULESET, attributes, size, 0)
    if ruleset < 0:
        return 0
    try:
        for path in _readable(assignment):
            _allow(libc, ruleset, path, _READ & rights)
        for path in ("/dev/null", *assignment.writable):
            _allow(libc, ruleset, path, _WRITE & rights)
        return int(version) if libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0 else 0
    finally:
        os.close(ruleset)


def _readable(assignment: protocol.Assignment) -> Iterator[str]:
    yield from _SYSTEM_PATHS
    yield from library_places.all_places(_SYSTEM_PATHS)
    for path in assignment.readable:
        yield path
        yield from _link_targets(path)


def _link_targets(path: str) -> Iterator[str]:
    """Yield the files that the links in a model's folder lead to, as in the Hub's cache."""
    with contextlib.suppress(OSError):
        if os.path.isdir(path):
            for entry in os.scandir(path):
                if entry.is_symlink() and entry.is_file():
                    yield os.path.realpath(entry.path)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there need not be allowed
    try:
        if not os.path.isdir(path):
            rights &= _FILE_ONLY
        rule = struct.pack("=Qi", rights, handle)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(handle)
