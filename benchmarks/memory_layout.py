"""Where the parts of a process's memory lie, and how they are backed. Linux only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PAGE_BYTES = 4096
_HEAD = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ \d+\s*(.*)$")
HUGE = ("AnonHugePages", "FilePmdMapped", "ShmemPmdMapped")
_CODE = re.compile(r"ggml|llama|gomp|libc\.|libm\.")
_LARGE_BYTES = 4 * 1024 * 1024  # the key-value cache, stacks of threads, arenas


@dataclass
class Mapping:
    """One part of a process's memory; ``kilobytes`` says what of it is resident, and how."""

    begin: int
    bytes: int
    rights: str
    name: str
    offset: int
    kilobytes: dict[str, int] = field(default_factory=dict)


def mappings(pid: int) -> Iterator[Mapping]:
    """Yield the parts of a process's memory (proc_pid_smaps(5))."""
    current: Mapping | None = None
    for line in Path(f"/proc/{pid}/smaps").read_text("utf-8", "replace").splitlines():
        head = _HEAD.match(line)
        if head:
            if current:
                yield current
            begin, end = int(head[1], 16), int(head[2], 16)
            current = Mapping(begin, end - begin, head[3], head[5], int(head[4], 16))
        elif current and line.partition(":")[0] in (*HUGE, "Rss"):
            name, kilobytes = line.split()[:2]
            current.kilobytes[name.rstrip(":")] = int(kilobytes)
    if current:
        yield current


def places(mappings: Sequence[Mapping]) -> dict[str, int]:
    """Return the page within 2 MB of each part that decoding touches, by its name."""
    found: dict[str, int] = {}
    for mapping in mappings:
        name = os.path.basename(mapping.name) or f"anonymous, {mapping.bytes >> 20} MB"
        is_code = "x" in mapping.rights and _CODE.search(mapping.name)
        is_large = not mapping.name and mapping.bytes >= _LARGE_BYTES and "w" in mapping.rights
        if is_code or is_large or "s" in mapping.rights or name in ("[heap]", "[stack]"):
            found.setdefault(name, mapping.begin // PAGE_BYTES % 512)
    return found
