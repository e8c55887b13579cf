"""Folders and files in the formats of other programs: what they are, and what would run them.

Decided by the names in a folder alone. Sources: the documentation of each program on the files
that it saves; of sentence-transformers, diffusers and PEFT the names that ``save_pretrained`` uses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from comparator.formats.model_files import is_gguf_name

_FOLDER = "/"  # ends the name of a folder


@dataclass(frozen=True)
class Format:
    """A format that is not run here.

    Attributes:
        needs: patterns; each must match a name in the folder, the first says which file it is.
        reason: what it is, and what would run it.
        is_folder: whether the whole folder is meant, not one file of it.
        goes_before: whether it is this also where transformers would find weights.
        has_parts: whether the folders below are parts of it, and no models.
    """

    needs: tuple[re.Pattern[str], ...]
    reason: str
    is_folder: bool = True
    goes_before: bool = False
    has_parts: bool = False


@dataclass(frozen=True)
class FoundFormat:
    """A format, and the name of the file that showed it."""

    format: Format
    name: str

    def is_of(self, name: str) -> bool:
        """Return whether another file of the folder is in this format too."""
        return self.format.needs[0].match(name.lower()) is not None


def _format(names: str, reason: str, **more: bool) -> Format:
    """Make a format of patterns with spaces between; each is a whole name in small letters."""
    return Format(tuple(re.compile(f"{name}$") for name in names.split()), reason, **more)


BUNDLES = (".mlpackage", ".mlmodelc")  # folders that are one model of Core ML
_FIRST = {"goes_before": True, "has_parts": True}
_FILE = {"is_folder": False}
_FORMATS = (
    _format(
        r"adapter_config\.json",
        "A LoRA adapter: it needs its base model.",
        goes_before=True,
    ),
    _format(
        r"model_index\.json",
        "A pipeline that makes images (diffusers), no language model.",
        **_FIRST,
    ),
    _format(
        r"diffusion_pytorch_model.*\.(safetensors|bin)",
        "A part of a pipeline that makes images (diffusers), no language model.",
    ),
    _format(
        r"modules\.json",
        "An embedding model (sentence-transformers): it writes no text.",
        **_FIRST,
    ),
    _format(
        r"rank\d+\.(engine|safetensors)",
        "Built for TensorRT-LLM, which runs it on the GPU that it was built for. The same model "
        "as safetensors or GGUF runs here.",
    ),
    _format(r".*\.(engine|plan)", "An engine of TensorRT, which runs it.", **_FILE),
    _format(
        r"mlc-chat-config\.json",
        "Compiled for MLC LLM, which runs it. The same model as safetensors or GGUF runs here.",
    ),
    _format(
        r"openvino_.*\.xml",
        "In the format of OpenVINO: optimum-intel or OpenVINO GenAI runs it. The same model as "
        "safetensors or GGUF runs here.",
    ),
    _format(
        r"model\.bin (shared_)?(source_|target_)?vocabulary\.(json|txt)",
        "Converted for CTranslate2, which runs it (faster-whisper is one of its users).",
    ),
    _format(
        r"genai_config\.json .*\.onnx",
        "In the format of ONNX: ONNX Runtime GenAI runs it. The same model as safetensors or GGUF "
        "runs here.",
    ),
    _format(
        r".*\.onnx",
        "In the format of ONNX: ONNX Runtime runs it. The same model as safetensors or GGUF runs "
        "here.",
        **_FILE,
    ),
    _format(
        r".*\.(mlpackage|mlmodelc)/",
        "In the format of Core ML, which runs it on Apple's devices.",
        **_FILE,
    ),
    _format(r".*\.mlmodel", "In the format of Core ML, which runs it on Apple's devices.", **_FILE),
    _format(
        r"weights(\.\d+)?\.npz",
        "In an early format of MLX, Apple's library, which runs it on a Mac.",
        **_FILE,
    ),
    _format(
        r"params\.json consolidated.*\.(pth|safetensors)",
        "The original format of its maker (Meta or Mistral), not that of transformers. Convert "
        "it, or download the same model with config.json and model.safetensors.",
    ),
    _format(
        r".*\.nemo", "An archive of NVIDIA NeMo, which runs it and exports other formats.", **_FILE
    ),
    _format(
        r"(zero_to_fp32\.py|mp_rank_\d+_model_states\.pt)",
        "A training's state in pieces (DeepSpeed). Join it: python zero_to_fp32.py . OUTPUT",
    ),
    _format(
        r".*\.distcp",
        "A training's state in pieces (PyTorch distributed or NeMo). Join and export it with the "
        "library that wrote it.",
    ),
    _format(
        r"(model_optim_rng|distrib_optim)\.pt",
        "A training's state of Megatron. Export it with the library that wrote it.",
    ),
    _format(
        r"dict\.txt .*\.pt",
        "A checkpoint of fairseq, which runs it; transformers needs a converted one.",
    ),
    _format(
        r"(tf_model\.h5|saved_model\.pb|.*\.keras|.*\.ckpt\.index)",
        "Weights of TensorFlow only, which transformers no longer reads. Download the same model "
        "as safetensors.",
        **_FILE,
    ),
    _format(
        r"(flax_model\.msgpack|flax_model-\d+-of-\d+\.msgpack|_checkpoint_metadata)",
        "Weights of JAX or Flax only, which transformers no longer reads. Download the same model "
        "as safetensors.",
        **_FILE,
    ),
    _format(
        r".*\.(litertlm|tflite|task)",
        "In a format of Google's LiteRT (TensorFlow Lite, MediaPipe), which runs it.",
        **_FILE,
    ),
    _format(r".*\.pte", "In the format of ExecuTorch, which runs it.", **_FILE),
    _format(r".*\.rkllm", "For the NPU of Rockchip processors: RKLLM runs it.", **_FILE),
    _format(r".*\.mnn", "In the format of MNN, which runs it.", **_FILE),
    _format(
        r".*\.llamafile",
        "A llamafile: a program with its model inside. Run it itself, or download the GGUF.",
        **_FILE,
    ),
    _format(
        r"ggml-(tiny|base|small|medium|large|distil).*\.bin",
        "A model of speech for whisper.cpp, which runs it.",
        **_FILE,
    ),
    _format(
        r"(.*\.)?ggml[._-].*\.bin|.*\.ggml(v\d)?(\.q\d.*)?\.bin|.*\.ggml",
        "In llama.cpp's format before GGUF (2023), which no version of today reads. Download it "
        "as GGUF.",
        **_FILE,
    ),
    _format(r".*\.ckpt", "A checkpoint of a training (PyTorch Lightning or older).", **_FILE),
    _format(
        r".*imatrix.*\.(dat|gguf_file)|.*\.imatrix",
        "An importance matrix: what a quantiser reads, and no model.",
        **_FILE,
    ),
)  # fmt: skip


def formats_of(names: Iterable[str], is_read_by_transformers: bool) -> list[FoundFormat]:
    """Return the formats of other programs that a folder's names show.

    One that the whole folder has stands alone; else each of which there is a file.

    Args:
        names: of what lies in the folder; those of folders end with a slash.
        is_read_by_transformers: whether a configuration and weights of transformers are there.
    """
    lower = {name.lower(): name for name in names if not is_gguf_name(name)}
    found: list[FoundFormat] = []
    for kind in _FORMATS if lower else ():
        if is_read_by_transformers and not kind.goes_before:
            continue
        first = next((name for name in lower if kind.needs[0].match(name)), None)
        if first is None:
            continue
        if all(any(need.match(name) for name in lower) for need in kind.needs[1:]):
            shown = FoundFormat(kind, lower[first].rstrip(_FOLDER))
            if kind.is_folder:
                return [shown]
            if not any(other.name == shown.name for other in found):
                found.append(shown)
    return found
