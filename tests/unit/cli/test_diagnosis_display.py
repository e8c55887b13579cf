"""A diagnosis as people read it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from comparator.cli.display import diagnosis
from comparator.diagnosis.values import LIMITS, PREVENTS, Finding, Report

ENGINE: dict[str, Any] = {
    "engine": "gguf", "library": "llama_cpp", "package": "llama-cpp-python", "version": "0.3.36",
    "installed": True, "chosen": True, "usable": True, "trouble": "", "transformers": None,
    "built_with": {"AVX2": "1", "ARCHS": "500"}, "threads": None, "gpu_offload": True,
    "devices": [{"name": "H100"}],
    "files": [{"name": "libllama.so", "bytes": None, "sha256": None, "compiler": ""}],
}  # fmt: skip
TRIAL = {
    "engine": "gguf", "library": "llama_cpp", "state": "at its best", "sentences": [],
    "settings": {"use_extra_bufts": True, "threads": 1, "auto": {"bfloat16": None}},
}  # fmt: skip


def text_of(report: Report, width: int = 120) -> str:
    file = io.StringIO()
    diagnosis.show(report, Console(file=file, width=width, markup=False, highlight=False))
    return file.getvalue()


def test_findings_stand_first_each_with_what_mends_it() -> None:
    found = [Finding("engines", PREVENTS, "torch is gone.", "pip install torch")]
    lines = text_of(Report({"system": {"bits": 64}}, found)).splitlines()
    assert lines[0].strip() == "Something keeps an engine from answering."
    assert lines[1].split() == ["prevents", "answers", "engines:", "torch", "is", "gone."]
    assert lines[2].strip() == "→ pip install torch"
    assert lines[-1].split() == ["bits", "64"]


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ([], "everything is at its best"),
        ([Finding("memory", LIMITS, "Little.", "More.")], "Not everything is at its best:"),
    ],
)
def test_the_first_line_is_the_verdict(findings: list[Finding], words: str) -> None:
    assert words in text_of(Report({}, findings)).splitlines()[0]


def test_engines_and_trials_are_told_in_words() -> None:
    text = text_of(Report({"engines": [ENGINE], "trials": [TRIAL]}, []))
    assert "answers  AVX2 ARCHS 500 GPU: H100" in text
    assert "libllama.so  0 bytes  unreadable" in text
    assert "use_extra_bufts: on, threads: 1, auto: (bfloat16: by rule)" in text


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"installed": False, "version": None}, "not installed"),
        ({"usable": False}, "cannot be used"),
        ({"chosen": False}, "in reserve"),
    ],
)
def test_a_build_is_told_by_its_state(changes: dict[str, Any], state: str) -> None:
    assert state in text_of(Report({"engines": [{**ENGINE, **changes}]}, []))


def test_a_part_that_could_not_be_examined_leaves_no_table() -> None:
    names = [
        "system", "processor", "memory", "devices", "engines", "sandbox", "trials", "folders",
        "stores", "sources", "models", "versions", "environment", "probes",
    ]  # fmt: skip
    assert len(text_of(Report(dict.fromkeys(names), [])).splitlines()) == 1


def test_signs_that_steer_a_terminal_are_shown_and_not_sent() -> None:
    parts = {"environment": [{"name": "SYSTEM", "value": "a\x1b[2J"}]}
    assert "\x1b" not in text_of(Report(parts, []))


def test_a_narrow_pipe_loses_no_word_and_leaves_commands_whole() -> None:
    finding = Finding("trials", LIMITS, "q" * 150, "z" * 150)
    text = text_of(Report({}, [finding]), width=40)
    assert text.count("q") == 150
    assert f"→ {'z' * 150}\n" in text
