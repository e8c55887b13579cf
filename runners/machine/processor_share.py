"""What a process got of the processor time that its threads asked for, and who took the rest.

Linux counts for every thread how long it ran and how long it was ready and waited for a core
(``/proc/<pid>/task/<tid>/schedstat``; docs.kernel.org/scheduler/sched-stats.html). A thread that
sleeps, or waits for a disk, asks for nothing. What was asked for is the time that the threads ran
and waited, and what the host of a virtual machine took while they ran, which is in neither.

What the counters do not say:

- A thread that waits by spinning runs: where one thread of a pool waits for a core, the others
  spin until it is done. So the share falls by what was taken, and a speed may fall by more.
- The counters of a thread that ended are gone. The time that it ran is still in the process's
  own clock; it is taken to have waited like the threads that are left.
- A thread that has waited since before a reading has that wait counted when it next runs.

Where the system counts no waits (macOS, Windows, some sandboxes of containers) the share is
unknown, and no number is made up in its place.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from runners.machine import cores
from runners.machine.control_groups import groups_of

TASKS = "/proc/self/task"
PROCESSORS = "/proc/stat"
# cpu.stat's time without a core by a quota: version of the control group -> name, units a second
_THROTTLED = {2: (b"throttled_usec", 1e6), 1: (b"throttled_time", 1e9)}
_NANOSECONDS = 1e9
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_BUSY_COLUMNS, _STOLEN_COLUMN = (0, 1, 2, 5, 6), 7  # proc_stat(5), after the name
_ODD_SECONDS = 1.0  # a wait from before the reading may be counted late; more is no counter
_SEEN_ENOUGH = 0.01  # of the time that ran; where threads live that shortly, nothing is known


@dataclass(frozen=True)
class Reading:
    """What the system's counters said at one moment; None for what it does not count.

    Attributes:
        at: the moment, by ``time.monotonic``.
        threads: seconds that each thread ran and waited for a core, by its number.
        process: seconds of processor time of all threads, ended ones included.
        throttled: seconds without a core by the quotas of this program's control groups.
        stolen: seconds that the host took from the processors that this process may use.
        busy: seconds that anybody's programs ran on these processors.
        quota_cores: how many cores the quota pays for, where one has ever kept threads back.
    """

    at: float
    threads: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    process: float | None = None
    throttled: float | None = None
    stolen: float | None = None
    busy: float | None = None
    quota_cores: float | None = None


@dataclass(frozen=True)
class ProcessorShare:
    """What a process got of the processor in a span, in seconds of processor time.

    None stands for what the system does not tell, all are at least 0.

    Attributes:
        share: of what its threads asked for, 0 to 1.
        run_seconds: what it got.
        waited_seconds: how long threads that could have run waited for a core.
        throttled_seconds: how long a quota kept this program's control groups from cores.
        stolen_seconds: what the host of a virtual machine took from it.
        others_seconds: what other programs, this one's page too, ran on the same processors.
        elapsed_seconds: the length of the span, by the clock.
        quota_cores: how many cores a quota that has kept threads back pays for.
    """

    share: float | None = None
    run_seconds: float | None = None
    waited_seconds: float | None = None
    throttled_seconds: float | None = None
    stolen_seconds: float | None = None
    others_seconds: float | None = None
    elapsed_seconds: float = 0.0
    quota_cores: float | None = None


UNKNOWN = ProcessorShare()


class ShareReader:
    """Measures this process from one border of its stages to the next.

    A reading costs some 10 microseconds for each thread. It never raises: a measurement that
    is not to be had must not end a run.
    """

    def __init__(self, read: Callable[[], Reading] | None = None) -> None:
        self._read = read or reading
        self._latest = self._taken()

    def since_last(self) -> ProcessorShare:
        """Return what this process got since the last call, or since this reader was made."""
        before, self._latest = self._latest, self._taken()
        if before is None or self._latest is None:
            return UNKNOWN
        return between(before, self._latest)

    def _taken(self) -> Reading | None:
        try:
            return self._read()
        except (OSError, ValueError, psutil.Error):
            return None


def reading() -> Reading:
    """Read the counters of this process and of the machine now."""
    process = time.process_time()  # first: asking brings the counters of running threads up to date
    threads = _threads()
    stolen, busy = _processors()
    throttled = _throttled()
    quota = cores.quota_cores() if throttled else None
    return Reading(time.monotonic(), threads, process, throttled, stolen, busy, quota)


def between(before: Reading, after: Reading) -> ProcessorShare:
    """Return what a process got of the processor between two readings of it."""
    elapsed = after.at - before.at
    if elapsed <= 0:
        return UNKNOWN
    run, waited = _run_and_waited(before, after, elapsed)
    throttled = _difference(before.throttled, after.throttled)
    busy = _difference(before.busy, after.busy)
    stolen = _own_part(_difference(before.stolen, after.stolen), run, busy)
    return ProcessorShare(
        share=_share(run, waited, stolen),
        run_seconds=run,
        waited_seconds=waited,
        throttled_seconds=throttled,
        stolen_seconds=stolen,
        others_seconds=None if busy is None or run is None else max(0.0, busy - run),
        elapsed_seconds=elapsed,
        quota_cores=after.quota_cores,
    )


def together(shares: Iterable[ProcessorShare]) -> ProcessorShare:
    """Return what a process got in several spans as if they were one; unknown where one is."""
    parts = list(shares)
    run, waited = _sum(p.run_seconds for p in parts), _sum(p.waited_seconds for p in parts)
    stolen = _sum(p.stolen_seconds for p in parts)
    return ProcessorShare(
        share=_share(run, waited, stolen),
        run_seconds=run,
        waited_seconds=waited,
        throttled_seconds=_sum(p.throttled_seconds for p in parts),
        stolen_seconds=stolen,
        others_seconds=_sum(p.others_seconds for p in parts),
        elapsed_seconds=sum(p.elapsed_seconds for p in parts),
        quota_cores=parts[-1].quota_cores if parts else None,
    )


def _share(run: float | None, waited: float | None, stolen: float | None) -> float | None:
    if run is None or waited is None:
        return None
    asked = run + waited + (stolen or 0.0)
    return run / asked if asked > 0 else None


def _sum(seconds: Iterable[float | None]) -> float | None:
    known = list(seconds)
    return sum(s for s in known if s is not None) if known and None not in known else None


def _run_and_waited(
    before: Reading, after: Reading, elapsed: float
) -> tuple[float | None, float | None]:
    """Return how long threads ran and waited; the ended ones' waits are estimated."""
    clock = _difference(before.process, after.process)
    spans = [_of_thread(before.threads.get(n), now, elapsed) for n, now in after.threads.items()]
    seen = sum(run for run, _ in spans)
    run = seen if clock is None else max(clock, seen)
    if any(waited is None for _, waited in spans) or seen <= _SEEN_ENOUGH * run:
        return run if clock is not None else None, None
    waited = sum(waited or 0.0 for _, waited in spans)
    return run, waited * run / seen


def _of_thread(
    before: tuple[float, float] | None, now: tuple[float, float], elapsed: float
) -> tuple[float, float | None]:
    """Return how long one thread ran and waited in a span; None for a wait that cannot be.

    One whose counters went backwards is another thread with the number of one that ended.
    """
    if before is None or now[0] < before[0] or now[1] < before[1]:
        before = (0.0, 0.0)
    run, waited = now[0] - before[0], now[1] - before[1]
    if max(run, waited) > elapsed + _ODD_SECONDS:
        return min(run, elapsed), None
    run = min(run, elapsed)
    return run, min(waited, elapsed - run)


def _own_part(stolen: float | None, run: float | None, busy: float | None) -> float | None:
    """Return what of the stolen time was this process's: as much as it had of what ran."""
    if stolen is None or run is None or not busy:
        return None if stolen else stolen
    return stolen * min(1.0, run / busy)


def _difference(before: float | None, after: float | None) -> float | None:
    if before is None or after is None or after < before:
        return None
    return after - before


def _threads() -> dict[int, tuple[float, float]]:
    found = {}
    for name in _names_in(TASKS):
        try:
            run, waited = Path(TASKS, name, "schedstat").read_bytes().split()[:2]
            found[int(name)] = (int(run) / _NANOSECONDS, int(waited) / _NANOSECONDS)
        except (OSError, ValueError):  # it ended in between, or nobody counts here
            continue
    return found


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _throttled() -> float | None:
    """Return the seconds that all control groups around this process were kept from cores."""
    told = [_throttled_of(folder, version) for folder, version in groups_of("cpu")]
    return _sum(seconds for seconds in told if seconds is not None)


def _throttled_of(group: Path, version: int) -> float | None:
    name, units = _THROTTLED[version]
    try:
        for line in (group / "cpu.stat").read_bytes().splitlines():
            words = line.split()
            if len(words) == 2 and words[0] == name:
                return int(words[1]) / units
    except (OSError, ValueError):  # not there: inside a container the path told is the host's
        pass
    return None


def _processors() -> tuple[float | None, float | None]:
    """Return the seconds stolen from, and run on, the processors that this process may use."""
    try:
        lines = Path(PROCESSORS).read_bytes().splitlines()
        wanted = {b"cpu%d" % number for number in os.sched_getaffinity(0)}
        rows = [[int(n) for n in row[1:]] for line in lines if (row := line.split())[0] in wanted]
        stolen = sum(row[_STOLEN_COLUMN] for row in rows) / _TICKS
        busy = sum(row[column] for row in rows for column in _BUSY_COLUMNS) / _TICKS
    except (OSError, AttributeError, ValueError, IndexError):
        return None, _busy_by_psutil()
    return (stolen, busy) if rows else (None, _busy_by_psutil())


def _busy_by_psutil() -> float | None:
    """Return the same as far as psutil tells it, of all processors."""
    try:
        times = psutil.cpu_times()
    except (OSError, RuntimeError, psutil.Error):
        return None
    names = ("user", "nice", "system", "irq", "softirq")  # Windows: without its interrupt, dpc
    return float(sum(getattr(times, name, 0.0) for name in names))
