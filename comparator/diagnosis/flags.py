"""What a processor can do that matters to engines, as the system and as builds name it."""

from __future__ import annotations

import platform
from pathlib import Path

INFORMATION = Path("/proc/cpuinfo")
# As ggml names a feature of its build -> as Linux names the processor's flag.
FLAG_OF_FEATURE = {
    "AVX": "avx",
    "AVX2": "avx2",
    "FMA": "fma",
    "F16C": "f16c",
    "BMI2": "bmi2",
    "AVX_VNNI": "avx_vnni",
    "AVX512": "avx512f",
    "AVX512_VBMI": "avx512vbmi",
    "AVX512_VNNI": "avx512_vnni",
    "AVX512_BF16": "avx512_bf16",
    "AMX_INT8": "amx_int8",
    "DOTPROD": "asimddp",
    "MATMUL_INT8": "i8mm",
    "SVE": "sve",
}
# Those that multiply the numbers of quantised weights: a build without them is slower.
FEATURES_THAT_COUNT = ("AVX2", "AVX512", "AVX512_VNNI", "AVX_VNNI", "AMX_INT8", "MATMUL_INT8")
_MATTER = {*FLAG_OF_FEATURE.values(), "avx512_fp16", "amx_tile", "amx_bf16", "bf16", "sse4_2"}
_FLAG_LINES, _NAME_LINES = ("flags", "Features"), ("model name", "Model", "Hardware")


def processor_name() -> str:
    """Return the processor's name as people know it."""
    told = _told()
    names = (told[name] for name in _NAME_LINES if told.get(name))
    return next(names, platform.processor() or platform.machine())


def processor_flags() -> set[str]:
    """Return the flags that matter to engines; empty where the system does not tell."""
    told = _told()
    return _MATTER & {word for name in _FLAG_LINES for word in told.get(name, "").split()}


def _told() -> dict[str, str]:
    """Return what Linux says of the first processor; empty on other systems."""
    try:
        lines = INFORMATION.read_text("utf-8", "replace").split("\n\n")[0].splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}
