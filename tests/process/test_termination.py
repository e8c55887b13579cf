"""The stop ladder over real processes: ask, terminate, kill the tree."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest

from runners.supervision import termination

READY = "print('ready', flush=True)\n"
POLITE = "import signal, sys\nsignal.signal(signal.SIGUSR1, lambda *_: sys.exit(7))\n"
STUBBORN = (
    "import signal\n"
    "for n in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT): signal.signal(n, signal.SIG_IGN)\n"
)
FOREVER = "import time\nwhile True: time.sleep(0.05)\n"
PARENT = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], {options})\n"
    "print(child.pid, flush=True)\n"
)


@pytest.fixture
def start():
    started = []

    def begin(source: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-c", source],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process, process.stdout.readline().strip()

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def climb(process: subprocess.Popen[str]) -> int:
    """Climb until the process ends; return the rungs taken."""
    stop, end = termination.Termination(), time.monotonic() + 30
    while process.poll() is None:
        assert time.monotonic() < end
        stop.climb(process.pid)
        time.sleep(0.01)
    stop.climb(process.pid)  # harmless when it is gone
    return stop.rung


def test_asking_is_enough_for_the_polite(start):
    process, _ = start(POLITE + READY + FOREVER)
    climb(process)
    assert process.returncode == 7


def test_the_default_of_a_signal_ends_most(start):
    process, _ = start(
        "import signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\n" + READY + FOREVER
    )
    climb(process)
    assert process.returncode == -signal.SIGTERM


def test_the_stubborn_are_killed_within_half_a_second(start, bounds):
    process, _ = start(STUBBORN + READY + FOREVER)
    begun = time.monotonic()
    assert climb(process) >= 3
    assert process.returncode == -signal.SIGKILL
    assert bounds.under(time.monotonic() - begun, 1.0)


def test_each_rung_waits_for_its_grace(start):
    process, _ = start(STUBBORN + READY + FOREVER)
    stop = termination.Termination()
    for _ in range(5):
        stop.climb(process.pid)
    assert stop.rung == 1


def test_a_stopped_process_is_killed(start):
    process, _ = start(READY + FOREVER)
    process.send_signal(signal.SIGSTOP)
    climb(process)
    assert process.returncode is not None


@pytest.mark.parametrize("options", ["", "start_new_session=True"])
def test_the_whole_tree_is_killed(start, options):
    process, child = start(PARENT.format(options=options) + FOREVER)
    stop = termination.Termination()
    stop.skip_to_kill()
    stop.climb(process.pid)
    process.wait(30)
    assert process.returncode == -signal.SIGKILL
    end = time.monotonic() + 30
    while _lives(int(child)) and time.monotonic() < end:
        time.sleep(0.01)
    assert not _lives(int(child))


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_killing_what_is_gone_is_harmless(start):
    process, _ = start(READY)
    process.wait()
    termination.kill_tree(process.pid)
    termination.kill_group(process.pid)
