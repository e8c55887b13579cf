"""Whether all fork servers make equally fast children, and what sets the slow ones apart.

Usage: ``python -m benchmarks.fork_server_spread [--servers N] [--rounds N] [--tokens N]
[--threads N] [--model FILE] [--no-randomize] [--json FILE]``. Linux only.

A child inherits the layout of its fork server's memory: where libraries, heap and stack lie, and so
where its own buffers come to lie. Three steps:

1. Each round asks one child of each server, in an order of chance. A server's speed is the median
   of its children's, each divided by the median of its round.
2. One more child of each is looked at through ``/proc/PID/smaps`` while it writes.
3. The slowest server and one in the middle make children whose later buffers are moved, in turn
   with children as they are: by pages mapped before the load (``map N``), or by pages of heap
   (``heap N``). A slow server that becomes an ordinary one was slow by the place of its buffers;
   one that stays slow, by that of code, stack, or memory that all its children share.

``--no-randomize`` starts everything without address space layout randomisation, so that all servers
have one layout: what differs then is no matter of addresses.

With one thread its processor time counts, so that other programs disturb little; with more, time
by the clock, which asks for a machine at rest.
"""

from __future__ import annotations

import argparse
import contextlib
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
from runners.base import Piece, TokenText
from runners.supervision.fork_server import ForkServer

_ADDR_NO_RANDOMIZE = 0x0040000  # sys/personality.h
_HEAD = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ \d+\s*(.*)$")
_HUGE = ("AnonHugePages", "FilePmdMapped", "ShmemPmdMapped")
_CODE = re.compile(r"ggml|llama|gomp|libc\.|libm\.")
_LARGE_BYTES = 512 * 1024
SLOW = 0.96  # of the median; the riddle's servers were at 0.92
PAGE_BYTES = 4096
LOOK_TOKEN = 8  # a child is looked at when it has written so many
WAIT_SECONDS = 300.0

Move = tuple[str, int]  # what is moved, by how many pages
AS_IT_IS: Move = ("as it is", 0)
MOVES: tuple[Move, ...] = (
    AS_IT_IS,
    *(("map", pages) for pages in (1, 5, 67, 511)),
    *(("heap", pages) for pages in (1, 5, 67, 511)),
)
_kept: list[mmap.mmap] = []  # what moves a child's later mappings, for its whole life


@dataclass
class Mapping:
    """One part of a process's memory; ``kilobytes`` says what of it is resident, and how."""

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
    ratios: list[float] = field(default_factory=list)
    mappings: list[Mapping] = field(default_factory=list)
    moved: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """The median of its children."""
        return statistics.median(self.ratios)


Look = Callable[[int], None]


class Servers:
    """Several fork servers of one kind, which take the place of the program's own in turn."""

    def __init__(self, model: ModelInfo, number: int, tokens: int, threads: int) -> None:
        self._model, self._tokens, self._threads = model, tokens, threads
        self._started = [ForkServer("gguf") for _ in range(number)]
        self._chosen = self._started[0]

    @contextlib.contextmanager
    def running(self) -> Iterator[list[Served]]:
        """Start them for the body."""
        runs: Any = process  # which keeps the name of the program's fork servers to itself
        usual, runs.fork_servers = runs.fork_servers, self
        try:
            for server in self._started:
                server.ensure_running()
            yield [Served(number) for number in range(len(self._started))]
        finally:
            runs.fork_servers = usual
            for server in self._started:
                server.close()

    def of(self, _kind: str) -> ForkServer:
        """Return the one whose turn it is, as a run asks for it."""
        return self._chosen

    def speed(self, one: Served, move: Move = AS_IT_IS, look: Look | None = None) -> float:
        """Run one child and return its decode speed in tokens per second, disturbances left out.

        It is that of the fastest quarter of its tokens: other programs only slow tokens down.

        Raises:
            SystemExit: it did not answer.
        """
        self._chosen = self._started[one.number]
        moments, final = _lived(self._assignment(move), look)
        if not isinstance(final, protocol.Finished) or len(moments) < 2:
            raise SystemExit(f"A child did not answer: {final}")
        seconds = sorted(later - before for before, later in itertools.pairwise(moments))
        return 1 / statistics.fmean(seconds[: max(1, len(seconds) // 4)])

    def _assignment(self, move: Move) -> protocol.Assignment:
        # Of several threads the processor time says little: they wait for one another busily.
        is_plain = self._threads > 1 and move == AS_IT_IS
        return protocol.Assignment(
            kind="gguf",
            model={**self._model.__dict__, "model_type": self._model.model_type.value},
            prompt="Tell me everything that you know about the sea.",
            config={
                **asdict(ModelConfig()),
                "max_tokens": self._tokens,
                "do_sample": False,
                "n_threads": self._threads,
            },
            started=time.monotonic(),
            factories=b"" if is_plain else process.pickled([Measured(move, self._threads == 1)]),
            readable=(self._model.path,),
        )


def _lived(
    assignment: protocol.Assignment, look: Look | None
) -> tuple[list[float], protocol.Message]:
    """Run a child; return the seconds of its tokens, and its end."""
    received: queue.SimpleQueue[protocol.Message] = queue.SimpleQueue()
    run = process.Run(assignment, received.put).start()
    moments: list[float] = []
    while not isinstance(message := received.get(timeout=WAIT_SECONDS), protocol.FINAL):
        if isinstance(message, protocol.Token):
            moments.append(message.seconds)
            if look and message.index == LOOK_TOKEN and run.pid:
                look(run.pid)
    run.join(WAIT_SECONDS)
    return moments, message


class Measured:
    """An inferencer factory: it moves what its process maps later, and may count processor time.

    Tokens then bear their thread's processor time, which does not run while another program has
    the processor.
    """

    def __init__(self, move: Move, by_processor_time: bool) -> None:
        self.move = move
        self.by_processor_time = by_processor_time

    def __call__(self, model: ModelInfo) -> Any:
        """Take pages that nobody uses, and return the engine."""
        from runners.engines.gguf.inferencer import GGUFInferencer

        what, pages = self.move
        if what == "map":
            _kept.append(mmap.mmap(-1, pages * PAGE_BYTES))
        elif what == "heap":
            ctypes.CDLL(None).sbrk(ctypes.c_ssize_t(pages * PAGE_BYTES))
        return _timed(GGUFInferencer)() if self.by_processor_time else GGUFInferencer()


def _timed(base: Any) -> Any:
    class Timed(base):  # type: ignore[misc]
        """Tells each token at once, with the processor time at which it was chosen."""

        is_due = property(lambda _self: lambda: True, lambda _self, _value: None)

        def pieces(self, prompt: str) -> Iterator[Piece]:
            begin = time.monotonic()
            for piece in super().pieces(prompt):
                if isinstance(piece, TokenText):
                    yield TokenText(piece.text, begin + time.thread_time())
                else:
                    yield piece

    return Timed


def main() -> None:
    """Measure, look, move, and print."""
    asked = _arguments()
    if asked.no_randomize and not _without_randomisation():
        raise SystemExit("This system does not let a program switch the randomisation off.")
    model = inspect(asked.model)
    if model is None:
        raise SystemExit(f"There is no model at {asked.model}; 'comparator starter' brings some.")
    servers = Servers(model, asked.servers, asked.tokens, asked.threads)
    with servers.running() as served:
        compare(servers, served, asked.rounds)
        for line in differences(served):
            print(line, flush=True)
        for one in served:
            servers.speed(one, look=lambda pid, one=one: one.mappings.extend(mappings(pid)))  # type: ignore[misc]
        slowest, middle = _slowest_and_middle(served)
        for line in itertools.chain(layout(slowest), layout(middle)):
            print(line, flush=True)
        move_buffers(servers, (slowest, middle), asked.rounds)
    for line in moved(slowest, middle):
        print(line)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in served], indent=1), "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--servers", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--threads", type=int, default=1)
    model = Path("models/gguf/SmolLM2-135M-Instruct.Q8_0.gguf")
    parser.add_argument("--model", type=Path, default=model)
    parser.add_argument("--no-randomize", action="store_true")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _without_randomisation() -> bool:
    """Switch it off for what this process starts; return whether that was allowed."""
    personality = ctypes.CDLL(None, use_errno=True).personality
    now = personality(ctypes.c_ulong(0xFFFFFFFF))
    return bool(now >= 0 and personality(ctypes.c_ulong(now | _ADDR_NO_RANDOMIZE)) >= 0)


def compare(servers: Servers, served: Sequence[Served], rounds: int) -> None:
    """Ask one child of each server a round; note each beside the round's median."""
    for _ in range(rounds):
        order = random.sample(served, len(served))
        speeds = [servers.speed(one) for one in order]
        middle = statistics.median(speeds)
        for one, found in zip(order, speeds, strict=True):
            one.ratios.append(found / middle)


def move_buffers(servers: Servers, chosen: Sequence[Served], rounds: int) -> None:
    """Ask children whose buffers are moved, of each server and move in turn.

    Each speed is divided by that of the round's children of the last server as they are.
    """
    for _ in range(rounds):
        asked = random.sample(list(itertools.product(chosen, MOVES)), len(chosen) * len(MOVES))
        speeds = {(one.number, move): servers.speed(one, move) for one, move in asked}
        usual = speeds[chosen[-1].number, AS_IT_IS]
        for one, move in asked:
            ratio = speeds[one.number, move] / usual
            one.moved.setdefault(_words(move), []).append(ratio)


def _words(move: Move) -> str:
    return move[0] if move == AS_IT_IS else f"{move[0]} {move[1]}"


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
        elif current and line.partition(":")[0] in (*_HUGE, "Rss"):
            name, kilobytes = line.split()[:2]
            current.kilobytes[name.rstrip(":")] = int(kilobytes)
    if current:
        yield current


def differences(served: Sequence[Served]) -> Iterator[str]:
    """Yield each server's speed, and whether they differ by more than chance."""
    ratios = [one.ratio for one in served]
    noise = statistics.median(statistics.pstdev(one.ratios) for one in served)
    rounds = len(served[0].ratios)
    expected = 1.2533 * noise / rounds**0.5  # of medians of so many, were all servers alike
    yield f"{len(served)} fork servers, {rounds} rounds, load {os.getloadavg()[0]:.1f}"
    yield f"between servers: {statistics.pstdev(ratios):.4f}; expected of chance: {expected:.4f}"
    for one in sorted(served, key=lambda one: one.ratio):
        mark = "  SLOW" if one.ratio < SLOW else ""
        yield f"server {one.number:2}: {_told(one.ratios)}{mark}"


def _told(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


def _slowest_and_middle(served: Sequence[Served]) -> tuple[Served, Served]:
    by_speed = sorted(served, key=lambda one: one.ratio)
    return by_speed[0], by_speed[len(by_speed) // 2]


def layout(one: Served) -> Iterator[str]:
    """Yield where in the memory of a server's child the things lie that decoding touches."""
    yield f"layout of server {one.number} ({one.ratio:.3f}):"
    yield from (f"  {_described(mapping)}" for mapping in one.mappings if _matters(mapping))


def _matters(mapping: Mapping) -> bool:
    is_code = "x" in mapping.rights and _CODE.search(mapping.name)
    is_data = mapping.bytes >= _LARGE_BYTES and "w" in mapping.rights
    return bool(
        is_code or is_data or mapping.name in ("[heap]", "[stack]") or "s" in mapping.rights
    )


def _described(mapping: Mapping) -> str:
    huge = sum(mapping.kilobytes.get(name, 0) for name in _HUGE)
    pages = mapping.begin // PAGE_BYTES
    name = os.path.basename(mapping.name) or "anonymous"
    return (
        f"{mapping.begin:x} {mapping.rights} {mapping.bytes >> 10:7} kB, "
        f"resident {mapping.kilobytes.get('Rss', 0):7}, huge {huge:6}, "
        f"page {pages % 16:2} of 16, {pages % 512:3} of 512, {name}"
    )


def moved(slowest: Served, middle: Served) -> Iterator[str]:
    """Yield what moving the buffers changed, of both servers beside the middle one as it is."""
    yield f"moved: server {slowest.number} (the slowest) and {middle.number} (in the middle)"
    for move in MOVES:
        words = _words(move)
        yield f"{words:9} {_told(slowest.moved[words])}   {_told(middle.moved[words])}"


if __name__ == "__main__":
    if not sys.platform.startswith("linux"):
        raise SystemExit("This looks at /proc, which only Linux has.")
    main()
