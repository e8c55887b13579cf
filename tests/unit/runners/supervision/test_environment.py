"""What a model process may see of the environment."""

from __future__ import annotations

import pytest

from runners.supervision import environment

HIDDEN = [
    *("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "FOO_KEY", "AWS_SECRET_ACCESS_KEY"),
    *("GRADIO_SERVER_NAME", "GRADIO_X", "SPACE_ID", "MY_PASSWORD", "DATABASE_URL", "SSH_AUTH_SOCK"),
    *("PYTHON_KEYRING_BACKEND", "CUDA_SECRET", "LC_TOKEN", "ANYTHING", "http_proxy", "DISPLAY"),
]
KEPT = [
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PYTHONPATH", "GGML_X"),
]


@pytest.mark.parametrize("name", HIDDEN)
def test_secrets_and_strangers_are_left_out(name):
    assert name not in environment.cleaned({name: "x", "PATH": "/bin"})


@pytest.mark.parametrize("name", KEPT)
def test_what_a_model_needs_stays(name):
    assert environment.cleaned({name: "x"})[name] == "x"


def test_offline_is_always_set():
    found = environment.cleaned({"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0"})
    assert (found["HF_HUB_OFFLINE"], found["TRANSFORMERS_OFFLINE"]) == ("1", "1")


def test_the_original_is_left_alone():
    original = {"HF_TOKEN": "x"}
    environment.cleaned(original)
    assert original == {"HF_TOKEN": "x"}
