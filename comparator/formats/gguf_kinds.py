"""GGUF files that are no whole language model, and those made for another program than llama.cpp.

Architectures: llama.cpp, src/llama-arch.cpp (its table of names); those that it loads only beside
a target model assert one in src/models (eagle3, dflash, gemma4-assistant). Types of tensors: ggml.h
of llama.cpp, of ikawrakow/ik_llama.cpp (from 97) and of microsoft/BitNet (36 to 39 before they were
given anew). Names of architectures that are Ollama's own: ollama/ollama, model/models.
"""

from __future__ import annotations

from collections.abc import Iterable

# What a file is, by its architecture.
PURPOSES = {
    **dict.fromkeys(
        ("eagle", "eagle2", "eagle3", "dflash", "gemma4-assistant", "gemma4_assistant", "medusa"),
        "draft head",
    ),
    **dict.fromkeys(("clip", "mmproj"), "projector"),
    "controlvector": "control vector",
    "t5": "encoder-decoder",
    "t5encoder": "embedding",
    **dict.fromkeys(
        ("whisper", "wavtokenizer-dec", "qwen3tts", "pockettts", "parler-tts", "kokoro", "dia"),
        "speech",
    ),
    **dict.fromkeys(("dream", "llada", "llada-moe", "rnd1"), "diffusion language"),
    **dict.fromkeys(
        (
            "sd1", "sd2", "sd3", "sdxl", "flux", "wan", "ltxv", "lumina2", "qwen_image", "aura",
            "hidream", "cosmos", "hyvid", "chroma", "z_image", "pig",
        ),
        "image generation",
    ),
}  # fmt: skip
DRAFT_HEAD = (
    "A draft head (EAGLE, DFlash, MTP): it guesses tokens for a larger model, beside which it "
    "is loaded, and cannot answer alone."
)
_MTP_MARK = ".nextn."
_FIRST_LAYER = "blk.0."

_OLLAMA = "Ollama's own engine"
# Architecture -> whose name it is, and what llama.cpp calls the same; empty where it has none.
_OWN_NAMES = {
    "gptoss": (_OLLAMA, "gpt-oss"),
    "mllama": (_OLLAMA, ""),
    "qwen25vl": (_OLLAMA, "qwen2vl"),
    "deepseekocr": (_OLLAMA, "deepseek2-ocr"),
    "glmocr": (_OLLAMA, ""),
    "glm4moelite": (_OLLAMA, ""),
    "olmo3": (_OLLAMA, "olmo2"),
    "nomicbert": (_OLLAMA, "nomic-bert"),
    "bitnet-b1.58": ("bitnet.cpp", "bitnet"),
    "bitnet-25": ("bitnet.cpp", "bitnet"),
}
_IK = "ik_llama.cpp"
_BITNET = "bitnet.cpp"
_REMOVED = "llama.cpp of 2024"
# Type of a tensor -> its name and the program that has it.
FOREIGN_TYPES = {
    **{kind: (name, _REMOVED) for kind, name in (
        (31, "Q4_0_4_4"), (32, "Q4_0_4_8"), (33, "Q4_0_8_8"),
    )},
    **{kind: (name, _BITNET) for kind, name in ((36, "I2_S"), (37, "I8_S"), (38, "TL1"))},
    **{kind: (name, _IK) for kind, name in (
        (133, "Q6_0"), (134, "IQ1_BN"), (135, "IQ2_BN"), (137, "IQ2_K"), (138, "IQ3_K"),
        (139, "IQ4_K"), (140, "IQ5_K"), (141, "IQ6_K"), (144, "IQ4_KS"), (145, "IQ2_KS"),
        (146, "IQ4_KSS"), (151, "Q8_KV"), (152, "IQ5_KS"), (153, "IQ2_KT"), (154, "IQ3_KT"),
        (155, "IQ4_KT"), (156, "IQ3_KS"), (157, "IQ2_KL"), (158, "IQ1_KT"), (202, "Q4_0_R8"),
        (206, "Q5_0_R4"), (208, "Q8_0_R8"), (210, "Q2_K_R4"), (211, "Q3_K_R4"), (212, "Q4_K_R4"),
        (213, "Q5_K_R4"), (214, "Q6_K_R4"), (216, "IQ2_XXS_R4"), (217, "IQ2_XS_R4"),
        (218, "IQ3_XXS_R4"), (219, "IQ1_S_R4"), (220, "IQ4_NL_R4"), (221, "IQ3_S_R4"),
        (222, "IQ2_S_R4"), (223, "IQ4_XS_R8"), (229, "IQ1_M_R4"), (230, "BF16_R16"),
        (233, "Q6_0_R4"), (335, "IQ2_BN_R4"), (337, "IQ2_K_R4"), (338, "IQ3_K_R4"),
        (339, "IQ4_K_R4"), (340, "IQ5_K_R4"), (344, "IQ4_KS_R4"), (352, "IQ5_KS_R4"),
        (398, "Q8_KV_R8"), (399, "Q8_K_R8"),
    )},
}  # fmt: skip


def is_mtp_head(names: Iterable[str]) -> bool:
    """Return whether tensors are those of a head that guesses several tokens, without its model.

    Models that bring such a head have their own layers beside it, from the first on.
    """
    has_mark = False
    for name in names:
        if name.startswith(_FIRST_LAYER):
            return False
        has_mark = has_mark or _MTP_MARK in name
    return has_mark


def of_another_program(architecture: str | None, kinds: Iterable[int]) -> str | None:
    """Return for which program a file was made, and what to do; None where llama.cpp may read it.

    Args:
        architecture: ``general.architecture`` of its header.
        kinds: the types of its tensors.
    """
    for kind in sorted(set(kinds)):
        reason = of_type(kind)
        if reason:
            return reason
    return of_architecture(architecture) if architecture else None


def of_type(kind: int) -> str | None:
    """Return whose a type of tensors is, as a sentence; None where llama.cpp may have it."""
    if kind not in FOREIGN_TYPES:
        return None
    name, program = FOREIGN_TYPES[kind]
    if program == _REMOVED:
        return (
            f"Its weights are {name}, which llama.cpp has dropped since: it reorders Q4_0 itself "
            "now. Download the Q4_0 of the same model."
        )
    return (
        f"Its weights are {name}, a type of {program}, which runs it; llama.cpp does not know it. "
        "Download a quantisation made for llama.cpp, such as Q4_K_M."
    )


def of_architecture(name: str) -> str | None:
    """Return whose name an architecture is, as a sentence; None where llama.cpp may have it."""
    if name not in _OWN_NAMES:
        return None
    program, same = _OWN_NAMES[name]
    called = f" (llama.cpp's is '{same}')" if same else ""
    return (
        f"'{name}' is what {program} calls its architecture{called}, and the file is made for it. "
        "Run it there, or download the GGUF of the same model that is made for llama.cpp."
    )
