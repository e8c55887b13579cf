"""How many threads a model gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners import cores


def test_configured_number_is_taken() -> None:
    assert cores.thread_count({"n_threads": 3}) == 3


def test_free_cores_are_limited_by_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: 16)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 2}, raising=False)
    monkeypatch.setattr(cores, "_CPU_QUOTA_FILE", "/nowhere")
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    assert cores.free_physical_cores() == 3


@pytest.mark.parametrize(
    ("text", "free"), [("max 100000", 8), ("150000 100000", 2), ("50000 100000", 1), ("odd", 8)]
)
def test_quota_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, free: int
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(text)
    monkeypatch.setattr(cores, "_CPU_QUOTA_FILE", str(file))
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: 8)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(8)), raising=False)
    assert cores.free_physical_cores() == free


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
