"""Which variables are told, and of which the value."""

from __future__ import annotations

from comparator.diagnosis.settings import settings
from comparator.diagnosis.values import NOTE
from runners.supervision.environment import cleaned


def test_harmless_values_are_told_and_all_others_are_only_named() -> None:
    environment = {
        "COMPARATOR_GGUF_ENGINE": "xllamacpp",
        "COMPARATOR_PUBLIC_TOKENS": "100",
        "COMPARATOR_AUTH": "anna:secret",
        "COMPARATOR_MODELS_DIR": "/home/anna/models",
        "COMPARATOR_API_KEY": "sk-1",
        "HF_TOKEN": "hf_x",
        "OMP_NUM_THREADS": "4",
        "LD_PRELOAD": "/home/anna/lib.so",
        "HTTPS_PROXY": "http://anna:secret@proxy",
        "EDITOR": "vi",
        "HOME": "/home/anna",
    }
    assert {fact["name"]: fact["value"] for fact in settings(environment).facts} == {
        "COMPARATOR_API_KEY": None,
        "COMPARATOR_AUTH": None,
        "COMPARATOR_GGUF_ENGINE": "xllamacpp",
        "COMPARATOR_MODELS_DIR": None,
        "COMPARATOR_PUBLIC_TOKENS": "100",
        "HF_TOKEN": None,
        "HTTPS_PROXY": None,
        "LD_PRELOAD": None,
        "OMP_NUM_THREADS": "4",
    }


def test_a_harmless_name_does_not_make_a_strange_value_harmless() -> None:
    (fact,) = settings({"COMPARATOR_GGUF_ENGINE": "/home/anna/lib x"}).facts
    assert fact["value"] is None


def test_a_folder_of_libraries_that_no_model_process_is_given_is_told_as_not_followed() -> None:
    environment = {"LLAMA_CPP_LIB_PATH": "/home/anna/llama"}
    assert "LLAMA_CPP_LIB_PATH" not in cleaned(environment)
    (finding,) = settings(environment).findings
    assert (finding.severity, finding.mend) == (NOTE, "unset LLAMA_CPP_LIB_PATH")
    assert settings({"GGML_LOG": "1"}).findings == []
