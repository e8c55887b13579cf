"""What a child process gives up before it touches a model file, without being root.

Landlock limits files, TCP and signals; seccomp refuses system calls that no model needs. Both
apply to the calling thread and what it starts, and a forked child has one thread. Sources:
https://docs.kernel.org/userspace-api/landlock.html and
https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys
import tempfile
from collections.abc import Iterator

from runners import protocol
from runners.child import seccomp

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_ASK_VERSION = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_TRUNCATE = 1 << 14
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_FILE_ONLY = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
# Landlock version -> how many of the file rights it knows.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}

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
    limit_resources(assignment.job)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return "off (the system refused to give up privileges)"
    files = _limit_files(libc, assignment)
    calls = seccomp.limit_system_calls(libc)
    if files and calls:
        return "on (files, network, processes)"
    if files or calls:
        return f"partial ({'files' if files else 'system calls'} only)"
    return "off (this kernel offers no Landlock and no seccomp)"


def _why_not(assignment: protocol.Assignment) -> str | None:
    if not sys.platform.startswith("linux"):
        return f"not available on {platform.system() or sys.platform}"
    if assignment.factories:
        return "your own inferencer may need anything"
    if assignment.config.get("trust_remote_code"):
        return "the model's own code is trusted"
    if assignment.config.get("use_gpu") and any(os.path.exists(path) for path in _GPU_DEVICES):
        return "a GPU is used"
    return None


def limit_resources(may_write: bool) -> None:
    """Forbid core dumps, and large files to those who have no file to write."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not may_write:
        size = 1024 * 1024
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _limit_files(libc: ctypes.CDLL, assignment: protocol.Assignment) -> bool:
    """Restrict this thread to the files of its libraries and its model."""
    version = libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    if version < 1:
        return False
    rights = (1 << _FILE_RIGHTS.get(version, 16)) - 1
    network = 0b11 if version >= 4 else 0
    scopes = 0b11 if version >= 6 else 0
    attributes = struct.pack("QQQ", rights, network, scopes)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = libc.syscall(_CREATE_RULESET, attributes, size, 0)
    if ruleset < 0:
        return False
    try:
        for path in _readable(assignment):
            _allow(libc, ruleset, path, _READ & rights)
        for path in ("/dev/null", *assignment.writable):
            _allow(libc, ruleset, path, rights)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _readable(assignment: protocol.Assignment) -> Iterator[str]:
    yield from _SYSTEM_PATHS
    yield from {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    temporary = os.path.realpath(tempfile.gettempdir())
    for path in sys.path:
        if path and os.path.realpath(path) not in (temporary, "/", os.path.expanduser("~")):
            yield path
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
