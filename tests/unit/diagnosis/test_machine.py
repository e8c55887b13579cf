"""What limits a machine is found, each with what mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparator.diagnosis import flags, machine
from comparator.diagnosis.values import LIMITS
from runners.machine import control_groups, cores, memory, nvml
from runners.machine.processor import Processor

GIGABYTE = 10**9


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of control groups of version 2 that this process is in."""
    monkeypatch.setattr(control_groups, "MOUNTED", str(tmp_path))
    monkeypatch.setattr(control_groups, "OWN", str(tmp_path / "own"))
    (tmp_path / "own").write_text("0::/\n")
    return tmp_path


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: 16 if logical else 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(16)), raising=False)
    monkeypatch.setattr(cores, "PROCESSORS", "/nowhere")


def sentences(part: machine.ReportPart) -> str:
    assert all(finding.severity == LIMITS and finding.mend for finding in part.findings)
    return " ".join(f"{finding.sentence} {finding.mend}" for finding in part.findings)


@pytest.mark.usefixtures("groups", "eight_cores")
def test_a_machine_without_limits_has_nothing_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 8 * GIGABYTE)
    monkeypatch.setattr(machine, "this_processor", lambda: Processor("Some", "x86_64", ("avx2",)))
    part = machine.cpu()
    assert part.findings == machine.ram().findings == machine.devices().findings == []
    assert (part.facts["logical"], part.facts["physical"]) == (16, 8)
    assert part.facts["hyperthreads"] is True
    assert part.facts["quota_cores"] is None


@pytest.mark.usefixtures("eight_cores")
def test_a_quota_of_time_is_told_with_the_option_that_raises_it(groups: Path) -> None:
    (groups / "cpu.max").write_text("150000 100000\n")
    part = machine.cpu()
    assert part.facts["quota_cores"] == 1.5
    assert "A control group pays for 1.5 of 8 cores" in sentences(part)
    assert "docker run --cpus" in sentences(part)


@pytest.mark.usefixtures("groups", "eight_cores")
def test_a_mask_of_processors_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1}, raising=False)
    assert "may use 2 of 16 processors" in sentences(machine.cpu())
    assert "taskset -c 0-15" in sentences(machine.cpu())


def test_a_limit_of_memory_is_told(groups: Path) -> None:
    (groups / "memory.max").write_text(f"{GIGABYTE}\n")
    (groups / "memory.current").write_text(f"{GIGABYTE // 2}\n")
    (groups / "memory.events").write_text("oom_kill 3\n")
    part = machine.ram()
    assert part.facts["limit_bytes"] == GIGABYTE
    told = sentences(part)
    assert "A control group allows 1.00 GB" in told
    assert "Only 500 MB of memory are free" in told
    assert "has killed 3 processes" in told


def test_a_driver_that_nobody_asks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_DEVICE_FILES", (str(tmp_path),))
    monkeypatch.setattr(nvml, "devices", list)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (finding,) = machine.devices().findings
    assert finding.mend == "pip install nvidia-ml-py"


def test_a_system_that_tells_no_flags_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "this_processor", lambda: Processor("Some", "riscv64"))
    part = machine.cpu()
    assert (part.facts["name"], part.facts["flags"]) == ("Some", [])
    assert any("does not tell what this processor can do" in f.sentence for f in part.findings)


def test_psutil_without_an_answer_becomes_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: None)
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert machine.cpu().facts["logical"] == 1


def test_the_flags_of_builds_have_the_names_that_linux_gives_them() -> None:
    names = Processor("", "", tuple(flags.FLAG_OF_FEATURE.values())).flags_that_matter
    assert set(names) == set(flags.FLAG_OF_FEATURE.values())
    assert set(flags.FEATURES_THAT_COUNT) <= set(flags.FLAG_OF_FEATURE)
