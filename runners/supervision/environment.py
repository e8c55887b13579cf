"""The environment variables of model processes: what they need and no secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping

_KEPT = re.compile(
    r"^(PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_.*|TZ|TMPDIR|TEMP|TMP|TERM|"
    r"SYSTEMROOT|WINDIR|COMSPEC|PATHEXT|USERPROFILE|APPDATA|LOCALAPPDATA|"
    r"LD_LIBRARY_PATH|LD_PRELOAD|DYLD_.*|PYTHON.*|VIRTUAL_ENV|CONDA_PREFIX|"
    r"OMP_.*|GOMP_.*|KMP_.*|MKL_.*|OPENBLAS_.*|CUDA_.*|NVIDIA_.*|HIP_.*|ROCR_.*|HSA_.*|"
    r"GGML_.*|TORCH.*|PYTORCH_.*|COMPARATOR_GGUF_ENGINE)$"
)
_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)

# Offline, since a mistyped path must never become a download; one OpenBLAS thread, since a
# fork server must have no threads when it forks; NVML, since asking CUDA would start it.
_ALWAYS = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}


def cleaned(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a model process may see."""
    kept = {
        name: value
        for name, value in environment.items()
        if _KEPT.match(name) and not _SECRET.search(name)
    }
    return {**kept, **_ALWAYS}
