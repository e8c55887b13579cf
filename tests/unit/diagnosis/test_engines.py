"""What is wrong with builds of engines, and the command that mends each."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparator.diagnosis import engines, flags
from comparator.diagnosis.children import ChildTold
from comparator.diagnosis.engines import EngineLibrary
from comparator.diagnosis.values import LIMITS, NOTE, PREVENTS, Finding
from runners import registry

NATIVE = EngineLibrary("gguf", "llama_cpp", 'pip install "llama-cpp-python>=0.3.36"', (), True)
PREBUILT = EngineLibrary("gguf", "xllamacpp", 'pip install "xllamacpp>=2026.10"', (), False)
TORCH = EngineLibrary("pytorch", "torch", 'pip install "torch>=2.10"', (), True)
GOOD = ChildTold("on (files)", {"built_with": {"AVX2": "1"}, "gpu_offload": False, "devices": []})
NATIVE_FILES = engines._native
AGAIN = NATIVE.again


@pytest.fixture(autouse=True)
def processor(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    has = {"avx2"}
    monkeypatch.setattr(flags, "processor_flags", lambda: has)
    monkeypatch.setattr(engines, "_native", lambda library: [])  # those here are large
    return has


def findings(
    builds: list[EngineLibrary],
    told: dict[str, ChildTold],
    answered_for: tuple[str, ...] = (),
    has_device: bool = False,
) -> list[Finding]:
    return engines.engines(builds, told, answered_for, has_device).findings


def without(build: EngineLibrary, *missing: str, chosen: bool) -> EngineLibrary:
    return EngineLibrary(build.engine, build.library, build.install, missing, chosen)


def test_good_builds_need_nothing() -> None:
    told = {"llama_cpp": GOOD, "xllamacpp": GOOD, "torch": GOOD}
    assert findings([NATIVE, PREBUILT, TORCH], told) == []


def test_a_missing_library_prevents_with_the_command_that_installs_it() -> None:
    (finding,) = findings([without(TORCH, "transformers", chosen=True)], {})
    assert (finding.severity, finding.mend) == (PREVENTS, TORCH.install)
    assert "needs transformers, which is not installed" in finding.sentence


def test_where_the_prebuilt_one_answers_a_missing_build_only_limits() -> None:
    prebuilt = without(PREBUILT, chosen=True)
    (finding,) = findings(
        [without(NATIVE, "llama_cpp", chosen=False), prebuilt], {"xllamacpp": GOOD}
    )
    assert (finding.severity, finding.mend) == (LIMITS, NATIVE.install)


def test_a_build_that_cannot_be_loaded_is_to_be_installed_anew() -> None:
    told = {"llama_cpp": ChildTold("on (files)", trouble="libllama.so: file too short.")}
    (finding,) = findings([NATIVE], told)
    assert (finding.severity, finding.mend) == (PREVENTS, AGAIN)
    assert "file too short" in finding.sentence
    assert AGAIN == "./scripts/start --rebuild"  # with the flags that AMX code needs
    assert TORCH.again == 'pip install --force-reinstall --no-cache-dir "torch>=2.10"'


def test_it_only_limits_where_a_trial_ended_well_on_another_build() -> None:
    told = {"llama_cpp": ChildTold(trouble="broken"), "xllamacpp": GOOD}
    (finding,) = findings([NATIVE, PREBUILT], told, answered_for=("gguf",))
    assert finding.severity == LIMITS


def test_a_build_for_another_processor_is_told() -> None:
    foreign = ChildTold("on", {"built_with": {"AVX2": "1", "AVX512": "1", "AMX_INT8": "0"}})
    (finding,) = findings([NATIVE], {"llama_cpp": foreign})
    assert (finding.severity, finding.mend) == (LIMITS, AGAIN)
    assert "AVX512, which this one does not have" in finding.sentence
    assert "AMX" not in finding.sentence


def test_what_a_build_leaves_unused_is_told(processor: set[str]) -> None:
    processor |= {"amx_int8", "avx512f"}
    (finding,) = findings([NATIVE], {"llama_cpp": GOOD})
    assert "does not use AVX512, AMX_INT8 of this processor" in finding.sentence
    (finding,) = findings([without(PREBUILT, chosen=True)], {"xllamacpp": GOOD})
    assert finding.mend == registry.ENGINES["gguf"].install


def test_a_build_in_reserve_is_not_held_to_the_best(processor: set[str]) -> None:
    processor.add("avx512f")
    assert findings([PREBUILT], {"xllamacpp": GOOD}) == []


def test_a_gpu_that_a_build_cannot_use_is_told() -> None:
    (finding,) = findings([NATIVE], {"llama_cpp": GOOD}, has_device=True)
    assert finding.mend == f'CMAKE_ARGS="-DGGML_CUDA=on" {AGAIN}'
    blind = ChildTold("on", {"gpu_offload": True, "devices": []})
    (finding,) = findings([TORCH], {"torch": blind}, has_device=True)
    assert finding.mend == "nvidia-smi"
    seeing = ChildTold("on", {"gpu_offload": True, "devices": [{"name": "A"}]})
    assert findings([TORCH], {"torch": seeing}, has_device=True) == []


def test_a_wrong_choice_of_the_build_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPARATOR_GGUF_ENGINE", "lama")
    found = engines.builds()
    assert not any(build.chosen for build in found if build.engine == "gguf")
    (finding,) = findings(found, {})
    assert (finding.severity, finding.mend) == (PREVENTS, "unset COMPARATOR_GGUF_ENGINE")
    assert "lama" in finding.sentence


def test_every_build_of_the_registry_is_asked() -> None:
    asked = engines.questions(engines.builds(), use_gpu=False)
    assert set(asked) == {"llama_cpp", "xllamacpp", "torch"}
    assert {job for job, _, _ in asked.values()} <= set(registry.JOBS)


def test_native_files_are_told_once_with_compiler_and_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = b"\x7fELF...GCC: (Debian 12.2.0-14) 12.2.0\0..."
    for name in ("libllama.so", "libllama.so.0"):
        (tmp_path / name).write_bytes(code)
    (tmp_path / "empty.so").touch()
    monkeypatch.setattr(engines, "_native", lambda library: tmp_path.iterdir())
    files = engines.engines([NATIVE], {}, (), False).facts[0]["files"]
    assert [(f["name"], f["bytes"], f["compiler"]) for f in files] == [
        ("empty.so", 0, ""),
        ("libllama.so", len(code), "GCC: (Debian 12.2.0-14) 12.2.0"),
    ]


@pytest.mark.parametrize("library", ["llama_cpp", "xllamacpp"])
def test_the_native_files_of_the_builds_here_are_found(library: str) -> None:
    assert [*NATIVE_FILES(library)]


def test_the_sandbox_is_told_as_the_children_say_it() -> None:
    part = engines.sandbox({"torch": ChildTold("on (files)"), "llama_cpp": ChildTold("")})
    assert part.facts == [
        {"library": "torch", "state": "on (files)"},
        {"library": "llama_cpp", "state": None},
    ]
    assert part.findings == []


@pytest.mark.parametrize(
    ("state", "severity"),
    [
        ("off (this kernel offers no Landlock and no seccomp)", LIMITS),
        ("partial (files only)", LIMITS),
        ("off (a GPU is used)", NOTE),
    ],
)
def test_a_sandbox_that_is_not_whole_is_told(state: str, severity: str) -> None:
    (finding,) = engines.sandbox(
        {"torch": ChildTold(state), "llama_cpp": ChildTold(state)}
    ).findings
    assert finding.severity == severity
    assert "torch and llama_cpp" in finding.sentence
    assert state in finding.sentence
