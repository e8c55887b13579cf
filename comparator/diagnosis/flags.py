"""What a processor can do, as builds of llama.cpp name it and as the system does."""

from __future__ import annotations

from runners.machine.processor import this_processor

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


def processor_flags() -> set[str]:
    """Return what this processor can do, in Linux's names; empty where nobody tells."""
    return set(this_processor().flags)
