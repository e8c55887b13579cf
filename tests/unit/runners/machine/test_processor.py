"""The processor's facts: read where the system tells them, and empty, never an error, elsewhere."""

from __future__ import annotations

import sys

import pytest

from runners.machine import processor

INTEL = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Processor
flags\t\t: fpu sse4_2 avx2 amx_tile amx_int8 avx512f

processor\t: 1
model name\t: another
flags\t\t: fpu
"""
ARM = """\
processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd asimddp i8mm
CPU implementer\t: 0x41

processor\t: 1
"""
APPLE = """\
machdep.cpu.brand_string: Apple M2
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_SME: 0
hw.optional.neon: 1
"""


@pytest.fixture
def told(monkeypatch, tmp_path):
    """Let the system tell this, and return what is made of it."""

    def tell(text: str) -> processor.Processor:
        path = tmp_path / "cpuinfo"
        path.write_text(text)
        monkeypatch.setattr(processor, "CPUINFO", str(path))
        monkeypatch.setattr(sys, "platform", "linux")
        return processor.this_processor.__wrapped__()

    return tell


def test_the_first_processor_speaks_for_all(told):
    found = told(INTEL)
    assert found.name == "Intel(R) Xeon(R) Processor"
    assert found.flags == ("amx_int8", "amx_tile", "avx2", "avx512f", "fpu", "sse4_2")
    assert found.flags_that_matter == ("amx_int8", "amx_tile", "avx2", "avx512f", "sse4_2")


def test_the_features_of_arm_are_flags(told):
    found = told(ARM)
    assert found.flags == ("asimd", "asimddp", "fp", "i8mm")
    assert found.name  # of the platform, since this file has none


def test_the_mark_changes_with_any_flag_and_with_nothing_else(told):
    whole = told(INTEL).flags_hash
    assert told(INTEL.replace("Xeon", "Core")).flags_hash == whole
    assert told(INTEL.replace("fpu sse4_2", "sse4_2 fpu", 1)).flags_hash == whole
    assert told(INTEL.replace(" amx_tile", "")).flags_hash != whole


@pytest.mark.parametrize("text", ["", "\x00\xff:::\n:\n", "flags\n", ":" * 10_000])
def test_nonsense_is_no_error(told, text):
    found = told(text)
    assert found.flags == ()
    assert len(found.flags_hash) == 16


def test_a_missing_file_is_no_error(monkeypatch):
    monkeypatch.setattr(processor, "CPUINFO", "/no/such/file")
    monkeypatch.setattr(sys, "platform", "linux")
    assert processor.this_processor.__wrapped__().flags == ()


@pytest.mark.process
def test_macos_tells_by_sysctl(monkeypatch, tmp_path):
    told = tmp_path / "sysctl"
    told.write_text(f"#!/bin/sh\ncat <<'END'\n{APPLE}END\n")
    told.chmod(0o755)
    monkeypatch.setattr(processor, "_SYSCTL", str(told))
    monkeypatch.setattr(sys, "platform", "darwin")
    found = processor.this_processor.__wrapped__()
    assert (found.name, found.flags) == ("Apple M2", ("bf16", "neon"))
    assert found.flags_that_matter == ("bf16", "neon")


@pytest.mark.process
@pytest.mark.parametrize("system", ["darwin", "win32", "sunos5"])
def test_a_system_that_tells_nothing_is_no_error(monkeypatch, system):
    monkeypatch.setattr(processor, "_SYSCTL", "/no/such/program")
    monkeypatch.setattr(sys, "platform", system)
    found = processor.this_processor.__wrapped__()
    assert found.flags == ()
    assert found.machine
