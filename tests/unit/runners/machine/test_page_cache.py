"""How much of files is in the page cache, and putting them there or out, by both ways of asking."""

from __future__ import annotations

import mmap
import os
import sys

import pytest

from runners.machine import page_cache

linux_only = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems do not tell"
)


@pytest.fixture(params=["cachestat", "mincore"])
def way(request, monkeypatch):
    if request.param == "mincore":
        monkeypatch.setattr(page_cache, "_by_cachestat", lambda *_: None)
    return request.param


@pytest.fixture
def file(tmp_path):
    """A file of random bytes; some file systems keep everything in the cache."""
    path = tmp_path / "weights"
    path.write_bytes(os.urandom(4 * 1024 * 1024))
    if page_cache.cold([path]) != 0.0:
        pytest.skip("this file system does not let go of what is cached")
    return path


@linux_only
class TestFilesCached:
    def test_what_was_read_is_cached_and_looking_reads_nothing(self, way, file):
        assert page_cache.files_cached([file]) == 0.0
        assert page_cache.files_cached([file]) == 0.0
        file.read_bytes()
        assert page_cache.files_cached([file]) == 1.0

    def test_a_part_counts_as_a_part(self, way, file):
        with open(file, "rb", buffering=0) as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            opened.read(1024 * 1024)
        assert page_cache.files_cached([file]) == pytest.approx(0.25, abs=0.02)

    def test_files_count_by_their_sizes(self, way, file, tmp_path):
        small = tmp_path / "small"
        small.write_bytes(bytes(1024 * 1024))
        assert page_cache.files_cached([file, small, tmp_path / "small"]) == pytest.approx(2 / 6)

    def test_large_files_are_looked_at_in_parts(self, way, file, monkeypatch):
        monkeypatch.setattr(page_cache, "WINDOWS", 16)
        monkeypatch.setattr(page_cache, "WINDOW_BYTES", mmap.PAGESIZE)
        assert page_cache.files_cached([file]) == 0.0
        file.read_bytes()
        assert page_cache.files_cached([file]) == 1.0

    def test_an_empty_file_counts_as_nothing(self, file, tmp_path):
        empty = tmp_path / "empty"
        empty.touch()
        file.read_bytes()
        assert page_cache.files_cached([empty, file]) == 1.0
        assert page_cache.files_cached([empty]) is None
        assert page_cache.files_cached([]) is None

    def test_a_missing_file_is_unknown(self, file, tmp_path):
        assert page_cache.files_cached([file, tmp_path / "gone"]) is None

    def test_a_folder_is_unknown(self, tmp_path):
        assert page_cache.files_cached([tmp_path]) is None

    def test_files_of_others_are_unknown_since_the_kernel_does_not_say_the_truth(
        self, file, monkeypatch
    ):
        monkeypatch.setattr(page_cache.os, "geteuid", lambda: os.stat(file).st_uid + 1)
        monkeypatch.setattr(page_cache.os, "access", lambda *_: False)
        assert page_cache.files_cached([file]) is None


def test_other_systems_tell_nothing(tmp_path, monkeypatch):
    file = tmp_path / "weights"
    file.write_bytes(b"1")
    monkeypatch.setattr(page_cache.sys, "platform", "darwin")
    assert page_cache.files_cached([file]) is None
    monkeypatch.delattr(page_cache.os, "posix_fadvise", raising=False)
    assert page_cache.cold([file]) is None


@linux_only
class TestColdAndWarm:
    def test_warm_reads_to_the_end_and_cold_takes_out(self, file):
        assert page_cache.warm([file]) == 1.0
        assert page_cache.cold([file]) == 0.0

    def test_what_was_just_written_goes_as_well(self, file, tmp_path):
        fresh = tmp_path / "fresh"
        fresh.write_bytes(os.urandom(1024 * 1024))
        assert page_cache.cold([fresh]) == 0.0

    def test_what_another_program_maps_stays_and_is_told(self, file):
        with open(file, "rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as held:
            assert sum(held[:: mmap.PAGESIZE]) > 0
            assert page_cache.cold([file]) == 1.0

    def test_warming_can_be_stopped(self, file):
        assert page_cache.warm([file], should_stop=lambda: True) == 0.0

    @pytest.mark.parametrize("change", [page_cache.warm, page_cache.cold])
    def test_a_missing_file_is_an_error(self, change, tmp_path):
        with pytest.raises(OSError, match="gone"):
            change([tmp_path / "gone"])


class TestWindows:
    def test_a_small_file_is_looked_at_whole(self):
        assert [*page_cache.windows(page_cache.WINDOW_BYTES * 4, 4)] == [
            (0, page_cache.WINDOW_BYTES * 4)
        ]

    @pytest.mark.parametrize("most", [1, 2, 7, 256])
    def test_a_large_one_in_parts_from_its_beginning_to_its_end(self, most):
        size = 10_000_000_001
        found = [*page_cache.windows(size, most)]
        assert len(found) == most
        assert found[0][0] == 0
        assert all(offset % mmap.PAGESIZE == 0 and offset + n <= size for offset, n in found)
        if most > 1:
            assert size - sum(found[-1]) < mmap.PAGESIZE
