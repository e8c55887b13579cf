"""Weights that a library other than llama.cpp quantised: which, and what must be installed for it.

Names of methods and the packages that they need: transformers, ``quantizers/auto.py`` and the
``validate_environment`` of each quantizer. MLX writes its numbers without a method's name
(mlx-lm, ``utils.py``), ExLlamaV2 and V3 write a method that transformers does not know.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ModelLoadError
from comparator.core.text import with_controls_shown
from comparator.formats import safetensors_header
from comparator.formats.model_files import is_safetensors_name

_LONGEST_NAME = 40


@dataclass(frozen=True)
class Method:
    """A way to quantise.

    Attributes:
        title: as people write it.
        packages: what transformers needs to load it, by the names of their modules.
        install: what they are called where they are installed from.
        runs_elsewhere: what runs it, where transformers does not.
    """

    title: str
    packages: tuple[str, ...] = ()
    install: str = ""
    runs_elsewhere: str = ""


_METHODS = {
    "gptq": Method("GPTQ", ("optimum", "gptqmodel"), "optimum gptqmodel"),
    "awq": Method("AWQ", ("gptqmodel",), "gptqmodel"),
    "bitsandbytes": Method("bitsandbytes", ("bitsandbytes",), "bitsandbytes"),
    "bitsandbytes_4bit": Method("bitsandbytes", ("bitsandbytes",), "bitsandbytes"),
    "bitsandbytes_8bit": Method("bitsandbytes", ("bitsandbytes",), "bitsandbytes"),
    "compressed-tensors": Method(
        "compressed-tensors", ("compressed_tensors",), "compressed-tensors"
    ),
    "aqlm": Method("AQLM", ("aqlm",), "aqlm[cpu]"),
    "auto-round": Method("AutoRound", ("auto_round",), "auto-round"),
    "eetq": Method("EETQ", ("kernels",), "kernels"),
    "fbgemm_fp8": Method("FBGEMM FP8", ("fbgemm_gpu",), "fbgemm-gpu"),
    "fouroversix": Method("Four Over Six", ("fouroversix",), "fouroversix"),
    "fp_quant": Method("FP-Quant", ("fp_quant",), "fp_quant"),
    "higgs": Method("HIGGS", ("flute", "fast_hadamard_transform"), "flute-kernel"),
    "hqq": Method("HQQ", ("hqq",), "hqq"),
    "nvfp4": Method("NVFP4", ("kernels",), "kernels"),
    "quanto": Method("Quanto", ("optimum.quanto",), "optimum-quanto"),
    "quark": Method("Quark", ("quark",), "amd-quark"),
    "sinq": Method("SINQ", ("sinq",), "sinq"),
    "spqr": Method("SpQR", ("spqr_quant",), "spqr_quant"),
    "torchao": Method("torchao", ("torchao",), "torchao"),
    "vptq": Method("VPTQ", ("vptq",), "vptq"),
    "fp8": Method("FP8"),
    "mxfp8": Method("MXFP8"),
    "mxfp4": Method("MXFP4"),
    "bitnet": Method("BitNet"),
    "mlx": Method("MLX", runs_elsewhere="mlx-lm runs it, on Apple's computers"),
    "exl2": Method("EXL2", runs_elsewhere="ExLlamaV2 runs it (TabbyAPI, text-generation-webui)"),
    "exl3": Method("EXL3", runs_elsewhere="ExLlamaV3 runs it (TabbyAPI, text-generation-webui)"),
    "modelopt": Method("ModelOpt", runs_elsewhere="TensorRT-LLM, vLLM and SGLang run it"),
}

# Endings that only the tensors of one method have, as its published folders show; the first counts.
_BY_ENDING = (
    (".g_idx", "gptq"),
    (".qweight", "awq"),
    (".q_scale_max", "exl2"),
    (".trellis", "exl3"),
    (".weight_scale_2", "modelopt"),
    (".bitsandbytes__nf4", "bitsandbytes"),
    (".bitsandbytes__fp4", "bitsandbytes"),
)
_UNDECLARED = "undeclared "  # before a method that config.json does not name


def method_of_files(weights: Iterable[Path]) -> str | None:
    """Return by which method weights are quantised of which ``config.json`` says nothing.

    Old folders of GPTQ, AWQ and EXL2 keep that in a file of their own, or nowhere. The first file
    whose header can be read tells it by the names of its tensors.
    """
    for path in weights:
        if is_safetensors_name(path.name):
            with contextlib.suppress(ModelLoadError):
                return _by_tensors(safetensors_header.read_shapes(path))
    return None


def _by_tensors(names: Iterable[str]) -> str | None:
    there = {"." + name.rpartition(".")[2] for name in names}
    return next((_UNDECLARED + method for end, method in _BY_ENDING if end in there), None)


def title_of(name: str) -> str:
    """Return a method's name as people write it."""
    method = _METHODS.get(name.removeprefix(_UNDECLARED))
    return method.title if method else name


def method_of(config: Mapping[str, Any]) -> tuple[str, int | None] | None:
    """Return by which method the weights of a ``config.json`` are quantised, and in how many bits.

    None where they are not.
    """
    packed = _settings(config)
    if packed is None:
        return None
    name, bits = packed.get("quant_method"), packed.get("bits", packed.get("w_bit"))
    four, eight = packed.get("load_in_4bit") is True, packed.get("load_in_8bit") is True
    if four or eight:
        bits = 4 if four else 8
    if not isinstance(name, str) or not name:
        if four or eight:
            name = "bitsandbytes"
        elif type(bits) is int and "group_size" in packed:
            name = "mlx"
        else:
            return None
    shown = with_controls_shown(name).replace("\n", " ")[:_LONGEST_NAME]
    known = shown.lower().replace("compressed_tensors", "compressed-tensors")
    whole = bits if type(bits) is int and 0 < bits <= 64 else None
    return (known if known in _METHODS else shown), whole


def _settings(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what a configuration says of quantisation; mlx-lm of old has another name for it."""
    parts = [config, config.get("text_config")]
    for part in parts:
        if isinstance(part, dict):
            for name in ("quantization_config", "quantization"):
                found = part.get(name)
                if isinstance(found, dict) and found:
                    return found
    return None


def label_of(config: Mapping[str, Any]) -> str | None:
    """Return the name of the quantisation, such as ``GPTQ 4-bit``; None where there is none."""
    found = method_of(config)
    if found is None:
        return None
    name, bits = found
    title = _METHODS[name].title if name in _METHODS else name
    return f"{title} {bits}-bit" if bits else title


def why_not_here(name: str, label: str, has: Callable[[str], bool] | None = None) -> str | None:
    """Return why weights cannot be loaded here, and what would; None where nothing is missing.

    Args:
        name: of the method.
        label: of the quantisation, for people.
        has: tells whether a module is installed; None looks.
    """
    method = _METHODS.get(name.removeprefix(_UNDECLARED))
    if method is None:
        return None
    if name.startswith(_UNDECLARED) and not method.runs_elsewhere:
        return (
            f"Its weights are quantised for {label}, but config.json has no quantization_config "
            "that says how, without which transformers does not read them. Download a later "
            "version of it. The same model as GGUF or unquantised runs here."
        )
    if method.runs_elsewhere:
        return (
            f"Its weights are quantised for {label}, which transformers does not read: "
            f"{method.runs_elsewhere}. The same model as GGUF or unquantised runs here."
        )
    missing = [package for package in method.packages if not (has or is_installed)(package)]
    if not missing:
        return None
    return (
        f"Its weights are quantised with {label}, for which transformers needs a package that is "
        f"not installed ({missing[0]}): pip install {method.install}. The same model as GGUF or "
        "unquantised runs without it."
    )


def installed_packages() -> str:
    """Return which of the packages are installed, as a text that changes when one comes."""
    names = sorted({name for method in _METHODS.values() for name in method.packages})
    return " ".join(name for name in names if is_installed(name))


@lru_cache
def is_installed(name: str) -> bool:
    """Return whether a module is there, without importing it."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False
