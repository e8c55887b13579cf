"""What a model is for, and whether it is made to chat or to go on with a text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from comparator.formats import gguf_kinds

LANGUAGE = "language"
_OFFERED = frozenset({LANGUAGE, "language and images"})
_REASONS = {
    "embedding": "An embedding model: it turns text into numbers and writes no answers.",
    "reranker": "A reranker: it sorts search results and writes no answers.",
    "classifier": "A classifier: it names the class of a text and writes no answers.",
    "adapter": "A LoRA adapter: it needs its base model.",
    "projector": "A projector (mmproj): it is the eyes of another model and no model itself.",
    "vision encoder": "A vision encoder: it looks at images and writes no answers.",
    "image generation": "An image generator: it writes no answers.",
    "speech": "A model of speech: it answers no questions in text.",
    "encoder-decoder": "An encoder-decoder model (such as T5), which this program cannot run.",
    "masked language": "A model that fills gaps (such as BERT): it writes no answers.",
    "diffusion language": "A diffusion language model, which this program cannot run.",
    "draft head": gguf_kinds.DRAFT_HEAD,
    "control vector": "A control vector: it steers the answers of another model and is none.",
    "importance matrix": "An importance matrix: what a quantiser reads, and no model.",
}
_EMBEDS = re.compile(r"bert(-|$)|embed")
_ENCODERS = re.compile(
    r"(clip|siglip|^vit|dinov2|dinov3|^deit|^swin|^beit|^sam\d?(_|$)|detr|^resnet|^segformer"
    r"|^convnext|^dpt$|^yolos$|^owl|^mobilenet|^efficientnet|^depth_|^mask2?former|^timm_)"
)
_TEXT_ENCODERS = re.compile(r"(bert|electra|mpnet|^e5|^xlm|^nomic|^gte|^bge)")
_SPEECH = re.compile(
    r"(whisper|wav2vec|hubert|wavlm|speech|seamless|musicgen|^bark$|^encodec$|^dac$|^vits$|^mimi$"
    r"|^clap|^parler|^audio_spectrogram)"
)
_OF_CLASSES = (
    (
        (
            "ForImageClassification", "ForObjectDetection", "ForSemanticSegmentation",
            "ForInstanceSegmentation", "ForUniversalSegmentation", "ForImageSegmentation",
            "ForDepthEstimation", "ForMaskGeneration", "ForMaskedImageModeling",
            "ForVideoClassification", "ForKeypointDetection", "VisionModel", "ImageModel",
        ),
        "vision encoder",
    ),
    (
        (
            "ForCTC", "ForSpeechSeq2Seq", "ForAudioClassification", "ForTextToWaveform",
            "ForTextToSpectrogram", "ForAudioXVector", "ForAudioFrameClassification",
        ),
        "speech",
    ),
    (("ForQuestionAnswering", "ForMultipleChoice", "ForNextSentencePrediction"), "classifier"),
)  # fmt: skip
# Classes of heads that vLLM, SGLang and transformers load beside a target model. EAGLE 2.5 of
# NVIDIA is none: it sees, and its class ends in ForConditionalGeneration.
_DRAFT_HEAD = re.compile(
    r"(eagle(?!.*conditional)|^mtp|mtp(model)?$|medusa|hydra|dflash|speculator"
    r"|assistantforcausallm$)",
    re.IGNORECASE,
)
_DIFFUSION = re.compile(r"(^|_)(dream|llada|sdar|rnd1|diffugpt|diffullama)(_|moe|$)")
_CHAT_WORDS = frozenset(
    {"instruct", "chat", "it", "sft", "dpo", "rlhf", "assistant", "thinking", "reasoning"}
)
_BASE_WORDS = frozenset({"base", "pt", "pretrain", "pretrained"})
_POOLS_BY_RANK = 4  # llama.h: LLAMA_POOLING_TYPE_RANK


def why_not_offered(purpose: str | None) -> str | None:
    """Return why a model of this purpose cannot be asked; None where it can, or is unknown."""
    if purpose is None or purpose in _OFFERED:
        return None
    return _REASONS.get(purpose, f"A model for {purpose}: it writes no answers.")


def of_gguf(
    file_type: str | None, architecture: str | None, pooling: int | None, is_causal: bool
) -> str | None:
    """Return what a GGUF file is for.

    Args:
        file_type: the header's ``general.type``.
        architecture: ``general.architecture``.
        pooling: ``pooling_type`` of the architecture, a number of llama.h.
        is_causal: False where ``attention.causal`` says so.
    """
    by_type = {"adapter": "adapter", "mmproj": "projector", "imatrix": "importance matrix"}
    if file_type in by_type:
        return by_type[file_type]
    if architecture is None:
        return None
    if pooling == _POOLS_BY_RANK:
        return "reranker"
    if architecture in gguf_kinds.PURPOSES:
        return gguf_kinds.PURPOSES[architecture]
    if pooling or not is_causal or _EMBEDS.search(architecture):
        return "embedding"
    return LANGUAGE


def of_classes(names: Iterable[str], model_type: str | None, labels: int | None) -> str | None:
    """Return what a transformers model is for.

    Args:
        names: ``architectures`` of ``config.json``.
        model_type: of ``config.json``.
        labels: into how many classes it sorts, where it says so.
    """
    plain = model_type or ""
    if _DIFFUSION.search(plain.lower()):
        return "diffusion language"
    for name in names:
        if _DRAFT_HEAD.search(name):
            return "draft head"
        found = _of_class(name, plain, labels)
        if found:
            return found
    return _of_type(plain) if plain else None


def _of_class(name: str, model_type: str, labels: int | None) -> str | None:
    if name.endswith(("ForCausalLM", "LMHeadModel")):
        return LANGUAGE
    if name.endswith("ForSequenceClassification"):
        return "reranker" if labels == 1 else "classifier"
    if name.endswith("ForTokenClassification"):
        return "classifier"
    if name.endswith("ForMaskedLM"):
        return "masked language"
    for endings, purpose in _OF_CLASSES:
        if name.endswith(endings):
            return purpose
    if name.endswith("ForConditionalGeneration") and _of_type(model_type) == LANGUAGE:
        return "language and images"
    if name.endswith("Model") and _of_type(model_type) == LANGUAGE:
        return "embedding" if not name.endswith("LMModel") else LANGUAGE
    return None


def _of_type(model_type: str) -> str:
    patterns = (
        (_SPEECH, "speech"),
        (_ENCODERS, "vision encoder"),
        (_TEXT_ENCODERS, "embedding"),
        (re.compile(r"^(m?t5|umt5|m?bart|marian|pegasus|m2m_100)$"), "encoder-decoder"),
    )
    return next((purpose for known, purpose in patterns if known.search(model_type)), LANGUAGE)


def kind_of(names: Iterable[str | None], has_template: bool | None) -> str | None:
    """Return ``chat`` or ``base`` by the words of names, and else by a chat template."""
    words = {
        word for name in names for word in re.split(r"[^a-z0-9]+", (name or "").casefold()) if word
    }
    if words & _CHAT_WORDS:
        return "chat"
    if words & _BASE_WORDS:
        return "base"
    if has_template is None:
        return None
    return "chat" if has_template else "base"
