"""What this program itself holds of the memory, beside its models: the page and the fork servers.

It is what nothing else can use while a page is idle. Pages of libraries' files do not count: the
system takes them back when it needs the room.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from runners import registry
from runners.machine import memory
from runners.supervision.fork_server import fork_servers


@dataclass(frozen=True)
class Held:
    """Memory in bytes that only one process has and that the system cannot take back.

    Attributes:
        program: of this process: the page, or a script that uses the library.
        fork_servers: of each fork server that runs, by its engine.
    """

    program: int
    fork_servers: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All of it together."""
        return self.program + sum(self.fork_servers.values())

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "program_bytes": self.program,
            "fork_server_bytes": dict(self.fork_servers),
            "total_bytes": self.total,
        }


def held() -> Held:
    """Return what this program holds now. Looking takes about 10 ms a process.

    Linux tells it as ``Private_Dirty`` of ``/proc/PID/smaps_rollup``; elsewhere the memory that
    only this process has (USS) is taken for it, which counts some pages of files as well.
    """
    servers = {kind: memory.taken_bytes(pid) for kind, pid in fork_servers.by_kind().items()}
    return Held(memory.taken_bytes(os.getpid()), servers)


def running() -> dict[int, Held]:
    """Return what every page of this user holds now, with its fork servers, by process id.

    A page is known by its command (``comparator serve``, ``app.py``), and whatever else uses
    the library by the fork servers that it has started. This process is left out.
    """
    servers: dict[int, dict[str, int]] = {}
    pages: set[int] = set()
    for process in psutil.process_iter():
        try:
            command, parent = process.cmdline(), process.ppid()
        except psutil.Error:  # it has ended, or it is another user's
            continue
        if _is_fork_server(command):
            engine = _engine_of(command[-1])
            servers.setdefault(parent, {})[engine] = memory.taken_bytes(process.pid)
        elif _is_page(command):
            pages.add(process.pid)
    found = sorted({*pages, *servers} - {os.getpid()})
    return {pid: Held(memory.taken_bytes(pid), servers.get(pid, {})) for pid in found}


def _is_fork_server(command: Sequence[str]) -> bool:
    return bool(command) and "from runners.child.fork_loop import serve" in command[-1]


def _engine_of(code: str) -> str:
    """Return the engine whose modules a fork server was told to import."""
    for kind, engine in registry.ENGINES.items():
        if engine.inferencer.partition(":")[0] in code:
            return kind
    return "gguf" if "runners.engines.gguf" in code else "echo"


def _is_page(command: Sequence[str]) -> bool:
    names = [os.path.basename(word) for word in command]
    is_ours = "comparator" in names or "app.py" in names or "comparator.__main__" in names
    return is_ours and ("serve" in names or "app.py" in names)
