"""What this machine can do for visitors, or the part of it that a container may use."""

from __future__ import annotations

from dataclasses import dataclass

from runners.machine import cores, memory


@dataclass(frozen=True)
class Machine:
    """What one page has to answer with.

    Attributes:
        cores: physical cores that may be used.
        memory_bytes: RAM that may be used.
    """

    cores: int
    memory_bytes: int


def this_machine() -> Machine:
    """Return what this program may use: affinity, quotas and a container's limits considered."""
    return Machine(cores.free_physical_cores(), memory.total_bytes())
