"""Whether all fork servers make equally fast children, and what sets the slow ones apart.

Usage: ``python -m benchmarks.fork_server_spread [--servers N] [--rounds N] [--tokens N]
[--threads N] [--model FILE] [--no-randomize] [--shift PAGES] [--json FILE]``. Linux only.

A child inherits the layout of its fork server's memory: where libraries, heap and stack lie, and so
where its own buffers come to lie. Each round asks one child of each server, in another order; a
server's speed is the median of its children's, each divided by the median of its round. Then one
more child of each is looked at through ``/proc/PID/smaps`` while it writes.

``--no-randomize`` starts everything without address space layout randomisation, so that all servers
have one layout: what differs then is no matter of addresses. ``--shift`` moves the children's later
mappings by that many pages: a slow server that becomes an ordinary one was slow by its buffers'
place, one that stays slow by that of code, heap or stack.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import mmap
import os
import queue
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo
from comparator.library.discovery import inspect
from runners import process, protocol
from runners.supervision.fork_server import ForkServer

_ADDR_NO_RANDOMIZE = 0x0040000  # sys/personality.h
_HEAD = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ \d+\s*(.*)$")
_COUNTED = ("Rss", "AnonHugePages", "FilePmdMapped", "ShmemPmdMapped", "KernelPageSize")
_LARGE_BYTES = 512 * 1024
SLOW = 0.96  # of the median; the riddle's servers were at 0.92
PAGE_BYTES = 4096
LOOK_TOKEN = 8  # a child is looked at when it has written so many

_kept: list[mmap.mmap] = []  # what shifts a child's mappings, for its whole life


@dataclass
class Mapping:
    """One part of a process's memory: begin, bytes, name, and what of it is resident, in kB."""

    begin: int
    bytes: int
    rights: str
    name: str
    offset: int
    kilobytes: dict[str, int] = field(default_factory=dict)


@dataclass
class Served:
    """What one fork server's children showed: speeds, each divided by its round's median."""

    number: int
    pid: int
    ratios: list[float] = field(default_factory=list)
    mappings: list[Mapping] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of its children."""
        return statistics.median(self.ratios)


class _Chosen:
    """Stands in the place of the program's fork servers and always gives the one chosen."""

    def __init__(self) -> None:
        self.server: ForkServer | None = None

    def of(self, _kind: str) -> ForkServer:
        assert self.server is not None
        return self.server


def main() -> None:
    """Measure, look, and print."""
    asked = _arguments()
    if asked.no_randomize and not _without_randomisation():
        raise SystemExit("This system does not let a program switch the randomisation off.")
    model = inspect(asked.model)
    if model is None:
        raise SystemExit(f"There is no model at {asked.model}; 'comparator starter' brings some.")
    assignment = _assignment(model, asked.tokens, asked.threads, asked.shift)
    served = measure(assignment, asked.servers, asked.rounds)
    for line in report(served):
        print(line)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in served], indent=1), "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--servers", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--threads", type=int, default=1, help="one is disturbed least")
    parser.add_argument(
        "--model", type=Path, default=Path("models/gguf/SmolLM2-135M-Instruct.Q8_0.gguf")
    )
    parser.add_argument("--no-randomize", action="store_true")
    parser.add_argument("--shift", type=int, default=0, metavar="PAGES")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _without_randomisation() -> bool:
    """Switch it off for what this process starts; return whether that was allowed."""
    personality = ctypes.CDLL(None, use_errno=True).personality
    now = personality(ctypes.c_ulong(0xFFFFFFFF))
    return bool(now >= 0 and personality(ctypes.c_ulong(now | _ADDR_NO_RANDOMIZE)) >= 0)


def measure(
    assignment: Callable[[], protocol.Assignment], servers: int, rounds: int
) -> list[Served]:
    """Ask children of several fork servers in turn; return what each server's showed.

    Args:
        assignment: makes what a child is started for.
        servers: how many fork servers.
        rounds: how many children of each are measured, after one that is not.
    """
    runs: Any = process  # which keeps the name of the program's fork servers to itself
    chosen, usual = _Chosen(), runs.fork_servers
    runs.fork_servers = chosen
    started = [ForkServer("gguf") for _ in range(servers)]
    try:
        for server in started:
            server.ensure_running()
        served = [Served(number, server.pid or 0) for number, server in enumerate(started)]
        ask = _asker(chosen, started, assignment)
        for one in served:
            ask(one, None)
        for _ in range(rounds):
            _round(served, ask)
        for one in served:
            ask(one, lambda pid, one=one: one.mappings.extend(mappings(pid)))  # type: ignore[misc]
    finally:
        runs.fork_servers = usual
        for server in started:
            server.close()
    return served


Look = Callable[[int], None]
Ask = Callable[[Served, "Look | None"], float]


def _asker(
    chosen: _Chosen, started: Sequence[ForkServer], assignment: Callable[[], protocol.Assignment]
) -> Ask:
    def ask(one: Served, look: Look | None) -> float:
        chosen.server = started[one.number]
        return speed(assignment(), look)

    return ask


def _round(served: Sequence[Served], ask: Ask) -> None:
    """Ask one child of each server, in an order of chance; note each beside the round's median."""
    order = random.sample(served, len(served))
    speeds = [ask(one, None) for one in order]
    middle = statistics.median(speeds)
    for one, found in zip(order, speeds, strict=True):
        one.ratios.append(found / middle)


def _assignment(
    model: ModelInfo, tokens: int, threads: int, shift: int
) -> Callable[[], protocol.Assignment]:
    factories = process.pickled([Shifting(shift)]) if shift else b""
    config = {
        **asdict(ModelConfig()),
        "max_tokens": tokens,
        "do_sample": False,
        "n_threads": threads,
    }
    fields = {**model.__dict__, "model_type": model.model_type.value}

    def make() -> protocol.Assignment:
        return protocol.Assignment(
            kind="gguf",
            model=fields,
            prompt="Tell me everything that you know about the sea.",
            config=config,
            started=time.monotonic(),
            factories=factories,
            readable=(model.path,),
        )

    return make


class Shifting:
    """An inferencer factory that moves the mappings of its process before the model is loaded."""

    def __init__(self, pages: int) -> None:
        self.pages = pages

    def __call__(self, model: ModelInfo) -> Any:
        """Map pages that nobody uses, and return the usual engine."""
        from runners.engines.gguf.inferencer import GGUFInferencer

        _kept.append(mmap.mmap(-1, self.pages * PAGE_BYTES))
        return GGUFInferencer()


def speed(assignment: protocol.Assignment, look: Look | None) -> float:
    """Run one child and return its decode speed in tokens per second, disturbances left out.

    It is that of the fastest quarter of its tokens: other programs only ever slow tokens down.

    Raises:
        SystemExit: it did not answer.
    """
    received: queue.SimpleQueue[protocol.Message] = queue.SimpleQueue()
    run = process.Run(assignment, received.put).start()
    moments: list[float] = []
    while not isinstance(message := received.get(timeout=120), protocol.FINAL):
        if isinstance(message, protocol.Token):
            moments.append(message.seconds)
            if look and message.index == LOOK_TOKEN and run.pid:
                look(run.pid)
    run.join(10)
    if not isinstance(message, protocol.Finished) or len(moments) < 2:
        raise SystemExit(f"A child did not answer: {message}")
    seconds = sorted(later - before for before, later in itertools.pairwise(moments))
    return 1 / statistics.fmean(seconds[: max(1, len(seconds) // 4)])


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
        elif current and line.split(":")[0] in _COUNTED:
            name, kilobytes = line.split()[:2]
            current.kilobytes[name.rstrip(":")] = int(kilobytes)
    if current:
        yield current


def report(served: Sequence[Served]) -> Iterator[str]:
    """Yield the lines of what was found."""
    ratios = [one.ratio for one in served]
    noise = statistics.median(statistics.pstdev(one.ratios) for one in served)
    rounds = len(served[0].ratios)
    expected = 1.2533 * noise / rounds**0.5  # of medians of so many, were all servers alike
    yield f"{len(served)} fork servers, {rounds} rounds, load {os.getloadavg()[0]:.1f}"
    yield f"between servers: {statistics.pstdev(ratios):.4f}; expected of noise: {expected:.4f}"
    for one in sorted(served, key=lambda one: one.ratio):
        mark = "  SLOW" if one.ratio < SLOW else ""
        yield f"server {one.number:2}: {one.ratio:.3f} ({_spread(one.ratios)}){mark}"
    yield from _layouts(served)


def _spread(ratios: Sequence[float]) -> str:
    return f"{min(ratios):.3f} to {max(ratios):.3f}"


def _layouts(served: Sequence[Served]) -> Iterator[str]:
    """Yield the layout of the slowest and of the middle server, side by side in two lists."""
    if not all(one.mappings for one in served):
        return
    by_speed = sorted(served, key=lambda one: one.ratio)
    for one in {id(s): s for s in (by_speed[0], by_speed[len(by_speed) // 2])}.values():
        yield f"layout of server {one.number} ({one.ratio:.3f}):"
        for mapping in one.mappings:
            if _matters(mapping):
                yield f"  {_described(mapping)}"


def _matters(mapping: Mapping) -> bool:
    is_code = "x" in mapping.rights and re.search(r"ggml|llama|gomp|libc\.|libm\.", mapping.name)
    is_data = mapping.bytes >= _LARGE_BYTES and "r" in mapping.rights
    return bool(is_code or is_data or mapping.name in ("[heap]", "[stack]"))


def _described(mapping: Mapping) -> str:
    huge = sum(mapping.kilobytes.get(name, 0) for name in _COUNTED[1:4])
    place = " ".join(
        f"{letters}+{mapping.begin % size // PAGE_BYTES:03x}"
        for letters, size in (("64K", 1 << 16), ("2M", 1 << 21))
    )
    name = os.path.basename(mapping.name) or "anonymous"
    return (
        f"{mapping.begin:x} {mapping.rights} {mapping.bytes >> 10:7} kB "
        f"rss {mapping.kilobytes.get('Rss', 0):7} huge {huge:6} {place} {name}"
    )


if __name__ == "__main__":
    if not sys.platform.startswith("linux"):
        raise SystemExit("This looks at /proc, which only Linux has.")
    main()
