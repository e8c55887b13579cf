"""How many threads a model gets: what it may use, not what the machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runners.machine import control_groups, cores

HOST = 64
Put = Callable[..., None]


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """A large host without hyperthreads, and control groups with quotas of CPU time."""
    monkeypatch.setattr(control_groups, "MOUNTED", str(tmp_path / "groups"))
    monkeypatch.setattr(control_groups, "OWN", str(tmp_path / "own"))
    monkeypatch.setattr(cores, "PROCESSORS", str(tmp_path / "processors"))
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: HOST)
    monkeypatch.setattr("os.cpu_count", lambda: HOST)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(HOST)), raising=False)
    (tmp_path / "own").write_text("")

    def put(
        version: int,
        path: str,
        quota: int | str,
        period: int = 100_000,
        told: str = "",
        **names: str,
    ) -> None:
        mount = names.get("mount", "cpu" if version == 1 else "")
        folder = tmp_path / "groups" / mount / path.strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        if version == 1:
            (folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
            (folder / "cpu.cfs_period_us").write_text(f"{period}\n")
        else:
            (folder / "cpu.max").write_text(f"{quota} {period}\n")
        line = "4:cpu,cpuacct:" if version == 1 else "0::"
        (tmp_path / "own").write_text(f"7:memory:/elsewhere\n{line}{told or path}\n")

    return put


def test_configured_number_is_taken() -> None:
    assert cores.thread_count(3) == 3


@pytest.mark.parametrize("version", [1, 2])
class TestContainers:
    @pytest.mark.parametrize(
        ("quota", "period", "free"),
        [(200_000, 100_000, 2), (150_000, 100_000, 2), (50_000, 100_000, 1), (8000, 1000, 8)],
    )
    def test_its_quota_counts(
        self, container: Put, version: int, quota: int, period: int, free: int
    ) -> None:
        container(version, "/", quota, period)
        assert cores.free_physical_cores() == free

    def test_the_tightest_of_nested_groups_counts(self, container: Put, version: int) -> None:
        container(version, "/pod", 200_000)
        container(version, "/pod/inner", 900_000)
        assert cores.free_physical_cores() == 2
        container(version, "/pod/inner", 100_000)
        assert cores.free_physical_cores() == 1

    def test_inside_a_container_the_root_is_its_own(self, container: Put, version: int) -> None:
        container(version, "/", 300_000, told="/docker/0123456789")
        assert cores.free_physical_cores() == 3

    @pytest.mark.parametrize("quota", ["max", "-1", "odd", "0"])
    def test_no_quota(self, container: Put, version: int, quota: str) -> None:
        container(version, "/", quota)
        assert cores.free_physical_cores() == HOST

    def test_a_quota_without_a_period_is_none(self, container: Put, version: int) -> None:
        container(version, "/", 200_000, period=0)
        assert cores.free_physical_cores() == HOST

    def test_affinity_and_quota_together(
        self, container: Put, version: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        container(version, "/", 400_000)
        monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 2}, raising=False)
        assert cores.free_physical_cores() == 3


def test_controllers_that_are_mounted_together(container: Put) -> None:
    container(1, "/", 200_000, mount="cpu,cpuacct")
    assert cores.free_physical_cores() == 2


def test_no_control_groups(container: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_groups, "OWN", "/nowhere")
    assert cores.free_physical_cores() == HOST


@pytest.mark.parametrize(
    ("allowed", "free"), [({0, 1, 4, 5}, 2), ({0, 4}, 1), ({0, 1, 2, 3}, 4), (set(range(8)), 4)]
)
def test_two_hyperthreads_are_one_core(
    container: Put,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    allowed: set[int],
    free: int,
) -> None:
    """Processors 0 and 4 share a core, 1 and 5, and so on."""
    for number in range(8):
        folder = tmp_path / "processors" / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{number % 4},{number % 4 + 4}\n")
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: allowed, raising=False)
    assert cores.free_physical_cores() == free


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_a_process_that_may_use_one_processor_has_one_core() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from runners.machine.cores import free_physical_cores, thread_count; "
        "print(free_physical_cores(), thread_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["1", "1"], done.stderr


@pytest.mark.parametrize(
    ("free", "models", "threads"),
    [(1, 1, 1), (2, 1, 2), (2, 2, 1), (2, 4, 1), (3, 1, 2), (8, 1, 7), (8, 2, 3), (16, 4, 3)],
)
def test_models_that_run_together_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, free: int, models: int, threads: int
) -> None:
    """Of more than two cores one is left to the page."""
    monkeypatch.setattr(cores, "free_physical_cores", lambda: free)
    assert cores.threads_for_one_of(models) == threads


@pytest.mark.parametrize("version", [1, 2])
class TestQuotas:
    def test_the_smallest_quota_is_told_as_a_fraction(self, container: Put, version: int) -> None:
        container(version, "/", 300_000)
        container(version, "/inner", 150_000)
        assert cores.quota_cores() == 1.5

    def test_no_quota_is_none(self, container: Put, version: int) -> None:
        container(version, "/", -1 if version == 1 else "max")
        assert cores.quota_cores() is None


@pytest.fixture
def processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, container: Put
) -> Callable[..., None]:
    """Describe cores, each by its logical processors and its highest frequency in kHz."""

    def put(*described: tuple[str, int]) -> None:
        numbers: set[int] = set()
        for siblings, frequency in described:
            for number in map(int, siblings.split(",")):
                folder = tmp_path / "processors" / f"cpu{number}"
                (folder / "topology").mkdir(parents=True)
                (folder / "cpufreq").mkdir()
                (folder / "topology" / "thread_siblings_list").write_text(f"{siblings}\n")
                (folder / "cpufreq" / "cpuinfo_max_freq").write_text(f"{frequency}\n")
                numbers.add(number)
        monkeypatch.setattr("os.sched_getaffinity", lambda _pid: numbers, raising=False)

    return put


class TestOtherCounts:
    def test_where_cores_are_alike_and_single_there_is_no_choice(self, processors) -> None:
        processors(*((str(number), 3_000_000) for number in range(4)))
        assert cores.other_thread_counts() == ()

    def test_hyperthreads_are_tried(self, processors) -> None:
        processors(("0,4", 3_000_000), ("1,5", 3_000_000), ("2,6", 3_000_000), ("3,7", 3_000_000))
        assert cores.threads_for_one_of(1) == 3
        assert cores.other_thread_counts() == (8,)

    def test_fast_cores_alone_are_tried(self, processors) -> None:
        fast = [(str(number), 5_000_000 + number * 50_000) for number in range(4)]
        processors(*fast, *((str(number), 3_800_000) for number in range(4, 12)))
        assert cores.threads_for_one_of(1) == 11
        assert cores.other_thread_counts() == (4,)

    def test_no_more_than_is_paid_for(self, processors, container: Put) -> None:
        processors(("0,2", 3_000_000), ("1,3", 3_000_000))
        container(2, "/", 200_000)
        assert cores.other_thread_counts() == ()
