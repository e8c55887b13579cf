"""Whether all fork servers make equally fast children, and what sets the slow ones apart.

Usage: ``python -m benchmarks.fork_server_spread [--servers N] [--batches N] [--rounds N]
[--tokens N] [--threads N] [--model FILE] [--no-randomize] [--json FILE]``. Linux only.

A child inherits the layout of its fork server's memory: where libraries, heap and stack lie, and so
where its own buffers come to lie. Three steps:

1. Each round asks one child of each server, in an order of chance. A server's speed is that of its
   best child, each divided by the median of its round: other programs only slow children down.
   What seems slow is asked again, beside others. If none stays slow, the next batch is started.
2. One more child of each is looked at through ``/proc/PID/smaps`` while it reads the prompt.
   Printed is where within 2 MB each part lies: what lies alike in all sets none of them apart.
3. The slowest server and one in the middle make children whose memory is moved, in turn with
   children as they are: weights and key-value cache by pages mapped before the load (``map N``),
   activations by pages of heap (``heap N``), the stack by calls within calls (``stack N``). A slow
   server that becomes an ordinary one was slow by the place of what was moved; one that stays slow
   by that of code, or by memory that all its children share.

``--no-randomize`` starts everything without address space layout randomisation, and
``PYTHONHASHSEED=0`` before the command lets Python allocate alike in all servers; with both they
have one layout, and what differs then is no matter of it.

With one thread its processor time counts, so that other programs disturb little; with more, time
by the clock, which asks for a machine at rest.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import functools
import itertools
import json
import mmap
import os
import queue
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo
from comparator.library.discovery import inspect
from runners import process, protocol
from runners.base import Piece, TokenText
from runners.supervision.fork_server import ForkServer

from . import memory_layout

_ADDR_NO_RANDOMIZE = 0x0040000  # sys/personality.h
SLOW = 0.96  # of the median; the riddle's servers were at 0.92
AGAIN = 4  # further children of a server that seems slow
WAIT_SECONDS = 300.0

Move = tuple[str, int]  # what is moved, by how many pages, or calls of about 500 bytes
AS_IT_IS: Move = ("as it is", 0)
MOVES: tuple[Move, ...] = (
    AS_IT_IS,
    *(("map", pages) for pages in (1, 5, 67, 511)),
    *(("heap", pages) for pages in (1, 5, 67, 511)),
    *(("stack", levels) for levels in (10, 100, 400)),
)
_kept: list[mmap.mmap] = []  # what moves a child's later mappings, for its whole life


@dataclass
class Served:
    """What one fork server's children showed: speeds, each divided by its round's median."""

    number: int
    ratios: list[float] = field(default_factory=list)
    mappings: list[memory_layout.Mapping] = field(default_factory=list)
    moved: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """That of its best child."""
        return max(self.ratios)


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
        config = ModelConfig(max_tokens=self._tokens, do_sample=False, n_threads=self._threads)
        question = Conversation.of("Tell me everything that you know about the sea.")
        return protocol.Assignment(
            protocol.Answer(self._model, config, (question,)),
            started=time.monotonic(),
            factories=b"" if is_plain else process.pickled([Measured(move, self._threads == 1)]),
            readable=(self._model.path,),
        )


def _lived(
    assignment: protocol.Assignment, look: Look | None
) -> tuple[list[float], protocol.Message]:
    """Run a child; return the seconds of its tokens, and its end."""
    received: queue.SimpleQueue[protocol.Message] = queue.SimpleQueue()
    run = process.Run()
    run.start(assignment, received.put)
    moments: list[float] = []
    while not isinstance(message := received.get(timeout=WAIT_SECONDS), protocol.FINAL):
        if isinstance(message, protocol.Token):
            moments.append(message.seconds)
        elif isinstance(message, protocol.Prompted) and look and run.pid:
            look(run.pid)  # its buffers are made, and it reads the prompt
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
            _kept.append(mmap.mmap(-1, pages * memory_layout.PAGE_BYTES))
        elif what == "heap":
            ctypes.CDLL(None).sbrk(ctypes.c_ssize_t(pages * memory_layout.PAGE_BYTES))
        levels = pages if what == "stack" else 0
        sys.setrecursionlimit(sys.getrecursionlimit() + 3 * levels)
        engine = _deeper(GGUFInferencer, levels) if levels else GGUFInferencer
        return _timed(engine)() if self.by_processor_time else engine()


def _deeper(base: Any, levels: int) -> Any:
    class Deeper(base):  # type: ignore[misc]
        """Computes each token within so many calls."""

        def pieces(self, prompt: str) -> Iterator[Piece]:
            pieces = super().pieces(prompt)
            while piece := _within(levels, lambda: next(pieces, None)):
                yield piece

    return Deeper


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


def _within(levels: int, call: Callable[[], Any]) -> Any:
    """Return what a call returns, made so many calls of the interpreter's C code deeper."""
    if levels == 0:
        return call()
    return functools.reduce(lambda _first, _second: _within(levels - 1, call), (0, 0))


def main() -> None:
    """Measure, look, move, and print."""
    asked = _arguments()
    if asked.no_randomize and not _without_randomisation():
        raise SystemExit("This system does not let a program switch the randomisation off.")
    model = inspect(asked.model)
    if model is None:
        raise SystemExit(f"There is no model at {asked.model}; 'comparator starter' brings some.")
    for batch in range(1, asked.batches + 1):
        servers = Servers(model, asked.servers, asked.tokens, asked.threads)
        with servers.running() as served:
            found = screened(servers, served, asked.rounds)
            for line in differences(served):
                print(line, flush=True)
            if found or batch == asked.batches:
                examine(servers, served, asked.rounds)
                break
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in served], indent=1), "utf-8")


def screened(servers: Servers, served: Sequence[Served], rounds: int) -> list[Served]:
    """Measure all, and what seems slow again and again; return what stays so."""
    compare(servers, served, rounds)
    for _ in range(AGAIN):
        slow = [one for one in served if one.ratio < SLOW]
        if not slow:
            return []
        others = [one for one in served if one.ratio >= SLOW]
        compare(servers, [*slow, *random.sample(others, min(len(others), len(slow) + 2))], 1)
    return [one for one in served if one.ratio < SLOW]


def examine(servers: Servers, served: Sequence[Served], rounds: int) -> None:
    """Look at all layouts, and move the memory of the slowest server's children; print both."""
    for one in served:
        servers.speed(one, look=functools.partial(_look_into, one))
    for line in layouts(served):
        print(line, flush=True)
    slowest, middle = _slowest_and_middle(served)
    move_buffers(servers, (slowest, middle), rounds)
    for line in moved(slowest, middle):
        print(line, flush=True)


def _look_into(one: Served, pid: int) -> None:
    one.mappings = list(memory_layout.mappings(pid))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--servers", type=int, default=12)
    parser.add_argument("--batches", type=int, default=1, help="until one has a slow server")
    parser.add_argument("--rounds", type=int, default=2)
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

    Each speed is divided by the median of the round's children of the last server.
    """
    for _ in range(rounds):
        asked = random.sample(list(itertools.product(chosen, MOVES)), len(chosen) * len(MOVES))
        speeds = {(one.number, move): servers.speed(one, move) for one, move in asked}
        usual = statistics.median(speeds[chosen[-1].number, move] for move in MOVES)
        for one, move in asked:
            ratio = speeds[one.number, move] / usual
            one.moved.setdefault(_words(move), []).append(ratio)


def _words(move: Move) -> str:
    return move[0] if move == AS_IT_IS else f"{move[0]} {move[1]}"


def differences(served: Sequence[Served]) -> Iterator[str]:
    """Yield each server's speed, and whether they differ by more than chance."""
    rounds = min(len(one.ratios) for one in served)
    yield f"{len(served)} fork servers, {rounds} rounds, load {os.getloadavg()[0]:.1f}"
    yield f"standard deviation between servers: {statistics.pstdev(o.ratio for o in served):.4f}"
    yield f"the same if children were dealt out anew: {_of_chance(served):.4f}"
    for one in sorted(served, key=lambda one: one.ratio):
        mark = "  SLOW" if one.ratio < SLOW else ""
        yield f"server {one.number:2}: {_told(one.ratios)}{mark}"


def _of_chance(served: Sequence[Served], draws: int = 200) -> float:
    """Return the deviation between servers that chance alone makes: the rounds shuffled."""
    fewest = min(len(one.ratios) for one in served)
    rounds = list(zip(*(one.ratios[:fewest] for one in served), strict=True))
    deviations = []
    for _ in range(draws):
        shuffled = [random.sample(found, len(found)) for found in rounds]
        deviations.append(statistics.pstdev(map(max, zip(*shuffled, strict=True))))
    return statistics.fmean(deviations)


def _told(ratios: Sequence[float]) -> str:
    return f"best {max(ratios):.3f} (median {statistics.median(ratios):.3f})"


def _slowest_and_middle(served: Sequence[Served]) -> tuple[Served, Served]:
    by_speed = sorted(served, key=lambda one: one.ratio)
    return by_speed[0], by_speed[len(by_speed) // 2]


def layouts(served: Sequence[Served]) -> Iterator[str]:
    """Yield where within 2 MB each part lies, in pages, of all servers from slow to fast."""
    by_speed = sorted(served, key=lambda one: one.ratio)
    places = [memory_layout.places(one.mappings) for one in by_speed]
    yield "page of 512 in which each part begins, from the slowest server to the fastest"
    for name in dict.fromkeys(name for found in places for name in found):
        pages = [found.get(name) for found in places]
        told = "all alike at" if len(set(pages)) == 1 else "differ:"
        shown = pages[:1] if len(set(pages)) == 1 else pages
        yield f"{name:28} {told} {' '.join(map(str, shown))}"
    kinds = itertools.product((m for one in served for m in one.mappings), memory_layout.HUGE)
    huge = sum(mapping.kilobytes.get(kind, 0) for mapping, kind in kinds)
    yield f"in huge pages, of all of them: {huge} kB"


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
