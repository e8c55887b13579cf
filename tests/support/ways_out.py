"""Ways out of a process: each a function that returns when it got out, and raises when refused.

``try_all`` is called inside the sandbox; ``try_all_outside`` is the control: the same ways in
a process without one, each in a fork of its own, since some change the process for good.
What they aim at is made by ``test_ways_out.py`` and told as a dictionary. Linux alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import platform
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Targets = dict[str, Any]
REFUSED = {errno.EPERM, errno.EACCES, errno.ENOSYS}
COLUMN = {"x86_64": 0, "aarch64": 1}.get(platform.machine(), 0)
# What Python has no function for: name -> (x86_64, aarch64).
CALLS = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "execveat": (322, 281), "memfd_create": (319, 279), "unshare": (272, 97), "setns": (308, 268),
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "io_uring_setup": (425, 425), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217),
    "name_to_handle_at": (303, 264), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27),
    "ioprio_set": (251, 30), "kcmp": (312, 272), "clone": (56, 220), "clone3": (435, 435),
    "prlimit64": (302, 261), "syslog": (103, 116), "sched_setattr": (314, 274),
}  # fmt: skip
_libc = ctypes.CDLL(None, use_errno=True)
_PAIR: list[socket.socket] = []  # of the control, both ends kept open


@dataclass(frozen=True)
class Way:
    """A way out. ``needs`` is empty where it works for anybody outside, else says what it takes."""

    name: str
    area: str
    needs: str
    take: Callable[[Targets], object]


WAYS: dict[str, Way] = {}


def way(area: str, name: str, needs: str = "") -> Callable[[Callable[[Targets], object]], object]:
    def keep(take: Callable[[Targets], object]) -> object:
        assert name not in WAYS, name
        WAYS[name] = Way(name, area, needs, take)
        return take

    return keep


def call(name: str, *arguments: Any) -> int:
    """Make a system call; raise its error."""
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    ctypes.set_errno(0)
    answer: int = _libc.syscall(CALLS[name][COLUMN], *words)
    if answer == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return answer


def touch(path: str, flags: int = os.O_RDONLY) -> None:
    """Open a file and close it again."""
    os.close(os.open(path, flags, 0o600))


def fetch(path: str) -> None:
    """Read a file."""
    with open(path, "rb") as file:
        file.read()


# -- sockets ---------------------------------------------------------------------------------


@way("sockets", "Unix socket by path")
def _(to: Targets) -> None:
    socket.socket(socket.AF_UNIX).connect(to["unix_path"])


@way("sockets", "Unix datagram by path")
def _(to: Targets) -> None:
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", to["datagram_path"])


@way("sockets", "Unix socket by abstract name")
def _(to: Targets) -> None:
    socket.socket(socket.AF_UNIX).connect("\0" + to["abstract"])


@way("sockets", "a pair of sockets")
def _(_to: Targets) -> None:
    socket.socketpair()


@way("sockets", "TCP to this machine")
def _(to: Targets) -> None:
    socket.create_connection(("127.0.0.1", to["tcp_port"]))


@way("sockets", "TCP listener")
def _(_to: Targets) -> None:
    socket.create_server(("127.0.0.1", 0))


@way("sockets", "UDP")
def _(to: Targets) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", to["udp_port"]))


@way("sockets", "netlink")
def _(_to: Targets) -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)


@way("sockets", "the kernel's ciphers (AF_ALG)", needs="a kernel with it")
def _(_to: Targets) -> None:
    socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)


@way("sockets", "virtual machine sockets (AF_VSOCK)", needs="a kernel with it")
def _(_to: Targets) -> None:
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)


def inherited_socket() -> socket.socket:
    """Return the wire where there is one; in the control, one end of a new pair."""
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        with contextlib.suppress(OSError):
            if int(name) > 2 and os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, os.dup(int(name)))
    _PAIR.extend(socket.socketpair())
    _PAIR[1].sendall(b"x")
    return _PAIR[0]


@way("sockets", "a descriptor sent over an inherited socket")
def _(_to: Targets) -> None:
    socket.send_fds(inherited_socket(), [b"fork"], [0, 0, 0, 0])


@way("sockets", "a descriptor taken from an inherited socket")
def _(_to: Targets) -> None:
    socket.recv_fds(inherited_socket(), 1, 1)


# -- other processes -------------------------------------------------------------------------

OTHERS = {"parent": "the program", "server": "the fork server", "sibling": "another process"}
for _key, _who in OTHERS.items():
    for _what in ("environ", "maps", "cmdline"):

        @way("other processes", f"/proc: {_what} of {_who}")
        def _(to: Targets, key: str = _key, what: str = _what) -> None:
            fetch(f"/proc/{to[key]}/{what}")

    @way("other processes", f"/proc: memory of {_who}, to write")
    def _(to: Targets, key: str = _key) -> None:
        touch(f"/proc/{to[key]}/mem", os.O_RDWR)

    @way("other processes", f"/proc: open files of {_who}")
    def _(to: Targets, key: str = _key) -> None:
        os.listdir(f"/proc/{to[key]}/fd")

    @way("other processes", f"/proc: an open file of {_who}")
    def _(to: Targets, key: str = _key) -> None:
        touch(f"/proc/{to[key]}/fd/0")

    @way("other processes", f"/proc: files through the root of {_who}")
    def _(to: Targets, key: str = _key) -> None:
        fetch(f"/proc/{to[key]}/root{to['secret']}")

    @way("other processes", f"/proc: memory score of {_who}, to write")
    def _(to: Targets, key: str = _key) -> None:
        touch(f"/proc/{to[key]}/oom_score_adj", os.O_WRONLY)

    @way("signals", f"kill {_who}")
    def _(to: Targets, key: str = _key) -> None:
        os.kill(to[key], 0)


@way("other processes", "the list of processes")
def _(_to: Targets) -> None:
    os.listdir("/proc")


@way("other processes", "ptrace")
def _(to: Targets) -> None:
    call("ptrace", 0x4206, to["sibling"], 0, 0)  # PTRACE_SEIZE: ends with this process


def _vector(address: int, size: int) -> Any:
    return ctypes.create_string_buffer(struct.pack("QQ", address, size), 16)


@way("other processes", "process_vm_readv")
def _(to: Targets) -> None:
    here = ctypes.create_string_buffer(4)
    local = _vector(ctypes.addressof(here), 4)
    call("process_vm_readv", to["sibling"], local, 1, _vector(to["sibling_bytes"], 4), 1, 0)


@way("other processes", "process_vm_writev")
def _(to: Targets) -> None:
    here = ctypes.create_string_buffer(b"abcd", 4)
    local = _vector(ctypes.addressof(here), 4)
    call("process_vm_writev", to["sibling"], local, 1, _vector(to["sibling_bytes"], 4), 1, 0)


@way("other processes", "pidfd of a process")
def _(to: Targets) -> None:
    call("pidfd_open", to["sibling"], 0)


@way("other processes", "a descriptor by pidfd_getfd")
def _(to: Targets) -> None:
    call("pidfd_getfd", call("pidfd_open", to["sibling"], 0), 0, 0)


@way("other processes", "comparison of two processes (kcmp)", needs="a kernel with it")
def _(to: Targets) -> None:
    call("kcmp", to["sibling"], os.getpid(), 2, 0, 0)


@way("other processes", "limits of a process")
def _(to: Targets) -> None:
    resource.prlimit(to["sibling"], resource.RLIMIT_NOFILE, (64, 64))


@way("other processes", "cores of a process")
def _(to: Targets) -> None:
    os.sched_setaffinity(to["sibling"], os.sched_getaffinity(0))


@way("other processes", "scheduling of a process")
def _(to: Targets) -> None:
    os.sched_setscheduler(to["sibling"], os.SCHED_BATCH, os.sched_param(0))


@way("other processes", "priority of a process")
def _(to: Targets) -> None:
    os.setpriority(os.PRIO_PROCESS, to["sibling"], 19)


@way("other processes", "disk priority of a process")
def _(to: Targets) -> None:
    call("ioprio_set", 1, to["sibling"], 2 << 13 | 7)


# -- signals ---------------------------------------------------------------------------------


@way("signals", "a group of processes")
def _(to: Targets) -> None:
    os.killpg(to["sibling"], 0)


@way("signals", "every process")
def _(to: Targets) -> None:
    os.kill(-1, 0)


@way("signals", "tkill")
def _(to: Targets) -> None:
    call("tkill", to["sibling"], 0)


@way("signals", "tgkill")
def _(to: Targets) -> None:
    call("tgkill", to["sibling"], to["sibling"], 0)


@way("signals", "sigqueue")
def _(to: Targets) -> None:
    information = struct.pack("iii", 0, 0, -1) + bytes(116)  # SI_QUEUE
    call("rt_sigqueueinfo", to["sibling"], signal.SIGURG, information)


@way("signals", "pidfd_send_signal")
def _(to: Targets) -> None:
    call("pidfd_send_signal", call("pidfd_open", to["sibling"], 0), 0, None, 0)


@way("signals", "the owner of a pipe (F_SETOWN)")
def _(to: Targets) -> None:
    fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, to["sibling"])


@way("signals", "the owner of a pipe (F_SETOWN_EX)")
def _(to: Targets) -> None:
    fcntl.fcntl(os.pipe()[0], 15, struct.pack("ii", 1, to["sibling"]))


@way("signals", "the signal of a pipe (F_SETSIG)")
def _(_to: Targets) -> None:
    fcntl.fcntl(os.pipe()[0], 10, signal.SIGURG)


@way("signals", "life after the parent (PR_SET_PDEATHSIG)")
def _(_to: Targets) -> None:
    if _libc.prctl(1, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


@way("signals", "another group of processes")
def _(_to: Targets) -> None:
    if os.getpgid(0) == os.getpid():
        os.setpgid(0, os.getpgid(os.getppid()))
    else:
        os.setsid()


# -- execution -------------------------------------------------------------------------------


@way("execution", "fork")
def _(_to: Targets) -> None:
    if os.fork() == 0:
        os._exit(0)


@way("execution", "a program")
def _(_to: Targets) -> None:
    os.execv("/bin/true", ["true"])


@way("execution", "a program in a new process")
def _(_to: Targets) -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


@way("execution", "a file in memory (memfd_create)")
def _(_to: Targets) -> None:
    os.memfd_create("x")


@way("execution", "an open file (fexecve)")
def _(_to: Targets) -> None:
    os.execve(os.open("/bin/true", os.O_RDONLY), ["true"], {})


@way("execution", "a process by clone")
def _(_to: Targets) -> None:
    if call("clone", int(signal.SIGCHLD), 0, 0, 0, 0) == 0:
        os._exit(0)


@way("execution", "a process by clone3")
def _(_to: Targets) -> None:
    arguments = ctypes.create_string_buffer(struct.pack("8Q", 0, 0, 0, 0, 17, 0, 0, 0), 64)
    if call("clone3", arguments, 64) == 0:
        os._exit(0)


@way("execution", "a process in a new user namespace", needs="a kernel that lets users")
def _(_to: Targets) -> None:
    if call("clone", 0x10000000 | int(signal.SIGCHLD), 0, 0, 0, 0) == 0:
        os._exit(0)


@way("execution", "a new user namespace", needs="a kernel that lets users")
def _(_to: Targets) -> None:
    call("unshare", 0x10000000)


@way("execution", "new namespaces", needs="root")
def _(_to: Targets) -> None:
    call("unshare", 0x00020000 | 0x40000000)


@way("execution", "another namespace", needs="root")
def _(_to: Targets) -> None:
    call("setns", os.open("/proc/self/ns/uts", os.O_RDONLY), 0)


@way("execution", "another root folder", needs="root")
def _(to: Targets) -> None:
    os.chroot(to["folder"])


@way("execution", "another user", needs="root")
def _(_to: Targets) -> None:
    os.setresuid(65534, 65534, 65534)


# -- shared memory ---------------------------------------------------------------------------


@way("shared memory", "POSIX shared memory, another's")
def _(to: Targets) -> None:
    touch(f"/dev/shm/{to['shm_name']}", os.O_RDWR)


@way("shared memory", "POSIX shared memory, new")
def _(to: Targets) -> None:
    os.close(os.open(f"/dev/shm/{to['shm_name']}-new-{os.getpid()}", os.O_RDWR | os.O_CREAT))
    os.unlink(f"/dev/shm/{to['shm_name']}-new-{os.getpid()}")


@way("shared memory", "System V shared memory", needs="a kernel with it")
def _(to: Targets) -> None:
    call("shmget", to["key"], 0, 0)


@way("shared memory", "System V semaphores", needs="a kernel with it")
def _(to: Targets) -> None:
    call("semget", to["key"], 0, 0)


@way("shared memory", "System V messages", needs="a kernel with it")
def _(to: Targets) -> None:
    call("msgget", to["key"], 0)


@way("shared memory", "POSIX messages", needs="a kernel with it")
def _(to: Targets) -> None:
    call("mq_open", to["queue"].encode(), os.O_RDWR, 0, None)


# -- files -----------------------------------------------------------------------------------


@way("files", "read a file")
def _(to: Targets) -> None:
    fetch(to["secret"])


@way("files", "read the users of this machine")
def _(_to: Targets) -> None:
    fetch("/etc/passwd")


@way("files", "list a folder")
def _(to: Targets) -> None:
    os.listdir(to["folder"])


@way("files", "list the temporary folder of everybody")
def _(_to: Targets) -> None:
    os.listdir("/tmp")


@way("files", "write a file")
def _(to: Targets) -> None:
    touch(os.path.join(to["folder"], f"written-{os.getpid()}"), os.O_WRONLY | os.O_CREAT)


@way("files", "write beside the model")
def _(to: Targets) -> None:
    beside = os.path.join(os.path.dirname(to["model"]), f"written-{os.getpid()}")
    touch(beside, os.O_WRONLY | os.O_CREAT)


@way("files", "write into the model")
def _(to: Targets) -> None:
    touch(to["model"], os.O_RDWR)


@way("files", "empty a file")
def _(to: Targets) -> None:
    os.truncate(to["spare"], 0)


@way("files", "remove a file")
def _(to: Targets) -> None:
    os.unlink(to["spare"])


@way("files", "rename a file")
def _(to: Targets) -> None:
    os.rename(to["spare"], to["spare"] + "-renamed")


@way("files", "rights of a file")
def _(to: Targets) -> None:
    os.chmod(to["secret"], 0o600)


@way("files", "rights of an open file")
def _(to: Targets) -> None:
    os.fchmod(os.open(to["model"], os.O_RDONLY), 0o600)


@way("files", "times of a file")
def _(to: Targets) -> None:
    os.utime(to["secret"])


@way("files", "owner of a file")
def _(to: Targets) -> None:
    os.chown(to["secret"], os.getuid(), os.getgid())


@way("files", "a link in the temporary folder")
def _(to: Targets) -> None:
    os.symlink(to["secret"], _own_file())


@way("files", "a hard link in the temporary folder")
def _(to: Targets) -> None:
    os.link(to["model"], os.path.join(to["folder"], f"hard-{os.getpid()}"))


@way("files", "a pipe in the temporary folder")
def _(_to: Targets) -> None:
    os.mkfifo(_own_file())


@way("files", "a watch on a folder")
def _(to: Targets) -> None:
    call("inotify_add_watch", call("inotify_init1", 0), to["folder"].encode(), 0x100)


@way("files", "a lock on a file")
def _(to: Targets) -> None:
    fcntl.flock(os.open(to["model"], os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)


@way("files", "a file handle", needs="a file system with them")
def _(to: Targets) -> None:
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136)
    number = ctypes.create_string_buffer(4)
    call("name_to_handle_at", -100, to["secret"].encode(), handle, number, 0)


def _own_file() -> str:
    return os.path.join(tempfile.gettempdir(), f"way-{os.getpid()}")


# -- the kernel ------------------------------------------------------------------------------


@way("kernel", "io_uring", needs="a kernel with it")
def _(_to: Targets) -> None:
    call("io_uring_setup", 1, ctypes.create_string_buffer(120))


@way("kernel", "bpf", needs="root")
def _(_to: Targets) -> None:
    call("bpf", 0, ctypes.create_string_buffer(struct.pack("5I", 2, 4, 4, 1, 0), 72), 72)


@way("kernel", "perf_event_open", needs="a kernel with it")
def _(_to: Targets) -> None:
    # type software, size, config task-clock; exclude kernel and hypervisor
    event = ctypes.create_string_buffer(struct.pack("IIQ", 1, 112, 1) + bytes(24), 112)
    struct.pack_into("Q", event, 40, 1 << 5 | 1 << 6)
    call("perf_event_open", event, 0, -1, -1, 0)


@way("kernel", "userfaultfd", needs="root")
def _(_to: Targets) -> None:
    call("userfaultfd", 1)


@way("kernel", "keyrings", needs="a kernel with them")
def _(_to: Targets) -> None:
    call("keyctl", 0, -3, 1)


@way("kernel", "a new key", needs="a kernel with them")
def _(_to: Targets) -> None:
    call("add_key", b"user", b"way-out", b"x", 1, -2)


@way("kernel", "its log", needs="root")
def _(_to: Targets) -> None:
    call("syslog", 10, None, 0)


@way("kernel", "a core dump", needs="a limit that lets it")
def _(_to: Targets) -> None:
    resource.prlimit(0, resource.RLIMIT_CORE, (4096, resource.RLIM_INFINITY))


@way("kernel", "a higher limit of its own", needs="root")
def _(_to: Targets) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(0, resource.RLIMIT_NOFILE, (hard + 1, hard + 1))


# -- trying them -----------------------------------------------------------------------------


def outcome(one: Way, to: Targets) -> str:
    """Return ``out``, ``refused``, or what else happened."""
    try:
        one.take(to)
    except ValueError as error:  # how Python tells that a limit cannot be raised
        return "refused" if "not allowed" in str(error) else f"ValueError: {error}"
    except OSError as error:
        return "refused" if error.errno in REFUSED else f"{error.errno}: {error}"
    return "out"


def try_all(to: Targets) -> dict[str, str]:
    """Take every way in this process; to be called inside the sandbox."""
    return {name: outcome(one, to) for name, one in WAYS.items()}


def try_all_outside(to: Targets) -> dict[str, str]:
    """Take every way in a fork of its own, without a sandbox."""
    return {name: _in_a_fork(one, to) for name, one in WAYS.items()}


def _in_a_fork(one: Way, to: Targets) -> str:
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(told)
        signal.alarm(20)  # a way that waits for ever is none
        tempfile.tempdir = to["folder"]
        if to.get("spare"):
            to = {**to, "spare": _spare(to)}
        os.write(tell, outcome(one, to).encode())
        os._exit(0)
    os.close(tell)
    _, status = os.waitpid(pid, 0)
    with open(told, "rb") as pipe:
        said = pipe.read(4096).decode() if select.select([pipe], [], [], 1)[0] else ""
    return said or ("out" if status == 0 else f"ended by {status}")  # "": it became a program


def _spare(to: Targets) -> str:
    path = os.path.join(to["folder"], f"spare-{os.getpid()}")
    with open(path, "w") as file:
        file.write("x")
    return path


def descriptors() -> dict[str, str]:
    """Return where the open descriptors of this process lead."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own
            found[name] = os.readlink(f"/proc/self/fd/{name}")
    return found


def report(to: Targets) -> str:
    """Return everything that was found out inside, as JSON."""
    opened = descriptors()  # before the ways, some of which open more
    return json.dumps({"descriptors": opened, "ways": try_all({**to, "server": os.getppid()})})


if __name__ == "__main__":
    print(json.dumps(try_all_outside(json.loads(sys.argv[1]))))
