"""What this program itself holds is told by process."""

from __future__ import annotations

import mmap
import os

from comparator.memory import held
from comparator.memory.held import Held


def test_the_program_and_each_fork_server_are_told(monkeypatch):
    holds = {os.getpid(): 100, 7: 30, 8: 250}
    monkeypatch.setattr(held.memory, "taken_bytes", lambda pid: holds[pid])
    monkeypatch.setattr(held.fork_servers, "by_kind", lambda: {"gguf": 7, "pytorch": 8})
    found = held.held()
    assert found == Held(100, {"gguf": 30, "pytorch": 250})
    assert found.to_record() == {
        "program_bytes": 100,
        "fork_server_bytes": {"gguf": 30, "pytorch": 250},
        "total_bytes": 380,
    }


def test_what_this_process_takes_is_seen():
    before = held.held().program
    with mmap.mmap(-1, 64 * 1024 * 1024) as taken:
        for offset in range(0, len(taken), mmap.PAGESIZE):
            taken[offset] = 1
        assert held.held().program - before > 32 * 1024 * 1024
