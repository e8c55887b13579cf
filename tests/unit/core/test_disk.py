"""Room on a disk, also for folders that are not there yet."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from comparator.core import disk


def test_a_folder_that_is_not_there_yet_has_the_room_of_what_it_will_be_in(tmp_path, monkeypatch):
    asked: list[Path] = []

    def usage(place: Path) -> SimpleNamespace:
        asked.append(place)
        if not place.exists():
            raise FileNotFoundError
        return SimpleNamespace(free=7)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert disk.free_bytes(tmp_path / "a" / "b") == 7
    assert asked == [tmp_path / "a" / "b", tmp_path / "a", tmp_path]


def test_a_disk_that_does_not_tell_is_said(tmp_path, monkeypatch):
    def usage(place: Path) -> SimpleNamespace:
        raise PermissionError(13, "no")

    monkeypatch.setattr(shutil, "disk_usage", usage)
    with pytest.raises(PermissionError):
        disk.free_bytes(tmp_path)
