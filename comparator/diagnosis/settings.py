"""The environment variables that change what happens here: names, and values that are harmless."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from comparator.diagnosis.privacy import is_secret
from comparator.diagnosis.values import NOTE, Finding, ReportPart

_OURS = re.compile(
    r"^(COMPARATOR_.*|GRADIO_.*|HF_.*|HUGGINGFACE_.*|TRANSFORMERS_.*|OLLAMA_MODELS|LLAMA_CACHE|"
    r"MODELSCOPE_CACHE|"
    r"GGML_.*|LLAMA_.*|OMP_.*|GOMP_.*|KMP_.*|MKL_.*|OPENBLAS_.*|ONEDNN_.*|DNNL_.*|TORCH.*|"
    r"PYTORCH_.*|CUDA_.*|NVIDIA_.*|HIP_.*|ROCR_.*|HSA_.*|LD_LIBRARY_PATH|LD_PRELOAD|DYLD_.*|"
    r"MALLOC_.*|PYTHONMALLOC|PYTHONPATH|SPACE_ID|SYSTEM|TMPDIR|XDG_.*_HOME|.*_PROXY)$",
    re.IGNORECASE,
)
# Values that are words, switches and numbers; of all others only the name is told.
_HARMLESS = re.compile(
    r"^(COMPARATOR_(GGUF_ENGINE|SOURCES|PUBLIC_.*|HISTORY)|HF_HUB_OFFLINE|TRANSFORMERS_OFFLINE|"
    r"HF_HUB_DISABLE_.*|(OMP|MKL|OPENBLAS|GOMP|KMP)_(NUM_THREADS|.*AFFINITY|DYNAMIC|PROC_BIND)|"
    r"ONEDNN_.*|DNNL_.*|CUDA_VISIBLE_DEVICES|HIP_VISIBLE_DEVICES|ROCR_VISIBLE_DEVICES|MALLOC_.*|"
    r"GRADIO_(SERVER_PORT|NUM_WORKERS|ANALYTICS_ENABLED|SSR_MODE|MCP_SERVER)|PYTHONMALLOC|SYSTEM)$"
)
# llama-cpp-python would take its library from there. Model processes are not given it: what was
# tried on this machine, and what a sandbox lets them read, is the build that is installed.
_NOT_FOLLOWED = "LLAMA_CPP_LIB_PATH"
_PLAIN_VALUE = re.compile(r"^[A-Za-z0-9_.,:=+-]{0,60}$")


def settings(environment: Mapping[str, str] | None = None) -> ReportPart:
    """Return the variables of ours and of our libraries that are set; ``value`` null if private."""
    environment = os.environ if environment is None else environment
    names = sorted(name for name in environment if _OURS.match(name))
    facts = [{"name": name, "value": _shown(name, environment[name])} for name in names]
    return ReportPart(facts, [_not_followed()] if _NOT_FOLLOWED in names else [])


def _not_followed() -> Finding:
    sentence = (
        f"{_NOT_FOLLOWED} is set and not followed: models run on the llama.cpp that is installed."
    )
    return Finding("environment", NOTE, sentence, f"unset {_NOT_FOLLOWED}")


def _shown(name: str, value: str) -> str | None:
    if is_secret(name) or not _HARMLESS.match(name):
        return None
    return value if _PLAIN_VALUE.match(value) else None
