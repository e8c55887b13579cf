"""NVIDIA's figures, behind a library that stands in for the driver's."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from runners.machine import nvml

GIGABYTE = 10**9


class FakeNVML:
    """NVML with two devices; process 7 is on both, 8 computes and draws, 9 is not told."""

    class NVMLError(Exception): ...

    def __init__(self):
        self.opened = self.closed = 0
        self.fails = False

    def nvmlInit(self):
        self.opened += 1

    def nvmlShutdown(self):
        self.closed += 1

    def nvmlDeviceGetCount(self):
        if self.fails:
            raise self.NVMLError("GPU is lost")
        return 2

    def nvmlSystemGetDriverVersion(self):
        if self.fails:
            raise self.NVMLError("GPU is lost")
        return b"580.1"

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetMemoryInfo(self, handle):
        return SimpleNamespace(total=4 * GIGABYTE, free=(3 - handle) * GIGABYTE)

    def nvmlDeviceGetName(self, handle):
        return f"Fake {handle}"

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return [
            SimpleNamespace(pid=7, usedGpuMemory=500 + handle),
            SimpleNamespace(pid=8, usedGpuMemory=10),
            SimpleNamespace(pid=9, usedGpuMemory=None),
        ]

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle):
        if handle:
            raise self.NVMLError("Not Supported")
        return [SimpleNamespace(pid=8, usedGpuMemory=10)]


@pytest.fixture
def driver(monkeypatch):
    library = FakeNVML()
    nvml.close()
    monkeypatch.setitem(sys.modules, "pynvml", library)
    yield library
    nvml.close()


def test_every_device_is_told(driver):
    assert [device["name"] for device in nvml.devices()] == ["Fake 0", "Fake 1"]
    assert [device["free_bytes"] for device in nvml.devices()] == [3 * GIGABYTE, 2 * GIGABYTE]


def test_a_process_is_counted_on_all_devices_and_once_on_each(driver):
    assert nvml.held_by(7) == 1001
    assert nvml.held_by(8) == 20
    assert nvml.held_by(9) == 0  # Windows does not tell
    assert nvml.held_by(10) == 0
    assert nvml.held_on_each(7) == [500, 501]
    assert nvml.held_on_each(9) == [0, 0]


def test_the_driver_is_woken_once(driver):
    for _ in range(3):
        nvml.devices()
    assert (driver.opened, driver.closed) == (1, 0)
    nvml.close()
    assert driver.closed == 1


def test_a_lost_device_is_none(driver):
    driver.fails = True
    assert nvml.devices() == []
    assert nvml.held_by(7) == 0


def test_a_driver_that_does_not_answer(driver, monkeypatch):
    def refuse():
        raise driver.NVMLError("Driver Not Loaded")

    monkeypatch.setattr(driver, "nvmlInit", refuse)
    assert nvml.devices() == []


def test_a_driver_that_failed_is_asked_again(driver, monkeypatch):
    def refuse():
        raise driver.NVMLError("Driver Not Loaded")

    with monkeypatch.context() as patch:
        patch.setattr(driver, "nvmlInit", refuse)
        assert nvml.devices() == []
    assert len(nvml.devices()) == 2


def test_a_driver_that_is_not_there_is_looked_for_once(driver, monkeypatch):
    """Each look leaves a class in a circle of references, and each run would look."""
    looks = []

    def find_nothing():
        looks.append(1)
        error = driver.NVMLError("NVML Shared Library Not Found")
        error.value = 12
        raise error

    monkeypatch.setattr(driver, "nvmlInit", find_nothing)
    assert [nvml.devices(), nvml.devices(), nvml.driver_version()] == [[], [], ""]
    assert len(looks) == 1


@pytest.fixture
def no_library(monkeypatch):
    nvml.close()
    monkeypatch.setitem(sys.modules, "pynvml", None)
    yield
    nvml.close()


@pytest.mark.usefixtures("no_library")
def test_without_the_library():
    assert nvml.devices() == []
    assert nvml.held_by(7) == 0


def test_the_driver_tells_its_version(driver):
    assert nvml.driver_version() == "580.1"
    driver.fails = True
    assert nvml.driver_version() == ""


@pytest.mark.usefixtures("no_library")
def test_without_a_driver_it_has_no_version():
    assert nvml.driver_version() == ""
