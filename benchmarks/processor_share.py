"""Whether the share of the processor that is told is the share that was got.

Usage: ``python -m benchmarks.processor_share [--rounds N] [--seconds N] [--threads N]
[--neighbours N N …] [--quota CORES] [--model FILE] [--json FILE]``. Linux only.

A process computes with some threads that never sleep: alone, beside one busy loop, and beside
more, in turn. What it got is known then: its processor time by the clock of its threads. Printed
are that share, the share that its own reader tells, what the busy loops took, and the throughput
beside that of the best round without any. Hashing has threads that need not wait for each other;
with ``--model`` a GGUF model writes instead, whose threads wait by spinning for the slowest one.

``--quota`` puts the process into a control group of its own that is paid for so many cores; that
needs root and a writable hierarchy of version 1 or 2.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from runners.base import TokenText
from runners.machine.processor_share import ProcessorShare, ShareReader

BUSY = "while True: pass"
PIECE = bytes(1_000_000)
PERIOD_MICROSECONDS = 100_000
ROOTS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))


@dataclass(frozen=True)
class Round:
    """What one round has shown.

    Attributes:
        neighbours: busy loops beside it.
        got: processor time by the clock of its threads, of what they could have had, 0 to 1.
        share: the share that was told, 0 to 1; None where the system does not tell.
        neighbours_took: of the same time, what the busy loops had.
        throughput: pieces hashed, or tokens written, a second.
        reading: all that was told.
    """

    neighbours: int
    got: float
    share: float | None
    neighbours_took: float
    throughput: float
    reading: ProcessorShare


def hashed(threads: int, seconds: float) -> tuple[float, ProcessorShare]:
    """Hash with threads for some seconds; return pieces a second and what was told of the time."""
    counts = [0] * threads
    over = threading.Event()

    def work(number: int) -> None:
        while not over.is_set():
            hashlib.sha256(PIECE).digest()
            counts[number] += 1

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    time.sleep(0.2)
    reader, began, before = ShareReader(), time.monotonic(), sum(counts)
    time.sleep(seconds)
    told, speed = reader.since_last(), (sum(counts) - before) / (time.monotonic() - began)
    over.set()
    return speed, told


def written(model: Path, threads: int, seconds: float) -> tuple[float, ProcessorShare]:
    """Let a GGUF model write for some seconds; return tokens a second and what was told."""
    from runners.registry import create_inferencer

    inferencer = create_inferencer("gguf")
    config = {"n_threads": threads, "max_tokens": 4096, "context_length": 4096, "seed": 1}
    inferencer.load_model(str(model), config)
    reader, began, tokens = None, 0.0, 0
    for piece in inferencer.pieces("Write a long story about a lighthouse keeper and the sea."):
        if not isinstance(piece, TokenText):
            continue
        if reader is None:
            reader, began = ShareReader(), time.monotonic()
        else:
            tokens += 1
        if time.monotonic() - began > seconds:
            break
    if reader is None:
        raise SystemExit("The model wrote nothing.")
    told = reader.since_last()
    return tokens / (time.monotonic() - began), told


@contextlib.contextmanager
def busy_loops(number: int) -> Iterator[Callable[[], float]]:
    """Keep loops busy for the body; yields what tells the seconds that they have run."""
    loops = [
        subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True)
        for _ in range(number)
    ]
    try:
        time.sleep(0.3 if loops else 0)
        yield lambda: sum(sum(psutil.Process(loop.pid).cpu_times()[:2]) for loop in loops)
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextlib.contextmanager
def quota_of(cores: float | None) -> Iterator[Path | None]:
    """Make a control group that pays for so many cores; yields its file for processes."""
    if cores is None:
        yield None
        return
    root = next(root for root in ROOTS if root.is_dir() and os.access(root, os.W_OK))
    group = root / f"comparator-benchmark-{os.getpid()}"
    group.mkdir()
    try:
        quota = int(cores * PERIOD_MICROSECONDS)
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def round_of(arguments: argparse.Namespace, neighbours: int, group: Path | None) -> Round:
    """Measure once, in a process of its own."""
    options = ["--threads", str(arguments.threads), "--seconds", str(arguments.seconds)]
    if arguments.model:
        options += ["--model", str(arguments.model)]
    quiet = subprocess.DEVNULL if arguments.model else None  # llama.cpp tells a lot
    command = [sys.executable, "-m", "benchmarks.processor_share", "--work", *options]
    if group:
        command += ["--group", str(group)]
    with busy_loops(neighbours) as ran:
        before = ran()
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=quiet,
            text=True,
            check=True,
            start_new_session=True,
        )
        told = json.loads(done.stdout.splitlines()[-1])
        took = ran() - before
    reading = ProcessorShare(**told["reading"])
    whole = arguments.threads * reading.elapsed_seconds
    share_of_round = reading.elapsed_seconds / told["lived"]  # the loops ran all the time
    return Round(
        neighbours,
        (reading.run_seconds or 0.0) / whole,
        reading.share,
        took * share_of_round / whole,
        told["throughput"],
        reading,
    )


def work(arguments: argparse.Namespace) -> None:
    """Be the process that is measured, and print what was found as JSON."""
    began = time.monotonic()
    if arguments.group:
        arguments.group.write_text(str(os.getpid()))
    if arguments.model:
        speed, told = written(arguments.model, arguments.threads, arguments.seconds)
    else:
        speed, told = hashed(arguments.threads, arguments.seconds)
    lived = time.monotonic() - began
    print(json.dumps({"throughput": speed, "reading": asdict(told), "lived": lived}))


def line(found: Round, best: float) -> str:
    """Return one round as a line of the table."""
    told = found.reading
    share = "unknown" if found.share is None else f"{found.share:7.3f}"
    parts = (told.throttled_seconds, told.stolen_seconds, told.others_seconds)
    seconds = "  ".join("   –" if part is None else f"{part:6.2f}" for part in parts)
    return (
        f"{found.neighbours:10}  {found.got:6.3f}  {share}  {found.neighbours_took:6.3f}  "
        f"{found.throughput / best:10.3f}  {seconds}"
    )


def main() -> None:
    """Measure in turn and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--neighbours", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--quota", type=float)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--group", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments)
        return
    with quota_of(arguments.quota) as group:
        found = [
            round_of(arguments, neighbours, group)
            for _ in range(arguments.rounds)
            for neighbours in arguments.neighbours
        ]
    best = max(r.throughput for r in found if r.neighbours == min(arguments.neighbours))
    print("neighbours     got    share    took  throughput  throttled  stolen  others (s)")
    for one in sorted(found, key=lambda r: r.neighbours):
        print(line(one, best))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(one) for one in found], indent=1))


if __name__ == "__main__":
    main()
