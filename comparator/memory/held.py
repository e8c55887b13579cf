"""What this program itself holds of the memory, beside its models: the page and the fork servers.

It is what nothing else can use while a page is idle. Pages of libraries' files do not count: the
system takes them back when it needs the room.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

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
