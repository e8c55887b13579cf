"""What a container allows is what there is."""

from __future__ import annotations

import mmap
import os

import psutil
import pytest

from runners.machine import control_groups, memory

NAMES = {
    2: ("memory.max", "memory.current", "inactive_file", "memory.events"),
    1: (
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
        "memory.oom_control",
    ),
}


@pytest.fixture
def container(tmp_path, monkeypatch):
    """Make a hierarchy of control groups and put this process into one."""
    monkeypatch.setattr(control_groups, "MOUNTED", str(tmp_path / "groups"))
    monkeypatch.setattr(control_groups, "OWN", str(tmp_path / "own"))

    def put(version, path, limit, use=0, cache=0, kills=0, told=None):
        limit_name, use_name, cache_name, kills_name = NAMES[version]
        root = tmp_path / "groups" / ("memory" if version == 1 else "")
        folder = root / path.strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / limit_name).write_text(f"{limit}\n")
        (folder / use_name).write_text(f"{use}\n")
        (folder / "memory.stat").write_text(f"anon 3\n{cache_name} {cache}\nfile 9\n")
        (folder / kills_name).write_text(f"oom 3\noom_kill {kills}\n")
        line = f"0::{told or path}" if version == 2 else f"4:cpu,memory:{told or path}"
        (tmp_path / "own").write_text(f"1:cpu:/elsewhere\n{line}\n")

    return put


@pytest.mark.parametrize("version", [1, 2])
class TestContainers:
    def test_its_limit_counts(self, container, version):
        container(version, "/", 100_000_000, use=30_000_000)
        assert memory.total_bytes() == 100_000_000
        assert memory.available_bytes() == 70_000_000

    def test_cached_files_are_free(self, container, version):
        """A model file that was read stays in the cache until someone needs the room."""
        container(version, "/", 100_000_000, use=90_000_000, cache=80_000_000)
        assert memory.available_bytes() == 90_000_000

    def test_the_tightest_of_nested_groups_counts(self, container, version):
        container(version, "/a", 50_000_000, use=20_000_000)
        container(version, "/a/b", 80_000_000, use=10_000_000)
        assert memory.total_bytes() == 50_000_000
        assert memory.available_bytes() == 30_000_000

    def test_inside_a_container_the_root_is_its_own(self, container, version):
        container(version, "/", 70_000_000, told="/docker/0123456789")
        assert memory.total_bytes() == 70_000_000

    @pytest.mark.parametrize("limit", ["max", str(2**63 - 4096), "no number"])
    def test_no_limit(self, container, version, limit):
        container(version, "/", limit, use=5)
        assert memory.total_bytes() == psutil.virtual_memory().total

    def test_over_its_limit_nothing_is_left(self, container, version):
        container(version, "/", 100, use=200)
        assert memory.available_bytes() == 0

    def test_kills_are_counted(self, container, version):
        container(version, "/", 100, kills=4)
        assert memory.kills() == 4


def test_paths_of_control_groups_are_made_once(container):
    """Some thirty times a run they were made anew, which made memory grow in steps."""
    container(2, "/a/b", 100)
    first, second = control_groups.groups_of("memory"), control_groups.groups_of("memory")
    assert [folder.name for folder, _version in first] == ["b", "a", "groups"]
    assert [id(folder) for folder, _version in first] == [id(folder) for folder, _version in second]
    container(2, "/c", 200)  # a program may be moved to another group
    assert control_groups.groups_of("memory")[0][0].name == "c"


def test_no_control_groups(monkeypatch, tmp_path):
    monkeypatch.setattr(control_groups, "OWN", str(tmp_path / "none"))
    assert memory.total_bytes() == psutil.virtual_memory().total
    assert memory.kills() == 0


def test_a_process_that_is_gone_holds_nothing():
    assert memory.private_bytes(2**22 + 1) == 0
    assert memory.private_bytes(os.getpid()) > 0


LARGE_BYTES = 40_000_000


def test_mapped_files_are_not_taken_for_good(tmp_path):
    path = tmp_path / "weights"
    with open(path, "wb") as file:
        file.write(b"x" * LARGE_BYTES)
        file.flush()
        os.fsync(file.fileno())  # as every model file has long been
    me = os.getpid()
    before = memory.taken_bytes(me)
    assert 0 < before <= memory.private_bytes(me) * 1.1
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped[::4096].count(b"x") > 9000  # every page is read
        assert memory.taken_bytes(me) - before < LARGE_BYTES / 4
        with mmap.mmap(-1, LARGE_BYTES) as held:  # no rests of a heap are used again
            held.write(b"x" * LARGE_BYTES)
            assert memory.taken_bytes(me) - before > LARGE_BYTES * 3 / 4
    assert memory.taken_bytes(2**22 + 1) == 0
