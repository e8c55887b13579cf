"""How many threads a model gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners import devices


def test_configured_number_is_taken() -> None:
    assert devices.thread_count({"n_threads": 3}) == 3


def test_free_cores_are_limited_by_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: 16)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 2}, raising=False)
    monkeypatch.setattr(devices, "_CPU_QUOTA_FILE", "/nowhere")
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    assert devices.thread_count({"n_threads": None}) == 3


@pytest.mark.parametrize(
    ("text", "cores"), [("max 100000", 8), ("150000 100000", 2), ("50000 100000", 1), ("odd", 8)]
)
def test_quota_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, cores: int
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(text)
    monkeypatch.setattr(devices, "_CPU_QUOTA_FILE", str(file))
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: 8)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(8)), raising=False)
    assert devices.free_physical_cores() == cores
