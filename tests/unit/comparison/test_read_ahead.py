"""The next model's files are asked for whole, in steps that the kernel takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comparator.comparison import read_ahead
from comparator.core.models import ModelInfo, ModelType
from comparator.core.quiet import quiet
from runners.machine import cores

pytestmark = pytest.mark.skipif(
    not hasattr(os, "posix_fadvise"), reason="this system has no advice for files"
)
LENGTH = 20 * read_ahead.STEP_BYTES + 1


@pytest.fixture
def advised(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What is asked for, as offset and length."""
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _fd, at, size, _how: seen.append((at, size)))
    return seen


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.gguf"
    with open(path, "wb") as opened:
        opened.truncate(LENGTH)
    return path


def test_a_file_is_asked_for_from_its_begin_to_its_end(
    advised: list[tuple[int, int]], file: Path
) -> None:
    """One call for all of it reads its first megabytes alone."""
    measured = quiet.begin_run(of=1)
    try:
        read_ahead._advise(file)
    finally:
        quiet.end_run(measured)
    assert [at for at, _size in advised] == list(range(0, LENGTH, read_ahead.STEP_BYTES))
    assert {size for _at, size in advised} == {read_ahead.STEP_BYTES}


def test_nothing_is_read_for_a_comparison_that_is_over(
    advised: list[tuple[int, int]], file: Path
) -> None:
    read_ahead._advise(file)
    assert advised == []


@pytest.mark.parametrize(("threads", "is_read"), [(0, False), (1, True), (2, True), (3, False)])
def test_files_are_read_ahead_where_the_model_that_writes_leaves_a_core(
    threads: int, is_read: bool, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(cores, "free_physical_cores", lambda: 3)
    monkeypatch.setattr(read_ahead, "_advise", lambda path: begun.append(path.name))
    following = ModelInfo("", "next", str(file), ModelType.GGUF, LENGTH)
    thread = read_ahead.begin(following, threads)
    if thread is not None:
        thread.join()
    assert bool(begun) is is_read
