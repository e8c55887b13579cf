"""Room on disk and in memory, before anything is fetched."""

from __future__ import annotations

import shutil

import pytest

from comparator.core.models import ModelType
from comparator.hosting.library import download_fit
from comparator.hosting.library.download_fit import DownloadRoom
from comparator.hub.selection import Offer, RemoteFile
from comparator.memory import devices
from comparator.memory.need import ENGINE_BYTES
from comparator.services.memory_manager import MemoryManager

GIGABYTE = 10**9


def choice(size: int, engine: ModelType = ModelType.GGUF) -> Offer:
    return Offer("Q4_K_M", engine, (RemoteFile("m.gguf", size, "0" * 64),))


@pytest.mark.parametrize(
    ("size", "word"),
    [
        (3 * GIGABYTE, "fits"),
        (4_300_000_000, "tight"),
        (5 * GIGABYTE - ENGINE_BYTES[ModelType.GGUF], "tight"),
        (5 * GIGABYTE - ENGINE_BYTES[ModelType.GGUF] + 1, "too large for the free memory"),
        (20 * GIGABYTE, "too large for the free memory"),
        (20 * GIGABYTE + 1, "too little disk space"),
    ],
)
def test_a_size_is_weighed_with_the_disk_first(size, word):
    assert DownloadRoom(20 * GIGABYTE, 5 * GIGABYTE).word_for(choice(size)) == word


def test_memory_of_accelerators_counts_where_the_engine_can_use_it(monkeypatch):
    room = DownloadRoom(20 * GIGABYTE, 2 * GIGABYTE, 4 * GIGABYTE)
    for can_use, word in ((True, "fits"), (False, "too large for the free memory")):
        monkeypatch.setattr(devices, "can_use_device", lambda kind, can_use=can_use: can_use)
        assert room.word_for(choice(3 * GIGABYTE)) == word
    assert room.sentence() == (
        "Free now: 20.00 GB of disk, 2.00 GB of memory, 4.00 GB on accelerators."
    )


def test_a_folder_that_is_not_there_yet_is_measured_where_it_will_be(tmp_path):
    room = download_fit.measure(tmp_path / "not" / "yet", MemoryManager(max_memory_gb=0.001))
    free = shutil.disk_usage(tmp_path).free
    assert room.disk == pytest.approx(free, abs=GIGABYTE)
    assert room.memory == 1_000_000
    assert room.word_for(choice(2_000_000)) == "too large for the free memory"


def test_a_place_that_cannot_be_measured_is_not_held_against_a_model(tmp_path):
    (tmp_path / "file").touch()
    room = download_fit.measure(tmp_path / "file" / "below", MemoryManager())
    assert room.disk is None
    assert "disk" not in room.sentence()
